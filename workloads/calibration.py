"""A short measurement of how long packs of a shape take, by their size, on this device.

What a larger pack saves, and from which size on it saves nothing, depends on the model, the
batch size and the machine; a second of measuring tells what no formula does.
"""

import time
from collections.abc import Iterator, Sequence

import torch

from . import devices, memory
from .costs import Point
from .options import Options
from .probes.gradients import Gradients
from .problems.data import Data
from .spec import TrialSpec
from .stack import Stack

SIZES = (1, 4, 16, 64, 256)
WARMING_UPDATES = 3
"""The first update records its tape, the second proves it."""
MEASURED_SECONDS = 0.15
MOST_UPDATES = 200
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
    probe = Gradients(stack)
    stack.descend(WARMING_UPDATES)
    before = stack.seconds, stack.update
    while stack.seconds - before[0] < MEASURED_SECONDS and stack.update < MOST_UPDATES:
        stack.descend(stack.update + 5)
    update_seconds = (stack.seconds - before[0]) / (stack.update - before[1])
    return Point(len(trials), update_seconds, _recording_seconds(stack, probe))


def _recording_seconds(stack: Stack, probe: Gradients) -> float:
    """A recording on average: some have layers, most have not; the shortest of a few each."""
    plain, layered = (
        min(_timed(stack, probe, layers=layers) for _ in range(4)) for layers in (False, True)
    )
    share = min(1.0, stack.record.layers / stack.record.steps)
    return plain + share * max(0.0, layered - plain)


def _timed(stack: Stack, probe: Gradients, *, layers: bool) -> float:
    started = time.perf_counter()
    stack.judge(probe.measure(layers=layers)["train_loss"]).cpu()
    return time.perf_counter() - started
