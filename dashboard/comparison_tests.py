"""The tests of a comparison: which side is ahead in which cell, and over all cells; pure.

All comparisons of one metric are one family: p is corrected for their number by Holm's method, so
that the chance of a single wrong claim among them is at most 5 %.
"""

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .statistics import Ends, aggregates, corrections, effects, paired, unpaired
from .statistics.intervals import paired_differences, paired_interval, welch_interval
from .statistics.paired import ALPHA, Test

Values = NDArray[np.float64]


class Verdict(enum.StrEnum):
    """What is known of two sides in one cell."""

    ONE = "one"
    OTHER = "other"
    OPEN = "open"
    """No difference was shown."""
    UNTESTED = "untested"
    """No test could be made."""


@dataclasses.dataclass(frozen=True)
class Contest:
    """Two sides in one cell, on the scale on which they are compared.

    ``a`` and ``b`` are their values, NaN where a trial has none; paired ones are in the same
    order of seeds.
    """

    cell: str
    one: str
    other: str
    a: Values
    b: Values
    paired: bool
    falling: bool
    """Whether smaller values are better."""
    diverged: tuple[int, int] = (0, 0)

    @property
    def pair(self) -> tuple[str, str]:
        """The names of the sides."""
        return self.one, self.other

    @property
    def counts(self) -> tuple[int, int]:
        """Values of either side that enter: complete pairs, or all that are finite."""
        if self.paired:
            n = paired_differences(self.a, self.b).size
            return n, n
        return int(np.isfinite(self.a).sum()), int(np.isfinite(self.b).sum())

    @property
    def difference(self) -> float:
        """The mean of one less that of the other; NaN where a side has no value."""
        if not all(self.counts):
            return float("nan")
        if self.paired:
            return float(paired_differences(self.a, self.b).mean())
        return float(np.nanmean(self.a) - np.nanmean(self.b))

    def test(self) -> Test:
        """Student's test of the pairs, or Welch's of seeds that do not match."""
        test = paired.paired_t if self.paired else unpaired.welch_t
        return test(self.a, self.b)

    def free_test(self) -> Test:
        """The permutation test, which assumes no distribution."""
        test = paired.permutation if self.paired else unpaired.permutation
        return test(self.a, self.b)

    @property
    def smallest_p(self) -> float:
        """What the permutation test gives at best with so many seeds; 1 without any."""
        n, m = self.counts
        if not (n and m):
            return 1.0
        return paired.smallest_p(n) if self.paired else unpaired.smallest_p(n, m)

    def interval(self) -> Ends:
        """The 95 % interval of the difference."""
        if self.paired:
            return paired_interval(self.a, self.b)
        one, other = (_moments(x) for x in (self.a, self.b))
        return welch_interval(one, other)

    def effect(self) -> effects.Effect:
        """The difference by its spread: of the pairs, or pooled."""
        return (effects.paired_d if self.paired else effects.cohen_d)(self.a, self.b)

    def improvement(self) -> effects.Effect:
        """How likely a trial of one is better than one of the other; diverged ones are worst."""
        a, b = (np.where(np.isnan(x), np.inf, x if self.falling else -x) for x in (self.a, self.b))
        return effects.probability_of_improvement(a, b)


def _moments(values: Values) -> tuple[int, float, float]:
    finite = values[np.isfinite(values)]
    if finite.size < 2:
        return finite.size, float("nan"), float("nan")
    return finite.size, float(finite.mean()), float(finite.std(ddof=1))


@dataclasses.dataclass(frozen=True)
class Judged:
    """A contest with its test, p corrected over the family, and what follows."""

    contest: Contest
    test: Test
    adjusted: float
    verdict: Verdict

    @property
    def ahead(self) -> str | None:
        """The name of the side that is shown to be ahead."""
        sides = {Verdict.ONE: self.contest.one, Verdict.OTHER: self.contest.other}
        return sides.get(self.verdict)

    @property
    def behind(self) -> str | None:
        """The name of the other one."""
        sides = {Verdict.ONE: self.contest.other, Verdict.OTHER: self.contest.one}
        return sides.get(self.verdict)


def judge(contests: Sequence[Contest], alpha: float = ALPHA) -> list[Judged]:
    """Test a family of contests, corrected for their number.

    A side is ahead where the corrected p is below alpha, and no more of its trials diverged
    than of the other side's: means leave those out.
    """
    tests = [contest.test() for contest in contests]
    adjusted = corrections.holm([test.p for test in tests])
    return [
        Judged(contest, test, float(p), _verdict(contest, float(p), alpha))
        for contest, test, p in zip(contests, tests, adjusted, strict=True)
    ]


