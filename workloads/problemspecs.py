"""The problems that a trial may name, and how large each is; torch-free."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .parts import Count, Named, Part, Share
from .problems.shapes import BUNDLED, Shape, Task


class ProblemPart(Part):
    """What every problem says of itself."""

    task: ClassVar[Task] = Task.CLASSIFICATION
    usual: ClassVar[Mapping[str, str]] = {}
    """Names of the model and the loss that are meant where a grid says nothing."""

    @property
    def shape(self) -> Shape:
        """How large it is."""
        raise NotImplementedError

    @property
    def train_samples(self) -> int:
        """Samples in the training split."""
        raise NotImplementedError


class BundledProblem(ProblemPart):
    """A classification set that comes with scikit-learn.

    digits is scaled to [0, 1] (pixel / 16); the tables are standardised with the training
    split's mean and deviation.
    """

    name: Literal["digits", "breast_cancer", "wine", "iris"] = "digits"
    test_share: Share = Field(default=0.2, description="share of samples held out for testing")
    split_seed: int = Field(
        default=0, ge=0, lt=2**32, description="seed of the train/test permutation"
    )

    @property
    def shape(self) -> Shape:
        """Samples, features and classes before the split."""
        return BUNDLED[self.name]

    @property
    def train_samples(self) -> int:
        """Samples in the training split: floor((1 − test_share) · samples)."""
        return int((1 - self.test_share) * self.shape.samples)


class GaussianInputs(ProblemPart):
    """Inputs x ~ N(0, 1) with labels drawn at random: for probing untrained nets."""

    name: Literal["gaussian_inputs"]
    features: Count = Field(default=64, description="inputs per sample")
    samples: Count = Field(
        default=1024, description="training samples; there are as many for testing"
    )
    classes: int = Field(default=10, ge=2, description="labels, drawn uniformly")
    data_seed: int = Field(default=0, ge=0, lt=2**32, description="seed of inputs and labels")

    @property
    def shape(self) -> Shape:
        """Samples (training and test together), features and classes."""
        return Shape(2 * self.samples, self.features, self.classes)

    @property
    def train_samples(self) -> int:
        """Samples in the training split."""
        return self.samples


Problem = Annotated[BundledProblem | GaussianInputs, Field(discriminator="name"), Named("digits")]
