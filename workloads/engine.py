"""The training loop: one loop for every descent, every tensor with a leading trial axis K.

A pack is K ≥ 1 trials of one shape that train together; a serial trial is a pack of one, so
there is no second code path and a trial's numbers do not depend on its pack. The loop does
not know what is measured or where rows go: it descends to the next recording, hands the
readings to the recorder, and drops the trials that ended.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch

from . import devices, memory
from .checkpoints import Keeper, Saved, State
from .options import Options
from .pace import Pace
from .probes import Probes
from .problems.data import Data
from .readings import Readings
from .recording import Ended, Recorder
from .records import Records
from .schedule import log_spaced
from .spec import TrialSpec
from .stack import Stack

DEFAULTS = Options()
COMPACTING_SECONDS = 0.05
"""What it costs to move a stack together and to record its tapes anew."""
WARMING_UPDATES = 20
"""Updates that an isolated trial makes, and forgets, before its clock starts."""


class Sink(Protocol):
    """Where records go."""

    def put(self, records: Records) -> None:
        """Take one flush; blocks while it cannot, raises when the pack must stop."""

    def wait(self) -> None:
        """Return when everything put so far is safe."""


class Trained(NamedTuple):
    """How each trial ended, in order, and what the pack took."""

    ended: list[Ended]
    updates: int
    update_seconds: float
    recordings: int
    recording_seconds: float


def train(
    trials: Sequence[TrialSpec],
    data: Data,
    sink: Sink,
    options: Options = DEFAULTS,
    keeper: Keeper | None = None,
) -> Trained:
    """Train a pack and hand its rows to ``sink``, the endings with the last ones.

    Args:
        trials: K ≥ 1 trials of one shape (equal ``packs.shape_key``).
        data: their problem's data.
        sink: called about every ``options.flush_seconds`` and at the end.
        options: device, names and folders.
        keeper: writes checkpoints; where it has a previous one, training goes on from that.

    Raises:
        NotStackable: the model cannot train in packs, and this is one.
    """
    memory.keep()
    devices.prepare(options.device, options.gpu_share, tf32=trials[0].tf32)
    training = _Training(trials, data, sink, options, keeper)
    if keeper is not None and keeper.previous is not None:
        training.go_on(keeper.previous)
    return training.run()


class _Training:
    """One pack on its way: the stack, what is measured of it, and what became of it."""

    def __init__(
        self,
        trials: Sequence[TrialSpec],
        data: Data,
        sink: Sink,
        options: Options,
        keeper: Keeper | None,
    ) -> None:
        self.sink, self.options, self.keeper = sink, options, keeper
        self.isolated = trials[0].timing == "isolated"
        self.stack = Stack(trials, data, torch.device(options.device))
        self.pace = Pace(trials, self.stack, options)
        names = [layer.name for layer in self.stack.model.layers]
        self.recorder = Recorder(trials, names, options)
        self.readings = Readings(self.stack.device, options.readings)
        self.plan = log_spaced(trials[0].budget_updates, trials[0].record.steps)
        self.probes = Probes(self.stack, self.plan)
        self.flushed = time.perf_counter()
        self.recordings, self.recording_seconds = 0, 0.0
        self.started = (0, 0.0)

    def go_on(self, saved: Saved) -> None:
        """Continue from a checkpoint, with those of its trials that are in this pack."""
        state = saved.load()
        places = [saved.trial_ids.index(trial.trial_id) for trial in self.recorder.trials]
        stack = {name: tensor[places] for name, tensor in state["stack"].items()}
        self.stack.restore(stack, saved.update, state["seconds"])
        self.recorder.restore({k: t.numpy()[places] for k, t in state["recorder"].items()})
        self.started = (saved.update, self.stack.seconds)
        self._save()

    def run(self) -> Trained:
        self.pace.look()
        if self.stack.update == 0:
            self.stack.limit(self.probes.losses()["train_loss"])
            self.recorder.predict()
        if self.isolated:
            self._warm_up()
        for update in self.plan:
            if update <= self.recorder.recorded:
                continue
            self.stack.descend(update, self._pause)
            self.pace.look()
            self._record(update, last=update == self.plan[-1])
            if len(self.recorder.endings) == len(self.recorder.trials):
                break
        self.pace.close()
        self._flush()
        self.sink.wait()
        if self.keeper is not None:
            self.keeper.close()
        return self._trained()

    def _warm_up(self) -> None:
        """Updates whose effects are taken back: tapes, memory and caches are ready then."""
        everything = list(range(len(self.stack.positions)))
        before, update = self.stack.snapshot(everything), self.stack.update
        self.stack.descend(update + WARMING_UPDATES)
        self.stack.restore(before, update, self.started[1])
        self.stack.moved = False

    def _record(self, update: int, *, last: bool) -> None:
        started = time.perf_counter()
        columns = self.probes.measure(update)
        counts_2K = self.stack.judge(columns["train_loss"])
        seconds = time.perf_counter() - started
        at = (update, self.stack.seconds, seconds)
        self.readings.put(at, self.stack.positions, columns, counts_2K)
        self.recordings += 1
        self.recording_seconds += seconds
        self._take(last=last)
        self._compact(update)

    def _take(self, *, last: bool) -> None:
        for reading in self.readings.take(last=last):
            self.recorder.add(reading, last=last and reading.update == self.plan[-1])

    def _compact(self, update: int) -> None:
        """Move the stack together where its ended trials would cost more than that."""
        stack = self.stack
        stay = self.recorder.going(stack.positions)
        left = (self.plan[-1] - update) * stack.seconds / max(1, update)
        saved = left * (1 - len(stay) / len(stack.positions))
        if stay and saved > COMPACTING_SECONDS:
            stack.keep(stay)
            self.probes = Probes(stack, self.plan)
            if self.pace.compiled:
                self.pace.switch()

    def _pause(self) -> None:
        """Between two spells of updates, off the clock."""
        if time.perf_counter() - self.flushed > self.options.flush_seconds:
            self._flush()
        if self.keeper is not None and self.keeper.due:
            self._save()

    def _flush(self) -> None:
        self.sink.put(self.recorder.drain())
        if self.isolated:
            self.sink.wait()  # nobody sends while the clock runs
        self.flushed = time.perf_counter()

    def _save(self) -> None:
        """A checkpoint, once all rows before it are safe."""
        assert self.keeper is not None
        self._take(last=True)
        self._flush()
        self.sink.wait()
        places = self.recorder.going(self.stack.positions)
        positions = [self.stack.positions[i] for i in places]
        state: State = {
            "seconds": self.stack.seconds,
            "stack": self.stack.snapshot(places),
            "recorder": _tensors(self.recorder.state(positions)),
        }
        ids = [self.recorder.trials[i].trial_id for i in positions]
        self.keeper.save(self.stack.update, ids, state)

    def _trained(self) -> Trained:
        updates, seconds = self.started
        return Trained(
            self.recorder.ended(),
            self.stack.update - updates,
            self.stack.seconds - seconds,
            self.recordings,
            self.recording_seconds,
        )


def _tensors(arrays: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.as_tensor(array) for name, array in arrays.items()}
