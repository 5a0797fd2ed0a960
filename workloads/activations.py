"""Activations, elementwise, any shape. Adding one: a row here and its name in ``spec``.

``SATURATION`` gives, for activations with flat ends, the outputs beyond which a unit counts
as saturated; for the others saturation is not defined and is recorded as NULL.
"""

from collections.abc import Callable

import torch
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "selu": functional.selu,
    "softplus": functional.softplus,
    "identity": lambda z: z,
}

SATURATION: dict[str, tuple[float, float]] = {
    "tanh": (-0.97, 0.97),
    "sigmoid": (0.05, 0.95),
}
