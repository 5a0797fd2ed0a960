"""Who is ahead of whom, look by look, and which seeds are wanted next; pure.

Everything is worked out anew from the values each time, so a sweep that was interrupted goes
on as if it had not been.
"""

import dataclasses
import enum
import itertools
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from . import sequential
from .sequential import Floats


class Verdict(enum.StrEnum):
    """What is known of one pair."""

    DIFFERS = "differs"
    SAME = "same"
    """Shown to differ by less than the margin."""
    HOPELESS = "hopeless"
    """Not told apart, and unlikely to be told apart by the cap."""
    CAPPED = "capped"
    """Not told apart at the cap."""
    SPARED = "spared"
    """Not asked further: the best is known without it."""
    OPEN = "open"


CLAIMABLE = (Verdict.OPEN, Verdict.HOPELESS)
"""A pair that was given up may still be told apart, when others cease to be counted."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is to be decided, at which error, by how many seeds."""

    looks: tuple[int, ...]
    alpha: float = 0.05
    order: bool = False
    """Whether every pair is to be ordered, or only the best to be found."""
    margin: float | None = None
    """In the unit of the values."""

    @property
    def most(self) -> int:
        """The cap."""
        return self.looks[-1]

    @property
    def differing(self) -> float:
        """What claims of a difference may err; the rest is for claims of none."""
        return self.alpha if self.margin is None else self.alpha / 2


@dataclasses.dataclass
class Pair:
    """Two settings of one group, by their places among the contestants."""

    one: int
    other: int
    verdict: Verdict = Verdict.OPEN
    seeds: int = 0
    """Shared seeds at its last look."""
    p: float = 1.0
    """The smallest of its looks so far, each divided by the look's share of α."""
    adjusted: float = 1.0
    """For all comparisons of the sweep: the smallest α at which it would be claimed."""
    side: int = 0
    """1: one is ahead; −1: the other."""
    mean: float = np.nan
    spread: float = np.nan

    def ahead(self) -> int | None:
        """Who is shown to be ahead."""
        if self.verdict is not Verdict.DIFFERS:
            return None
        return self.one if self.side > 0 else self.other

    def has(self, place: int) -> bool:
        """Whether a contestant is one of the two."""
        return place in (self.one, self.other)


