"""The recorder: turns readings of a stack into rows, and notes how each trial ended."""

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .options import Options
from .readings import NEVER, Reading
from .records import Ending, Outcome, Records, columns_of
from .samplers import Epochs
from .schedules import factor
from .spec import TrialSpec
from .summaries import Summaries
from .theory import predictions
from .verdicts import Judge

Array = NDArray[Any]


class _Table:
    """Columns that grow by blocks of equally long arrays; a column absent from a block is None."""

    def __init__(self) -> None:
        self.blocks: list[dict[str, Array]] = []

    def add(self, length: int, columns: Mapping[str, Any]) -> None:
        self.blocks.append({k: np.broadcast_to(v, length) for k, v in columns.items()})

    def take(self) -> dict[str, Array]:
        names = dict.fromkeys(name for block in self.blocks for name in block)
        columns = {name: np.concatenate(self._parts(name)) for name in names}
        self.blocks = []
        return columns

    def _parts(self, name: str) -> list[Array]:
        lengths = (len(next(iter(block.values()))) for block in self.blocks)
        return [
            block[name] if name in block else np.full(length, None, dtype=object)
            for block, length in zip(self.blocks, lengths, strict=True)
        ]


class Ended(NamedTuple):
    """How a trial ended, and after how many updates."""

    outcome: Outcome
    updates: int


