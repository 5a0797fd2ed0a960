"""Shifts, rotations and scalings of images, and their derivatives. Images are (…, H, W).

Shifts are circular: whole pixels are rolled, exactly; parts of a pixel go by the Fourier
interpolation of the periodic image, as its generators do. Rotations and scalings are about the
middle of the image, bilinear, and continue its border outwards.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch.nn import functional

HEIGHT, WIDTH = -2, -1


class Transform(Protocol):
    """T: what is done to an image, and to images of which one pixel stands for several."""

    def __call__(self, images: torch.Tensor, pixels: int = 1) -> torch.Tensor:
        """T of each image, of the same shape.

        ``pixels``: pixels of the input that lie between two pixels of these images.
        """


@dataclasses.dataclass(frozen=True)
class Shift:
    """By so many pixels of the input, downwards or to the right."""

    distance: float
    axis: int

    def __call__(self, images: torch.Tensor, pixels: int = 1) -> torch.Tensor:
        """See :class:`Transform`."""
        distance = self.distance / pixels
        if distance.is_integer():
            return images.roll(int(distance), self.axis)
        return _filtered(images, self.axis, lambda f: (-2j * math.pi * distance * f).exp())


@dataclasses.dataclass(frozen=True)
class Affine:
    """Turned by so many degrees, counter-clockwise, and enlarged by a factor."""

    degrees: float = 0.0
    factor: float = 1.0

    def __call__(self, images: torch.Tensor, pixels: int = 1) -> torch.Tensor:
        """See :class:`Transform`. Both are the same at every size of a pixel."""
        del pixels
        down, right = _from_the_middle(images)
        angle = math.radians(self.degrees)
        # Where the value of a pixel comes from: its place, turned back and made smaller.
        cosine, sine = math.cos(angle) / self.factor, math.sin(angle) / self.factor
        source = (cosine * right - sine * down, sine * right + cosine * down)
        height, width = images.shape[HEIGHT:]
        grid = torch.stack([2 * source[0] / width, 2 * source[1] / height], -1)
        flat = images.reshape(1, -1, height, width)
        found = functional.grid_sample(
            flat, grid.unsqueeze(0), mode="bilinear", padding_mode="border", align_corners=False
        )
        return found.view(images.shape)


@dataclasses.dataclass(frozen=True)
class Drift:
    """d/dt of a shift by t pixels of the input, at t = 0."""

    axis: int

    def __call__(self, images: torch.Tensor, pixels: int = 1) -> torch.Tensor:
        """See :class:`Transform`."""
        return -slope(images, self.axis) / pixels


class Turn:
    """d/dt of a rotation by t radians, at t = 0."""

    def __call__(self, images: torch.Tensor, pixels: int = 1) -> torch.Tensor:
        """See :class:`Transform`."""
        del pixels
        down, right = _from_the_middle(images)
        return right * slope(images, HEIGHT) - down * slope(images, WIDTH)


class Growth:
    """d/dt of a scaling by exp t, at t = 0."""

    def __call__(self, images: torch.Tensor, pixels: int = 1) -> torch.Tensor:
        """See :class:`Transform`."""
        del pixels
        down, right = _from_the_middle(images)
        return -down * slope(images, HEIGHT) - right * slope(images, WIDTH)


def slope(images: torch.Tensor, axis: int) -> torch.Tensor:
    """The derivative along an axis of the Fourier interpolation, per pixel."""
    size = images.shape[axis]

    def factors(frequencies: torch.Tensor) -> torch.Tensor:
        # The fastest wave of an even size is a cosine: its slope at the pixels is zero.
        found: torch.Tensor = 2j * math.pi * frequencies
        return torch.where(frequencies.abs() * 2 < 1, found, 0) if size % 2 == 0 else found

    return _filtered(images, axis, factors)


def _filtered(
    images: torch.Tensor, axis: int, factors: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """The waves along an axis multiplied by factors of their frequencies, in cycles per pixel.

    Of the fastest wave of an even size the inverse transform takes the real part, so that half
    a pixel takes it away: the interpolation of least oscillation.
    """
    size = images.shape[axis]
    frequencies = torch.fft.rfftfreq(size, dtype=images.dtype, device=images.device)
    waves = torch.fft.rfft(images, dim=axis)
    shape = [1] * images.ndim
    shape[axis] = -1
    found: torch.Tensor = torch.fft.irfft(waves * factors(frequencies).view(shape), size, axis)
    return found


def _from_the_middle(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows down and columns to the right of the middle of an image, (H, W) each, in pixels."""
    height, width = images.shape[HEIGHT:]
    down, right = (
        torch.arange(side, dtype=images.dtype, device=images.device) - (side - 1) / 2
        for side in (height, width)
    )
    return down.unsqueeze(1).expand(height, width), right.expand(height, width)
