"""What every loss of a trial says of itself; torch-free."""

from collections.abc import Iterator
from typing import ClassVar

from .parts import Part
from .problems.shapes import Shape, Task

Misfit = tuple[tuple[str, str], object, str]
"""(section, key), value, and why it does not go with the rest."""


class LossPart(Part):
    """What every loss says of itself."""

    name: str
    tasks: ClassVar[tuple[Task, ...]] = (Task.CLASSIFICATION,)
    """The problems it fits."""

    def outputs(self, shape: Shape) -> int:
        """What a net must give for one sample."""
        return shape.outputs * shape.labels

    def units(self, batch_size: int) -> int:
        """Numbers that it keeps for its backward pass beside the net's, per sample."""
        return 0

    def misfits(self, task: Task, shape: Shape, batch_size: int) -> Iterator[Misfit]:
        """What of a problem of a fitting task, and of the batches, it cannot be computed of."""
        yield from ()
