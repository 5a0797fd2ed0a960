"""One update of a pack, and one evaluation of it: the only source of every path's numbers.

Legend: K trials, N samples of a split, B samples per update, D inputs. These methods are what
runs eagerly; tapes (:mod:`.tape`), compiled steps (:mod:`.compiled`) and CUDA graphs are made
of what these same methods do.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from .losses import Criterion
from .models import Model, Trace
from .models.taps import norms_of_gradients, norms_of_samples
from .optimizers import Rule, Settings, Tensors, clip


class Split(NamedTuple):
    """One part of the data on the device: x of (N, …), y of (N,)."""

    x: torch.Tensor
    y: torch.Tensor


class Evaluated(NamedTuple):
    """Mean loss and mean score over a split, (K,) each."""

    loss_K: torch.Tensor
    score_K: torch.Tensor


@dataclass(frozen=True)
class Step:
    """Model, loss and optimizer of one shape of trials.

    ``noise``: updates also give the norms of their samples' gradients; the model must have taps.
    """

    model: Model
    criterion: Criterion
    rule: Rule
    noise: bool = False

    def update(
        self,
        params: Tensors,
        state: Tensors,
        settings: Settings,
        x_KBD: torch.Tensor,
        y_KB: torch.Tensor,
    ) -> Tensors:
        """Update ``params`` and ``state`` in place, every trial on its own samples.

        Returns the losses before the update, (K,), where trials may clip also which of them
        were clipped, (K,) bool, and with ``noise`` also what the norms of the samples' shares
        of the gradient follow from, (K, M·B), see :func:`.models.taps.totals`, and norms that
        make up that gradient's before clipping, (P, K).
        """
        leaves = [p.detach().requires_grad_() for p in params]
        trace = Trace() if self.noise else None
        with torch.enable_grad():
            loss_K = self.criterion.loss(self.model.forward(leaves, x_KBD, trace), y_KB).mean(1)
            ends = [] if trace is None else [tap.out for tap in trace.taps]
            # The sum's gradient is each trial's own: trials share no parameter.
            found = torch.autograd.grad(loss_K.sum(), [*leaves, *ends], materialize_grads=True)
        with torch.no_grad():
            grads, deltas = list(found[: len(leaves)]), list(found[len(leaves) :])
            noise = []
            if trace is not None:
                noise = [norms_of_samples(trace.taps, deltas), norms_of_gradients(grads)]
            grads, clipped_K = clip(grads, settings)
            self.rule.step(params, grads, state, settings)
        return [loss_K.detach(), *([] if clipped_K is None else [clipped_K]), *noise]

    @torch.no_grad()
    def evaluate(self, params: Tensors, split: Split) -> Evaluated:
        """Loss and score over a split."""
        x_KND, y_KN = spread(split, params)
        output_KNC = self.model.forward(params, x_KND)
        loss_K = self.criterion.loss(output_KNC, y_KN).mean(1)
        return Evaluated(loss_K, self.criterion.score(output_KNC, y_KN))


def spread(data: Split, params: Tensors) -> Split:
    """The same samples for every trial, (K, N, …), without copying them."""
    # shape[0], not len(): tracing must see a symbol, not a number.
    k = params[0].shape[0]
    return Split(*(t.expand(k, *t.shape) for t in data))
