"""All that a comparison found: trials, cells, the families of tests."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from . import comparison_cells, comparison_times
from .comparison_cells import Matching
from .comparison_measures import Scale, contests, pairs, scales
from .comparison_sides import Trials, trials_of
from .comparison_tests import Judged, judge
from .tables import Ask


@dataclasses.dataclass(frozen=True)
class Found:
    """The answer to a comparison; ``families`` has the metric that claims rest on first."""

    trials: Trials
    matching: Matching
    families: Mapping[Scale, Sequence[Judged]]
    paces: Sequence[comparison_times.Pace]
    """Times to the target, a row per cell, pair and unit; empty where no grid has one."""
    refusal: str
    """Why a metric is not compared; empty where all are."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every two sides."""
        return pairs(self.trials.sides)

    @property
    def scale(self) -> Scale:
        """The metric that claims rest on."""
        return next(iter(self.families))

    @property
    def family(self) -> Sequence[Judged]:
        """Its comparisons."""
        return next(iter(self.families.values()))

    def of_pair(self, pair: tuple[str, str], scale: Scale | None = None) -> list[Judged]:
        """The comparisons of two sides, cell by cell."""
        return [j for j in self.families[scale or self.scale] if j.contest.pair == pair]

    def judged_rows(self, side: str) -> Iterator[int]:
        """Places of the trials that a side is judged by, over all matched cells."""
        for cell in self.matching.cells:
            if side in cell.standings:
                yield from cell.standings[side].rows


def find(ask: Ask, sweeps: Sequence[str], studies: Sequence[str | None], key: str) -> Found:
    """Compare the trials of some sweeps by a key.

    Args:
        ask: answers named queries.
        sweeps: their ids.
        studies: of each sweep, None where it has none.
        key: ``team``, ``owner``, ``sweep``, or a key of the configuration: ``optimizer.name``.

    Raises:
        ValueError: they cannot be compared by this key.
    """
    trials = trials_of(ask, sweeps, key)
    matching = comparison_cells.match(trials)
    measured, refusal = scales(trials, matching, studies)
    families = {s: judge(contests(trials, matching.cells, s)) for s in measured}
    paces = comparison_times.paces(trials, matching.cells)
    return Found(trials, matching, families, paces, refusal)
