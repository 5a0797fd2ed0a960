"""Problems that are drawn from a formula; torch-free. Each is made in ``problems``."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from .parts import Count, NonNegative, Positive, Share
from .problemparts import DrawnProblem, SplitProblem
from .problems.shapes import BUNDLED, Shape, Task

Noise = Field(default=0.1, description="deviation of the normal noise")


class Linear(DrawnProblem):
    """y = w*ᵀx + ε with a chosen share of outliers among the training targets.

    x ~ N(0, I), w* ~ N(0, I / D). ε ~ N(0, noise²), of outliers N(0, outlier_scale²): the
    contaminated normal of Tukey 1960 and Huber 1964. Test targets have no outliers.
    """

    task: ClassVar[Task] = Task.REGRESSION
    usual: ClassVar[Mapping[str, str]] = {"loss": "mse"}

    name: Literal["linear"]
    features: Count = Field(default=64, description="inputs per sample")
    noise: NonNegative = Noise
    outlier_share: float = Field(
        default=0.0, ge=0, lt=1, description="share of the training targets that are outliers"
    )
    outlier_scale: NonNegative = Field(default=10.0, description="deviation of outliers' noise")

    @property
    def shape(self) -> Shape:
        """One number is asked for."""
        return Shape(self.all_samples, self.features, 1)


class PlanarProblem(DrawnProblem):
    """Classes in the plane."""

    noise: NonNegative = Noise
    minority_share: float | None = Field(
        default=None,
        gt=0,
        le=0.5,
        description="two classes: share of the samples that belong to the rarer one; null: half",
    )

    @model_validator(mode="after")
    def _some_rare_ones_among_two(self) -> Self:
        if self.minority_share is None:
            return self
        if self.shape.outputs != 2:
            raise ValueError(
                f"minority_share is for two classes, not {self.shape.outputs}; leave it out, or "
                "classes"
            )
        fewest = min(self.samples, self.test_samples)
        if not round(self.minority_share * fewest):
            raise ValueError(
                f"minority_share {self.minority_share} of {fewest} samples is none; use "
                f"{1 / fewest:.2g} at least, or more samples and test_samples"
            )
        return self


class TwoMoons(PlanarProblem):
    """Two half circles in the plane that reach into each other."""

    name: Literal["two_moons"]

    @property
    def shape(self) -> Shape:
        """Two numbers, two classes."""
        return Shape(self.all_samples, 2, 2)


class Spirals(PlanarProblem):
    """One spiral arm in the plane for each class (Lang and Witbrock 1988, with noise)."""

    name: Literal["spirals"]
    turns: Positive = Field(default=1.0, description="how often an arm goes around the middle")
    noise: NonNegative = Field(default=0.02, description="deviation of the normal noise")
    classes: int = Field(default=2, ge=2, description="arms")

    @property
    def shape(self) -> Shape:
        """Two numbers, as many classes as arms."""
        return Shape(self.all_samples, 2, self.classes)


class Mnist1d(DrawnProblem):
    """MNIST-1D (Greydanus 2020): ten patterns of 12 points, hidden in series of 40."""

    name: Literal["mnist1d"]
    samples: Count = Field(default=4000, description="training samples")
    test_samples: Count = Field(default=1000, description="test samples")

    @property
    def shape(self) -> Shape:
        """40 numbers, read one by one by a recurrent net; 10 classes."""
        return Shape(self.all_samples, 40, 10)


class Shapes(DrawnProblem):
    """Which pixels belong to the disc or the rectangle in a noisy image.

    Every image holds one of the two; its pixels are 1, the others 0, and noise is added.
    """

    task: ClassVar[Task] = Task.SEGMENTATION
    usual: ClassVar[Mapping[str, str]] = {"model": "encoder_decoder", "loss": "dice"}

    name: Literal["shapes"]
    size: int = Field(default=16, ge=4, le=256, description="height and width in pixels")
    foreground_share: float = Field(
        default=0.2, gt=0, le=0.5, description="share of each image's pixels that the figure takes"
    )
    noise: NonNegative = Field(default=0.5, description="deviation of the normal noise")

    @model_validator(mode="after")
    def _at_least_a_pixel(self) -> Self:
        if not self.foreground:
            raise ValueError(
                f"foreground_share {self.foreground_share} of {self.size}×{self.size} pixels is "
                f"less than one; use {1 / self.size**2:.2g} at least, or a larger size"
            )
        return self

    @property
    def foreground(self) -> int:
        """Pixels of a figure."""
        return round(self.foreground_share * self.size**2)

    @property
    def shape(self) -> Shape:
        """An image, and an output for each of its pixels."""
        pixels = self.size**2
        return Shape(self.all_samples, pixels, pixels, (1, self.size, self.size))


class Teacher(SplitProblem):
    """digits with a teacher's probabilities in place of labels (Hinton et al. 2015).

    The teacher is regularised quadratic discriminant analysis (Friedman 1989), fitted to the
    training split in closed form; its logits are divided by the temperature.
    """

    task: ClassVar[Task] = Task.DISTRIBUTION
    usual: ClassVar[Mapping[str, str]] = {"loss": "kl_divergence"}

    name: Literal["teacher"]
    temperature: Positive = Field(
        default=4.0, description="what the teacher's logits are divided by"
    )
    shrinkage: Share = Field(
        default=0.5, description="weight of the classes' common covariance in each one's own"
    )

    @property
    def shape(self) -> Shape:
        """That of digits."""
        return BUNDLED["digits"]


class SequentialDigits(SplitProblem):
    """digits, shown to recurrent nets pixel by pixel (Le et al. 2015 did so with MNIST)."""

    usual: ClassVar[Mapping[str, str]] = {"model": "lstm"}

    name: Literal["sequential_digits"]

    @property
    def shape(self) -> Shape:
        """That of digits, as a sequence of 64 pixels."""
        return BUNDLED["digits"]._replace(image=None, steps=(64, 1))


class Copy(DrawnProblem):
    """Say again what was shown before a delay (Hochreiter and Schmidhuber 1997; Arjovsky 2016).

    Steps: the symbols, one-hot; ``delay`` blanks; then as many steps as there were symbols, the
    first with a marker, whose outputs are to give the symbols in their order.
    """

    usual: ClassVar[Mapping[str, str]] = {"model": "lstm"}

    name: Literal["copy"]
    symbols: int = Field(default=8, ge=2, le=1000, description="different symbols")
    length: Count = Field(default=5, description="symbols to be remembered")
    delay: int = Field(default=10, ge=0, description="blank steps between seeing and saying")

    @model_validator(mode="after")
    def _enough_sequences(self) -> Self:
        if self.symbols**self.length < 2 * self.all_samples:
            raise ValueError(
                f"{self.symbols} symbols make {self.symbols**self.length} sequences of length "
                f"{self.length}, too few for {self.all_samples} different samples (twice as many "
                "are needed); raise length or symbols, or lower samples and test_samples"
            )
        return self

    @property
    def shape(self) -> Shape:
        """Steps of symbols + 1 inputs; the last ``length`` of them give a label each."""
        steps, inputs = 2 * self.length + self.delay, self.symbols + 1
        return Shape(
            self.all_samples,
            steps * inputs,
            self.symbols,
            steps=(steps, inputs),
            labels=self.length,
        )


class Adding(DrawnProblem):
    """The sum of the two marked numbers of a sequence (Hochreiter and Schmidhuber 1997).

    In the form of Le et al. 2015: numbers ~ U(0, 1), a second channel that is 1 at two steps, one
    in each half, else 0. Saying 1 always has a mean squared error of 1/6.
    """

    task: ClassVar[Task] = Task.REGRESSION
    usual: ClassVar[Mapping[str, str]] = {"model": "lstm", "loss": "mse"}

    name: Literal["adding"]
    steps: int = Field(default=50, ge=2, description="length of the sequences")

    @property
    def shape(self) -> Shape:
        """Steps of two inputs; one number is asked for."""
        return Shape(self.all_samples, 2 * self.steps, 1, steps=(self.steps, 2))
