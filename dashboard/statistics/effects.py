"""How large a difference is, in units that other experiments share, each with an interval.

A test says whether there is a difference; these say whether it matters.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from .intervals import Ends, complete_pairs, rounding


@dataclass(frozen=True)
class Effect:
    """An effect size and its interval; NaN where it is not defined."""

    name: str
    value: float
    low: float
    high: float


def cohen_d(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Effect:
    """d = (ā − b̄) / s, s the pooled standard deviation of two groups.

    The interval is that of the noncentral t distribution: d·√(nm/(n + m)) is one, with n + m − 2
    degrees of freedom. Its ends are the noncentralities under which what was seen is at
    the edge.

    Args:
        a: independent values.
        b: independent values of the other group.
        level: confidence, between 0 and 1.

    Assumes normal values of one spread. Source: Cohen 1988; Steiger and Fouladi 1997.
    """
    one, other = _finite(a), _finite(b)
    n, m = one.size, other.size
    if min(n, m) < 1 or n + m < 3:
        return _undefined("Cohen's d")
    freedom = n + m - 2
    squares = ((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum()
    return _standardised(
        "Cohen's d",
        float(one.mean() - other.mean()),
        math.sqrt(squares / freedom),
        math.sqrt(n * m / (n + m)),
        freedom,
        level,
        least=rounding(one, other),
    )


def hedges_g(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Effect:
    """Cohen's d without its bias in small groups: g = J·d, J = Γ(ν/2) / (√(ν/2) Γ((ν − 1)/2)).

    ν = n + m − 2. With five trials a side J = 0.903. The interval is that of d, times J.

    Source: Hedges 1981, eq. 6e.
    """
    d = cohen_d(a, b, level)
    if math.isnan(d.value):
        return _undefined("Hedges' g")
    correction = _hedges(_finite(a).size + _finite(b).size - 2)
    return Effect("Hedges' g", *(correction * x for x in (d.value, d.low, d.high)))


def paired_d(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Effect:
    """d_z = d̄ / s_d of the differences a − b over shared seeds; interval by noncentral t.

    It is not Cohen's d: where seeds move both methods alike, s_d is small and d_z large.

    Args:
        a: values, one for each seed.
        b: values of the other method, in the same order of seeds; pairs of which one value is
            not finite are left out.
        level: confidence, between 0 and 1.

    Raises:
        ValueError: the two are not equally long.

    Assumes normal differences. Source: Cohen 1988, section 2.3.5; Cumming and Finch 2001.
    """
    one, other = complete_pairs(a, b)
    differences = one - other
    n = differences.size
    if n < 2:
        return _undefined("paired d_z")
    return _standardised(
        "paired d_z",
        float(differences.mean()),
        float(differences.std(ddof=1)),
        math.sqrt(n),
        n - 1,
        level,
        least=rounding(one, other),
    )


def probability_of_improvement(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Effect:
    """P(A < B) + ½ P(A = B): how likely is a trial of a *below* one of b?

    That is an improvement where small is good, as of losses; for accuracies exchange the two.
    The estimate is Mann and Whitney's U / (nm). The interval is a score interval: all θ with
    (θ̂ − θ)² ≤ z² V(θ),
    V(θ) = θ(1 − θ) / (nm) · [2N − 1 − (3N − 3) / ((2 − θ)(1 + θ))], N = (n + m) / 2, which does
    not shrink to a point where the groups do not overlap, as the bootstrap's does.

    Args:
        a: independent values; infinite ones (a trial that never finished) are allowed.
        b: independent values of the other group.
        level: confidence, between 0 and 1.

    Source: Mann and Whitney 1947; Agarwal et al. 2021, section 4.3, for its use; Newcombe 2006
    (part 2), method 5, for the interval.
    """
    name = "probability of improvement"
    one, other = (np.asarray(x, dtype=np.float64).ravel() for x in (a, b))
    one, other = one[~np.isnan(one)], other[~np.isnan(other)]
    n, m = one.size, other.size
    if min(n, m) < 1:
        return _undefined(name)
    ranks = stats.rankdata(np.concatenate([one, other]))
    value = float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))
    low, high = _score_interval(value, n, m, level)
    return Effect(name, value, low, high)


def _score_interval(value: float, n: int, m: int, level: float) -> Ends:
    z_squared = float(special.ndtri((1 + level) / 2)) ** 2

    def spread(theta: float) -> float:
        """z² V(θ) / (θ(1 − θ))."""
        mean = (n + m) / 2
        shape = 2 * mean - 1 - (3 * mean - 3) / ((2 - theta) * (1 + theta))
        return z_squared * shape / (n * m)

    if value in (0, 1):
        # θ̂ itself solves the equation there; the other root is that of what is left of it.
        end = float(optimize.brentq(lambda x: 1 - x - x * spread(x), 0.0, 1.0))
        return (end, 1.0) if value == 1 else (0.0, 1 - end)

    def outside(theta: float) -> float:
        return (value - theta) ** 2 - theta * (1 - theta) * spread(theta)

    return (
        float(optimize.brentq(outside, 0.0, value)),
        float(optimize.brentq(outside, value, 1.0)),
    )


def _standardised(
    name: str,
    difference: float,
    spread: float,
    root: float,
    freedom: int,
    level: float,
    least: float,
) -> Effect:
    """difference / spread, whose product with ``root`` is a noncentral t.

    A spread of ``least`` or less is rounding, and no spread.
    """
    if spread <= least:
        return _undefined(name)
    value = difference / spread
    tails = [(1 + level) / 2, (1 - level) / 2]
    # δ with P(T ≤ t) = tail for a noncentral t of that δ, about t itself.
    low, high = (float(special.nctdtrinc(freedom, tail, value * root)) / root for tail in tails)
    return Effect(name, value, low, high)


def _hedges(freedom: int) -> float:
    logs = special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)
    return math.exp(logs) / math.sqrt(freedom / 2)


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64).ravel()
    return given[np.isfinite(given)]


def _undefined(name: str) -> Effect:
    return Effect(name, math.nan, math.nan, math.nan)
