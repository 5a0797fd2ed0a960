"""What each initialiser draws, as the σ_w² and σ_b² of mean-field theory; torch-free."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Variances(NamedTuple):
    """Of a layer's start: σ_w² = fan_in · E W², σ_b² = E b²."""

    weight: float
    bias: float


def _xavier(fan_in: int, fan_out: int, gain: float = 1.0) -> Variances:
    return Variances(gain**2 * 2 * fan_in / (fan_in + fan_out), 0.0)


VARIANCES: dict[str, Callable[[int, int, Any], Variances]] = {
    # He et al. 2015, eq. 10
    "he": lambda *_: Variances(2.0, 0.0),
    # Glorot and Bengio 2010, eq. 12: 1 between layers of one width
    "xavier": lambda fan_in, fan_out, _: _xavier(fan_in, fan_out),
    # The same times a gain
    "scaled": lambda fan_in, fan_out, spec: _xavier(fan_in, fan_out, spec.gain),
    # LeCun et al. 1998, eq. 16
    "lecun": lambda *_: Variances(1.0, 0.0),
    # Orthonormal columns have entries of variance 1/fan_in, orthonormal rows 1/fan_out (Saxe 2014)
    "orthogonal": lambda fan_in, fan_out, _: Variances(min(1.0, fan_in / fan_out), 0.0),
    # U(−1/√fan_in, 1/√fan_in) has the variance 1/(3 fan_in), weights and biases alike
    "pytorch_default": lambda fan_in, *_: Variances(1 / 3, 1 / (3 * fan_in)),
    "zeros": lambda *_: Variances(0.0, 0.0),
    # Poole et al. 2016, section 2
    "gaussian": lambda _, __, spec: Variances(spec.sigma_w**2, spec.sigma_b**2),
}
"""Name of an initialiser -> (fan_in, fan_out, its spec) -> variances. One that is not here has no
predictions."""


def variances(init: Any, fan_in: int, fan_out: int, *, bias: bool = True) -> Variances | None:
    """σ_w² and σ_b² of a layer that starts by the spec ``init``; None for an unknown one."""
    if init.name not in VARIANCES:
        return None
    found = VARIANCES[init.name](fan_in, fan_out, init)
    return found if bias else found._replace(bias=0.0)
