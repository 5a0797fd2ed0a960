"""Measurements on their way from the device to the rows: a short queue of host buffers.

On a GPU the copy runs beside the training that follows; what a reading says, that a trial
diverged or met its target, is then acted upon a few recordings later, and the rows that came
between are dropped: rows do not depend on it. On a CPU nothing waits.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .probes.base import Columns

Array = NDArray[Any]

NEVER = 2**62
"""The update at which a trial diverged that did not."""

DEPTH = {"cpu": 0, "cuda": 4}
"""Readings that may be on their way at once."""


class Reading(NamedTuple):
    """One recording of a stack, on the host; arrays are (K,), in the order of ``positions``."""

    update: int
    seconds: float
    probe_seconds: float
    positions: Array
    columns: dict[str, Array]
    diverged: Array
    clipped: Array


class _Copy(NamedTuple):
    """A reading whose numbers may not have arrived."""

    at: tuple[int, float, float, Array]
    names: list[str]
    values: torch.Tensor
    counts: torch.Tensor
    arrived: torch.cuda.Event | None


class Readings:
    """The queue, oldest reading first."""

    def __init__(self, device: torch.device, depth: int | None = None) -> None:
        self.depth = DEPTH[device.type] if depth is None else depth
        self.waiting: deque[_Copy] = deque()

    def put(
        self,
        at: tuple[int, float, float],
        positions: Sequence[int],
        columns: Columns,
        counts_2K: torch.Tensor,
    ) -> None:
        """Start the copy of one reading; ``at``: update, seconds, seconds of measuring."""
        values_CK = torch.stack(list(columns.values()))
        event = None
        if values_CK.is_cuda:
            values_CK, counts_2K = _to_host(values_CK), _to_host(counts_2K)
            event = torch.cuda.Event()
            event.record()
        place = (*at, np.array(positions))
        self.waiting.append(_Copy(place, list(columns), values_CK, counts_2K, event))

    def take(self, *, last: bool) -> Iterator[Reading]:
        """Readings that are to be acted upon now; all of them when it is the ``last`` time."""
        while len(self.waiting) > (0 if last else self.depth):
            copy = self.waiting.popleft()
            if copy.arrived is not None:
                copy.arrived.synchronize()
            values = copy.values.double().numpy()
            diverged, clipped = copy.counts.numpy()
            columns = dict(zip(copy.names, values, strict=True))
            yield Reading(*copy.at, columns, diverged, clipped)


def _to_host(tensor: torch.Tensor) -> torch.Tensor:
    buffer = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return buffer.copy_(tensor, non_blocking=True)
