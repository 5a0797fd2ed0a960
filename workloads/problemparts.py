"""What every problem of a trial says of itself; torch-free."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from .parts import Count, Part, Share
from .problems.shapes import Shape, Task


class ProblemPart(Part):
    """What every problem says of itself."""

    name: str
    task: ClassVar[Task] = Task.CLASSIFICATION
    usual: ClassVar[Mapping[str, Any]] = {}
    """The model and the loss that are meant where a grid says nothing: names, or with settings."""
    drops_last: ClassVar[bool] = False
    """Whether an epoch leaves out its last batch where that would be short."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """How large it is."""

    @property
    @abstractmethod
    def train_samples(self) -> int:
        """Samples in the training split."""


class SplitProblem(ProblemPart):
    """A set of samples that is split at random."""

    test_share: Share = Field(default=0.2, description="share of samples held out for testing")
    split_seed: int = Field(
        default=0, ge=0, lt=2**32, description="seed of the train/test permutation"
    )

    @property
    def train_samples(self) -> int:
        """Samples in the training split: floor((1 − test_share) · samples)."""
        return int((1 - self.test_share) * self.shape.samples)


class DrawnProblem(ProblemPart):
    """Samples drawn from a formula: training and test samples alike, never the same ones."""

    samples: Count = Field(default=1024, description="training samples")
    test_samples: Count = Field(default=1024, description="test samples")
    data_seed: int = Field(default=0, ge=0, lt=2**32, description="seed of the samples")

    @property
    def train_samples(self) -> int:
        """Samples in the training split."""
        return self.samples

    @property
    def all_samples(self) -> int:
        """Training and test samples together."""
        return self.samples + self.test_samples
