"""Tests of two methods on the same seeds: is the difference more than the seeds' doing?

All are two-sided. Pairs of which one value is missing are left out, and the note says so.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .bootstrap import MOST_HELD
from .intervals import complete_pairs, rounding

EXACT_PAIRS = 16
"""Up to so many pairs :func:`permutation` goes through all 2ⁿ patterns of signs."""
EXACT_RANKS = 200
"""Up to so many pairs that differ :func:`wilcoxon` counts all 2ⁿ patterns of signs."""
FLIPS = 9_999
"""Random patterns of signs where not all are gone through; the same ones each time."""
ALPHA = 0.05
_SAME = 1e-12  # of a sum: what is nearer than that is as large

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Test:
    """What a test found. ``p`` is NaN where it could not be made; ``note`` then says why."""

    __test__: ClassVar[bool] = False  # its name makes pytest take it for a class of tests

    name: str
    statistic: float
    p: float
    n: int
    """Pairs, or values of both groups together, that entered."""
    note: str


def paired_t(a: ArrayLike, b: ArrayLike) -> Test:
    """Student's test that the mean difference a − b is 0: t = d̄ / (s_d / √n), n − 1 freedom.

    Args:
        a: values, one for each seed.
        b: values of the other method, in the same order of seeds.

    Raises:
        ValueError: the two are not equally long.

    Assumes that differences are normal. Source: Student 1908; ``scipy.stats.ttest_rel``.
    """
    name = "paired t"
    differences, notes = _differences(a, b)
    if differences.size < 2:
        few = "fewer than 2 pairs say nothing about their spread"
        return _none(name, differences.size, [*notes, few])
    if np.ptp(differences) <= rounding(*complete_pairs(a, b)):
        alike = "all differences are the same: no spread to measure them by"
        return _none(name, differences.size, [*notes, alike])
    found = stats.ttest_1samp(differences, 0.0)
    return Test(
        name, float(found.statistic), float(found.pvalue), differences.size, "; ".join(notes)
    )


def wilcoxon(a: ArrayLike, b: ArrayLike) -> Test:
    """The signed-rank test that differences are symmetric about 0; the statistic is R⁺.

    Differences of 0 are dropped, and equal sizes share the mean of their ranks. With up to
    :data:`EXACT_RANKS` pairs left, p is exact given those ranks: twice the smaller tail over all
    2ⁿ patterns of signs. With more it is the normal approximation, corrected for continuity.

    Args:
        a: values, one for each seed.
        b: values of the other method, in the same order of seeds.

    Raises:
        ValueError: the two are not equally long.

    Source: Wilcoxon 1945; Hollander and Wolfe 1999, section 3.1. SciPy's p is the same without
    ties, and with them up to 13 pairs; above it approximates.
    """
    name = "Wilcoxon signed-rank"
    differences, notes = _differences(a, b)
    kept = differences[differences != 0]
    if kept.size < differences.size:
        notes.append(f"{differences.size - kept.size} of {differences.size} differences are 0")
    if kept.size == 0:
        return _none(name, 0, [*notes, "no pair differs"])
    ranks = stats.rankdata(abs(kept))
    if len(set(ranks)) < kept.size:
        notes.append("ties share their mean rank")
    statistic = float(ranks[kept > 0].sum())
    if kept.size <= EXACT_RANKS:
        p = _signed_rank_p(ranks, statistic)
    else:
        p = float(stats.wilcoxon(kept, correction=True).pvalue)
        notes.append("normal approximation")
    return Test(name, statistic, p, kept.size, "; ".join([*notes, *_limit(kept.size)]))


def permutation(a: ArrayLike, b: ArrayLike) -> Test:
    """The sign-flip test: how many patterns of signs give as large a |mean difference|?

    Up to :data:`EXACT_PAIRS` pairs all 2ⁿ patterns are gone through. With more, b of
    m = :data:`FLIPS` random ones reach it, and p = (b + 1) / (m + 1), which is never 0.

    Args:
        a: values, one for each seed.
        b: values of the other method, in the same order of seeds.

    Raises:
        ValueError: the two are not equally long.

    Assumes only that without a difference a and b of a seed could be exchanged.
    Source: Fisher 1935; Phipson and Smyth 2010 for the random patterns.
    """
    name = "paired permutation"
    differences, notes = _differences(a, b)
    if differences.size == 0:
        return _none(name, 0, [*notes, "no pairs"])
    # What is as large but for rounding counts, too.
    enough = abs(differences.sum()) * (1 - _SAME)
    if differences.size <= EXACT_PAIRS:
        p = float((abs(_all_signs(differences.size) @ differences) >= enough).mean())
    else:
        reached = sum((abs(s @ differences) >= enough).sum() for s in _flips(differences.size))
        p = float((reached + 1) / (FLIPS + 1))
        notes.append(f"{FLIPS} random patterns of signs")
    statistic = float(differences.mean())
    return Test(
        name, statistic, p, differences.size, "; ".join([*notes, *_limit(differences.size)])
    )


def smallest_p(pairs: int) -> float:
    """2/2ⁿ: what the signed-rank and the permutation test give when all differences agree.

    Five pairs: 0.0625. No result of theirs is significant at 5 %. The t test has no such limit;
    it pays for that with the assumption of normal differences.

    Raises:
        ValueError: there is no pair.
    """
    if pairs < 1:
        raise ValueError(f"{pairs} pairs cannot be tested: there must be at least 1")
    return min(1.0, 2.0 ** (1 - pairs))


def fewest_pairs(alpha: float = ALPHA, comparisons: int = 1) -> int:
    """Pairs from which the smallest p is at most alpha / comparisons: 6 for 5 % and one test.

    ``comparisons`` is of Holm's or Bonferroni's correction, whose first hurdle that is.

    Raises:
        ValueError: alpha is not between 0 and 1, or comparisons below 1.
    """
    if not (0 < alpha < 1 and comparisons >= 1):
        raise ValueError(
            f"alpha {alpha} must be between 0 and 1, and comparisons {comparisons} at least 1"
        )
    return max(1, math.ceil(1 - math.log2(alpha / comparisons) - _SAME))


def _differences(a: ArrayLike, b: ArrayLike) -> tuple[Values, list[str]]:
    """a − b of the pairs that are complete, and what is to be said of the others."""
    one, other = complete_pairs(a, b)
    differences = one - other
    # 0.1 + 0.2 and 0.3 differ in the last digit: such a difference is none.
    differences[abs(differences) <= rounding(one, other)] = 0.0
    given = len(np.asarray(a))
    left_out = given - differences.size
    said = [f"{left_out} of {given} pairs left out: a value is not finite"]
    return differences, said if left_out else []


def _none(name: str, n: int, notes: list[str]) -> Test:
    return Test(name, math.nan, math.nan, n, "; ".join(notes))


def _limit(pairs: int) -> list[str]:
    least = smallest_p(pairs)
    return [f"{pairs} pairs: p cannot be below {least:.4g}"] if least > ALPHA else []


def _signed_rank_p(ranks: Values, statistic: float) -> float:
    """Twice the smaller tail of R⁺, whose distribution is Π (1 + xʳ) / 2ⁿ over the ranks r."""
    doubled = np.rint(2 * ranks).astype(np.int64)  # shared ranks may end in a half
    shares = np.zeros(doubled.sum() + 1)
    shares[0] = 1.0
    for rank in doubled:
        shifted = np.concatenate([np.zeros(rank), shares[:-rank]])
        shares = (shares + shifted) / 2
    place = round(2 * statistic)
    return min(1.0, 2 * float(min(shares[: place + 1].sum(), shares[place:].sum())))


@functools.cache
def _all_signs(pairs: int) -> Values:
    """Half of all patterns, (2ⁿ⁻¹, n): the first sign is +, since |sum| is the same for −."""
    codes_P1 = np.arange(2 ** (pairs - 1))[:, np.newaxis]
    return np.where((codes_P1 >> np.arange(pairs)[::-1]) & 1, -1.0, 1.0)


def _flips(pairs: int) -> Iterator[Values]:
    """The random patterns of signs, (some, n) at a time."""
    random = np.random.default_rng(0)
    batch = max(1, MOST_HELD // pairs)
    for start in range(0, FLIPS, batch):
        drawn = random.integers(0, 2, (min(batch, FLIPS - start), pairs))
        yield np.where(drawn, -1.0, 1.0)
