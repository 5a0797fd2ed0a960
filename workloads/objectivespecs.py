"""Objectives: problems that are functions of a bare parameter vector θ; torch-free.

With them go one model, the vector itself, and one loss, the objective's value.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .lossparts import LossPart
from .parts import Count, Finite, NonNegative, Part, Positive
from .problemparts import ProblemPart
from .problems.shapes import Shape, Task

Tilt = Annotated[float, Field(ge=0, lt=0.384)]


class ObjectiveProblem(ProblemPart):
    """f(θ) plus a linear term ξ·θ for each sample, so that samples have gradients of their own.

    ξ ~ N(0, gradient_noise²), shifted to a mean of exactly zero over the training set: the
    minimum stays where it is. The test set is one sample with ξ = 0, which is f itself.
    """

    task: ClassVar[Task] = Task.OBJECTIVE
    usual: ClassVar[Mapping[str, str]] = {"model": "point", "loss": "objective"}

    gradient_noise: NonNegative = Field(
        default=0.0, description="deviation of each component of a sample's gradient"
    )
    samples: Count = Field(default=1024, description="training samples, one draw of noise each")
    data_seed: int = Field(default=0, ge=0, lt=2**32, description="seed of the noise")

    @property
    @abstractmethod
    def given(self) -> tuple[float, ...]:
        """θ₀, where the model says ``start: given``."""

    @property
    def shape(self) -> Shape:
        """Samples with the one for testing; as many inputs as θ has components."""
        return Shape(self.samples + 1, len(self.given), 1)

    @property
    def train_samples(self) -> int:
        """Samples in the training split."""
        return self.samples


class Quadratic(ObjectiveProblem):
    """f(θ) = ½ Σ λ_i θ_i², eigenvalues log-spaced from 1/condition to 1, or given."""

    name: Literal["quadratic"]
    dimension: Count = Field(default=10, description="components of θ")
    condition: float = Field(
        default=100.0, ge=1, allow_inf_nan=False, description="largest eigenvalue over the smallest"
    )
    eigenvalues: list[Positive] | None = Field(
        default=None, min_length=1, description="eigenvalues; they decide dimension and condition"
    )

    @model_validator(mode="before")
    @classmethod
    def _follow_eigenvalues(cls, value: Any) -> Any:
        given = value.get("eigenvalues") if isinstance(value, dict) else None
        if not isinstance(given, list | tuple) or not given or not all(map(_positive, given)):
            return value
        return {"dimension": len(given), "condition": max(given) / min(given), **value}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        given = self.eigenvalues
        if given is not None and self.dimension != len(given):
            raise ValueError(
                f"{len(given)} eigenvalues do not go with dimension {self.dimension}; "
                "leave dimension out"
            )
        if given is not None and self.condition != max(given) / min(given):
            raise ValueError(
                f"these eigenvalues do not go with condition {self.condition}; leave condition out"
            )
        return self

    @property
    def spectrum(self) -> list[float]:
        """The eigenvalues, λ_i."""
        if self.eigenvalues is not None:
            return self.eigenvalues
        steps = max(1, self.dimension - 1)
        return [self.condition ** (i / steps - 1) for i in range(self.dimension - 1)] + [1.0]

    @property
    def given(self) -> tuple[float, ...]:
        """θ₀ = (1, …, 1)."""
        return (1.0,) * self.dimension


class Saddle(ObjectiveProblem):
    """f(x, y) = ½ (x² − y²) + ¼ y⁴ + tilt·y: a saddle at y = 0 between two minima.

    Bounded below, unlike x² − y². Without tilt both minima (0, ±1) are equally deep; with it only
    the one at y < 0 is global. From 2/√27 = 0.3849 on there would be one minimum.
    """

    name: Literal["saddle"]
    tilt: Tilt = Field(default=0.0, description="slope that makes the minimum at y > 0 the worse")

    @property
    def given(self) -> tuple[float, ...]:
        """θ₀ = (1, 0.001), nearly on the line that leads to the saddle."""
        return (1.0, 1e-3)


class Rosenbrock(ObjectiveProblem):
    """f(x, y) = (a − x)² + b (y − x²)² (Rosenbrock 1960), minimum (a, a²) in a curved valley."""

    name: Literal["rosenbrock"]
    a: Finite = Field(default=1.0, description="where the minimum lies: (a, a²)")
    b: Positive = Field(default=100.0, description="steepness of the valley's walls")

    @property
    def given(self) -> tuple[float, ...]:
        """θ₀ = (−1.2, 1), Rosenbrock's own."""
        return (-1.2, 1.0)


class Beale(ObjectiveProblem):
    """f(x, y) = (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)² (Beale 1958).

    Minimum (3, 0.5), with flat land and steep corners around it.
    """

    name: Literal["beale"]

    @property
    def given(self) -> tuple[float, ...]:
        """θ₀ = (1, 1)."""
        return (1.0, 1.0)


class QuadraticDeep(ProblemPart):
    """L(θ; x) = ½ (θ − x)ᵀ Q (θ − x), the noisy quadratic of DeepOBS v1.1, TensorFlow version.

    100 dimensions, x ~ N(0, 0.6²) cast to float32; 90 eigenvalues of Q from U(0, 1), ten from
    U(30, 60), in a random rotation (Schneider et al. 2019). An epoch drops its incomplete last
    batch; of the 1000 test samples the first 896 count, seven batches of 128.
    """

    task: ClassVar[Task] = Task.OBJECTIVE
    usual: ClassVar[Mapping[str, str]] = {"model": "point", "loss": "objective"}
    drops_last: ClassVar[bool] = True
    test_samples: ClassVar[int] = 896

    name: Literal["quadratic_deep"]

    @property
    def given(self) -> tuple[float, ...]:
        """θ₀ = (1, …, 1)."""
        return (1.0,) * 100

    @property
    def shape(self) -> Shape:
        """1000 training samples and the test samples that count, of 100 numbers."""
        return Shape(self.train_samples + self.test_samples, 100, 1)

    @property
    def train_samples(self) -> int:
        """Samples in the training split."""
        return 1000


class Point(Part):
    """A bare parameter vector θ. Its output is the objective of θ for each sample."""

    name: Literal["point"]
    start: Literal["given", "normal"] = Field(
        default="given", description="θ₀ as the problem has it, or N(0, scale²) by the trial's seed"
    )
    scale: Positive = Field(default=1.0, description="deviation of a normal start")

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``: there are no layers."""
        return dict.fromkeys(("depth", "width", "activation", "init", "norm", "residual"))

    def parameters(self, shape: Shape) -> int:
        """Components of θ."""
        return shape.features

    def products(self, shape: Shape) -> int:
        """Multiplications per sample; a dense quadratic form is the dearest."""
        return shape.features**2

    def units(self, shape: Shape) -> int:
        """Numbers that a forward pass keeps, per sample."""
        return 3 * shape.features


class Objective(LossPart):
    """The value of an objective, which the model gives already."""

    tasks: ClassVar[tuple[Task, ...]] = (Task.OBJECTIVE,)

    name: Literal["objective"]

    def outputs(self, shape: Shape) -> int:
        """The objective's value."""
        return 1


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and value > 0
