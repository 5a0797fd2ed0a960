"""Sets that are drawn from a formula."""

import numpy as np

from ..problemspecs import GaussianInputs
from .data import Data


def gaussian_inputs(spec: GaussianInputs) -> Data:
    """x ~ N(0, 1) i.i.d. and labels uniform over the classes; train and test drawn alike."""
    draw = np.random.default_rng(spec.data_seed)
    x = draw.standard_normal((2 * spec.samples, spec.features))
    y = draw.integers(spec.classes, size=2 * spec.samples)
    cut = spec.samples
    return Data(x[:cut], y[:cut], x[cut:], y[cut:])
