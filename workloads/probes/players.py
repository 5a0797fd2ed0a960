"""Whether the players of an adversarial loss still learn. K trials."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from ..models.gan import Gan
from ..optimizers import Tensors, norms
from ..step import spread

if TYPE_CHECKING:
    from ..stack import Stack

AT_ONCE = 32
"""Trials whose graphs are in memory together."""


def generator_grad_norm(stack: "Stack") -> Mapping[str, Callable[[Tensors], torch.Tensor]]:
    """‖∂L_G/∂θ_G‖₂ of the mean loss over the test set, (K,).

    With ``gan_minimax`` it falls to zero where the discriminator wins.
    """
    model = stack.model
    if not isinstance(model, Gan):
        return {}

    def norm(params: Tensors) -> torch.Tensor:
        parts = zip(*(p.split(AT_ONCE) for p in params), strict=True)
        return torch.cat([norm_of(list(part)) for part in parts])

    def norm_of(params: Tensors) -> torch.Tensor:
        leaves = [p.detach().requires_grad_() for p in params]
        x_KND, y_KN3 = spread(stack.test, params)
        with torch.enable_grad():
            loss_K = stack.step.criterion.loss(model.forward(leaves, x_KND), y_KN3).mean(1)
            grads = torch.autograd.grad(loss_K.sum(), leaves[: model.first])
        return norms(list(grads))

    return {"generator_grad_norm": norm}
