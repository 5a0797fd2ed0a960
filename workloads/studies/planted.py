"""A perceptron with a mistake in its backward pass, for a study that has to find it.

The one module of this folder that needs torch: trials of it name it by its path.
"""

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class WrongTanh(torch.autograd.Function):
    """tanh, whose backward pass takes 1 − h for its derivative, in place of 1 − h²."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: torch.Tensor) -> torch.Tensor:
        """tanh z, any shape."""
        return torch.tanh(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        """Keep h for the way back."""
        del inputs
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, *d: torch.Tensor) -> torch.Tensor:
        """∂L/∂z as it is not."""
        (h,) = ctx.saved_tensors
        wrong: torch.Tensor = d[0] * (1 - h)
        return wrong


wrong_tanh: Callable[[torch.Tensor], torch.Tensor] = WrongTanh.apply


class Planted(nn.Module):
    """``depth`` hidden layers of ``width`` units; of layer ``wrong``, from 1 on, φ' is wrong.

    With ``wrong: 0`` none is. Layers are measured under the names 0, 1, …
    """

    def __init__(
        self, features: int = 64, width: int = 16, depth: int = 3, outputs: int = 10, wrong: int = 0
    ) -> None:
        super().__init__()
        sizes = [features, *[width] * depth, outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.wrong = wrong

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (B, C) of inputs (B, …)."""
        h = x.flatten(1)
        *hidden, last = self.layers
        for number, layer in enumerate(hidden, 1):
            z = layer(h)
            h = wrong_tanh(z) if number == self.wrong else torch.tanh(z)
        out: torch.Tensor = last(h)
        return out
