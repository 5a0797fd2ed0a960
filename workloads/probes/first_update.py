"""What the untrained net's first update would do: its size in each layer, and whether it helps.

Legend: K trials, B samples, H units. The pass that measures the layers has the gradients already;
one update by the trial's own rule on copies, and one forward pass after it, are added. Nothing of
the trial is touched. Verdicts are made of it, see docs/verdicts.md.
"""

from typing import TYPE_CHECKING, NamedTuple

import torch

from ..models import Trace
from ..optimizers import Tensors, clip, norms
from ..problems.shapes import Task
from ..step import Split
from .base import Columns

if TYPE_CHECKING:
    from ..stack import Stack

ROUNDINGS = 8
"""Losses that differ by fewer units of rounding are the same."""
WITHOUT_LAYERS = (Task.OBJECTIVE, Task.GENERATION)
"""Problems whose model has no chain of layers from a sample to a loss."""


class Seen(NamedTuple):
    """What a pass over the layers' samples leaves of K trials."""

    params: Tensors
    grads: Tensors
    """Of the mean loss."""
    trace: Trace
    split: Split
    loss_K: torch.Tensor


def has_layers(stack: "Stack") -> bool:
    """Whether anything can be said of a stack's first updates."""
    return stack.trials[0].problem.task not in WITHOUT_LAYERS


def first_update(stack: "Stack", part: slice, seen: Seen) -> Columns:
    """``gradients/separation/l``; of trials that will train, the first update's numbers, too."""
    hidden = enumerate(seen.trace.h[:-1], 1)
    columns = {f"gradients/separation/{n}": separation(h) for n, h in hidden}
    if not stack.trials[0].budget_updates:
        return columns
    settings = {name: value_K[part] for name, value_K in stack.settings.items()}
    # At the full rate: where a schedule warms up, that is the one to be judged.
    settings["lr"] = stack.base_lr_K[part]
    after = [p.detach().clone() for p in seen.params]
    clipped, _ = clip([g.clone() for g in seen.grads], settings)
    rule, model = stack.step.rule, stack.model
    rule.step(after, clipped, rule.start(after, settings), settings)
    change = list(torch._foreach_sub(after, seen.params))
    for n, layer in enumerate(model.layers, 1):
        ratio_K = norms(layer.of(change)) / norms(layer.of(seen.params))
        columns[f"gradients/first_update/{n}"] = ratio_K
    # What a straight line promises, −∇L·Δ, in float64: many small terms cancel.
    pairs = zip(seen.grads, change, strict=True)
    terms = [(g.double() * d.double()).flatten(1).sum(1) for g, d in pairs]
    promised_K = -torch.stack(terms).sum(0)
    then_KB = stack.step.criterion.loss(model.forward(after, seen.split.x), seen.split.y)
    return columns | {"gradients/overshoot": overshoot(promised_K, seen.loss_K, then_KB.mean(1))}


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
