"""Images to be segmented. N samples, P = size² pixels."""

import numpy as np

from ..drawnspecs import Shapes
from .data import Data, Floats


def shapes(spec: Shapes) -> Data:
    """One disc or rectangle in each image, at random; see :class:`~..drawnspecs.Shapes`.

    A figure is the ``spec.foreground`` pixels next to its middle, by the distance whose circles
    are discs (Euclid's) or rectangles (Chebyshev's, stretched): its size is always exact.
    """
    draw = np.random.default_rng(spec.data_seed)
    count, size, area = spec.all_samples, spec.size, spec.foreground
    disc_N = draw.integers(2, size=count) == 1
    # Half sides in pixels. A rectangle has sides of a ratio from 1:2 to 2:1.
    ratio_N = 2.0 ** draw.uniform(-0.5, 0.5, count)
    square, radius = np.sqrt(area) / 2, np.sqrt(area / np.pi)
    half_height_N = np.where(disc_N, radius, square * ratio_N)
    half_width_N = np.where(disc_N, radius, square / ratio_N)
    row_NP, column_NP = (
        np.abs(pixel - _middles(draw, half_N, size)[:, None])
        for pixel, half_N in zip(
            np.indices((size, size)).reshape(2, -1), (half_height_N, half_width_N), strict=True
        )
    )
    distance_NP = np.where(
        disc_N[:, None],
        np.hypot(row_NP, column_NP),
        np.maximum(row_NP / half_height_N[:, None], column_NP / half_width_N[:, None]),
    )
    nearest = np.argsort(distance_NP, axis=1, kind="stable")[:, :area]
    y_NP = np.zeros((count, size**2))
    np.put_along_axis(y_NP, nearest, 1.0, axis=1)
    x_NP = y_NP + spec.noise * draw.standard_normal(y_NP.shape)
    cut = spec.samples
    return Data(x_NP[:cut], y_NP[:cut], x_NP[cut:], y_NP[cut:])


def _middles(draw: np.random.Generator, half_N: Floats, size: int) -> Floats:
    """Where figures of these half sides lie inside the image, along one of its sides, (N,)."""
    low_N, high_N = half_N - 0.5, size - 0.5 - half_N
    return low_N + draw.random(len(half_N)) * np.maximum(high_N - low_N, 0)
