"""Initialisers: how one layer's weights start. Adding one: a function and a row in the table.

A function takes (fan_in, fan_out), the trial's init spec and its generator, and returns
w of shape (fan_in, fan_out) and b of shape (fan_out,), both float64: a float32 trial starts
from the rounded parameters of its float64 twin. Weights are drawn before biases.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

Drawn = tuple[torch.Tensor, torch.Tensor]
F64 = torch.float64


def _normal(fan_in: int, fan_out: int, deviation: float, g: torch.Generator) -> Drawn:
    w_DH = torch.randn(fan_in, fan_out, generator=g, dtype=F64) * deviation
    return w_DH, torch.zeros(fan_out, dtype=F64)


def he(fan_in: int, fan_out: int, _: Any, g: torch.Generator) -> Drawn:
    """W ~ N(0, 2 / fan_in) (He et al. 2015)."""
    return _normal(fan_in, fan_out, math.sqrt(2 / fan_in), g)


def xavier(fan_in: int, fan_out: int, _: Any, g: torch.Generator) -> Drawn:
    """W ~ N(0, 2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return _normal(fan_in, fan_out, math.sqrt(2 / (fan_in + fan_out)), g)


def scaled(fan_in: int, fan_out: int, spec: Any, g: torch.Generator) -> Drawn:
    """Xavier times a gain."""
    return _normal(fan_in, fan_out, spec.gain * math.sqrt(2 / (fan_in + fan_out)), g)


def lecun(fan_in: int, fan_out: int, _: Any, g: torch.Generator) -> Drawn:
    """W ~ N(0, 1 / fan_in) (LeCun et al. 1998)."""
    return _normal(fan_in, fan_out, math.sqrt(1 / fan_in), g)


def gaussian(fan_in: int, fan_out: int, spec: Any, g: torch.Generator) -> Drawn:
    """W ~ N(0, σ_w² / fan_in), b ~ N(0, σ_b²) (Poole et al. 2016)."""
    w_DH, _ = _normal(fan_in, fan_out, spec.sigma_w / math.sqrt(fan_in), g)
    return w_DH, torch.randn(fan_out, generator=g, dtype=F64) * spec.sigma_b


def orthogonal(fan_in: int, fan_out: int, _: Any, g: torch.Generator) -> Drawn:
    """A random matrix with orthonormal rows or columns (Saxe et al. 2014)."""
    w_DH = torch.empty(fan_in, fan_out, dtype=F64)
    torch.nn.init.orthogonal_(w_DH, generator=g)
    return w_DH, torch.zeros(fan_out, dtype=F64)


def pytorch_default(fan_in: int, fan_out: int, _: Any, g: torch.Generator) -> Drawn:
    """W, b ~ U(−1/√fan_in, 1/√fan_in), what torch.nn.Linear does: σ_w² = 1/3."""
    bound = 1 / math.sqrt(fan_in)
    w_DH = (torch.rand(fan_in, fan_out, generator=g, dtype=F64) * 2 - 1) * bound
    return w_DH, (torch.rand(fan_out, generator=g, dtype=F64) * 2 - 1) * bound


def zeros(fan_in: int, fan_out: int, _: Any, __: torch.Generator) -> Drawn:
    """All zero: every hidden unit stays the same as its neighbour."""
    return torch.zeros(fan_in, fan_out, dtype=F64), torch.zeros(fan_out, dtype=F64)


INITIALIZERS: dict[str, Callable[[int, int, Any, torch.Generator], Drawn]] = {
    "he": he,
    "xavier": xavier,
    "lecun": lecun,
    "orthogonal": orthogonal,
    "pytorch_default": pytorch_default,
    "zeros": zeros,
    "gaussian": gaussian,
    "scaled": scaled,
}
