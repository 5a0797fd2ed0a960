"""Optimizers on stacked tensors, by name. One step updates K trials in place.

Each trial has its own hyperparameters: *settings*, tensors of length K. A setting that is
neutral for every trial of a pack is left out of the step; where it is neutral for some, it is
the identity for them (factor 1, term 0), so that a trial's numbers do not depend on its
neighbours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from .spec import TrialSpec

Tensors = list[torch.Tensor]
Settings = Mapping[str, torch.Tensor]
"""Setting -> its value for each trial, (K,)."""

NEUTRAL = {"lr": None, "momentum": 0.0, "weight_decay": 0.0, "clip_norm": torch.inf}
"""Every setting a step may use, and the value at which it does nothing (lr: none)."""


@dataclass(frozen=True)
class Rule:
    """An optimizer: which state it keeps, and how a gradient becomes an update."""

    start: Callable[[Tensors, Settings], Tensors]
    step: Callable[[Tensors, Tensors, Tensors, Settings], None]
    """(params, grads, state, settings): writes params and state, reads grads."""


def settings_of(trials: Sequence[TrialSpec], like: torch.Tensor) -> dict[str, torch.Tensor]:
    """The settings that are not neutral for all trials, in the dtype and place of ``like``."""
    found = {}
    for name, neutral in NEUTRAL.items():
        given = (getattr(trial.optimizer, name) for trial in trials)
        values = [neutral if value is None else value for value in given]
        if any(value != neutral for value in values):
            found[name] = torch.tensor(values, dtype=like.dtype, device=like.device)
    return found


def _over(value_K: torch.Tensor, tensors: Tensors) -> Tensors:
    """Views of a setting that broadcast over each tensor, (K, 1, …)."""
    return [value_K.view(-1, *[1] * (t.ndim - 1)) for t in tensors]


def _sgd_start(params: Tensors, settings: Settings) -> Tensors:
    return [torch.zeros_like(p) for p in params] if "momentum" in settings else []


def _sgd_step(params: Tensors, grads: Tensors, state: Tensors, settings: Settings) -> None:
    """Heavy-ball momentum and L2 decay as torch.optim.SGD (Sutskever et al. 2013, eq. 1–2)."""
    if "weight_decay" in settings:
        # g ← g + λθ
        decay = _over(settings["weight_decay"], params)
        grads = list(torch._foreach_addcmul(grads, decay, params))
    if "momentum" in settings:
        # v ← μv + g
        torch._foreach_mul_(state, _over(settings["momentum"], params))
        torch._foreach_add_(state, grads)
        grads = state
    # θ ← θ − ηv
    torch._foreach_addcmul_(params, _over(settings["lr"], params), grads, value=-1)


RULES: dict[str, Rule] = {"sgd": Rule(_sgd_start, _sgd_step)}


def clip(grads: Tensors, settings: Settings) -> tuple[Tensors, torch.Tensor | None]:
    """g·min(1, c/‖g‖) by the norm over all parameters (Pascanu et al. 2013).

    Returns the gradients and which trials were clipped, (K,); None where no trial clips.
    """
    if "clip_norm" not in settings:
        return grads, None
    limit_K, norm_K = settings["clip_norm"], norms(grads)
    clipped_K = norm_K > limit_K
    # Not clipped is a factor of exactly 1, also for a norm of 0 and no limit (c/0, ∞/∞).
    scale_K = torch.where(clipped_K, limit_K / norm_K, 1.0)
    return list(torch._foreach_mul(grads, _over(scale_K, grads))), clipped_K


def norms(tensors: Tensors) -> torch.Tensor:
    """The Euclidean norm of each trial over all its tensors together, (K,)."""
    return joint(each_norm(tensors))


def each_norm(tensors: Tensors) -> Tensors:
    """The Euclidean norm of each trial in each of the tensors, (K,) each."""
    # Not of t.flatten(1): that would copy what lies transposed in memory.
    return [
        torch.linalg.vector_norm(t, dim=tuple(range(1, t.ndim))) if t.ndim > 1 else t.abs()
        for t in tensors
    ]


def joint(each: Tensors) -> torch.Tensor:
    """The norm over all tensors from the norms of each, (K,)."""
    total: torch.Tensor = torch.linalg.vector_norm(torch.stack(each), dim=0)
    return each[0] if len(each) == 1 else total
