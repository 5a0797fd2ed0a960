"""Times to a target where some trials never met it: they are counted, not dropped.

A trial that spent its budget without meeting the target is *censored* there: it might have met
it later. One that diverged will never meet it. To censor it at the update at which it diverged
would say that it would have done as well as the others, and flatter a method whose trials
diverge; it stays among those that still wait, at all times (censored at ∞). The curve then is
the share of *all* trials that have not met the target (Fine and Gray 1999, for events after
which another one cannot come).

Times are in one unit, updates or samples, never in seconds of shared packs.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from .intervals import NO_ENDS
from .paired import Test

_HALF = 0.5 + 1e-12  # products of shares end a digit above the half that they are

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Trials:
    """How long each of N trials was followed, and whether it met the target at that time."""

    times_N: Values
    met_N: NDArray[np.bool_]

    @property
    def horizon(self) -> float:
        """Up to where anything is known: the longest time that a trial was followed."""
        finite = self.times_N[np.isfinite(self.times_N)]
        return float(finite.max()) if finite.size else math.inf


@dataclass(frozen=True)
class Curve:
    """Kaplan and Meier's curve: the share of trials still waiting after each of T times."""

    times_T: Values
    waiting_T: Values
    low_T: Values
    high_T: Values
    at_risk_T: NDArray[np.int64]
    """Trials that had neither met the target nor left before that time."""


@dataclass(frozen=True)
class Time:
    """An estimate of a time to the target and its interval, in the unit of the trials."""

    name: str
    value: float
    low: float
    high: float


def followed(costs: ArrayLike, budgets: ArrayLike, diverged: ArrayLike) -> Trials:
    """Trials as they were recorded, made ready for the functions below.

    Args:
        costs: when each trial first met the target; NaN where it did not.
        budgets: how long each trial ran, or was to run, same unit.
        diverged: whether it diverged. One that met the target before has met it.

    Raises:
        ValueError: a cost or a budget is not above 0, or the three are not equally long.
    """
    cost, budget = np.asarray(costs, dtype=np.float64), np.asarray(budgets, dtype=np.float64)
    lost = np.asarray(diverged, dtype=bool)
    if not cost.shape == budget.shape == lost.shape:
        raise ValueError(f"lists of {cost.size}, {budget.size} and {lost.size} trials do not match")
    met = ~np.isnan(cost)
    times = np.where(met, cost, np.where(lost, np.inf, budget))
    if not (times > 0).all():
        raise ValueError(f"times must be above 0, and one is {times[~(times > 0)][0]}")
    return Trials(times, met)


def kaplan_meier(trials: Trials, level: float = 0.95) -> Curve:
    """Ŝ(t) = Π over the times tᵢ ≤ t at which dᵢ of nᵢ met the target of (1 − dᵢ/nᵢ).

    The interval at each time is Ŝ^exp(±z · √(Σ dᵢ/(nᵢ(nᵢ − dᵢ))) / |ln Ŝ|), which stays
    between 0 and 1: the log-log form of Greenwood's. It is pointwise: it covers S at one time,
    not the whole curve at once. Where all have met the target it has no upper end (NaN).

    Assumes that budgets were not chosen by how a trial did.
    Source: Kaplan and Meier 1958; Greenwood 1926; Kalbfleisch and Prentice 2002, section 1.4.
    """
    if not trials.met_N.any():
        none = np.array([])
        return Curve(none, none, none, none, none.astype(np.int64))
    function = stats.ecdf(_censored(trials, trials.horizon)).sf
    steps = np.isin(function.quantiles, trials.times_N[trials.met_N])
    times, waiting = function.quantiles[steps], function.probabilities[steps]
    n = (trials.times_N >= times[:, np.newaxis]).sum(axis=1)
    d = ((trials.times_N == times[:, np.newaxis]) & trials.met_N).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # at the end, where all have met it
        spread = np.sqrt(np.cumsum(d / (n * (n - d)))) / -np.log(waiting)
        half = special.ndtri((1 + level) / 2) * spread
        low, high = waiting ** np.exp(half), waiting ** np.exp(-half)
    low, high = np.where(waiting == 0, [[0.0], [np.nan]], [low, high])
    return Curve(times, waiting, low, high, n)