@dataclasses.dataclass
class Race:
    """The state after every look for which there are values.

    Args:
        values_IN: of I contestants on N seeds, the cap, in the order in which seeds are run:
            larger is better, −∞ for a diverged trial, NaN where there is no result yet.
        groups: of each contestant; only those of one group are compared.
    """

    values_IN: Floats
    groups: Sequence[str]
    rule: Rule
    pairs: list[Pair] = dataclasses.field(init=False)
    demand_I: list[int] = dataclasses.field(init=False)
    """Seeds of each contestant that the looks taken and the next one need."""
    waiting: bool = dataclasses.field(init=False, default=False)
    """Whether the next look lacks values."""
    seeds_I: list[int] = dataclasses.field(init=False)
    """Seeds of each contestant that have been looked at."""

    def __post_init__(self) -> None:
        places = range(len(self.groups))
        same = [p for p in itertools.combinations(places, 2) if self._together(*p)]
        self.pairs = [Pair(*pair) for pair in same]
        self.seeds_I = [0] * len(self.groups)
        self.demand_I = [0] * len(self.groups)
        self._run()

    def _together(self, one: int, other: int) -> bool:
        return self.groups[one] == self.groups[other]

    def _run(self) -> None:
        parts = sequential.shares(self.rule.looks)
        running: set[int] = {place for pair in self.pairs for place in (pair.one, pair.other)}
        for n, share in zip(self.rule.looks, parts, strict=True):
            for place in running:
                self.demand_I[place] = n
            self.waiting = bool(np.isnan(self.values_IN[sorted(running), :n]).any())
            if self.waiting or not running:
                break
            for place in running:
                self.seeds_I[place] = n
            self._take(n, float(share), running)
            running = self._running(running)
        if not self.waiting:
            capped = [pair.seeds == self.rule.most for pair in self.pairs]
            _mark(self.pairs, np.array(capped, dtype=np.bool_), Verdict.CAPPED)
            _mark(self.pairs, np.ones(len(self.pairs), dtype=np.bool_), Verdict.SPARED)

    def _take(self, n: int, share: float, running: set[int]) -> None:
        """One look: test what is open, and close what is decided."""
        tested = [
            pair
            for pair in self.pairs
            if pair.verdict is Verdict.OPEN and {pair.one, pair.other} <= running
        ]
        difference_Pn = self._differences(tested, n)
        p, side = sequential.look_p(difference_Pn)
        mean, spread = sequential.moments(difference_Pn)
        for i, pair in enumerate(tested):
            pair.seeds, pair.mean, pair.spread = n, float(mean[i]), float(spread[i])
            if p[i] / share < pair.p:
                pair.p, pair.side = float(p[i] / share), int(side[i])
        counted = self._claim_order() if self.rule.order else self._claim_best()
        self._close(tested, difference_Pn, share, running, counted)

    def _claim_order(self) -> int:
        """Claim what Holm allows over all pairs; returns how many are left."""
        corrected = sequential.holm([pair.p for pair in self.pairs])
        for pair, adjusted in zip(self.pairs, corrected, strict=True):
            pair.adjusted = float(adjusted)
            if pair.verdict in CLAIMABLE and adjusted <= self.rule.differing:
                pair.verdict = Verdict.DIFFERS
        return sum(pair.verdict is not Verdict.DIFFERS for pair in self.pairs)

    def _claim_best(self) -> int:
        """Claim, one by one, who is behind; returns the pairs among those who are not.

        Each claim is charged for the pairs among all who are not behind yet. Before a first
        wrong claim all who are as good as the best are among them, so their own pairs, the only
        ones that can be claimed wrongly, are never charged for fewer than they are.
        """
        worst = 0.0
        while True:
            beaten = self.beaten()
            left = [p for p in self.pairs if p.one not in beaten and p.other not in beaten]
            for pair in left:
                pair.adjusted = min(1.0, max(worst, pair.p * len(left)))
            claimable = [pair for pair in left if pair.verdict in CLAIMABLE]
            first = min(claimable, key=lambda pair: pair.p, default=None)
            if first is None or first.adjusted > self.rule.differing:
                return len(left)
            first.verdict, worst = Verdict.DIFFERS, first.adjusted

    def _differences(self, pairs: Sequence[Pair], n: int) -> Floats:
        one = self.values_IN[[pair.one for pair in pairs], :n]
        other = self.values_IN[[pair.other for pair in pairs], :n]
        # Two that both diverged are even: −∞ less −∞ is not a number.
        both = (one == other) & np.isinf(one)
        with np.errstate(invalid="ignore"):
            return np.where(both, 0.0, one - other)

    def _close(
        self,
        tested: Sequence[Pair],
        difference_Pn: Floats,
        share: float,
        running: set[int],
        counted: int,
    ) -> None:
        """What is shown to be none, and what more seeds will hardly show."""
        if self.rule.margin is not None:
            level = self.rule.alpha / 2 * share / len(self.pairs)
            same = sequential.within(difference_Pn, self.rule.margin, level)
            _mark(tested, same, Verdict.SAME)
        if difference_Pn.shape[-1] < self.rule.most:
            last = float(sequential.shares(self.rule.looks)[-1])
            level = self.rule.differing * last / max(1, counted)
            likely = sequential.chance(difference_Pn, self.rule.most, level)
            asked = self._asked(tested, running)
            _mark(tested, (likely < sequential.FUTILE) & asked, Verdict.HOPELESS)

    def _asked(self, pairs: Sequence[Pair], running: set[int]) -> NDArray[np.bool_]:
        """Whether more seeds of a pair would help: for the best, only those of the leaders do."""
        if self.rule.order:
            return np.ones(len(pairs), dtype=np.bool_)
        leaders = set(self.leaders(running).values())
        return np.array([bool({p.one, p.other} & leaders) for p in pairs], dtype=np.bool_)

    def _running(self, running: set[int]) -> set[int]:
        """Who needs more seeds after a look."""
        beaten = self.beaten().keys() if not self.rule.order else set()
        open_ = [
            pair
            for pair in self.pairs
            if pair.verdict is Verdict.OPEN and {pair.one, pair.other} <= running - beaten
        ]
        asked = self._asked(open_, running)
        needed = [pair for pair, is_asked in zip(open_, asked, strict=True) if is_asked]
        return {place for pair in needed for place in (pair.one, pair.other)}

    def beaten(self) -> dict[int, Pair]:
        """Who is behind somebody -> the pair that shows it best."""
        found: dict[int, Pair] = {}
        claimed = [pair for pair in self.pairs if pair.verdict is Verdict.DIFFERS]
        for pair in sorted(claimed, key=lambda pair: pair.adjusted):
            found.setdefault(pair.other if pair.side > 0 else pair.one, pair)
        return found

    def leaders(self, among: Collection[int] | None = None) -> dict[str, int]:
        """Of each group's contestants who are not beaten, the one with the best mean.

        Those with the most seeds count: means over other seeds cannot be compared.
        """
        beaten = self.beaten()
        found: dict[str, int] = {}
        best: dict[str, tuple[int, float]] = {}
        for place, group in enumerate(self.groups):
            if place in beaten or (among is not None and place not in among):
                continue
            n = self.seeds_I[place]
            rank = (n, float(self.values_IN[place, :n].mean()) if n else -np.inf)
            if group not in best or rank > best[group]:
                best[group], found[group] = rank, place
        return found


def _mark(pairs: Sequence[Pair], where: NDArray[np.bool_], verdict: Verdict) -> None:
    for pair, is_so in zip(pairs, where, strict=True):
        if is_so and pair.verdict is Verdict.OPEN:
            pair.verdict = verdict
