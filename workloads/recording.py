"""The recorder: turns measurements of a stack into rows, and notes how each trial ended."""

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .options import Options
from .records import Outcome, Records
from .spec import TrialSpec
from .summaries import Summaries

if TYPE_CHECKING:
    from .engine import Stack
    from .probes.gradients import Measured

Array = NDArray[Any]


class _Table:
    """Columns that grow by blocks of equally long arrays; a column absent from a block is None."""

    def __init__(self) -> None:
        self.blocks: list[dict[str, Array]] = []

    def add(self, length: int, columns: Mapping[str, Any]) -> None:
        self.blocks.append({k: np.broadcast_to(v, length) for k, v in columns.items()})

    def take(self) -> dict[str, list[Any]]:
        names = dict.fromkeys(name for block in self.blocks for name in block)
        columns: dict[str, list[Any]] = {name: [] for name in names}
        for block in self.blocks:
            length = len(next(iter(block.values())))
            for name in names:
                columns[name] += block[name].tolist() if name in block else [None] * length
        self.blocks = []
        return columns


class Ended(NamedTuple):
    """How a trial ended, and after how many updates."""

    outcome: Outcome
    updates: int


class Recorder:
    """Rows of one pack, by the trials' positions in it."""

    def __init__(self, trials: Sequence[TrialSpec], options: Options) -> None:
        self.trials = trials
        self.options = options
        self.ids = np.array([t.trial_id for t in trials], dtype=object)
        self.lrs = np.array([t.optimizer.lr for t in trials])
        self.clipping = np.array([t.optimizer.clip_norm is not None for t in trials])
        self.summaries = Summaries(trials)
        self.probe_seconds = np.zeros(len(trials))
        self.recorded = 0
        self.endings: dict[int, Ended] = {}
        self._tables: dict[str, _Table] = defaultdict(_Table)

    def add(
        self, stack: "Stack", measured: "Measured", diverged: Mapping[int, int], *, last: bool
    ) -> set[int]:
        """Record the stack's trials at their present update.

        Args:
            stack: the trials, at the update to record.
            measured: their measurements.
            diverged: index in the stack -> update at which its loss was not finite any more;
                such a trial leaves no row here: all rows are finite.
            last: whether the budget ends here.

        Returns:
            Positions (in the pack) of the trials that ended here.
        """
        self.probe_seconds[stack.positions] += measured.seconds / len(stack.positions)
        healthy = np.array([i not in diverged for i in range(len(stack.positions))])
        places = np.array(stack.positions)[healthy]
        values = {k: v.detach().double().cpu().numpy() for k, v in measured.columns.items()}
        self._add_steps(stack, places, {k: v[healthy] for k, v in values.items()}, healthy)
        self._add_layers(stack, places, measured, healthy)
        self.recorded = stack.update
        ended = {stack.positions[i]: Outcome.DIVERGED for i in diverged}
        for place in self.summaries.reached(places):
            ended[place] = Outcome.REACHED_TARGET
        if last:
            ended |= {int(p): Outcome.DONE for p in places if int(p) not in ended}
        at = {stack.positions[i]: update for i, update in diverged.items()}
        for place, outcome in ended.items():
            self._end(stack, place, outcome, at.get(place))
        return set(ended)

    def drain(self) -> Records:
        """All rows since the last call, with the summaries of the trials they belong to."""
        if self._tables["steps"].blocks:
            self._tables["summaries"].blocks = []
            self.summaries.write(self._tables["summaries"].add, self.ids)
        tables = {name: table.take() for name, table in self._tables.items() if table.blocks}
        return {name: tables[name] for name in tables}

    def ended(self) -> list[Ended]:
        """How each trial ended, by position."""
        return [self.endings[i] for i in range(len(self.trials))]

    def _add_steps(
        self, stack: "Stack", places: Array, values: dict[str, Array], healthy: Array
    ) -> None:
        samples = stack.sampler.seen(stack.update)
        clipped = self._clipped_share(stack)[healthy]
        row: dict[str, Any] = {
            "trial_id": self.ids[places],
            "update": stack.update,
            "samples": samples,
            "gradient_evaluations": samples,
            "epoch": samples / stack.sampler.samples,
            "seconds": stack.seconds,
            "lr": self.lrs[places],
            "clipped_share": clipped,
            **values,
        }
        self._tables["steps"].add(len(places), row)
        self.summaries.add(places, stack.update, samples, stack.seconds, values)

    def _clipped_share(self, stack: "Stack") -> Array:
        """Share of updates clipped since the row before; None without clipping or updates."""
        share = np.full(len(stack.positions), None, dtype=object)
        counts = stack.take_clipped().double().cpu().numpy()
        since = stack.update - self.recorded
        where = self.clipping[stack.positions]
        if since:
            share[where] = counts[where] / since
        return share

    def _add_layers(
        self, stack: "Stack", places: Array, measured: "Measured", healthy: Array
    ) -> None:
        for i, columns in enumerate(measured.layers):
            values = {k: v.detach().double().cpu().numpy()[healthy] for k, v in columns.items()}
            row = {
                "trial_id": self.ids[places],
                "update": stack.update,
                "layer": i + 1,
                "name": stack.model.layers[i].name,
                **values,
            }
            self._tables["layers"].add(len(places), row)

    def _end(self, stack: "Stack", place: int, outcome: Outcome, diverged_at: int | None) -> None:
        update = stack.update if diverged_at is None else diverged_at
        self.endings[place] = Ended(outcome, update)
        row = {
            "trial_id": self.ids[place],
            "outcome": str(outcome),
            "updates": update,
            "samples": stack.sampler.seen(update),
            "seconds": stack.seconds,
            "isolated": False,
            "device": self.options.device,
            "node": self.options.node,
            "finished_at": datetime.datetime.now(datetime.UTC),
            "diverged_at_update": diverged_at,
            "error": None,
            "probe_seconds": self.probe_seconds[place],
        }
        self._tables["endings"].add(1, {k: np.array([v], dtype=object) for k, v in row.items()})
