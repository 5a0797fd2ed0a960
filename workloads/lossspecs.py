"""The losses that a trial may name, and the problems each fits; torch-free."""

from typing import Annotated, ClassVar, Literal

from .parts import Named, Part, names_of
from .problems.shapes import Shape, Task


class LossPart(Part):
    """What every loss says of itself."""

    tasks: ClassVar[tuple[Task, ...]] = (Task.CLASSIFICATION,)
    """The problems it fits."""

    def outputs(self, shape: Shape) -> int:
        """What a net must give for one sample."""
        return shape.outputs * shape.labels


class CrossEntropy(LossPart):
    """Softmax cross-entropy over class logits, in nats."""

    name: Literal["cross_entropy"] = "cross_entropy"


Loss = Annotated[CrossEntropy, Named("cross_entropy")]


LOSS_TASKS: dict[str, tuple[Task, ...]] = {
    name: part.tasks for part in (CrossEntropy,) for name in names_of(part)
}
"""Name of a loss -> the problems that it fits."""
