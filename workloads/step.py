"""One update of a pack, and one evaluation of it, as pure functions.

Legend: K trials, N samples of a split, B samples per update, D inputs. The eager path calls
these methods; the compiled path runs what tracing the same methods gave (:mod:`.compiled`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from .losses import Loss
from .models import Model
from .optimizers import Rule, Settings, Tensors, clip


class Split(NamedTuple):
    """One part of the data on the device: x of (N, D), y of (N,)."""

    x: torch.Tensor
    y: torch.Tensor


class Updated(NamedTuple):
    """The pack after an update, the losses before it, and which trials were clipped, (K,)."""

    params: Tensors
    state: Tensors
    loss_K: torch.Tensor
    clipped_K: torch.Tensor | None


class Evaluated(NamedTuple):
    """Mean loss and mean score over a split, (K,) each."""

    loss_K: torch.Tensor
    score_K: torch.Tensor


class Updater(Protocol):
    """Whatever can update a pack."""

    def update(
        self,
        params: Tensors,
        state: Tensors,
        settings: Settings,
        data: Split,
        index_KB: torch.Tensor | None,
    ) -> Updated:
        """One update of every trial on its own samples; None: on all of them."""


class Evaluator(Protocol):
    """Whatever can evaluate a pack."""

    def evaluate(self, params: Tensors, splits: Sequence[Split]) -> list[Evaluated]:
        """Loss and score over each split."""


@dataclass(frozen=True)
class Step:
    """Model, loss, score and optimizer of one shape of trials: an Updater and an Evaluator."""

    model: Model
    loss: Loss
    score: Loss
    rule: Rule

    def update(
        self,
        params: Tensors,
        state: Tensors,
        settings: Settings,
        data: Split,
        index_KB: torch.Tensor | None,
    ) -> Updated:
        """See :class:`Updater`."""
        x_KBD, y_KB = (
            _spread(data, params) if index_KB is None else (data.x[index_KB], data.y[index_KB])
        )
        leaves = [p.detach().requires_grad_() for p in params]
        with torch.enable_grad():
            loss_K = self.loss(self.model.forward(leaves, x_KBD), y_KB).mean(1)
            # The sum's gradient holds each trial's own: trials share no parameter.
            grads = list(torch.autograd.grad(loss_K.sum(), leaves))
        with torch.no_grad():
            grads, clipped_K = clip(grads, settings)
            params, state = self.rule.step(params, grads, state, settings)
        return Updated(params, state, loss_K.detach(), clipped_K)

    @torch.no_grad()
    def evaluate(self, params: Tensors, splits: Sequence[Split]) -> list[Evaluated]:
        """See :class:`Evaluator`."""
        found = []
        for split in splits:
            x_KND, y_KN = _spread(split, params)
            output_KNC = self.model.forward(params, x_KND)
            loss_K = self.loss(output_KNC, y_KN).mean(1)
            found.append(Evaluated(loss_K, self.score(output_KNC, y_KN).mean(1)))
        return found


def _spread(data: Split, params: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
    """The same samples for every trial, without copying them."""
    # shape[0], not len(): tracing must see a symbol, not a number.
    k = params[0].shape[0]
    return data.x.expand(k, *data.x.shape), data.y.expand(k, *data.y.shape)
