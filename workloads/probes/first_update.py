"""What the untrained net's first update would do: its size in each layer, and whether it helps.

Legend: K trials, B samples, H units. One forward and one backward pass on the samples that layers
are measured on, one update by the trial's own rule on copies, one forward pass after it. Nothing
of the trial is touched. Verdicts are made of it, see docs/verdicts.md.
"""

from typing import TYPE_CHECKING

import torch

from ..models import Trace
from ..optimizers import Settings, Tensors, clip, norms
from ..problems.shapes import Task
from ..step import Split, spread
from .base import Columns
from .gradients import slices

if TYPE_CHECKING:
    from ..stack import Stack

ROUNDINGS = 8
"""Losses that differ by fewer units of rounding are the same."""
WITHOUT_LAYERS = (Task.OBJECTIVE, Task.GENERATION)
"""Problems whose model has no chain of layers from a sample to a loss."""


class FirstUpdate:
    """The first update of every trial of one stack, before it is made."""

    def __init__(self, stack: "Stack") -> None:
        self.stack = stack
        self.probe = Split(*(t[: stack.record.layer_samples] for t in stack.train))
        first = stack.trials[0]
        self.wanted = first.problem.task not in WITHOUT_LAYERS
        self.moves = first.budget_updates > 0

    def measure(self) -> Columns:
        """``gradients/separation/l``, and of trials that will train ``first_update``, too."""
        if not self.wanted:
            return {}
        stack = self.stack
        widest = len(self.probe.x) * stack.model.units
        parts = [self._part(part) for part in slices(len(stack.positions), widest)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _part(self, part: slice) -> Columns:
        stack = self.stack
        leaves = [p[part].detach().requires_grad_() for p in stack.params]
        split = spread(self.probe, leaves)
        trace = Trace()
        with torch.enable_grad():
            outputs_KBC = stack.model.forward(leaves, split.x, trace)
            loss_K = stack.step.criterion.loss(outputs_KBC, split.y).mean(1)
            grads = list(torch.autograd.grad(loss_K.sum(), leaves, materialize_grads=True))
        with torch.no_grad():
            hidden = enumerate(trace.h[:-1], 1)
            columns = {f"gradients/separation/{n}": separation(h) for n, h in hidden}
            if self.moves:
                settings = {name: value_K[part] for name, value_K in stack.settings.items()}
                # At the full rate: where a schedule warms up, that is the one to be judged.
                settings["lr"] = stack.base_lr_K[part]
                columns |= self._moved(leaves, grads, settings, split, loss_K)
        return columns

    def _moved(
        self,
        before: Tensors,
        grads: Tensors,
        settings: Settings,
        split: Split,
        loss_K: torch.Tensor,
    ) -> Columns:
        stack = self.stack
        after = [p.detach().clone() for p in before]
        clipped, _ = clip([g.clone() for g in grads], settings)
        stack.step.rule.step(after, clipped, stack.step.rule.start(after, settings), settings)
        change = list(torch._foreach_sub(after, before))
        columns = {
            f"gradients/first_update/{n}": norms(layer.of(change)) / norms(layer.of(before))
            for n, layer in enumerate(stack.model.layers, 1)
        }
        # What a straight line promises, −∇L·Δ, in float64: many small terms cancel.
        pairs = zip(grads, change, strict=True)
        terms = [(g.double() * d.double()).flatten(1).sum(1) for g, d in pairs]
        promised_K = -torch.stack(terms).sum(0)
        then_KB = stack.step.criterion.loss(stack.model.forward(after, split.x), split.y)
        return columns | {"gradients/overshoot": overshoot(promised_K, loss_K, then_KB.mean(1))}


def overshoot(
    promised_K: torch.Tensor, before_K: torch.Tensor, after_K: torch.Tensor
) -> torch.Tensor:
    """1 − (decrease of the loss) / (decrease that its gradient promises), (K,) float64.

    On a quadratic that is ½ΔᵀHΔ / −gᵀΔ: λη/2 along an eigenvector. Above 1 the update raises
    the loss. One minus it is the ratio by which trust regions judge a step (Nocedal and Wright
    2006, eq. 4.4). Infinite where the loss after it is; NaN where nothing is promised.
    """
    rounding = ROUNDINGS * torch.finfo(before_K.dtype).eps
    missed_K = promised_K - (before_K - after_K).double()
    missed_K = torch.where(missed_K.abs() <= rounding * before_K.double().abs(), 0.0, missed_K)
    missed_K = torch.where(missed_K.isfinite(), missed_K, torch.inf)
    return torch.where(promised_K > 0, missed_K / promised_K, torch.nan)


def separation(h_KBH: torch.Tensor) -> torch.Tensor:
    """Σ‖h − mean‖² / Σ‖h‖² over the samples, (K,): what of a layer differs between inputs.

    It falls to 0 where all inputs come to look alike (correlation 1; Schoenholz et al. 2017).
    """
    square_K = h_KBH.square().flatten(1).sum(1)
    off_K = (h_KBH - h_KBH.mean(1, keepdim=True)).square().flatten(1).sum(1)
    return off_K / square_K
