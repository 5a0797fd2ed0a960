"""φ'(z) of every activation, any shape; at a kink 0 or the slope below, as autograd has it."""

import math
from collections.abc import Callable

import torch

from .activations import ACTIVATIONS

Function = Callable[[torch.Tensor], torch.Tensor]

LEAK = 0.01
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
"""α and λ of SELU (Klambauer et al. 2017, eq. 14)."""


def sigmoid(z: torch.Tensor) -> torch.Tensor:
    """σ' = σ(1 − σ) (Bishop 2006, eq. 4.88)."""
    s = torch.sigmoid(z)
    return s * (1 - s)


def tanh(z: torch.Tensor) -> torch.Tensor:
    """1 − tanh² (Bishop 2006, eq. 5.60)."""
    return 1 - torch.tanh(z).square()


def relu(z: torch.Tensor) -> torch.Tensor:
    """[z > 0] (Nair and Hinton 2010)."""
    return (z > 0).to(z.dtype)


def leaky_relu(z: torch.Tensor) -> torch.Tensor:
    """1 above 0, else 0.01 (Maas et al. 2013)."""
    return torch.ones_like(z).where(z > 0, LEAK)  # scalars alone would give float32


def elu(z: torch.Tensor) -> torch.Tensor:
    """1 above 0, else e^z (Clevert et al. 2016, eq. 16)."""
    return z.clamp(max=0).exp()


def gelu(z: torch.Tensor) -> torch.Tensor:
    """Φ(z) + z·N(z), N the normal density (Hendrycks and Gimpel 2016)."""
    below = (1 + torch.erf(z / math.sqrt(2))) / 2
    return below + z * (-z.square() / 2).exp() / math.sqrt(2 * math.pi)


def silu(z: torch.Tensor) -> torch.Tensor:
    """σ(1 + z(1 − σ)) (Elfwing et al. 2018, eq. 5)."""
    s = torch.sigmoid(z)
    return s * (1 + z * (1 - s))


def selu(z: torch.Tensor) -> torch.Tensor:
    """λ above 0, else λα e^z (Klambauer et al. 2017, eq. 2)."""
    return torch.where(z > 0, SCALE, SCALE * ALPHA * z.clamp(max=0).exp())


def identity(z: torch.Tensor) -> torch.Tensor:
    """1."""
    return torch.ones_like(z)


DERIVATIVES: dict[str, Function] = {
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "gelu": gelu,
    "silu": silu,
    "selu": selu,
    "softplus": torch.sigmoid,  # Dugas et al. 2001
    "identity": identity,
}
"""Name of an activation -> its derivative."""


def pair(name: str) -> tuple[Function, Function]:
    """φ and φ'."""
    return ACTIVATIONS[name], DERIVATIVES[name]
