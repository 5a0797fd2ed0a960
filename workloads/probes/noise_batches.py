"""Gradient noise from gradients of two sizes of batch, where samples have none of their own.

K trials, N samples, P parts of B samples each. Source: McCandlish et al. 2018, appendix A.1.
"""

from typing import TYPE_CHECKING

import torch

from ..optimizers import Tensors, norms
from ..step import Split, spread
from .noise_moments import trials_at_once

if TYPE_CHECKING:
    from ..stack import Stack


def of_batches(stack: "Stack", samples: int, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """tr Σ and |G|², (K,) each, of the first samples, as many as fill batches.

    E‖G_B‖² = |G|² + tr Σ / B for every size B: the mean ‖G_B‖² over the small batches, and that
    of the large one which they make up, give both.
    """
    parts = samples // batch_size
    large = parts * batch_size
    found = []
    for params in trials_at_once(stack, large):
        of_large_K = _square(stack, params, slice(0, large))
        starts = range(0, large, batch_size)
        each = [_square(stack, params, slice(s, s + batch_size)) for s in starts]
        of_small_K = torch.stack(each).mean(0)
        # S = (‖G_small‖² − ‖G_big‖²) / (1/B_small − 1/B_big)
        trace_K = (of_small_K - of_large_K) / (1 / batch_size - 1 / large)
        # |G|² = (B_big ‖G_big‖² − B_small ‖G_small‖²) / (B_big − B_small)
        square_K = (large * of_large_K - batch_size * of_small_K) / (large - batch_size)
        found.append(torch.stack([trace_K, square_K]))
    trace_K, square_K = torch.cat(found, 1)
    return trace_K, square_K


def _square(stack: "Stack", params: Tensors, part: slice) -> torch.Tensor:
    """‖G‖² of the mean loss over some training samples, (K,), in float64."""
    leaves = [p.detach().requires_grad_() for p in params]
    x_KBD, y_KB = spread(Split(*(t[part] for t in stack.train)), params)
    with torch.enable_grad():
        loss_K = stack.step.criterion.loss(stack.model.forward(leaves, x_KBD), y_KB).mean(1)
        grads = torch.autograd.grad(loss_K.sum(), leaves, materialize_grads=True)
    return norms([g.double() for g in grads]).square()