def median(trials: Trials, level: float = 0.95) -> Time:
    """The first time by which half of the trials have met the target; ∞ where fewer did.

    The interval holds each time at which the curve's own interval holds one half. Its upper end
    is ∞ where the trials do not bound it.

    Source: Brookmeyer and Crowley 1982, with the log-log interval.
    """
    curve = kaplan_meier(trials, level)
    value, low, high = (
        _first(curve, shares) for shares in (curve.waiting_T, curve.low_T, curve.high_T)
    )
    # Even the lower end of the curve is above one half: all that is known is "later".
    return Time("median", value, min(low, trials.horizon), high)


def restricted_mean(trials: Trials, until: float, level: float = 0.95) -> Time:
    """The mean time spent waiting up to ``until``: ∫₀^τ Ŝ(t) dt, with a normal interval.

    Unlike a mean it exists where some never met the target, and unlike a mean of those that did
    it does not flatter who fails often. Groups are compared at one τ.

    Its variance is Σ Aᵢ² dᵢ / (nᵢ(nᵢ − dᵢ)), Aᵢ the area under the curve from tᵢ to τ.

    Raises:
        ValueError: ``until`` is not above 0, or beyond what any trial was followed for.

    Source: Irwin 1949; Royston and Parmar 2013.
    """
    if not 0 < until <= trials.horizon:
        raise ValueError(
            f"until = {until} must be above 0 and at most {trials.horizon:g}, the longest time "
            "that a trial was followed: the curve is not known beyond"
        )
    curve = kaplan_meier(trials, level)
    before = curve.times_T < until
    edges = np.concatenate([[0.0], curve.times_T[before], [until]])
    waiting = np.concatenate([[1.0], curve.waiting_T[before]])
    areas = waiting * np.diff(edges)
    beyond = areas[::-1].cumsum()[::-1][1:]  # from each time on
    n = curve.at_risk_T[before]
    d = n * (1 - waiting[1:] / waiting[:-1])
    left = waiting[1:] > 0  # where none is left nothing lies beyond
    variance = float((beyond[left] ** 2 * d[left] / (n[left] * (n - d)[left])).sum())
    value = float(areas.sum())
    half = float(special.ndtri((1 + level) / 2)) * math.sqrt(variance)
    low, high = (max(0.0, value - half), min(until, value + half)) if variance else NO_ENDS
    return Time(f"mean up to {until:g}", value, low, high)


def log_rank(one: Trials, other: Trials) -> Test:
    """Whether two groups meet the target at the same pace: Mantel's χ² with 1 degree of freedom.

    It is at its best where one group is faster by the same factor at all times, and blind
    where curves cross. χ² is an approximation: with few events p is a rough one.

    Source: Mantel 1966; Peto and Peto 1972; ``scipy.stats.logrank``.
    """
    n = one.times_N.size + other.times_N.size
    events = int(one.met_N.sum() + other.met_N.sum())
    if not (one.times_N.size and other.times_N.size and events):
        why = "no trial met the target" if n else "no trials"
        return Test("log-rank", math.nan, math.nan, n, why)
    cap = max(t for t in (one.horizon, other.horizon) if math.isfinite(t))
    with np.errstate(divide="ignore", invalid="ignore"):  # all at one time: 0 / 0
        found = stats.logrank(_censored(one, cap), _censored(other, cap))
    note = f"{events} of {n} trials met the target"
    if math.isnan(found.statistic):
        note += ", none before another: nothing to compare"
    return Test("log-rank", float(found.statistic) ** 2, float(found.pvalue), n, note)


def _censored(trials: Trials, cap: float) -> stats.CensoredData:
    """For SciPy, whose times are finite: ∞ becomes a time after all others."""
    finite = np.where(np.isfinite(trials.times_N), trials.times_N, cap + 1)
    return stats.CensoredData(uncensored=finite[trials.met_N], right=finite[~trials.met_N])


def _first(curve: Curve, shares_T: Values) -> float:
    """The first time at which a share is one half or less; ∞ where there is none."""
    down = shares_T <= _HALF
    return float(curve.times_T[down][0]) if down.any() else math.inf
