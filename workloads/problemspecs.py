"""The problems that a trial may name, and how large each is; torch-free."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .convexspecs import Logistic
from .drawnspecs import (
    Adding,
    Copy,
    Linear,
    Mnist1d,
    SequentialDigits,
    Shapes,
    Spirals,
    Teacher,
    TwoMoons,
)
from .externalspecs import File, ImageSet, OpenMl, Standardise
from .fitspecs import GaussianFit
from .gamespecs import Ring
from .latentspecs import DigitImages, LowRankGaussian
from .objectivespecs import Beale, Quadratic, QuadraticDeep, Rosenbrock, Saddle
from .parts import Count, Named
from .problemparts import ProblemPart, SplitProblem
from .problems.shapes import BUNDLED, Shape, Task

CANCER_SAMPLES = (212, 357)
"""breast_cancer's malignant samples (label 0, the rarer class), and its benign ones."""


class BundledProblem(SplitProblem):
    """A classification set that comes with scikit-learn.

    digits is scaled to [0, 1] (pixel / 16); the tables are standardised with the training
    split's mean and deviation.
    """

    name: Literal["digits", "breast_cancer", "wine", "iris"] = "digits"
    standardise: bool = Field(
        default=True, description="false: inputs as they come, instead of the scaling above"
    )
    minority_share: float | None = Field(
        default=None,
        gt=0,
        le=0.5,
        description="breast_cancer: share of the samples that are malignant, the others left out; "
        "training and test set get the same share; null: all samples",
    )

    @model_validator(mode="after")
    def _rare_among_two(self) -> Self:
        if self.minority_share is None:
            return self
        if self.name != "breast_cancer":
            raise ValueError(
                f"minority_share is for sets of two classes, and {self.name} has "
                f"{BUNDLED[self.name].outputs}; use breast_cancer, or leave it out"
            )
        rare, others = self.class_samples
        if not 1 <= int((1 - self.test_share) * rare) < rare <= CANCER_SAMPLES[0]:
            raise ValueError(
                f"minority_share {self.minority_share} asks for {rare} malignant samples beside "
                f"{others} benign ones, of {CANCER_SAMPLES[0]} that there are, some of them for "
                "testing; use 0.01 to 0.37"
            )
        return self

    @property
    def class_samples(self) -> tuple[int, int]:
        """Samples of each class of breast_cancer, training and test together."""
        _, others = CANCER_SAMPLES
        share = self.minority_share or 0
        return round(share / (1 - share) * others), others

    @property
    def shape(self) -> Shape:
        """Samples, features and classes before the split."""
        whole = BUNDLED[self.name]
        if self.minority_share is None:
            return whole
        return whole._replace(samples=sum(self.class_samples))

    @property
    def train_samples(self) -> int:
        """Samples in the training split: floor((1 − test_share) · samples), of each class apart
        where a minority share is given.
        """
        if self.minority_share is None:
            return super().train_samples
        return sum(int((1 - self.test_share) * count) for count in self.class_samples)


class Diabetes(SplitProblem):
    """442 patients, ten numbers each, and how the disease went on (Efron et al. 2004)."""

    task: ClassVar[Task] = Task.REGRESSION
    usual: ClassVar[Mapping[str, str]] = {"loss": "mse"}

    name: Literal["diabetes"]
    standardise: bool = Standardise

    @property
    def shape(self) -> Shape:
        """One number is asked for."""
        return Shape(442, 10, 1)


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


Problem = Annotated[
    BundledProblem
    | Diabetes
    | DigitImages
    | LowRankGaussian
    | GaussianInputs
    | Linear
    | TwoMoons
    | Spirals
    | Mnist1d
    | Shapes
    | Teacher
    | SequentialDigits
    | Copy
    | Adding
    | File
    | OpenMl
    | ImageSet
    | Logistic
    | GaussianFit
    | Quadratic
    | QuadraticDeep
    | Saddle
    | Rosenbrock
    | Beale
    | Ring,
    Field(discriminator="name"),
    Named("digits"),
]
