"""Extreme eigenvalues of the loss's Hessian. Legend: K trials, B samples, P parameters."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from ..models.gan import Gan
from ..optimizers import Settings, Tensors
from ..probespecs import Curvature as Spec
from ..schedules import factor
from ..seeds import Stream, generator
from ..step import Split, spread
from .base import Columns
from .lanczos import Extremes, extremes
from .precise import doubles, flat, graph_elements, like, precise, slices, undisturbed

if TYPE_CHECKING:
    from ..stack import Stack


class Hessians:
    """Products with the Hessian of each trial's mean loss over a few samples (Pearlmutter 1994).

    The gradient's graph is made once; each product is one pass backward through it.
    """

    def __init__(self, stack: "Stack", params: Tensors, split: Split) -> None:
        self.leaves = [p.requires_grad_() for p in params]
        x_KBD, y_KB = spread(split, params)
        with torch.enable_grad():
            output_KBC = stack.model.forward(self.leaves, x_KBD)
            total = stack.step.criterion.loss(output_KBC, y_KB).mean(1).sum()
            self.grads = torch.autograd.grad(
                total, self.leaves, create_graph=True, materialize_grads=True
            )

    def __call__(self, v_KP: torch.Tensor) -> torch.Tensor:
        """H v, (K, P)."""
        pairs = zip(self.grads, like(v_KP, self.leaves), strict=True)
        # A loss linear in a parameter has a gradient that depends on nothing.
        curved = [(grad, v) for grad, v in pairs if grad.requires_grad]
        if not curved:
            return torch.zeros_like(v_KP)
        grads, vectors = zip(*curved, strict=True)
        found = torch.autograd.grad(
            grads, self.leaves, vectors, retain_graph=True, materialize_grads=True
        )
        return flat(list(found))


class Spectrum:
    """Extreme eigenvalues of every trial's Hessian, over the first training samples."""

    def __init__(self, stack: "Stack", samples: int, iterations: int) -> None:
        self.stack, self.iterations = stack, iterations
        self.split = precise(stack.train, samples)
        self.parameters = sum(p[0].numel() for p in stack.params)
        graph = graph_elements(stack, len(self.split.x))
        self.elements = graph + min(iterations, self.parameters) * self.parameters

    def measure(self, scale: Callable[[slice], torch.Tensor] | None = None) -> Extremes:
        """Of H, or of S H S with S the diagonal that ``scale`` gives for a part, (K, P)."""
        with undisturbed(self.stack.device):
            parts = [self._part(part, scale) for part in slices(self.stack, self.elements)]
        return Extremes(*(torch.cat(columns) for columns in zip(*parts, strict=True)))

    def _part(self, part: slice, scale: Callable[[slice], torch.Tensor] | None) -> Extremes:
        hessians = Hessians(self.stack, doubles(self.stack.params, part), self.split)
        start_KP = self._start(part)
        if scale is None:
            return extremes(hessians, start_KP, self.iterations)
        s_KP = scale(part)
        return extremes(lambda v_KP: s_KP * hessians(s_KP * v_KP), start_KP, self.iterations)

    def _start(self, part: slice) -> torch.Tensor:
        """A random vector for each trial, by its seed: no trial's depends on another."""
        stack = self.stack
        drawn = [
            torch.randn(
                self.parameters,
                generator=generator(stack.trials[position].seed, Stream.LANCZOS),
                dtype=torch.float64,
            )
            for position in stack.positions[part]
        ]
        return torch.stack(drawn).to(stack.device)


