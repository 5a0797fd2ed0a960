"""Intervals by resampling, for statistics and data that Student's t does not suit."""

import functools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from .intervals import NO_ENDS, Ends, paired_differences

RESAMPLES = 2000
"""Of every bootstrap; its random numbers are the same each time, so an interval is, too."""

Statistic = Literal["mean", "iqm"]
Values = NDArray[np.float64]
MOST_HELD = 2_000_000
"""Numbers of resamples held at once."""


def interquartile_mean(values: ArrayLike, axis: int = -1) -> Values:
    """The mean of what is left when a quarter of the values, rounded down, goes at either end.

    Source: Agarwal et al. 2021 (Deep RL at the edge of the statistical precipice), section 4.3,
    who trim as ``scipy.stats.trim_mean`` does.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=axis)
    n = ordered.shape[axis]
    middle = np.arange(n // 4, n - n // 4)
    trimmed: Values = ordered.take(middle, axis=axis).mean(axis=axis)
    return trimmed


def _statistic(name: Statistic, values: Values) -> Values:
    averaged: Values = values.mean(axis=-1) if name == "mean" else interquartile_mean(values)
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
        return NO_ENDS
    # A live page asks for the same intervals every two seconds.
    return _bootstrapped(tuple(sample.tobytes() for sample in given), statistic, level)


def paired_bootstrap_interval(
    a: ArrayLike, b: ArrayLike, statistic: Statistic = "mean", level: float = 0.95
) -> Ends:
    """A bootstrap interval of the mean, or interquartile mean, of the differences a − b.

    Seeds are resampled, and a pair stays together. Pairs of which one value is not finite are
    left out; the rest is as in :func:`bootstrap_interval`.

    Raises:
        ValueError: the two are not equally long.
    """
    return bootstrap_interval([paired_differences(a, b)], statistic, level)


@functools.lru_cache(maxsize=1024)
def _bootstrapped(samples: tuple[bytes, ...], statistic: Statistic, level: float) -> Ends:
    given = [np.frombuffer(sample) for sample in samples]
    if all(np.ptp(sample) == 0 for sample in given):
        same = float(given[0][0] - (given[1][0] if len(given) > 1 else 0.0))
        return same, same
    found_R = _resampled(given, statistic)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if statistic == "mean":
        tails = _corrected(tails, given, found_R)
    if np.isnan(tails).any():
        return NO_ENDS
    low, high = np.quantile(found_R, tails)
    return float(low), float(high)


def _resampled(samples: Sequence[Values], statistic: Statistic) -> Values:
    """The statistic of each resample, (R,), drawn as ``scipy.stats.bootstrap`` draws them."""
    random = np.random.default_rng(0)
    batch = max(1, MOST_HELD // max(map(len, samples)))
    found = []
    for start in range(0, RESAMPLES, batch):
        size = min(batch, RESAMPLES - start)
        parts = [
            _statistic(statistic, sample[random.integers(0, len(sample), (size, len(sample)))])
            for sample in samples
        ]
        found.append(parts[0] - parts[1] if len(parts) > 1 else parts[0])
    return np.concatenate(found)


def _corrected(tails: Values, samples: Sequence[Values], found_R: Values) -> Values:
    """Which quantiles of the resampled means are the ends of a BCa interval; NaN where none.

    z₀ = Φ⁻¹(share of resamples below the mean); a = Σ U³ / (6 (Σ U²)^1.5), U the influence of
    each value. SciPy leaves out one value at a time for that, in memory that grows with n²; of a
    mean U is (x − x̄) / n.

    Source: Efron 1987, eqs. 2.3 and 6.6.
    """
    means = [sample.mean() for sample in samples]
    estimate = means[0] - means[1] if len(means) > 1 else means[0]
    # Resamples that are as large as the estimate count half.
    bias = special.ndtri(((found_R < estimate).mean() + (found_R <= estimate).mean()) / 2)
    signs = (1, -1)
    influences = [
        sign * (sample - mean) / len(sample)
        for sign, sample, mean in zip(signs, samples, means, strict=False)
    ]
    cubes, squares = (sum(float((u**power).sum()) for u in influences) for power in (3, 2))
    acceleration = cubes / (6 * squares**1.5)
    moved = bias + special.ndtri(tails)
    with np.errstate(invalid="ignore"):  # all resamples on one side: no correction exists
        corrected: Values = special.ndtr(bias + moved / (1 - acceleration * moved))
    return corrected
