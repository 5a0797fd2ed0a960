"""A short measurement of how long packs of a shape take, by their size, on this device.

What a larger pack saves, and from which size on it saves nothing, depends on the model, the
batch size and the machine; a second of measuring tells what no formula does.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import torch

from . import devices, memory
from .costs import Point
from .options import Options
from .probes import Probes
from .problems.data import Data
from .schedule import log_spaced
from .spec import TrialSpec
from .stack import Stack

SIZES = (1, 4, 16, 64, 256)
WARMING_UPDATES = 3
"""The first update records its tape, the second proves it."""
MEASURED_SECONDS = 0.15
MOST_UPDATES = 200
REPEATS = 4
PATIENCE_SECONDS = 2.0
"""When one size took so long, larger ones are not tried."""


def measure(
    trials: Sequence[TrialSpec], data: Data, options: Options, most: int
) -> Iterator[Point]:
    """Seconds of an update and of a recording for packs of several sizes, smallest first.

    Args:
        trials: trials of one shape; packs are made of the first of them.
        data: their problem's data.
        options: the device.
        most: the largest pack that memory allows.
    """
    memory.keep()
    devices.prepare(options.device, options.gpu_share, tf32=trials[0].tf32)
    largest = min(len(trials), most)
    for size in sorted({min(size, largest) for size in SIZES}):
        started = time.perf_counter()
        yield _point(trials[:size], data, torch.device(options.device))
        if time.perf_counter() - started > PATIENCE_SECONDS:
            return


def _point(trials: Sequence[TrialSpec], data: Data, device: torch.device) -> Point:
    stack = Stack(trials, data, device)
    stack.descend(WARMING_UPDATES)
    before = stack.seconds, stack.update
    while stack.seconds - before[0] < MEASURED_SECONDS and stack.update < MOST_UPDATES:
        stack.descend(stack.update + 5)
    update_seconds = (stack.seconds - before[0]) / (stack.update - before[1])
    return Point(len(trials), update_seconds, _recording_seconds(stack))


def _recording_seconds(stack: Stack) -> float:
    """A recording on average over the trial's plan; each kind of recording is timed by itself."""
    plan = log_spaced(stack.trials[0].budget_updates, stack.record.steps)
    probes = Probes(stack, plan)
    counts = Counter(probes.kind(update) for update in plan)
    examples = {probes.kind(update): update for update in plan}
    seconds = sum(counts[kind] * _timed(stack, probes, examples[kind]) for kind in counts)
    return seconds / len(plan)


def _timed(stack: Stack, probes: Probes, update: int) -> float:
    """The shortest of a few measurements; of a long one, the first."""
    shortest = math.inf
    for _ in range(REPEATS):
        started = time.perf_counter()
        stack.judge(probes.measure(update)["train_loss"]).cpu()
        shortest = min(shortest, time.perf_counter() - started)
        if shortest > MEASURED_SECONDS:
            break
    return shortest
