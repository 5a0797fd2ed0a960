"""The probes that a trial may be measured with, and when; torch-free.

Each probe is measured at up to ``steps`` of the trial's recordings, spread evenly over them,
the first and the last among them. Where a quantity does not exist (a gradient through time in
a net without time) a probe leaves no rows.
"""

from abc import ABC, abstractmethod
from typing import Annotated, Literal

from pydantic import Field, field_validator

from .parts import Count, Finite, Named, Part, Positive

PRODUCT = 9
"""Forward passes that a Hessian–vector product in float64 costs about."""


class Gradients(Part):
    """First-order measurements of every layer, at the recordings of ``record.layers``."""

    name: Literal["gradients"] = "gradients"


class Sparse(Part, ABC):
    """A probe with a schedule of its own."""

    steps: Count = Field(default=5, description="at most so many of the recordings")
    samples: Count

    @property
    @abstractmethod
    def passes(self) -> int:
        """Forward passes over ``samples`` that one measurement costs about, for estimates.

        From the figure ``instruments`` of the benchmark, in which the training step counts
        three passes over its batch.
        """


class Noise(Sparse):
    """Gradient noise scale, signal-to-noise ratio and norm test."""

    name: Literal["noise"]
    samples: Count = Field(default=128, description="training samples, the first of the split")
    every_update: bool = Field(
        default=False,
        description="average over the mini-batches of all updates since the recording before "
        "(`mlp` without batch norm, batches of 2 or more); else measured on `samples`",
    )

    @property
    def passes(self) -> int:
        """See :class:`Sparse`."""
        return 12


class Jacobian(Sparse):
    """Singular values of the input–output Jacobian."""

    name: Literal["jacobian"]
    samples: Count = Field(default=8, description="training samples, the first of the split")
    hidden: bool = Field(
        default=False, description="that of the last hidden layer, too, of mlp and convnet"
    )

    @property
    def passes(self) -> int:
        """See :class:`Sparse`."""
        return 100


class Curvature(Sparse):
    """Largest and smallest eigenvalue of the loss's Hessian."""

    name: Literal["curvature"]
    samples: Count = Field(default=256, description="training samples, the first of the split")
    iterations: Count = Field(default=32, description="Hessian–vector products, at most")

    @property
    def passes(self) -> int:
        """See :class:`Sparse`."""
        return PRODUCT * self.iterations


class Time(Sparse):
    """Gradients through time, step by step, of recurrent nets."""

    name: Literal["time"]
    samples: Count = Field(default=32, description="training samples, the first of the split")
    points: Count = Field(
        default=128,
        description="at most so many steps of the sequence, log-spaced back from the last one",
    )

    @property
    def passes(self) -> int:
        """See :class:`Sparse`."""
        return 6


class Symmetry(Sparse):
    """Equivariance and invariance of nets of images, per layer, under what is done to them."""

    name: Literal["symmetry"]
    samples: Count = Field(default=32, description="test samples, the first of the split")
    shifts: list[Finite] = Field(
        default=[1.0, 2.0, 0.5],
        description="pixels by which images are shifted, downwards and to the right",
    )
    rotations: list[Finite] = Field(
        default=[15.0], description="degrees by which they are turned, counter-clockwise"
    )
    scales: list[Positive] = Field(default=[1.1], description="factors by which they are enlarged")
    lie: bool = Field(default=True, description="whether Lie derivatives are measured, too")

    @field_validator("shifts", "rotations", "scales")
    @classmethod
    def _told_apart(cls, values: list[float]) -> list[float]:
        """Keys hold six digits of a value."""
        if len({f"{value:g}" for value in values}) < len(values):
            raise ValueError(f"{values} has values that are equal in six digits; give each once")
        return values

    @property
    def passes(self) -> int:
        """See :class:`Sparse`."""
        kinds = len(self.shifts) + len(self.rotations) + len(self.scales)
        return 5 * (kinds + 1) * (1 + self.lie)


class GradientCheck(Sparse):
    """Autograd beside the layer-wise equations and central differences, in float64."""

    name: Literal["gradient_check"]
    steps: Count = Field(default=2, description="at most so many of the recordings")
    samples: Count = Field(default=8, description="training samples, the first of the split")
    directions: Count = Field(default=2, description="random directions in each layer's parameters")
    layers: Count = Field(
        default=30, description="at most so many layers get differences, spread evenly"
    )
    tolerance: Positive = Field(
        default=1e-4, description="relative error from which a layer's gradient counts as wrong"
    )

    @property
    def passes(self) -> int:
        """See :class:`Sparse`."""
        return 270 * self.directions


class Convexity(Sparse):
    """Violated chords of the loss over random pairs, and the Hessian's smallest eigenvalue."""

    name: Literal["convexity"]
    samples: Count = Field(default=128, description="training samples, the first of the split")
    pairs: Count = Field(default=128, description="chords between two random points each")
    radius: Positive = Field(
        default=0.1, description="largest deviation of the noise in each component of the points"
    )
    iterations: Count = Field(default=32, description="Hessian–vector products, at most")

    @property
    def passes(self) -> int:
        """See :class:`Sparse`."""
        return 19 * self.pairs + PRODUCT * self.iterations


Probe = Annotated[
    Gradients | Noise | Jacobian | Curvature | Time | Symmetry | GradientCheck | Convexity,
    Field(discriminator="name"),
    Named("gradients"),
]
