"""The paths that an update can take: eagerly, from a tape, or as a CUDA graph.

Each does the same updates in the same order as :meth:`.step.Step.update`, the eager path, which
is the reference; :mod:`.compiled` has one more. Legend: U updates, K trials, B samples.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

import torch

from .optimizers import Settings, Tensors
from .step import Step
from .tape import Learned, Sizes, Tape

Item = TypeVar("Item")
Before = Callable[[int], object] | None
"""What is to happen before each of U updates, 0, 1, …: a schedule sets learning rates."""


class Updates(NamedTuple):
    """What U updates leave: the losses before each, (U, K), and clipped updates, (K,).

    ``noise``: the norms of their samples' and their own gradients, see :mod:`.step`, if asked for.
    """

    loss_UK: torch.Tensor
    clipped_K: torch.Tensor | None = None
    noise: tuple[torch.Tensor, torch.Tensor] | None = None


class Updater(Protocol):
    """Whatever can update the parameters and the optimizer state of a pack in place."""

    def run(self, x_UKBD: torch.Tensor, y_UKB: torch.Tensor, before: Before = None) -> Updates:
        """One update for each entry of the leading axis, in order."""


class Eager:
    """Every update through autograd: the reference."""

    def __init__(self, step: Step, params: Tensors, state: Tensors, settings: Settings) -> None:
        self.step, self.params, self.state, self.settings = step, params, state, settings

    def run(self, x_UKBD: torch.Tensor, y_UKB: torch.Tensor, before: Before = None) -> Updates:
        """See :class:`Updater`."""
        pairs = zip(x_UKBD.unbind(0), y_UKB.unbind(0), strict=True)
        return gathered([self.one(x, y) for x, y in each(pairs, before)])

    def one(self, x_KBD: torch.Tensor, y_KB: torch.Tensor) -> Tensors:
        """A single update; its losses, and which trials were clipped."""
        return self.step.update(self.params, self.state, self.settings, x_KBD, y_KB)


class Taped:
    """Updates replayed from a tape."""

    def __init__(self, eager: Eager) -> None:
        # A schedule writes the learning rates between two updates: they are no constant.
        self.one = Learned(eager.one, [*eager.params, *eager.state, eager.settings["lr"]])

    def run(self, x_UKBD: torch.Tensor, y_UKB: torch.Tensor, before: Before = None) -> Updates:
        """See :class:`Updater`."""
        pairs = zip(x_UKBD.unbind(0), y_UKB.unbind(0), strict=True)
        return gathered([self.one(x, y) for x, y in each(pairs, before)])

    @property
    def operations(self) -> int:
        """Operations of an update, once it is recorded."""
        return max((tape.operations for tape in self.one.tapes.values() if tape), default=0)


class Captured:
    """On a GPU: the tape of an update as a CUDA graph, so that an update is one launch."""

    def __init__(self, taped: Taped) -> None:
        self.one = taped.one
        self.graphs: dict[Sizes, _Graph] = {}

    def run(self, x_UKBD: torch.Tensor, y_UKB: torch.Tensor, before: Before = None) -> Updates:
        """See :class:`Updater`."""
        pairs = zip(x_UKBD, y_UKB, strict=True)
        return gathered([self._one(x, y) for x, y in each(pairs, before)])

    def _one(self, *inputs: torch.Tensor) -> Tensors:
        size = tuple(t.shape for t in inputs)
        tape = self.one.tapes.get(size) if size in self.one.proved else None
        if tape is None:
            return self.one(*inputs)
        if size not in self.graphs:
            self.graphs[size] = _Graph(tape, self.one.places, *inputs)
        return self.graphs[size](*inputs)


class _Graph:
    """One tape, captured with inputs of its own that are filled before each launch."""

    def __init__(self, tape: Tape, places: Tensors, x: torch.Tensor, y: torch.Tensor) -> None:
        self.inputs = [x.clone(), y.clone()]
        before = [place.clone() for place in places]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            tape(*self.inputs)  # libraries choose their kernels now: a capture may not
        torch.cuda.current_stream().wait_stream(stream)
        for place, value in zip(places, before, strict=True):
            place.copy_(value)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = tape(*self.inputs)

    def __call__(self, *inputs: torch.Tensor) -> Tensors:
        for own, given in zip(self.inputs, inputs, strict=True):
            own.copy_(given)
        self.graph.replay()
        return [out.clone() for out in self.outputs]  # the next launch overwrites them


def each(items: Iterable[Item], before: Before) -> Iterable[Item]:
    """The items, with ``before`` called as each is asked for."""
    return items if before is None else _preceded(items, before)


def _preceded(items: Iterable[Item], before: Callable[[int], object]) -> Iterator[Item]:
    for i, item in enumerate(items):
        before(i)
        yield item


def gathered(outputs: Sequence[Tensors]) -> Updates:
    """The outputs of several updates as one."""
    loss_UK, *rest = (torch.stack(each) for each in zip(*outputs, strict=True))
    noise = (rest[-2], rest[-1]) if len(rest) > 1 else None
    clipped = rest[:-2] if noise else rest
    return Updates(loss_UK, clipped[0].sum(0) if clipped else None, noise)