class Curvature:
    """Sharpness and how far it is from where descent becomes unstable; see docs/probes.md."""

    def __init__(self, stack: "Stack", spec: Spec) -> None:
        self.stack = stack
        self.name = stack.trials[0].optimizer.name
        self.spectrum = Spectrum(stack, spec.samples, spec.iterations)

    def measure(self) -> Columns:
        """See :class:`~.base.Probe`. Two players descend no one function: nothing of them."""
        if isinstance(self.stack.model, Gan):
            return {}
        found = self.spectrum.measure()
        columns = {
            "sharpness": found.largest_K,
            "curvature/smallest": found.smallest_K,
            "curvature/residual": found.residual_K,
        }
        steepest_K = found.largest_K
        if self.name in PRECONDITIONERS:
            steepest_K = self._preconditioned()
            columns["curvature/preconditioned"] = steepest_K
        limit_K = LIMITS[self.name](self.stack.settings)
        return columns | {"curvature/stability": steepest_K * self._lr() / limit_K}

    def _preconditioned(self) -> torch.Tensor:
        """λ_max(D⁻¹H) = λ_max(D^−½ H D^−½); there is no D before the first update."""
        if not self.stack.update:
            return self.stack.base_lr_K.double() * torch.nan
        return self.spectrum.measure(self._scale).largest_K

    def _scale(self, part: slice) -> torch.Tensor:
        """D^−½ of a part, (K, P)."""
        settings = {name: value_K[part] for name, value_K in self.stack.settings.items()}
        return PRECONDITIONERS[self.name](doubles(self.stack.state, part), settings).rsqrt()

    def _lr(self) -> torch.Tensor:
        """The next update's learning rate, at the end of the budget the last one's, (K,)."""
        trial, stack = self.stack.trials[0], self.stack
        budget = trial.budget_updates
        update = max(0, min(stack.update, budget - 1))
        return stack.base_lr_K.double() * factor(trial.optimizer.schedule, update, budget)


def _setting(settings: Settings, name: str) -> torch.Tensor:
    """A setting in float64, (K,); left-out ones are 0."""
    value_K = settings.get(name)
    return torch.zeros_like(settings["lr"].double()) if value_K is None else value_K.double()


def _heavy_ball(settings: Settings) -> torch.Tensor:
    """2(1 + μ) (Polyak 1964; Cohen et al. 2021, section 2)."""
    return 2 * (1 + _setting(settings, "momentum"))


def _nesterov(settings: Settings) -> torch.Tensor:
    """2(1 + μ)/(1 + 2μ) (Cohen et al. 2021, appendix B)."""
    mu_K = _setting(settings, "momentum")
    return 2 * (1 + mu_K) / (1 + 2 * mu_K)


def _adam(settings: Settings) -> torch.Tensor:
    """2(1 + β₁)/(1 − β₁), 38 for β₁ = 0.9 (Cohen et al. 2022, section 3)."""
    beta_K = _setting(settings, "beta1")
    return 2 * (1 + beta_K) / (1 - beta_K)


LIMITS: Mapping[str, Callable[[Settings], torch.Tensor]] = {
    "sgd": _heavy_ball,
    "momentum": _heavy_ball,
    "nesterov": _nesterov,
    "rmsprop": _heavy_ball,
    "adagrad": _heavy_ball,
    "adam": _adam,
    "adamw": _adam,
}
"""Name of an optimizer -> the λη from which on full-batch steps on a quadratic grow, (K,)."""


def _root(state: Tensors, settings: Settings) -> torch.Tensor:
    """√s + ε of RMSProp and AdaGrad."""
    momentum = "momentum" in settings
    squares = flat(state[: len(state) // 2] if momentum else state)
    return squares.sqrt() + _setting(settings, "eps").unsqueeze(1)


def _corrected(state: Tensors, settings: Settings) -> torch.Tensor:
    """(1 − β₁ᵗ)(√(v/(1 − β₂ᵗ)) + ε) of Adam (Cohen et al. 2022, eq. 2)."""
    first_K1, second_K1 = ((1 - power_K).unsqueeze(1) for power_K in state[:2])
    squares = flat(state[2 + (len(state) - 2) // 2 :])
    return first_K1 * ((squares / second_K1).sqrt() + _setting(settings, "eps").unsqueeze(1))


PRECONDITIONERS: Mapping[str, Callable[[Tensors, Settings], torch.Tensor]] = {
    "rmsprop": _root,
    "adagrad": _root,
    "adam": _corrected,
    "adamw": _corrected,
}
"""Name of an adaptive optimizer -> (state, settings): the diagonal D that it divides by, (K, P)."""
