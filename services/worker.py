"""What a worker does: train a pack and stream its records to the store, or time a shape."""

import dataclasses
import gc
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..storage import wire
from ..storage.client import Client
from ..storage.sender import Sender
from ..workloads import packs
from ..workloads.checkpoints import Checkpoints, Keeper, Saved
from ..workloads.costs import Point
from ..workloads.options import Options
from ..workloads.problems.data import Data
from ..workloads.records import Records
from ..workloads.spec import TrialSpec


class PackResult(NamedTuple):
    """What became of a pack: outcomes, updates made by all trials, and what it took.

    ``seconds`` is all of it; ``cost`` is what one update and one recording took, where enough
    was done to tell.
    """

    outcomes: Mapping[str, int]
    updates: int
    seconds: float = 0.0
    device: str = ""
    cost: Point | None = None


NOTHING = PackResult({}, 0)
TELLING_UPDATES = 50
"""Updates from which on a pack's own time says what its shape costs."""


class _Attempt(NamedTuple):
    """Trials to train under one writer, from a checkpoint or from the start."""

    writer: str
    trials: list[TrialSpec]
    saved: Saved | None


class _Nowhere:
    """A sink that encodes rows and drops them."""

    def put(self, records: Records) -> None:
        wire.encode(records)

    def wait(self) -> None:
        pass


def warm_up(options: Options) -> None:
    """Train two trials for nobody: torch and we load much of what we need at its first use.

    A worker's first pack need not wait for it then, nor its garbage collector look at it.
    """
    import torch

    from ..workloads import engine, problems

    torch.set_num_threads(1)
    first = TrialSpec.model_validate({"problem": {"name": "iris"}, "budget": {"updates": 10}})
    trials = [first, first.model_copy(update={"seed": 1})]
    bare = Options(device=options.device, gpu_share=options.gpu_share)
    engine.train(trials, problems.load(first.problem), _Nowhere(), bare)
    gc.collect()
    gc.freeze()


def run_pack(
    trials: Sequence[TrialSpec], data: Data, client: Client, options: Options
) -> PackResult:
    """Train those trials that are not finished yet, going on from a checkpoint if there is one.

    A fresh writer name makes this an attempt of its own: rows that an earlier attempt left
    beyond its checkpoint are replaced, and one that still runs somewhere is fenced off.
    """
    import torch

    # One core per pack: packs run side by side, threads inside them would fight.
    started = time.perf_counter()
    torch.set_num_threads(1)
    here = dataclasses.replace(options, node=socket.gethostname())
    results = [_train(attempt, data, client, here) for attempt in _attempts(trials, client, here)]
    outcomes: Counter[str] = Counter()
    for result in results:
        outcomes.update(result.outcomes)
    if not results:
        return NOTHING
    updates = sum(result.updates for result in results)
    seconds = time.perf_counter() - started
    return results[-1]._replace(outcomes=outcomes, updates=updates, seconds=seconds)


def _attempts(trials: Sequence[TrialSpec], client: Client, options: Options) -> Iterator[_Attempt]:
    """What of the trials goes on, then what starts from the beginning."""
    left = list(trials)
    folder = options.checkpoints_folder
    saved = Checkpoints(folder).find([t.trial_id for t in trials]) if folder else None
    if saved is not None:
        writer, known = uuid.uuid4().hex, set(saved.trial_ids)
        ids = [t.trial_id for t in trials if t.trial_id in known]
        going = set(client.resume(writer, ids, saved.writer, saved.update, saved.flushes))
        if going:
            yield _Attempt(writer, [t for t in trials if t.trial_id in going], saved)
        left = [t for t in trials if t.trial_id not in going]
    if left:
        writer = uuid.uuid4().hex
        wanted = set(client.begin(writer, [t.trial_id for t in left]))
        if fresh := [t for t in left if t.trial_id in wanted]:
            yield _Attempt(writer, fresh, None)


def _train(attempt: _Attempt, data: Data, client: Client, options: Options) -> PackResult:
    from ..workloads import devices, engine

    writer, trials, saved = attempt
    folder = options.checkpoints_folder
    with Sender(client, writer) as sender:
        keeper = None
        if folder:
            seconds = options.checkpoint_seconds
            keeper = Keeper(folder, writer, seconds, saved, lambda: sender.acknowledged)
        done = engine.train(trials, data, sender, options, keeper)
    outcomes = Counter(str(one.outcome) for one in done.ended)
    cost = None
    if done.updates >= TELLING_UPDATES and done.recordings:
        update = done.update_seconds / done.updates
        cost = Point(len(trials), update, done.recording_seconds / done.recordings)
    updates = sum(one.updates for one in done.ended)
    return PackResult(outcomes, updates, device=devices.name_of(options.device), cost=cost)


def calibrate(trials: Sequence[TrialSpec], data: Data, options: Options) -> tuple[str, list[Point]]:
    """Time packs of several sizes; the device's name, and what they took."""
    import torch

    from ..workloads import calibration, devices

    torch.set_num_threads(1)
    most = max(1, packs.MEMORY_BYTES // packs.trial_bytes(trials[0]))
    points = list(calibration.measure(trials, data, options, most))
    return devices.name_of(options.device), points
