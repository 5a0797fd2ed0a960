"""The models that take images, what each is made of and how large it is; torch-free."""

import itertools
import math
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from .initspecs import Init, NamedInit
from .modelparts import Activation, Layered, columns
from .parts import Count, Part
from .problems.shapes import Shape

Padding = Literal["zeros", "circular"]


class ConvNet(Layered):
    """``depth`` convolutions, global average pooling, linear output.

    For problems whose samples are images.
    """

    name: Literal["convnet"]
    depth: int = Field(default=2, ge=1, le=200, description="convolutions")
    channels: Count = Field(default=16, description="output channels of each convolution")
    kernel: Literal[1, 3, 5, 7] = Field(default=3, description="side of the kernels, in pixels")
    padding: Padding = Field(default="zeros", description="what lies around the image")
    stride: Literal[1, 2] = Field(default=1, description="of each convolution, in pixels")
    pooling: Literal["none", "max", "average", "blur", "max_blur"] = Field(
        default="none",
        description="halves the sides after each activation, while there are 2×2 pixels: 2×2 "
        "windows, or every second pixel after a blur, of the activations or of their 2×2 maxima",
    )
    activation: Activation = Field(default="relu", description="after each convolution")
    init: Init = Field(default=NamedInit(name="he"), description="how weights and biases start")

    @model_validator(mode="after")
    def _skips_between_equals(self) -> Self:
        if self.residual is not False and (self.stride > 1 or self.pooling != "none"):
            raise ValueError(
                f"residual: {self.residual} adds images of one size, and stride {self.stride} "
                f"with pooling {self.pooling} changes it; use stride 1 and pooling none"
            )
        return self

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``; the width is the number of channels."""
        return columns(self, self.depth, self.channels, self.init.name)

    def sizes(self, shape: Shape) -> list[tuple[int, int]]:
        """Height and width of what each convolution gives."""
        return [given for _, given in self._sides(shape)]

    def narrowest(self, shape: Shape) -> int:
        """The shortest side that a convolution sees, in pixels."""
        return min(min(seen) for seen, _ in self._sides(shape))

    def _sides(self, shape: Shape) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Height and width of what each convolution sees, and of what it gives."""
        _, *size = _image(shape)
        found = []
        for _ in range(self.depth):
            seen = size[0], size[1]
            size = [math.ceil(side / self.stride) for side in size]
            found.append((seen, (size[0], size[1])))
            if self.pooling != "none" and min(size) > 1:
                # Windows must be full; a blur has a value at every second pixel.
                odd = 1 if self.pooling.endswith("blur") else 0
                size = [(side + odd) // 2 for side in size]
        return found

    def _kernels(self, shape: Shape) -> list[int]:
        """Weights of each convolution."""
        inputs = [_image(shape)[0], *[self.channels] * (self.depth - 1)]
        return [c * self.channels * self.kernel**2 for c in inputs]

    def parameters(self, shape: Shape) -> int:
        """Weights, biases left out."""
        return sum(self._kernels(shape)) + self.channels * shape.outputs

    def products(self, shape: Shape) -> int:
        """Multiplications of a forward pass, per sample."""
        pairs = zip(self._kernels(shape), self.sizes(shape), strict=True)
        return sum(n * math.prod(size) for n, size in pairs) + self.channels * shape.outputs

    def units(self, shape: Shape) -> int:
        """Activations that a forward pass keeps, per sample, unfolded patches among them."""
        patches = self.channels * (self.kept + self.kernel**2)
        return patches * sum(map(math.prod, self.sizes(shape))) + shape.outputs


class EncoderDecoder(Part):
    """An image in, a logit for each of its pixels out: a small U-Net (Ronneberger et al. 2015).

    ``levels`` times a convolution and 2×2 average pooling; a convolution; as many times twice
    as many pixels (each one four times), the encoder's channels of that size beside them, and a
    convolution. Then a weighted sum of the channels of each pixel.
    """

    name: Literal["encoder_decoder"]
    levels: int = Field(default=2, ge=1, le=5, description="how often the sides are halved")
    channels: Count = Field(
        default=8, description="of the first convolution; twice as many after each halving"
    )
    padding: Padding = Field(default="zeros", description="what lies around the image")
    activation: Activation = Field(default="relu", description="after each convolution")
    init: Init = Field(default=NamedInit(name="he"), description="how weights and biases start")

    def columns(self) -> dict[str, Any]:
        """Columns of ``trials``; the depth is the number of 3×3 convolutions."""
        return columns(self, 2 * self.levels + 1, self.channels, self.init.name)

    def convolutions(self, inputs: int) -> list[tuple[int, int, int]]:
        """(channels in, channels out, halvings before it) of each 3×3 convolution, in order."""
        widths = [self.channels << level for level in range(self.levels + 1)]
        down = list(itertools.pairwise([inputs, *widths]))
        up = [(a + b, b) for b, a in reversed(list(itertools.pairwise(widths)))]
        levels = [*range(self.levels + 1), *reversed(range(self.levels))]
        return [(*pair, level) for pair, level in zip([*down, *up], levels, strict=True)]

    def parameters(self, shape: Shape) -> int:
        """Weights, biases left out."""
        return sum(9 * c * o for c, o, _ in self.convolutions(_image(shape)[0])) + self.channels

    def products(self, shape: Shape) -> int:
        """Multiplications of a forward pass, per sample."""
        inputs, height, width = _image(shape)
        pixels = height * width
        each = (9 * c * o * pixels >> 2 * level for c, o, level in self.convolutions(inputs))
        return sum(each) + self.channels * pixels

    def units(self, shape: Shape) -> int:
        """Activations that a forward pass keeps, per sample, unfolded patches among them."""
        inputs, height, width = _image(shape)
        each = (10 * c + 2 * o for c, o, _ in self.convolutions(inputs))
        return (sum(each) + 1) * height * width


def unfit(model: object, problem: str, shape: Shape) -> str | None:
    """Why a model of images cannot take a problem of this shape; None where it can."""
    if not isinstance(model, ConvNet | EncoderDecoder):
        return None
    if shape.image is None:
        return f"needs images, and {problem} has none; use digits, or model mlp"
    if isinstance(model, ConvNet):
        return _too_wide(model, problem, shape)
    _, height, width = shape.image
    if shape.outputs != height * width:
        return (
            f"gives a logit for each of {height}×{width} pixels, and {problem} asks for "
            f"{shape.outputs} outputs; use shapes, or model convnet"
        )
    if height % 2**model.levels or width % 2**model.levels:
        return (
            f"halves the sides {model.levels} times, and {problem} has {height}×{width} pixels; "
            f"use a size that is a multiple of {2**model.levels}, or fewer levels"
        )
    return None


def _too_wide(model: ConvNet, problem: str, shape: Shape) -> str | None:
    """Why circular padding cannot go around the images; None where it can."""
    most = model.narrowest(shape)
    if model.padding == "zeros" or model.kernel // 2 <= most:
        return None
    return (
        f"with kernel {model.kernel} and padding circular goes {model.kernel // 2} pixels around "
        f"an image, and one of {problem} is halved to {most} before its last convolution; use "
        f"kernel {2 * most + 1} at most, padding zeros, a smaller depth, or less stride and pooling"
    )


def _image(shape: Shape) -> tuple[int, int, int]:
    return shape.image or (1, 1, shape.features)
