"""The ring of Gaussians: real samples in the plane, latents and weights beside them."""

import numpy as np

from ..gamespecs import Ring
from .data import Data, Floats


def ring(spec: Ring) -> Data:
    """Every mode equally often; sample i is of mode i mod M, in training and in testing.

    Inputs are [x, z, u]: a real sample, latents z ~ N(0, I), a weight u ~ U(0, 1). Targets, of
    three numbers, are the mode that the real sample is from: its mean and its deviation.
    """
    draw = np.random.default_rng(spec.data_seed)
    train, test = _sampled(spec, spec.samples, draw), _sampled(spec, spec.test_samples, draw)
    return Data(*train, *test, {"modes": _means(spec)})


def _means(spec: Ring) -> Floats:
    """The modes' means, (M, 2)."""
    angle = 2 * np.pi * np.arange(spec.modes) / spec.modes
    means: Floats = spec.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return means


def _sampled(spec: Ring, count: int, draw: np.random.Generator) -> tuple[Floats, Floats]:
    means = _means(spec)[np.arange(count) % spec.modes]
    real = means + spec.deviation * draw.standard_normal((count, 2))
    latents = draw.standard_normal((count, spec.latents))
    weight = draw.uniform(size=(count, 1))
    targets = np.concatenate([means, np.full((count, 1), spec.deviation)], axis=1)
    return np.concatenate([real, latents, weight], axis=1), targets
