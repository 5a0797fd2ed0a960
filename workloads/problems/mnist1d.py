"""MNIST-1D, as Greydanus (2020, "Scaling down deep learning") makes it. N samples.

The patterns and every step with its numbers are the published ones. Three things differ: random
numbers come from a ``numpy.random.Generator``, so single samples are other ones than in the
published file; each of the training and the test set has its own, equal numbers of classes; and
it is the training set alone whose mean and deviation become 0 and 1.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..drawnspecs import Mnist1d
from .data import Data, Floats, Labels

POINTS = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
"""The ten digits as lines that a pen would draw."""
PADDING = (36, 60)
LENGTH = 40
DILATED = len(POINTS[0]) + PADDING[1]
SCALE, SHIFTS, SHEAR = 0.4, 48, 0.75
SMOOTH_NOISE, SMOOTHING, NOISE = 0.25, 2.0, 0.02
NEARLY_ZERO = 1e-8
"""Added to a pattern, so that no point of it counts as padding."""


def mnist1d(spec: Mnist1d) -> Data:
    """Patterns, padded, stretched, scaled, shifted, in noise, sheared, and cut to 40 points."""
    draw = np.random.default_rng(spec.data_seed)
    x_train, y_train = _samples(draw, spec.samples)
    x_test, y_test = _samples(draw, spec.test_samples)
    mean, deviation = x_train.mean(), x_train.std()
    return Data((x_train - mean) / deviation, y_train, (x_test - mean) / deviation, y_test)


def templates() -> Floats:
    """The patterns, (10, 12): deviation 1/6, the first point of each at 0."""
    x = np.array(POINTS)
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    started: Floats = (x - x[:, :1]) / 6
    return started


def _samples(draw: np.random.Generator, count: int) -> tuple[Floats, Labels]:
    y = draw.permutation(np.arange(count, dtype=np.int64) % len(POINTS))
    low, high = PADDING
    paddings = low + (draw.random(count) * (high - low + 1)).astype(int)
    patterns = templates()[y] + NEARLY_ZERO
    x = np.stack(
        [
            _interpolated(np.pad(pattern, (0, padding)), DILATED)
            for pattern, padding in zip(patterns, paddings, strict=True)
        ]
    )
    x *= 1 + SCALE * (draw.random((count, 1)) - 0.5)
    shifted = np.arange(DILATED) - draw.integers(SHIFTS, size=(count, 1))
    x = np.take_along_axis(x, shifted % DILATED, 1)
    smooth = gaussian_filter1d(SMOOTH_NOISE * draw.standard_normal(x.shape), SMOOTHING, axis=1)
    x = np.where(x != 0, x, smooth) + NOISE * draw.standard_normal(x.shape)
    x -= SHEAR * (draw.random((count, 1)) - 0.5) * np.linspace(-0.5, 0.5, DILATED)
    return np.stack([_interpolated(series, LENGTH) for series in x]), y


def _interpolated(series: Floats, points: int) -> Floats:
    """The broken line through a series, at so many points with equal distances."""
    at, known = np.linspace(0, 1, points), np.linspace(0, 1, len(series))
    return np.interp(at, known, series)
