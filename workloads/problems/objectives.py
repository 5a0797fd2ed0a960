"""What objectives are averaged over, where their minima lie, and the formulas of the planar ones.

The formulas of the others are in ``models.point``, because they take tensors apart.

``Data.truth["minimum"]`` holds the global minima, (M, D), of the mean over the training set.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..fitspecs import GaussianFit
from ..objectivespecs import ObjectiveProblem, Quadratic, QuadraticDeep, Rosenbrock, Saddle
from .data import Data, Floats

if TYPE_CHECKING:
    import torch

Values = TypeVar("Values", Floats, "torch.Tensor")
"""What a planar formula is evaluated on: tensors in training, arrays where it is drawn."""

DEEP_NOISE = 0.6
DEEP_SEED = 42
DEEP_TEST_SEED = 43


def noisy(spec: ObjectiveProblem) -> Data:
    """The linear terms ξ of an objective's samples, of mean exactly zero, and one of zero."""
    shape = (spec.samples, len(spec.given))
    noise = np.random.default_rng(spec.data_seed).standard_normal(shape) * spec.gradient_noise
    minima = np.array(MINIMA[spec.name](spec))
    return _unlabelled(noise - noise.mean(0), np.zeros((1, shape[1])), minima)


def quadratic_deep(spec: QuadraticDeep) -> Data:
    """DeepOBS's x ~ N(0, 0.6²), as float32; the training set's own minimum is its mean."""
    train, test = (
        np.random.RandomState(seed).normal(0.0, DEEP_NOISE, (1000, 100)).astype(np.float32)
        for seed in (DEEP_SEED, DEEP_TEST_SEED)
    )
    x_train, x_test = train.astype(np.float64), test[: spec.test_samples].astype(np.float64)
    return _unlabelled(x_train, x_test, x_train.mean(0, keepdims=True))


def deep_hessian() -> Floats:
    """Q = RᵀΛR of ``quadratic_deep``, (100, 100), from one stream of random numbers."""
    draw = np.random.RandomState(DEEP_SEED)
    spectrum = np.concatenate([draw.uniform(0, 1, 90), draw.uniform(30, 60, 10)])
    rotation = _rotation(len(spectrum), draw)
    hessian: Floats = rotation.T @ np.diag(spectrum) @ rotation
    return hessian


def _rotation(size: int, draw: np.random.RandomState) -> Floats:
    """A rotation from the Haar measure: the subgroup algorithm of Diaconis & Shahshahani 1987.

    A rotation of n − 1 dimensions becomes one of n: it is put below a 1, and reflected so that
    the first axis goes where a random point of the sphere lies.
    """
    angle = 2 * np.pi * draw.uniform()
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, sin], [-sin, cos]])
    for n in range(3, size + 1):
        point = draw.normal(size=n)
        mirror = np.eye(n)[0] - point / np.linalg.norm(point)
        mirror /= np.linalg.norm(mirror)
        below = np.eye(n)
        below[1:, 1:] = rotation
        rotation = below - 2 * np.outer(mirror, mirror @ below)
    return -rotation


def _saddle_minima(spec: Saddle) -> list[list[float]]:
    """Where ∂f/∂y = y³ − y + tilt = 0 with the lowest f; both of ±1 without a tilt."""
    if spec.tilt == 0:
        return [[0.0, -1.0], [0.0, 1.0]]
    return [[0.0, float(np.roots([1, 0, -1, spec.tilt]).real.min())]]


def _unlabelled(x_train: Floats, x_test: Floats, minima: Floats) -> Data:
    nothing = (np.zeros(len(x), np.int64) for x in (x_train, x_test))
    return Data(x_train, next(nothing), x_test, next(nothing), {"minimum": minima})


def _quadratic_minimum(spec: Quadratic) -> list[list[float]]:
    return [[0.0] * spec.dimension]


def _rosenbrock_minimum(spec: Rosenbrock) -> list[list[float]]:
    return [[spec.a, spec.a**2]]


def _fitted(spec: GaussianFit) -> list[list[float]]:
    return [spec.minimum]


MINIMA: dict[str, Callable[[Any], list[list[float]]]] = {
    "quadratic": _quadratic_minimum,
    "saddle": _saddle_minima,
    "rosenbrock": _rosenbrock_minimum,
    "beale": lambda _: [[3.0, 0.5]],
    "gaussian_fit": _fitted,
}
"""Name of an objective -> its global minima."""


def saddle(spec: Saddle, x: Values, y: Values) -> Values:
    """f(x, y) = ½ (x² − y²) + ¼ y⁴ + tilt·y."""
    return (x**2 - y**2) / 2 + (y**2) ** 2 / 4 + spec.tilt * y


def rosenbrock(spec: Rosenbrock, x: Values, y: Values) -> Values:
    """f(x, y) = (a − x)² + b (y − x²)²."""
    return (spec.a - x) ** 2 + spec.b * (y - x**2) ** 2


def beale(_: Any, x: Values, y: Values) -> Values:
    """f(x, y) = Σ_i (c_i − x (1 − y^i))² with c = (1.5, 2.25, 2.625), i = 1, 2, 3."""
    first = (1.5 - x * (1 - y)) ** 2
    second = (2.25 - x * (1 - y * y)) ** 2
    third = (2.625 - x * (1 - y * y * y)) ** 2
    return first + second + third


PLANAR: dict[str, Callable[..., Any]] = {
    "saddle": saddle,
    "rosenbrock": rosenbrock,
    "beale": beale,
}
"""Name of an objective of two parameters -> its formula f(spec, x, y), of any shape."""
