"""Classes in the plane, and a line with outliers. N samples, D inputs."""

from collections.abc import Callable

import numpy as np

from ..drawnspecs import Linear, Spirals, TwoMoons
from .data import Data, Floats, Labels

Points = Callable[[np.random.Generator, Labels], Floats]
"""(random numbers, labels (N,)) -> where the samples lie, (N, 2)."""


def linear(spec: Linear) -> Data:
    """See :class:`~..drawnspecs.Linear`. ``truth["weights"]``: w*, (D, 1)."""
    draw = np.random.default_rng(spec.data_seed)
    w_D1 = draw.standard_normal((spec.features, 1)) / np.sqrt(spec.features)
    x = draw.standard_normal((spec.all_samples, spec.features))
    deviation = np.full((spec.all_samples, 1), spec.noise)
    outliers = draw.permutation(spec.samples)[: round(spec.outlier_share * spec.samples)]
    deviation[outliers] = spec.outlier_scale
    y = x @ w_D1 + deviation * draw.standard_normal((spec.all_samples, 1))
    cut = spec.samples
    return Data(x[:cut], y[:cut], x[cut:], y[cut:], {"weights": w_D1})


def two_moons(spec: TwoMoons) -> Data:
    """(cos t, sin t) and (1 − cos t, ½ − sin t) for t ~ U(0, π), and noise."""

    def points(draw: np.random.Generator, y: Labels) -> Floats:
        t = np.pi * draw.random(len(y))
        upper = np.stack([np.cos(t), np.sin(t)], 1)
        lower = np.stack([1 - np.cos(t), 0.5 - np.sin(t)], 1)
        return np.where(y[:, None] == 0, upper, lower)

    return _in_the_plane(spec, 2, points)


def spirals(spec: Spirals) -> Data:
    """r (cos φ, sin φ) with r ~ U(0, 1) and φ = 2π (turns · r + class / classes), and noise."""

    def points(draw: np.random.Generator, y: Labels) -> Floats:
        r = draw.random(len(y))
        angle = 2 * np.pi * (spec.turns * r + y / spec.classes)
        x: Floats = r[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        return x

    return _in_the_plane(spec, spec.classes, points)


def _in_the_plane(spec: TwoMoons | Spirals, classes: int, points: Points) -> Data:
    draw = np.random.default_rng(spec.data_seed)

    def drawn(count: int) -> tuple[Floats, Labels]:
        y = _labels(draw, count, classes, spec.minority_share)
        return points(draw, y) + spec.noise * draw.standard_normal((count, 2)), y

    return Data(*drawn(spec.samples), *drawn(spec.test_samples))


def _labels(
    draw: np.random.Generator, count: int, classes: int, minority_share: float | None
) -> Labels:
    """Shuffled labels: as many of each class, or of class 1 the share that is asked for."""
    if minority_share is None:
        return draw.permutation(np.arange(count, dtype=np.int64) % classes)
    rare = round(minority_share * count)
    return draw.permutation((np.arange(count) < rare).astype(np.int64))
