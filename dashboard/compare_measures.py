"""What trials of several sweeps can be compared by: ends, bests, costs and measured numbers."""

import dataclasses
import math
from collections.abc import Sequence

from .declarations import DECLARED
from .metrics import METRICS, UNITS, Metric

_ANY = (-math.inf, math.inf)
_SCORES = ("test_score", "train_score")
_OF_TRIAL = ("updates", "samples", "seconds")


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number of each trial, as ``compare_groups`` takes it, and its words."""

    kind: str  # last, best, trial or probe
    metric: Metric
    directed: bool = True
    """Whether one end of the metric is known to be the better one."""
    mixed: bool = False
    """Whether studies call it by different names, so that it is not the same quantity."""

    @property
    def title(self) -> str:
        """``final test accuracy``."""
        if self.kind in ("last", "best"):
            return f"{'final' if self.kind == 'last' else 'best'} {self.metric.title}"
        return self.metric.title

    @property
    def parameters(self) -> dict[str, object]:
        """As the query wants it."""
        return {"kind": self.kind, "metric": self.metric.column}

    @property
    def has_curve(self) -> bool:
        """Whether it is recorded during training."""
        return self.kind != "trial"

    def ahead(self, difference: float) -> bool:
        """Whether a difference of this sign is the better one (the larger, where undirected)."""
        return difference < 0 if self.directed and self.metric.falling else difference > 0


def measures(studies: Sequence[str | None], keys: Sequence[str]) -> list[Measure]:
    """All that sweeps of these studies can be compared by, the studies' own first metric first.

    A score is called by the name that all these studies give it. Seconds are here as well:
    the query leaves out those of trials that shared a machine.

    Args:
        studies: of each sweep.
        keys: of ``probes``, measured of the whole net.
    """
    ends = [_called(column, studies) for column in METRICS]
    every = [
        Measure(kind, metric, mixed=mixed) for kind in ("last", "best") for metric, mixed in ends
    ]
    units = [unit for unit in UNITS if unit.column in _OF_TRIAL]
    every += [Measure("trial", Metric(u.column, u.title, True, (0, math.inf))) for u in units]
    every += [_probe(key, studies) for key in keys]
    first = _first(studies)
    # Stable: all others keep their order.
    return sorted(every, key=lambda m: m.kind == "best" or m.metric.column != first)


def _declared(column: str, studies: Sequence[str | None]) -> list[Metric | None]:
    """What each of the studies says of a column; None: nothing."""
    found = []
    for name in studies:
        own = DECLARED[name].metrics if name and name in DECLARED else ()
        found.append(next((metric for metric in own if metric.column == column), None))
    return found


def _called(column: str, studies: Sequence[str | None]) -> tuple[Metric, bool]:
    """A metric of ``steps`` under the name that fits these studies; True: there is none."""
    standard = METRICS[column]
    said = {metric or standard for metric in _declared(column, studies)}
    if len(said) == 1:
        (only,) = said
        # A title such as "final training loss" says already which value it is.
        return dataclasses.replace(only, title=only.title.removeprefix("final ")), False
    word = "score" if column in _SCORES else "loss"
    return Metric(column, f"{column.partition('_')[0]} {word}", standard.falling, _ANY), True


def _probe(key: str, studies: Sequence[str | None]) -> Measure:
    known = [metric for metric in _declared(key, studies) if metric]
    if known:
        return Measure("probe", known[0])
    return Measure("probe", Metric(key, key.replace("_", " "), False, _ANY), directed=False)


def _first(studies: Sequence[str | None]) -> str:
    """The column that answers the question of these studies, where it is one; else the score."""
    found = {DECLARED[name].metrics[0].column for name in studies if name and name in DECLARED}
    return found.pop() if len(found) == 1 else "test_score"
