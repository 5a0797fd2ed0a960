"""How far the weights of a linear model are from the true ones. K trials, D inputs, T numbers."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from ..modelspecs import Mlp
from ..optimizers import Tensors

if TYPE_CHECKING:
    from ..stack import Stack


def parameter_error(stack: "Stack") -> Mapping[str, Callable[[Tensors], torch.Tensor]]:
    """‖W − W*‖₂ / ‖W*‖₂, (K,), of an mlp of depth 0; nothing of other models.

    The true weights are ``Data.truth["weights"]``, (D, T); biases are not looked at.
    """
    model, true = stack.trials[0].model, torch.as_tensor(stack.data.truth["weights"])
    if not isinstance(model, Mlp) or model.depth or stack.params[0].shape[1:] != true.shape:
        return {}

    def error(params: Tensors) -> torch.Tensor:
        w_KDT = params[0].double()
        true_DT = true.to(w_KDT.device)
        error_K: torch.Tensor = (w_KDT - true_DT).flatten(1).norm(dim=1) / true_DT.norm()
        return error_K

    return {"parameter_error": error}
