"""Samples of a density with noise for latents beside them. N samples, D numbers, L latents.

Inputs are [x, ε] with ε ~ N(0, I), (N, D + L); targets are x.
"""

import numpy as np

from ..latentspecs import DigitImages, LowRankGaussian
from ..problemspecs import BundledProblem
from .bundled import bundled
from .data import Data, Floats


def digit_images(spec: DigitImages) -> Data:
    """Pixels of digits, from 0 to 1."""
    digits = bundled(BundledProblem(test_share=spec.test_share, split_seed=spec.split_seed))
    draw = np.random.default_rng(spec.data_seed)
    return _with_noise(digits.x_train, digits.x_test, spec.latents, draw)


def low_rank_gaussian(spec: LowRankGaussian) -> Data:
    """x ~ N(0, W Wᵀ + noise²·I); ``truth["weights"]`` is W, (D, rank)."""
    draw = np.random.default_rng(spec.data_seed)
    weights = draw.standard_normal((spec.features, spec.rank)) / np.sqrt(spec.rank)
    sources = draw.standard_normal((spec.all_samples, spec.rank))
    noise = spec.noise * draw.standard_normal((spec.all_samples, spec.features))
    x_ND = sources @ weights.T + noise
    data = _with_noise(x_ND[: spec.samples], x_ND[spec.samples :], spec.latents, draw)
    return Data(data.x_train, data.y_train, data.x_test, data.y_test, {"weights": weights})


def _with_noise(train: Floats, test: Floats, latents: int, draw: np.random.Generator) -> Data:
    both = (
        np.concatenate([x, draw.standard_normal((len(x), latents))], axis=1) for x in (train, test)
    )
    return Data(next(both), train, next(both), test)
