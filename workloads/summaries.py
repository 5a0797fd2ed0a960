"""One row per trial and metric over all recordings so far, kept while they come in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .spec import TrialSpec

METRICS = ("train_loss", "test_loss", "train_score", "test_score")

Array = NDArray[Any]


class Summaries:
    """First, last, best and area of each metric, and when each trial's target was met.

    Arrays are indexed by position in the pack (and metric). The area under a metric is the
    trapezoid integral over updates; the best of a loss is its smallest value, of a score its
    largest, the earliest where it is met again.
    """

    def __init__(self, trials: Sequence[TrialSpec]) -> None:
        k = len(trials)
        self.count = k
        self.first, self.last, self.best, self.area = (
            {m: np.full(k, np.nan) for m in METRICS} for _ in range(4)
        )
        self.best_update = {m: np.zeros(k, dtype=np.int64) for m in METRICS}
        self.update = np.zeros(k, dtype=np.int64)
        self.seen = np.zeros(k, dtype=bool)
        self.fresh = np.zeros(k, dtype=bool)
        self.targets = [t.target for t in trials]
        self.met: dict[int, tuple[int, int, float]] = {}

    def add(
        self,
        places: Array,
        update: int,
        samples: int,
        seconds: float,
        values: Mapping[str, Array],
    ) -> None:
        """Take in one recording of the trials at ``places``."""
        for metric in METRICS:
            self._add_metric(metric, places, update, values[metric])
        self.update[places] = update
        self.seen[places] = self.fresh[places] = True
        for i, place in enumerate(places.tolist()):
            target = self.targets[place]
            if target is None or place in self.met:
                continue
            value = values[target.column][i]
            if (value <= target.value) if target.falling else (value >= target.value):
                self.met[place] = (update, samples, seconds)

    def state(self, places: Array) -> dict[str, Array]:
        """All that is known of the trials at ``places``; see :meth:`restore`."""
        met = np.array([self.met.get(p, (-1, -1, np.nan)) for p in places.tolist()])
        tables = {"first": self.first, "last": self.last, "best": self.best, "area": self.area}
        tables["best_update"] = self.best_update
        known = {f"{name}.{m}": table[m][places] for name, table in tables.items() for m in METRICS}
        return known | {"update": self.update[places], "met": met}

    def restore(self, known: Mapping[str, Array]) -> None:
        """Go on from :meth:`state`, the trials in the order of its places."""
        for name in ("first", "last", "best", "area", "best_update"):
            setattr(self, name, {m: known[f"{name}.{m}"].copy() for m in METRICS})
        self.update = known["update"].copy()
        self.seen[:] = self.fresh[:] = True
        found = known["met"].tolist()
        self.met = {i: (int(u), int(n), s) for i, (u, n, s) in enumerate(found) if u >= 0}

    def reached(self, places: Array) -> list[int]:
        """Those of ``places`` whose target is met and ends the trial."""
        met = (p for p in places.tolist() if p in self.met)
        return [p for p in met if (target := self.targets[p]) is not None and target.stop]

    def write(self, add: Callable[[int, Mapping[str, Any]], None], ids: Array) -> None:
        """Hand the rows of all trials recorded since the last call to ``add(length, columns)``."""
        places = np.flatnonzero(self.fresh)
        self.fresh[:] = False
        for metric in METRICS:
            row: dict[str, Any] = {
                "trial_id": ids[places],
                "metric": metric,
                "first": self.first[metric][places],
                "last": self.last[metric][places],
                "best": self.best[metric][places],
                "best_update": self.best_update[metric][places],
                "area": self.area[metric][places],
            }
            add(len(places), row | self._target_columns(metric, places))

    def _add_metric(self, metric: str, places: Array, update: int, value: Array) -> None:
        new = ~self.seen[places]
        before = np.where(new, value, self.last[metric][places])
        width = np.where(new, 0, update - self.update[places])
        area = np.where(new, 0.0, self.area[metric][places])
        self.area[metric][places] = area + width * (before + value) / 2
        self.first[metric][places] = np.where(new, value, self.first[metric][places])
        self.last[metric][places] = value
        best = self.best[metric][places]
        better = new | ((value < best) if metric.endswith("loss") else (value > best))
        self.best[metric][places] = np.where(better, value, best)
        self.best_update[metric][places] = np.where(
            better, update, self.best_update[metric][places]
        )

    def _target_columns(self, metric: str, places: Array) -> dict[str, Array]:
        """When the target on this metric was met; None for other metrics and for never."""
        columns = np.full((3, len(places)), None, dtype=object)
        for i, place in enumerate(places.tolist()):
            target = self.targets[place]
            if target is not None and target.column == metric and place in self.met:
                columns[:, i] = self.met[place]
        return dict(
            zip(("target_update", "target_samples", "target_seconds"), columns, strict=True)
        )
