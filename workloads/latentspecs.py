"""Densities with latents: images of digits, a Gaussian, a VAE for them, its loss; torch-free.

x: the D numbers of a sample; z: its L latents.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from .initspecs import Init, NamedInit
from .lossparts import LossPart, Misfit
from .modelparts import Activation, columns
from .parts import Count, NonNegative, Part, Positive
from .problemparts import DrawnProblem, SplitProblem
from .problems.shapes import BUNDLED, Shape, Task

Latents = Field(default=2, description="numbers that a decoder makes a sample from")


class DigitImages(SplitProblem):
    """The images of digits, pixels from 0 to 1, without their labels.

    Beside each image lies noise ε ~ N(0, I) that its latents are drawn with. What is recorded
    is measured with it; every epoch of training draws its own (see ``augmentation.Noise``).
    """

    task: ClassVar[Task] = Task.DENSITY
    usual: ClassVar[Mapping[str, Any]] = {"model": "vae", "loss": "elbo"}

    name: Literal["digit_images"]
    latents: Count = Latents
    data_seed: int = Field(default=0, ge=0, lt=2**32, description="seed of the recorded noise")

    @property
    def shape(self) -> Shape:
        """Pixels and noise come in, the pixels are asked for."""
        samples, pixels, *_ = BUNDLED["digits"]
        return Shape(samples, pixels + self.latents, pixels, latents=self.latents, unit=True)


class LowRankGaussian(DrawnProblem):
    """x = W s + noise·e with s ~ N(0, I) of ``rank`` numbers, e ~ N(0, I), W_ij ~ N(0, 1/rank).

    x ~ N(0, W Wᵀ + noise²·I): probabilistic principal component analysis (Tipping and Bishop
    1999), whose greatest likelihood has a closed form. Noise for latents as in ``digit_images``.
    """

    task: ClassVar[Task] = Task.DENSITY
    usual: ClassVar[Mapping[str, Any]] = {
        "model": "vae",
        "loss": {"name": "elbo", "likelihood": "gaussian"},
    }

    name: Literal["low_rank_gaussian"]
    features: Count = Field(default=64, description="numbers of a sample")
    rank: Count = Field(default=2, description="directions in which there is more than noise")
    noise: Positive = Field(default=0.5, description="deviation of the noise in every direction")
    latents: Count = Latents

    @property
    def shape(self) -> Shape:
        """A sample and noise come in, the sample is asked for."""
        inputs = self.features + self.latents
        return Shape(self.all_samples, inputs, self.features, latents=self.latents)


class Vae(Part):
    """A variational autoencoder (Kingma and Welling 2014): encoder and decoder, two MLPs.

    The encoder gives means and log-variances of q(z|x), the decoder what p(x|z) is made of.
    """

    name: Literal["vae"]
    depth: int = Field(default=1, ge=0, le=100, description="hidden layers of either net")
    width: Count = Field(default=64, description="units per hidden layer")
    activation: Activation = Field(default="tanh", description="of the hidden layers of both")
    init: Init = Field(default=NamedInit(), description="how weights and biases start")

    def sizes(self, shape: Shape) -> tuple[list[int], list[int]]:
        """Widths of all layers, inputs and outputs included, of encoder and decoder."""
        numbers, hidden = shape.features - shape.latents, [self.width] * self.depth
        return [numbers, *hidden, 2 * shape.latents], [shape.latents, *hidden, numbers]

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``; the depth is that of either net."""
        return columns(self, self.depth, self.width, self.init.name)

    def parameters(self, shape: Shape) -> int:
        """Weights of both, biases left out."""
        return sum(a * b for sizes in self.sizes(shape) for a, b in itertools.pairwise(sizes))

    def products(self, shape: Shape) -> int:
        """Multiplications of a forward pass, per sample."""
        return self.parameters(shape)

    def units(self, shape: Shape) -> int:
        """Activations that a forward pass keeps, per sample."""
        return sum(map(sum, self.sizes(shape))) + shape.outputs


class Elbo(LossPart):
    """Minus the evidence lower bound: reconstruction + β·KL(q(z|x)‖N(0, I)), in nats."""

    tasks: ClassVar[tuple[Task, ...]] = (Task.DENSITY,)

    name: Literal["elbo"]
    beta: NonNegative = Field(default=1.0, description="weight β of the divergence")
    likelihood: Literal["bernoulli", "gaussian"] = Field(
        default="bernoulli", description="p(x|z): of numbers from 0 to 1, or of any numbers"
    )
    deviation: Positive = Field(
        default=0.5, description="gaussian: deviation of x from the decoder's outputs"
    )

    def outputs(self, shape: Shape) -> int:
        """What p(x|z) is made of, then means and log-variances of the latents."""
        return shape.outputs + 2 * shape.latents

    def misfits(self, task: Task, shape: Shape, batch_size: int) -> Iterator[Misfit]:
        """See :class:`~.lossparts.LossPart`."""
        if self.likelihood == "bernoulli" and not shape.unit:
            yield (
                ("loss", "likelihood"),
                self.likelihood,
                "takes numbers from 0 to 1, and those of the problem have no bounds; use "
                "likelihood gaussian, or problem digit_images",
            )
