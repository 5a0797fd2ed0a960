"""Logistic regression whose global minimum is known. Legend: N samples, D inputs and a one."""

import numpy as np

from ..convexspecs import Logistic
from .data import Data, Floats, Targets

NEWTON_STEPS = 50
PRECISE = 1e-12
"""Largest entry of the mean loss's gradient at what counts as the minimum."""


def logistic(spec: Logistic) -> Data:
    """See :class:`~..convexspecs.Logistic`. ``truth["minimum"]``: weights, then bias, (1, D + 1).

    Raises:
        ValueError: a plane separates the training samples, so that no finite weights are best.
    """
    draw = np.random.default_rng(spec.data_seed)
    w_D = spec.signal * draw.standard_normal(spec.features) / np.sqrt(spec.features)
    x = draw.standard_normal((spec.all_samples, spec.features))
    y = (draw.uniform(size=spec.all_samples) < _sigmoid(x @ w_D)).astype(np.int64)
    cut = spec.samples
    minimum = _newton(x[:cut], y[:cut])
    if minimum is None:
        raise ValueError(
            f"logistic: {spec.samples} training samples of {spec.features} features, drawn with "
            f"signal {spec.signal}, have no finite minimum, because a plane separates them; use "
            "more samples or a smaller signal"
        )
    return Data(x[:cut], y[:cut], x[cut:], y[cut:], {"minimum": minimum[np.newaxis]})


def _newton(x: Floats, y: Targets) -> Floats | None:
    """Weights and bias, (D + 1,), of the least mean cross-entropy; None if there are none."""
    x_ND = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    w_D = np.zeros(x_ND.shape[1])
    for _ in range(NEWTON_STEPS):
        p_N = _sigmoid(x_ND @ w_D)
        gradient_D = x_ND.T @ (p_N - y) / len(y)
        if np.abs(gradient_D).max() < PRECISE and (p_N * (1 - p_N)).max() > PRECISE:
            return w_D
        hessian_DD = (x_ND.T * (p_N * (1 - p_N))) @ x_ND / len(y)
        try:
            # w ← w − H⁻¹ ∇L (Bishop 2006, eq. 4.92)
            w_D = w_D - np.linalg.solve(hessian_DD, gradient_D)
        except np.linalg.LinAlgError:
            return None
    return None


def _sigmoid(z: Floats) -> Floats:
    found: Floats = (1 + np.tanh(z / 2)) / 2
    return found
