"""Optimizers on stacked tensors, by name. One step updates K trials in place.

Each trial has its own hyperparameters: tensors of length K, shaped to broadcast over the
parameters. Where a setting is off for every trial its work is skipped; where it is off for
some, it is the identity for them (factor 1, term 0), so that a trial's numbers do not depend
on its neighbours.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from .spec import TrialSpec

Tensors = list[torch.Tensor]


class Optimizer(Protocol):
    """What the engine needs of an optimizer."""

    state: Tensors
    """Tensors with a leading trial axis that travel with the parameters."""

    def step(self, params: Tensors, grads: Tensors) -> None:
        """Update ``params`` in place; ``grads`` may be used up."""

    def keep(self, stay: torch.Tensor) -> None:
        """Drop all trials but those at the positions ``stay``."""


class Setting:
    """One hyperparameter of K trials, as a tensor that broadcasts over any parameter."""

    def __init__(self, values: Sequence[float], like: torch.Tensor, off: float) -> None:
        self.value_K = torch.tensor(values, dtype=like.dtype, device=like.device)
        self.on = any(value != off for value in values)

    def over(self, params: Tensors) -> Tensors:
        """Views of the setting, one per parameter, of shape (K, 1, …)."""
        return [self.value_K.view(-1, *[1] * (p.ndim - 1)) for p in params]

    def keep(self, stay: torch.Tensor) -> None:
        """Drop all trials but those at the positions ``stay``."""
        self.value_K = self.value_K[stay]


class Sgd:
    """Stochastic gradient descent with heavy-ball momentum and L2 decay, as torch.optim.SGD.

    g ← g + λθ;  v ← μv + g;  θ ← θ − ηv. (Polyak 1964; Sutskever et al. 2013, eq. 1–2.)
    """

    def __init__(self, trials: Sequence[TrialSpec], params: Tensors) -> None:
        like = params[0]
        self.lr = Setting([t.optimizer.lr for t in trials], like, off=0.0)
        self.momentum = Setting([t.optimizer.momentum for t in trials], like, off=0.0)
        self.decay = Setting([t.optimizer.weight_decay for t in trials], like, off=0.0)
        self.state = [torch.zeros_like(p) for p in params] if self.momentum.on else []
        self._spread(params)

    def step(self, params: Tensors, grads: Tensors) -> None:
        """See :class:`Optimizer`."""
        if self.decay.on:
            torch._foreach_addcmul_(grads, self._decay, params)
        if self.momentum.on:
            torch._foreach_mul_(self.state, self._momentum)
            torch._foreach_add_(self.state, grads)
            grads = self.state
        torch._foreach_addcmul_(params, self._lr, grads, value=-1)

    def keep(self, stay: torch.Tensor) -> None:
        """See :class:`Optimizer`."""
        for setting in (self.lr, self.momentum, self.decay):
            setting.keep(stay)
        self.state = [v[stay] for v in self.state]
        self._spread(self._lr)

    def _spread(self, params: Tensors) -> None:
        self._lr = self.lr.over(params)
        self._momentum = self.momentum.over(params)
        self._decay = self.decay.over(params)


OPTIMIZERS: dict[str, Callable[[Sequence[TrialSpec], Tensors], Optimizer]] = {"sgd": Sgd}


class Clip:
    """Gradient clipping by the norm over all parameters: g ← g·min(1, c/‖g‖) (Pascanu 2013).

    Counts how many updates of each trial were clipped since the count was last taken.
    """

    def __init__(self, trials: Sequence[TrialSpec], like: torch.Tensor) -> None:
        limits = [t.optimizer.clip_norm or torch.inf for t in trials]
        self.limit = Setting(limits, like, off=torch.inf)
        self.count_K = torch.zeros_like(self.limit.value_K)

    def __call__(self, grads: Tensors) -> None:
        """Clip in place."""
        if not self.limit.on:
            return
        norm_K = norms(grads)
        clipped_K = norm_K > self.limit.value_K
        # Not clipped is a factor of exactly 1, also for a norm of 0 and no limit (∞/0, ∞/∞).
        scale_K = torch.where(clipped_K, self.limit.value_K / norm_K, 1.0)
        torch._foreach_mul_(grads, [scale_K.view(-1, *[1] * (g.ndim - 1)) for g in grads])
        self.count_K += clipped_K

    def take_count(self) -> torch.Tensor:
        """Clipped updates of each trial since the last call, (K,)."""
        taken, self.count_K = self.count_K, torch.zeros_like(self.count_K)
        return taken

    def keep(self, stay: torch.Tensor) -> None:
        """Drop all trials but those at the positions ``stay``."""
        self.limit.keep(stay)
        self.count_K = self.count_K[stay]


def norms(tensors: Tensors) -> torch.Tensor:
    """The Euclidean norm of each trial over all its tensors together, (K,)."""
    squares = [t.flatten(1).square().sum(1) for t in tensors]
    return torch.stack(squares).sum(0).sqrt()