def _verdict(contest: Contest, p: float, alpha: float) -> Verdict:
    if np.isnan(p):
        return Verdict.UNTESTED
    one_better = (contest.difference < 0) == contest.falling
    lost, lost_other = (
        lost / max(1, values.size)
        for lost, values in zip(contest.diverged, (contest.a, contest.b), strict=True)
    )
    if p >= alpha or (lost > lost_other if one_better else lost_other > lost):
        return Verdict.OPEN
    return Verdict.ONE if one_better else Verdict.OTHER


def tested(family: Sequence[Judged]) -> int:
    """How many comparisons p was corrected for: those that could be tested."""
    return sum(found.verdict is not Verdict.UNTESTED for found in family)


@dataclasses.dataclass(frozen=True)
class Mean:
    """The mean over cells of their mean differences, with a t interval."""

    value: float
    low: float
    high: float
    cells: int
    level: float


def over_cells(contests: Sequence[Contest], level: float = 0.95) -> Mean | None:
    """The mean of the cells' mean differences Δ_c and its interval; None without two pairs.

    Its variance is Σ v_c / C², v_c the squared standard error of Δ_c, with
    (Σ v_c)² / Σ (v_c² / ν_c) degrees of freedom. Unlike the stratified bootstrap it does not
    come out too short with few seeds: with n a cell that one is too short by √((n − 1)/n).
    Cells of which a side has fewer than two values are left out. It is about other seeds in the
    same cells, and takes seeds of different cells as independent.

    Source: Welch 1947 and Satterthwaite 1946, for a sum of independent means.
    """
    parts = [_error(contest) for contest in contests if min(contest.counts) > 1]
    if not parts:
        return None
    means, errors, freedoms = (np.array(column) for column in zip(*parts, strict=True))
    value, cells = float(means.mean()), len(parts)
    total = float(errors.sum())
    if total == 0:
        return Mean(value, value, value, cells, level)
    freedom = total**2 / float((errors**2 / freedoms).sum())
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * total**0.5 / cells
    return Mean(value, value - half, value + half, cells, level)


def _error(contest: Contest) -> tuple[float, float, float]:
    """The mean difference, its squared standard error, and the degrees of freedom of that."""
    if contest.paired:
        found = paired_differences(contest.a, contest.b)
        return float(found.mean()), float(found.var(ddof=1)) / found.size, found.size - 1.0
    sizes, variances = zip(*((n, s**2 / n) for n, _, s in map(_moments, (contest.a, contest.b))),
                           strict=True)  # fmt: skip
    total = sum(variances)
    shares = [v**2 / (n - 1) for n, v in zip(sizes, variances, strict=True)]
    freedom = total**2 / sum(shares) if total else float(sum(sizes) - 2)
    return contest.difference, total, freedom


def mean_difference(contests: Sequence[Contest], iqm: bool = False) -> aggregates.Aggregate | None:
    """Over paired cells: the mean of their mean differences, or the interquartile mean of all.

    Seeds are resampled within each cell. None where no cell has two pairs: one says nothing
    about its spread.
    """
    parts = [paired_differences(c.a, c.b) for c in contests if c.paired]
    parts = [part for part in parts if part.size > 1]
    return aggregates.stratified(parts, "iqm" if iqm else "mean") if parts else None


def mean_improvement(contests: Sequence[Contest]) -> aggregates.Aggregate | None:
    """Over all cells: how likely a trial of one is better; one that diverged is worse than all."""
    ranked = [_ranked(c) for c in contests if c.a.size and c.b.size]
    if not ranked:
        return None
    return aggregates.improvement([a for a, _ in ranked], [b for _, b in ranked])


def _ranked(contest: Contest) -> tuple[Values, Values]:
    """Values of which large ones are good, those that are missing below all others."""
    a, b = ((-x if contest.falling else x) for x in (contest.a, contest.b))
    both = np.concatenate([a, b])
    worst = np.nanmin(both) - 1 if np.isfinite(both).any() else 0.0
    return np.where(np.isnan(a), worst, a), np.where(np.isnan(b), worst, b)


@dataclasses.dataclass(frozen=True)
class Divergence:
    """Of pairs of trials on the same seed and cell: in how many only one of the two diverged."""

    one: int
    other: int
    pairs: int
    p: float
    """McNemar's exact test that both diverge as often; NaN where no pair tells them apart."""


def divergence(one: ArrayLike, other: ArrayLike) -> Divergence:
    """Test whether one side diverges more often, on matched trials.

    Args:
        one: whether each trial of one side diverged, over all matched seeds and cells.
        other: of the other side, in the same order.

    Source: McNemar 1947, in its exact form: binomial, of the pairs that differ.
    """
    first, second = np.asarray(one, dtype=bool), np.asarray(other, dtype=bool)
    only, only_other = int((first & ~second).sum()), int((second & ~first).sum())
    told = only + only_other
    p = float(stats.binomtest(only, told).pvalue) if told else float("nan")
    return Divergence(only, only_other, first.size, p)
