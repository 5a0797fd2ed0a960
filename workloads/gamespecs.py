"""The game of a generator and a discriminator: its problem, its model, its losses; torch-free."""

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .initspecs import Init, NamedInit
from .lossparts import LossPart
from .parts import Count, NonNegative, Part, Positive
from .problemparts import DrawnProblem
from .problems.shapes import Shape, Task

_PLANE = 2
"""Numbers in a sample of the ring."""


class Ring(DrawnProblem):
    """A mixture of equal Gaussians in the plane, their means evenly spaced on a circle.

    Beside each real sample lie the latents z ~ N(0, I) that the generator makes its sample
    from, and a weight u ~ U(0, 1) for points between the two (gan_wasserstein). They are drawn
    once, like the samples. Source of the problem: Metz et al. 2017, unrolled GANs, section 3.1.
    """

    task: ClassVar[Task] = Task.GENERATION
    usual: ClassVar[Mapping[str, str]] = {"model": "gan", "loss": "gan_nonsaturating"}

    name: Literal["ring"]
    modes: Count = Field(default=8, description="Gaussians")
    radius: Positive = Field(default=2.0, description="of the circle")
    deviation: Positive = Field(default=0.02, description="of each Gaussian in each direction")
    latents: Count = Field(default=2, description="numbers that a generator makes a sample from")

    @model_validator(mode="after")
    def _show_every_mode(self) -> Self:
        if min(self.samples, self.test_samples) < self.modes:
            raise ValueError(
                f"{self.modes} modes need as many samples and test_samples at least, "
                f"not {self.samples} and {self.test_samples}"
            )
        return self

    @property
    def shape(self) -> Shape:
        """Real sample, latents and weight come in; a point of the plane is asked for."""
        return Shape(self.all_samples, 2 + self.latents + 1, 2)


class Gan(Part):
    """A generator and a discriminator, both multilayer perceptrons (Goodfellow et al. 2014).

    Both players move at once: each update follows the generator's loss in the generator's
    parameters and the discriminator's loss in its own, both taken at the same point.
    """

    name: Literal["gan"]
    depth: int = Field(default=2, ge=0, le=100, description="hidden layers of either net")
    width: Count = Field(default=64, description="units per hidden layer of the generator")
    discriminator_width: Count | None = Field(
        default=None, description="units per hidden layer of the discriminator; null: as width"
    )
    activation: Literal["relu", "leaky_relu", "tanh"] = Field(
        default="tanh", description="of the hidden layers of both"
    )
    init: Init = Field(default=NamedInit(), description="how weights and biases start")

    @property
    def widths(self) -> tuple[int, int]:
        """Units per hidden layer of generator and discriminator."""
        return self.width, self.discriminator_width or self.width

    def sizes(self, shape: Shape) -> tuple[list[int], list[int]]:
        """Widths of all layers, inputs and outputs included, of generator and discriminator."""
        latents = shape.features - _PLANE - 1
        generator, discriminator = ([width] * self.depth for width in self.widths)
        return [latents, *generator, _PLANE], [_PLANE, *discriminator, 1]

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``; the width is the generator's."""
        return {
            "depth": self.depth,
            "width": self.width,
            "activation": self.activation,
            "init": self.init.name,
            "norm": None,
            "residual": None,
        }

    def parameters(self, shape: Shape) -> int:
        """Weights of both, biases left out."""
        return sum(map(_weights, self.sizes(shape)))

    def products(self, shape: Shape) -> int:
        """Multiplications of a forward pass, per sample: four passes of the discriminator."""
        generator, discriminator = map(_weights, self.sizes(shape))
        return generator + 4 * discriminator

    def units(self, shape: Shape) -> int:
        """Activations that a forward pass keeps, per sample."""
        generator, discriminator = map(sum, self.sizes(shape))
        return generator + 6 * discriminator


class GameLoss(LossPart):
    """What losses of a generator and a discriminator have in common."""

    tasks: ClassVar[tuple[Task, ...]] = (Task.GENERATION,)

    def outputs(self, shape: Shape) -> int:
        """Four numbers of the discriminator and the point that was made."""
        return 4 + shape.outputs


class GanLoss(GameLoss):
    """Generator against discriminator: minimax, non-saturating, or with a hinge."""

    name: Literal["gan_minimax", "gan_nonsaturating", "gan_hinge"]


class GanWasserstein(GameLoss):
    """Generator against a critic whose slope is held near one by a penalty."""

    name: Literal["gan_wasserstein"]
    penalty: NonNegative = Field(default=10.0, description="gradient penalty λ")


def _weights(sizes: list[int]) -> int:
    return sum(a * b for a, b in itertools.pairwise(sizes))
