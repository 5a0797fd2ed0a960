"""What packs cost: measured where a shape was calibrated, else a first guess; torch-free."""

import functools
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from .probespecs import Sparse
from .schedule import log_spaced
from .spec import TrialSpec

# A first guess of what one update costs on one core; only ratios matter for packing.
UPDATE_SECONDS = 1.2e-4
TRIAL_SECONDS = 4e-6
FLOP_SECONDS = 1 / 25e9
RECORDING_SECONDS = 1.5e-3


class Point(NamedTuple):
    """Seconds that a pack of so many trials takes for one update, and for one recording."""

    trials: int
    update_seconds: float
    recording_seconds: float


@dataclass(frozen=True)
class Costs:
    """Calibrations by shape, by number of trials."""

    points: Mapping[str, list[Point]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "Costs":
        """From rows of the table ``calibrations``; several devices count by their median."""
        found: dict[tuple[str, int], list[Point]] = defaultdict(list)
        for row in rows:
            values = (row[name] for name in Point._fields)
            found[row["shape"], row["trials"]].append(Point(*values))
        points: dict[str, list[Point]] = defaultdict(list)
        for (shape, trials), same in sorted(found.items()):
            update = median(point.update_seconds for point in same)
            recording = median(point.recording_seconds for point in same)
            points[shape].append(Point(trials, update, recording))
        return cls(dict(points))

    def sizes(self, shape: str) -> list[int]:
        """The pack sizes that were measured."""
        return [point.trials for point in self.points.get(shape, [])]

    def seconds(self, shape: str, trial: TrialSpec, count: int) -> float:
        """Estimated seconds of ``count`` such trials as one pack."""
        point = self._point(shape, trial, count)
        recordings = _recordings(trial.budget_updates, trial.record.steps)
        updates = trial.budget_updates * point.update_seconds
        return updates + recordings * point.recording_seconds

    def _point(self, shape: str, trial: TrialSpec, count: int) -> Point:
        """Measured, or between two measured sizes, or beyond the largest in proportion."""
        points = self.points.get(shape)
        if not points:
            return _guess(trial, count)
        below = [p for p in points if p.trials <= count] or points[:1]
        above = [p for p in points if p.trials >= count]
        if not above:
            return _scaled(below[-1], count)
        low, high = below[-1], above[0]
        if low.trials >= high.trials:
            return low if low.trials == count else _scaled(low, count, smaller=True)
        share = (count - low.trials) / (high.trials - low.trials)
        mixed = (a + share * (b - a) for a, b in zip(low[1:], high[1:], strict=True))
        return Point(count, *mixed)


def _scaled(point: Point, count: int, *, smaller: bool = False) -> Point:
    """Larger packs cost in proportion; smaller ones, for want of anything better, the same."""
    factor = 1.0 if smaller else count / point.trials
    return Point(count, point.update_seconds * factor, point.recording_seconds * factor)


def _guess(trial: TrialSpec, count: int) -> Point:
    """From the arithmetic of a step, at a modest speed."""
    shape = trial.shape
    products = trial.model.products(shape)
    update = TRIAL_SECONDS + 6 * products * trial.batch_size * FLOP_SECONDS
    samples = (trial.record.samples or trial.problem.train_samples) + shape.samples
    recording = 2 * products * (samples + _probed(trial)) * FLOP_SECONDS
    return Point(count, UPDATE_SECONDS + count * update, RECORDING_SECONDS + count * recording)


def _probed(trial: TrialSpec) -> float:
    """Samples that probes with schedules of their own pass through the net, for each recording."""
    recordings = _recordings(trial.budget_updates, trial.record.steps)
    return sum(
        min(probe.steps, recordings) / recordings * probe.passes * probe.samples
        for probe in trial.record.probes
        if isinstance(probe, Sparse)
    )


@functools.lru_cache(maxsize=4096)
def _recordings(updates: int, steps: int) -> int:
    return len(log_spaced(updates, steps))


def name_of(shape: str) -> str:
    """The short name under which the store keeps a shape: 16 hexadecimal digits."""
    return hashlib.sha256(shape.encode()).hexdigest()[:16]