class Recorder:
    """Rows of one pack, by the trials' positions in it."""

    def __init__(
        self, trials: Sequence[TrialSpec], layers: Sequence[str], options: Options
    ) -> None:
        self.trials, self.layers, self.options = trials, layers, options
        self.epochs = Epochs(trials[0])
        self.ids = np.array([t.trial_id for t in trials], dtype=object)
        self.lrs = np.array([t.optimizer.lr for t in trials])
        self.clipping = np.array([t.optimizer.clips for t in trials])
        self.isolated = trials[0].timing == "isolated"
        self.summaries = Summaries(trials)
        self.judge = Judge(trials, layers)
        self.probe_seconds = np.zeros(len(trials))
        self.recorded = -1
        self.endings: dict[int, Ended] = {}
        self._tables: dict[str, _Table] = defaultdict(_Table)

    def add(self, reading: Reading, *, last: bool) -> set[int]:
        """Record the trials of a reading that have not ended before it.

        A trial that diverged leaves no row here: all rows are finite.

        Args:
            reading: measurements of the stack at one update.
            last: whether the budget ends here.

        Returns:
            Positions (in the pack) of the trials that ended here.
        """
        self.probe_seconds[reading.positions] += reading.probe_seconds / len(reading.positions)
        going = np.array([int(p) not in self.endings for p in reading.positions])
        ended = {
            int(p): Ended(Outcome.DIVERGED, int(u))
            for p, u in zip(reading.positions[going], reading.diverged[going], strict=True)
            if u < NEVER
        }
        healthy = going & (reading.diverged >= NEVER)
        places = reading.positions[healthy]
        values = {name: column[healthy] for name, column in reading.columns.items()}
        known = {name: _known(column) for name, column in values.items()}
        self._add_steps(reading, places, known, reading.clipped[healthy])
        self._add_layers(reading, places, known)
        self._add_probes(reading, places, known)
        self._judge(reading, places, values, last=last)
        samples = self.epochs.seen(reading.update)
        self.summaries.add(places, reading.update, samples, reading.seconds, values)
        self.recorded = reading.update
        for place in self.summaries.reached(places):
            ended[place] = Ended(Outcome.REACHED_TARGET, reading.update)
        if last:
            rest = {int(p) for p in places} - ended.keys()
            ended |= {place: Ended(Outcome.DONE, reading.update) for place in rest}
        for place, end in ended.items():
            self._end(reading, place, end)
        return set(ended)

    def predict(self) -> None:
        """Note what theory says of every trial."""
        self._add_rows("predictions", [row for t in self.trials for row in predictions(t)])

    def drain(self) -> Records:
        """All rows since the last call, with the summaries of the trials they belong to."""
        if self._tables["steps"].blocks:
            self._tables["summaries"].blocks = []
            self.summaries.write(self._tables["summaries"].add, self.ids)
        return {name: table.take() for name, table in self._tables.items() if table.blocks}

    def going(self, positions: Sequence[int]) -> list[int]:
        """Places in ``positions`` of the trials that have not ended."""
        return [i for i, position in enumerate(positions) if position not in self.endings]

    def state(self, positions: Sequence[int]) -> dict[str, Array]:
        """All that is known of the trials at these positions; see :meth:`restore`."""
        places = np.array(positions)
        known = self.summaries.state(places) | {"probe_seconds": self.probe_seconds[places]}
        known |= self.judge.state(places)
        return known | {"recorded": np.full(len(places), self.recorded)}

    def restore(self, known: Mapping[str, Array]) -> None:
        """Go on from :meth:`state`; the trials are those of its positions, in their order."""
        self.summaries.restore(known)
        self.judge.restore(known)
        self.probe_seconds = known["probe_seconds"].copy()
        self.recorded = int(known["recorded"][0])

    def ended(self) -> list[Ended]:
        """How each trial ended, by position."""
        return [self.endings[i] for i in range(len(self.trials))]

    def _add_steps(
        self, reading: Reading, places: Array, values: dict[str, Array], clipped: Array
    ) -> None:
        samples = self.epochs.seen(reading.update)
        row: dict[str, Any] = {
            "trial_id": self.ids[places],
            "update": reading.update,
            "samples": samples,
            "gradient_evaluations": samples,
            "epoch": samples / self.epochs.samples,
            "seconds": reading.seconds,
            "lr": self.lrs[places] * self._factor(reading.update),
            "clipped_share": self._clipped_share(reading.update, places, clipped),
            **{name: value for name, value in values.items() if not set(name) & {".", "/"}},
        }
        self._tables["steps"].add(len(places), row)

    def _factor(self, update: int) -> float:
        """The schedule's factor in the next update; at the budget's end, in the last one."""
        schedule, budget = self.trials[0].optimizer.schedule, self.trials[0].budget_updates
        return factor(schedule, max(0, min(update, budget - 1)), budget)

    def _clipped_share(self, update: int, places: Array, clipped: Array) -> Array:
        """Share of updates clipped since the row before; None without clipping or updates."""
        share = np.full(len(places), None, dtype=object)
        since = update - max(self.recorded, 0)
        if since:
            where = self.clipping[places]
            share[where] = clipped[where] / since
        return share

    def _add_layers(self, reading: Reading, places: Array, values: dict[str, Array]) -> None:
        if not any(name.startswith("1.") for name in values):
            return
        for number, name in enumerate(self.layers, 1):
            mine = {
                column.partition(".")[2]: value
                for column, value in values.items()
                if column.partition(".")[0] == str(number)
            }
            row = {"trial_id": self.ids[places], "update": reading.update, "layer": number}
            self._tables["layers"].add(len(places), row | {"name": name} | mine)

    def _add_probes(self, reading: Reading, places: Array, values: dict[str, Array]) -> None:
        for name, value in values.items():
            probe, *rest = name.split("/")
            if rest:
                key, layer = rest[0], int(rest[1]) if rest[1:] else None
                row = {"trial_id": self.ids[places], "update": reading.update, "probe": probe}
                row |= {"key": key, "layer": np.array([layer] * len(places), dtype=object)}
                self._tables["probes"].add(len(places), row | {"value": value})

    def _judge(
        self, reading: Reading, places: Array, values: dict[str, Array], *, last: bool
    ) -> None:
        if any(name.startswith("1.") for name in values):
            self._add_rows("verdicts", self.judge.look(places, reading.update, values, last=last))

    def _add_rows(self, table: str, rows: Sequence[Any]) -> None:
        """Rows as dataclasses of :mod:`.records`."""
        names = columns_of(table) if rows else {}
        columns = {name: np.array([getattr(r, name) for r in rows], dtype=object) for name in names}
        if columns:
            self._tables[table].add(len(rows), columns)

    def _end(self, reading: Reading, place: int, end: Ended) -> None:
        self.endings[place] = end
        diverged = end.outcome is Outcome.DIVERGED
        if diverged:
            self._add_rows("verdicts", [self.judge.diverged(place, end.updates)])
        row = Ending(
            trial_id=self.ids[place],
            outcome=str(end.outcome),
            updates=end.updates,
            samples=self.epochs.seen(end.updates),
            seconds=reading.seconds,
            isolated=self.isolated,
            device=self.options.device,
            node=self.options.node,
            finished_at=datetime.datetime.now(datetime.UTC),
            diverged_at_update=end.updates if diverged else None,
            error=None,
            probe_seconds=self.probe_seconds[place],
        )
        self._add_rows("endings", [row])


def _known(column: Array) -> Array:
    """None where a number does not exist: it becomes NULL, never a NaN."""
    finite = np.isfinite(column)
    if finite.all():
        return column
    known = column.astype(object)
    known[~finite] = None
    return known
