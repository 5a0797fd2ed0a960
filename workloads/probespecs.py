"""The probes that a trial may be measured with, and when; torch-free.

Each probe is measured at up to ``steps`` of the trial's recordings, spread evenly over them,
the first and the last among them. Where a quantity does not exist (a gradient through time in
a net without time) a probe leaves no rows.
"""

from typing import Annotated, Literal

from pydantic import Field

from .parts import Count, Named, Part


class Gradients(Part):
    """First-order measurements of every layer, at the recordings of ``record.layers``."""

    name: Literal["gradients"] = "gradients"


class Sparse(Part):
    """A probe with a schedule of its own."""

    steps: Count = Field(default=5, description="at most so many of the recordings")


class Noise(Sparse):
    """Gradient noise scale, signal-to-noise ratio and norm test."""

    name: Literal["noise"]
    samples: Count = Field(default=128, description="training samples, the first of the split")


class Jacobian(Sparse):
    """Singular values of the input–output Jacobian."""

    name: Literal["jacobian"]
    samples: Count = Field(default=8, description="inputs at which it is taken")


class Curvature(Sparse):
    """Largest and smallest eigenvalue of the loss's Hessian."""

    name: Literal["curvature"]
    samples: Count = Field(default=256, description="training samples, the first of the split")


class Time(Sparse):
    """Gradients through time, step by step, of recurrent nets."""

    name: Literal["time"]
    samples: Count = Field(default=32, description="training samples, the first of the split")


class Symmetry(Sparse):
    """Equivariance and invariance errors of nets of images, per layer and shift."""

    name: Literal["symmetry"]
    samples: Count = Field(default=32, description="test samples, the first of the split")


class GradientCheck(Sparse):
    """Autograd beside the layer-wise equations and central differences, in float64."""

    name: Literal["gradient_check"]
    samples: Count = Field(default=8, description="training samples, the first of the split")


class Convexity(Sparse):
    """Violated chords of the loss over random pairs of parameters."""

    name: Literal["convexity"]
    samples: Count = Field(default=128, description="training samples, the first of the split")


Probe = Annotated[
    Gradients | Noise | Jacobian | Curvature | Time | Symmetry | GradientCheck | Convexity,
    Field(discriminator="name"),
    Named("gradients"),
]
