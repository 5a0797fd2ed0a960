"""Intervals over seeds and scores over workloads; pure functions."""

import functools
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Bounds = tuple[float, float]
UNBOUNDED: Bounds = (-np.inf, np.inf)

METHOD = "95 % t interval"
"""What every caption calls the interval of :func:`t_interval` at its default level."""


def t_interval(
    n: ArrayLike,
    mean: ArrayLike,
    stddev: ArrayLike,
    level: float = 0.95,
    bounds: Bounds = UNBOUNDED,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Student's interval for a mean: mean ± t(level, n − 1) · stddev / √n.

    Args:
        n: how many independent values, any shape.
        mean: their mean, same shape.
        stddev: their sample standard deviation (n − 1 in the denominator), same shape.
        level: confidence, between 0 and 1.
        bounds: range that the mean cannot leave (an accuracy: 0 to 1). Cutting an interval
            to the possible range does not change how often it covers the truth.

    Returns:
        Lower and upper ends, NaN where n < 2: one value says nothing about its spread.

    Raises:
        ValueError: the level is not between 0 and 1.

    Source: Student 1908, as in ``scipy.stats.t.interval``.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not a confidence between 0 and 1, such as 0.95")
    count, centre, spread = (np.asarray(x, dtype=np.float64) for x in (n, mean, stddev))
    enough = count >= 2
    freedom = np.where(enough, count - 1, 1.0)
    half = stats.t.ppf((1 + level) / 2, freedom) * spread / np.sqrt(freedom + 1)
    low, high = np.maximum(centre - half, bounds[0]), np.minimum(centre + half, bounds[1])
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def with_interval(frame: pd.DataFrame, bounds: Bounds = UNBOUNDED) -> pd.DataFrame:
    """The frame with columns ``low`` and ``high`` made of its ``n``, ``mean`` and ``stddev``."""
    low, high = t_interval(frame["n"], frame["mean"], frame["stddev"], bounds=bounds)
    return frame.assign(low=low, high=high)


RATIO = 4.0
"""How many times the best time a profile reaches, τ's upper end in AlgoPerf."""


def ratios_to_best(times_SW: ArrayLike) -> NDArray[np.float64]:
    """t / min t over the S competitors of each of W workloads; ∞ where the target was not met.

    Args:
        times_SW: time to target, any unit, ∞ where it never was met.

    Raises:
        ValueError: a time is not positive, or not a number.
    """
    times = np.asarray(times_SW, dtype=np.float64)
    if not (times > 0).all():
        raise ValueError(f"times to target must be above 0 (never: ∞), and one is {times.min()}")
    best = times.min(axis=0)
    ratios: NDArray[np.float64] = np.full_like(times, np.inf)
    np.divide(times, best, out=ratios, where=np.isfinite(best))
    return ratios


def performance_profile(times_SW: ArrayLike, taus: ArrayLike) -> NDArray[np.float64]:
    """ρ_s(τ): the share of workloads that a competitor finishes within τ times the best, (S, τ).

    Source: Dolan and Moré 2002; Dahl et al. 2023 (AlgoPerf), section 4.2.
    """
    ratio_SW1 = ratios_to_best(times_SW)[..., np.newaxis]
    shares: NDArray[np.float64] = (ratio_SW1 <= np.asarray(taus, dtype=np.float64)).mean(axis=1)
    return shares


def performance_score(times_SW: ArrayLike, ratio: float = RATIO) -> NDArray[np.float64]:
    """B_s = 1 / (r − 1) · ∫₁^r ρ_s(τ) dτ of each competitor, (S,), 1 for who is always best.

    Integrated exactly: a workload finished at a ratio of q ≤ r adds (r − q) / (r − 1).

    Raises:
        ValueError: the largest ratio is not above 1, or a time is not positive.

    Source: Dahl et al. 2023 (AlgoPerf), section 4.2.
    """
    if not ratio > 1:
        raise ValueError(f"ratio {ratio} must be above 1, where the profile starts")
    share_SW = (ratio - ratios_to_best(times_SW).clip(max=ratio)) / (ratio - 1)
    scores: NDArray[np.float64] = share_SW.mean(axis=1)
    return scores


def area_interval(
    area: float, learned: int, others: int, level: float = 0.95
) -> tuple[float, float]:
    """A normal interval of the area under a ROC curve, cut to [0, 1].

    Args:
        area: between 0 and 1.
        learned: trials of the one kind, at least 1.
        others: trials of the other kind, at least 1.
        level: confidence.

    Source: Hanley and McNeil 1982, eq. 2, with the exponential approximation of Q1 and Q2.
    """
    both, either = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area)
    variance += (learned - 1) * (both - area**2) + (others - 1) * (either - area**2)
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(max(variance, 0) / (learned * others))
    return max(0.0, float(area - half)), min(1.0, float(area + half))


