"""One update of a pack, as a pure function: the only place where a trial learns.

Legend: K trials, N training samples, B samples per update, D inputs. The eager path calls
:meth:`Step.update`; the compiled path runs what tracing that same method gave.
"""

from dataclasses import dataclass

import torch

from .losses import Loss
from .models import Model
from .optimizers import Rule, Settings, Tensors, clip


@dataclass(frozen=True)
class Updated:
    """The pack after an update, the losses before it, and which trials were clipped."""

    params: Tensors
    state: Tensors
    loss_K: torch.Tensor
    clipped_K: torch.Tensor | None


@dataclass(frozen=True)
class Step:
    """Model, loss and optimizer of one shape of trials."""

    model: Model
    loss: Loss
    rule: Rule

    def update(
        self,
        params: Tensors,
        state: Tensors,
        settings: Settings,
        x_ND: torch.Tensor,
        y_N: torch.Tensor,
        index_KB: torch.Tensor | None,
    ) -> Updated:
        """One update of every trial on its own samples; None: on all of them."""
        if index_KB is None:
            # shape[0], not len(): tracing must see a symbol, not a number.
            x_KBD, y_KB = (t.expand(params[0].shape[0], *t.shape) for t in (x_ND, y_N))
        else:
            x_KBD, y_KB = x_ND[index_KB], y_N[index_KB]
        leaves = [p.detach().requires_grad_() for p in params]
        with torch.enable_grad():
            loss_K = self.loss(self.model.forward(leaves, x_KBD), y_KB).mean(1)
            # The sum's gradient holds each trial's own: trials share no parameter.
            grads = list(torch.autograd.grad(loss_K.sum(), leaves))
        with torch.no_grad():
            grads, clipped_K = clip(grads, settings)
            params, state = self.rule.step(params, grads, state, settings)
        return Updated(params, state, loss_K.detach(), clipped_K)
