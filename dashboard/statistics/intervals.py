"""Intervals of means, their differences, and areas under ROC curves; closed forms."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Bounds = tuple[float, float]
UNBOUNDED: Bounds = (-np.inf, np.inf)
Ends = tuple[float, float]
NO_ENDS: Ends = (float("nan"), float("nan"))

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
        return NO_ENDS
    difference = mean - mean_other
    part, part_other = spread**2 / n, spread_other**2 / n_other
    variance = part + part_other
    if variance == 0:
        return difference, difference
    freedom = variance**2 / (part**2 / (n - 1) + part_other**2 / (n_other - 1))
    half = float(stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(variance))
    return difference - half, difference + half


def paired_interval(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Ends:
    """Student's interval for the mean difference a − b over shared seeds.

    Args:
        a: values, one for each seed.
        b: values of the other method, in the same order of seeds; pairs of which one value is
            not finite are left out.
        level: confidence, between 0 and 1.

    Returns:
        Lower and upper ends; NaN with fewer than two complete pairs.

    Raises:
        ValueError: the two are not equally long.

    Source: Student 1908.
    """
    differences = paired_differences(a, b)
    n = differences.size
    if n < 2:
        return NO_ENDS
    low, high = t_interval(n, differences.mean(), differences.std(ddof=1), level)
    return float(low), float(high)


def paired_differences(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """a − b of the :func:`complete_pairs`, in order."""
    one, other = complete_pairs(a, b)
    return one - other


def complete_pairs(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The pairs of which both values are finite.

    Raises:
        ValueError: the two are not lists of one length.
    """
    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(
            f"pairs need two lists of one length, and these have shapes {one.shape} and "
            f"{other.shape}: match the seeds first, or compare the groups unpaired"
        )
    complete = np.isfinite(one) & np.isfinite(other)
    return one[complete], other[complete]


def rounding(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """What differences of such values may owe to their last digits; nothing of no values."""
    return 1e-12 * float(max(abs(one).max(initial=0.0), abs(other).max(initial=0.0)))
