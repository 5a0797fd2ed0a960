"""Tests of two groups whose trials do not match: other seeds, or other numbers of them."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .paired import ALPHA, FLIPS, Test

EXACT_SPLITS = 20_000
"""Up to so many ways of splitting all values in two, each of them is gone through."""


def welch_t(a: ArrayLike, b: ArrayLike) -> Test:
    """Welch's test that the means of a and b are equal, whose spreads may differ.

    Args:
        a: independent values.
        b: independent values of the other group.

    Assumes normal values. Source: Welch 1947; ``scipy.stats.ttest_ind``.
    """
    name = "Welch t"
    one, other, notes = _finite(a, b)
    n = one.size + other.size
    if min(one.size, other.size) < 2:
        why = "fewer than 2 values in a group say nothing about its spread"
    elif np.ptp(one) == 0 == np.ptp(other):
        why = "no group has any spread to measure the difference by"
    else:
        found = stats.ttest_ind(one, other, equal_var=False)
        return Test(name, float(found.statistic), float(found.pvalue), n, "; ".join(notes))
    return Test(name, math.nan, math.nan, n, "; ".join([*notes, why]))


def permutation(a: ArrayLike, b: ArrayLike) -> Test:
    """How many ways of splitting all values give as large a difference of the means?

    All of them where there are at most :data:`EXACT_SPLITS`; with more, random ones with a fixed
    seed, and p = (b + 1) / (m + 1). Two-sided: twice the smaller tail.

    Args:
        a: independent values.
        b: independent values of the other group.

    Assumes that without a difference the two groups have one distribution, spread included.
    Source: Fisher 1935; Phipson and Smyth 2010; ``scipy.stats.permutation_test``.
    """
    name = "permutation"
    one, other, notes = _finite(a, b)
    n = one.size + other.size
    if min(one.size, other.size) < 1 or n < 3:
        too_few = "too few values to split in another way"
        return Test(name, math.nan, math.nan, n, "; ".join([*notes, too_few]))
    exact = math.comb(n, one.size) <= EXACT_SPLITS
    found = stats.permutation_test(
        (one, other),
        _difference,
        vectorized=True,
        n_resamples=EXACT_SPLITS if exact else FLIPS,  # as many or more: each split once
        batch=1 + 2_000_000 // n,
        rng=np.random.default_rng(0),
    )
    if not exact:
        notes.append(f"{FLIPS} random splits")
    if (least := smallest_p(one.size, other.size)) > ALPHA:
        notes.append(f"{one.size} and {other.size} values: p cannot be below {least:.4g}")
    return Test(name, float(found.statistic), float(found.pvalue), n, "; ".join(notes))


def smallest_p(n: int, m: int) -> float:
    """2 / C(n + m, n): p of :func:`permutation` when every value of one group is the smaller.

    Three values a side: 0.1. Four: 0.0286.

    Raises:
        ValueError: a group is empty.
    """
    if min(n, m) < 1:
        raise ValueError(f"groups of {n} and {m} values: each must have at least 1")
    return min(1.0, 2 / math.comb(n + m, n))


def _difference(
    one: NDArray[np.float64], other: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    difference: NDArray[np.float64] = one.mean(axis=axis) - other.mean(axis=axis)
    return difference


def _finite(
    a: ArrayLike, b: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """The finite values of each group, and what is to be said of the others."""
    one, other = (np.asarray(x, dtype=np.float64).ravel() for x in (a, b))
    kept, kept_other = one[np.isfinite(one)], other[np.isfinite(other)]
    left_out = one.size + other.size - kept.size - kept_other.size
    said = [f"{left_out} values left out: not finite"] if left_out else []
    return kept, kept_other, said