RESAMPLES = 2000
"""Of every bootstrap; its random numbers are the same each time, so an interval is, too."""

Statistic = Literal["mean", "iqm"]
Ends = tuple[float, float]
_NONE: Ends = (float("nan"), float("nan"))
_MOST = 2_000_000  # numbers of resamples held at once


def interquartile_mean(values: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """The mean of what is left when a quarter of the values, rounded down, goes at either end.

    Source: Agarwal et al. 2021 (Deep RL at the edge of the statistical precipice), section 4.3,
    who trim as ``scipy.stats.trim_mean`` does.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=axis)
    n = ordered.shape[axis]
    middle = np.arange(n // 4, n - n // 4)
    trimmed: NDArray[np.float64] = ordered.take(middle, axis=axis).mean(axis=axis)
    return trimmed


def _statistic(name: Statistic, values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    averaged: NDArray[np.float64] = (
        values.mean(axis=axis) if name == "mean" else interquartile_mean(values, axis)
    )
    return averaged


def bootstrap_interval(
    samples: Sequence[ArrayLike], statistic: Statistic = "mean", level: float = 0.95
) -> Ends:
    """A bootstrap interval of a statistic of one sample, or of the first less the second.

    The mean's is bias-corrected and accelerated; the interquartile mean's, which is not
    smooth in the data, is the plain percentile interval.

    Args:
        samples: one or two sets of independent values.
        statistic: "mean" or "iqm" (:func:`interquartile_mean`).
        level: confidence, between 0 and 1.

    Returns:
        Lower and upper ends; NaN where a sample has fewer than two values.

    Source: Efron 1987 (Better bootstrap confidence intervals); Agarwal et al. 2021.
    """
    given = [np.asarray(sample, dtype=np.float64) for sample in samples]
    if min(map(len, given)) < 2:
        return _NONE
    # A live page asks for the same intervals every two seconds.
    return _bootstrapped(tuple(sample.tobytes() for sample in given), statistic, level)


@functools.lru_cache(maxsize=1024)
def _bootstrapped(samples: tuple[bytes, ...], statistic: Statistic, level: float) -> Ends:
    given = [np.frombuffer(sample) for sample in samples]
    if all(np.ptp(sample) == 0 for sample in given):
        same = float(given[0][0] - (given[1][0] if len(given) > 1 else 0.0))
        return same, same

    def compared(*parts: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        found = [_statistic(statistic, part, axis) for part in parts]
        return found[0] - found[1] if len(found) > 1 else found[0]

    with warnings.catch_warnings():
        # Too few different values for the correction: the ends are NaN then, and said to be.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        interval = stats.bootstrap(
            given,
            compared,
            n_resamples=RESAMPLES,
            batch=max(1, _MOST // max(map(len, given))),
            vectorized=True,
            confidence_level=level,
            method="BCa" if statistic == "mean" else "percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
    return float(interval.low), float(interval.high)


def welch_interval(
    one: tuple[int, float, float], other: tuple[int, float, float], level: float = 0.95
) -> Ends:
    """Welch's interval for the difference of two means, whose spreads may differ.

    Args:
        one: n, mean and sample standard deviation.
        other: likewise; what is subtracted.
        level: confidence, between 0 and 1.

    Returns:
        Lower and upper ends; NaN where one of the two has fewer than two values.

    Source: Welch 1947, with Satterthwaite's degrees of freedom.
    """
    (n, mean, spread), (n_other, mean_other, spread_other) = one, other
    if min(n, n_other) < 2:
        return _NONE
    difference = mean - mean_other
    part, part_other = spread**2 / n, spread_other**2 / n_other
    variance = part + part_other
    if variance == 0:
        return difference, difference
    freedom = variance**2 / (part**2 / (n - 1) + part_other**2 / (n_other - 1))
    half = float(stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(variance))
    return difference - half, difference + half
