"""The losses of problems whose targets are labels; torch-free."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from .lossparts import LossPart, Misfit
from .parts import Count, NonNegative, Positive
from .problems.shapes import Shape, Task

PAIR_TENSORS = 8
"""Numbers that an embedding loss keeps of a pair of samples, about."""


class CrossEntropy(LossPart):
    """Softmax cross-entropy over class logits, in nats."""

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share ε of each target's weight that is spread over all classes",
    )


class _OneLogit(LossPart):
    """A loss that takes one logit where there are two classes."""

    def outputs(self, shape: Shape) -> int:
        """A logit for each label, or where there are more classes, for each of its classes."""
        return shape.labels * (1 if shape.outputs == 2 else shape.outputs)


class BinaryCrossEntropy(_OneLogit):
    """Cross-entropy of one logit, of a sample of two classes or of every pixel, in nats."""

    tasks: ClassVar[tuple[Task, ...]] = (Task.CLASSIFICATION, Task.SEGMENTATION)

    name: Literal["binary_cross_entropy"]

    def misfits(self, task: Task, shape: Shape, batch_size: int) -> Iterator[Misfit]:
        """More than two classes."""
        if task == Task.CLASSIFICATION and shape.outputs != 2:
            reason = f"is for two classes, and there are {shape.outputs}; use cross_entropy"
            yield ("loss", "name"), self.name, reason


class Hinge(_OneLogit):
    """Margins of at least one; two classes have one logit."""

    name: Literal["hinge"]
    multiclass: Literal["crammer_singer", "weston_watkins"] = Field(
        default="crammer_singer",
        description="more than two classes: the largest violated margin, or the sum of all",
    )


class SquaredError(_OneLogit):
    """Half the squared error of the probabilities; two classes have one logit."""

    name: Literal["squared_error"]


class Focal(LossPart):
    """Cross-entropy with less weight for samples that are right already."""

    name: Literal["focal"]
    gamma: NonNegative = Field(default=2.0, description="γ of the factor (1 − p)^γ")


class _Embedding(LossPart):
    """A loss of the distances between the samples of a batch."""

    dimension: Count = Field(default=16, description="numbers of an embedding: outputs of the net")

    def outputs(self, shape: Shape) -> int:
        """The embedding."""
        return self.dimension

    def units(self, batch_size: int) -> int:
        """Every sample has a pair with each other one."""
        return PAIR_TENSORS * batch_size

    def misfits(self, task: Task, shape: Shape, batch_size: int) -> Iterator[Misfit]:
        """Batches without pairs, and samples with several labels."""
        if batch_size == 1:
            reason = f"{self.name} compares samples of a batch, and there is one; use 2 at least"
            yield ("descent", "batch_size"), batch_size, reason
        if shape.labels > 1:
            reason = f"needs one label for each sample, not {shape.labels}; use cross_entropy"
            yield ("loss", "name"), self.name, reason


class Contrastive(_Embedding):
    """Samples of one label near each other, pairs of two labels a margin apart."""

    name: Literal["contrastive"]
    margin: Positive = Field(default=1.0, description="distance from which pairs do not count")
    normalize: bool = Field(default=False, description="divide embeddings by their length")


class Triplet(_Embedding):
    """Every sample nearer, by a margin, to those of its label than to others."""

    name: Literal["triplet"]
    margin: Positive = Field(default=0.2, description="of squared distances")
    mining: Literal["all", "hard", "semi_hard"] = Field(
        default="all", description="which triplets of a batch count"
    )
    normalize: bool = Field(default=True, description="divide embeddings by their length")


LABEL_LOSSES = (
    CrossEntropy,
    BinaryCrossEntropy,
    Hinge,
    SquaredError,
    Focal,
    Contrastive,
    Triplet,
)
LabelLoss = CrossEntropy | BinaryCrossEntropy | Hinge | SquaredError | Focal | Contrastive | Triplet
