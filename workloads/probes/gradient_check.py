"""Autograd held beside the layer-wise equations and beside central differences, in float64.

Legend: K trials, P parameters of a trial in a row, M directions.
"""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from ..backpropagation import gradients_of
from ..optimizers import Tensors
from ..probespecs import GradientCheck as Spec
from ..problems.shapes import Task
from ..schedule import subset
from ..seeds import Stream, generator
from ..step import Split, spread
from .base import Columns
from .differences import Differences, Place
from .precise import doubles, flat, graph_elements, like, precise, slices, undisturbed

if TYPE_CHECKING:
    from ..stack import Stack

REPEATS = 7
"""Forward and backward passes whose seconds are compared, after one that is not: what else the
machine does can only lengthen them, so the least counts."""
COPIES = 6
"""Vectors as long as a trial's parameters that are in memory at once, about."""


class GradientCheck:
    """The probe ``gradient_check`` of one stack. Keys, l being a layer, or NULL for the worst:

    - ``equations``, of l: the relative error ‖a − e‖ / max(‖a‖, ‖e‖) of autograd's gradient a
      and that of the layer-wise equations e, over all of the layer's parameters;
    - ``differences``, of l: that of a·v and central differences along random directions v in
      the layer's parameters, over these directions;
    - ``inner_product``, of l: ⟨W_l, ∂L/∂W_l⟩ over the layer's weights, in float64. In a net of
      homogeneous activations without biases it is the same in every layer (Du et al. 2018):
      why weight gradients look flat across layers where the backward signal vanishes;
    - ``left_out``: the share of directions along which the loss has a kink too near by;
    - ``wrong_layer``: the last layer whose ``differences`` are above the tolerance. A wrong
      derivative spoils the gradients of its own layer and of all before it, none behind it;
    - ``backward_cost``: seconds of a backward pass by those of a forward pass, of this pack.

    The loss is the mean over the first ``samples`` training samples, taken as one batch.
    """

    def __init__(self, stack: "Stack", spec: Spec) -> None:
        trial = stack.trials[0]
        self.stack, self.spec = stack, spec
        # Of a game the two players' gradients are not the gradient of one function.
        self.exists = trial.problem.task != Task.GENERATION
        self.equations = gradients_of(trial)
        self.split = precise(stack.train, spec.samples)
        self.layers = _layers(stack)
        self.compared = sorted(subset(list(range(len(self.layers))), spec.layers))

    def measure(self) -> Columns:
        """See :class:`~.base.Probe`."""
        if not self.exists:
            return {}
        size = graph_elements(self.stack, len(self.split.x))
        size += COPIES * sum(p[0].numel() for p in self.stack.params)
        parts = [self._checked(part) for part in slices(self.stack, size)]
        columns = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        cost = self._backward_cost()
        worst_K = columns["gradient_check/differences"]
        return columns | {"gradient_check/backward_cost": torch.full_like(worst_K, cost)}

    def _checked(self, part: slice) -> Columns:
        theta_KP = flat(doubles(self.stack.params, part))
        found_KP = self._autograd(theta_KP)
        columns: Columns = {}
        if self.equations is not None:
            written_KP = self._written(theta_KP)
            errors = [
                relative(found_KP[:, p.columns], written_KP[:, p.columns]) for p in self.layers
            ]
            columns |= _rows("equations", range(len(self.layers)), errors)
        positions = self.stack.positions[part]
        seeds = [self.stack.trials[position].seed for position in positions]
        differences = Differences(
            self._loss,
            theta_KP,
            [generator(seed, Stream.DIRECTIONS) for seed in seeds],
            self.spec.directions,
        )
        compared = [differences.compare(self.layers[i], found_KP) for i in self.compared]
        errors = [error_K for error_K, _ in compared]
        columns |= _rows("differences", self.compared, errors)
        left_out_K = torch.stack([share_K for _, share_K in compared]).mean(0)
        wrong_K = _last_above(self.compared, errors, self.spec.tolerance)
        columns |= _inner_products(self.layers, theta_KP, found_KP)
        return columns | {
            "gradient_check/left_out": left_out_K,
            "gradient_check/wrong_layer": wrong_K,
        }

    def _loss(self, theta_KP: torch.Tensor) -> torch.Tensor:
        """The mean loss of every trial, (K,), in the mode of training."""
        return self._loss_of(like(theta_KP, self.stack.params))

    def _loss_of(self, params: Tensors) -> torch.Tensor:
        x_KBD, y_KB = spread(self.split, params)
        step = self.stack.step
        with self._same_draws(), torch.enable_grad():
            return step.criterion.loss(step.model.forward(params, x_KBD), y_KB).mean(1)

    def _autograd(self, theta_KP: torch.Tensor) -> torch.Tensor:
        """∂(mean loss)/∂θ of every trial, (K, P)."""
        params = [p.requires_grad_() for p in like(theta_KP, self.stack.params)]
        loss_K = self._loss_of(params)
        return flat(list(torch.autograd.grad(loss_K.sum(), params, materialize_grads=True)))

    @torch.no_grad()
    def _written(self, theta_KP: torch.Tensor) -> torch.Tensor:
        """The same by the layer-wise equations."""
        assert self.equations is not None
        params = like(theta_KP, self.stack.params)
        sums = self.equations(params, *spread(self.split, params))
        return flat(sums) / len(self.split.x)

    def _backward_cost(self) -> float:
        """Backward by forward seconds, the least of a few each, on a batch as in training."""
        stack = self.stack
        batch = Split(*(t[: stack.sampler.batch_size] for t in stack.train))
        params = [p.detach().requires_grad_() for p in stack.params]
        x_KBD, y_KB = spread(batch, params)
        forward, backward = [], []
        with self._same_draws(), torch.enable_grad():
            for _ in range(1 + REPEATS):
                start = _now(stack.device)
                loss_K = stack.step.criterion.loss(stack.model.forward(params, x_KBD), y_KB).mean(1)
                between = _now(stack.device)
                torch.autograd.grad(loss_K.sum(), params, materialize_grads=True)
                forward.append(between - start)
                backward.append(_now(stack.device) - between)
        return min(backward[1:]) / min(forward[1:])

    @contextmanager
    def _same_draws(self) -> Iterator[None]:
        """A module that draws (dropout) draws the same every time here, so is one function."""
        if self.stack.model.stackable:
            yield
            return
        with undisturbed(self.stack.device):
            torch.manual_seed(0)
            yield


def relative(one_KN: torch.Tensor, other_KN: torch.Tensor) -> torch.Tensor:
    """‖a − b‖ / max(‖a‖, ‖b‖), (K,), from 0 to 2; 0 where both are exactly 0."""
    norm = torch.linalg.vector_norm
    apart_K: torch.Tensor = norm(one_KN - other_KN, dim=1)
    larger_K = torch.maximum(norm(one_KN, dim=1), norm(other_KN, dim=1))
    return torch.where(larger_K == 0, 0, apart_K / larger_K)


def _layers(stack: "Stack") -> list[Place]:
    """Where each layer's parameters lie in a row of all of them.

    What stands between the weights of two layers, biases and what norms learn, belongs to the
    first of them; a net without named layers is one layer.
    """
    weights = [layer.weights for layer in stack.model.layers] or [tuple(range(len(stack.params)))]
    starts = [0, *itertools.accumulate(p[0].numel() for p in stack.params)]
    every = {place for places in weights for place in places}
    weights_P = torch.cat(
        [
            torch.full_like(p[0].flatten(), place in every, dtype=torch.float64)
            for place, p in enumerate(stack.params)
        ]
    )
    firsts = [0, *(starts[min(places)] for places in weights[1:])]
    columns = [slice(a, b) for a, b in itertools.pairwise([*firsts, starts[-1]])]
    return [Place(c, weights_P[c]) for c in columns]


def _rows(key: str, layers: Iterator[int] | range | list[int], errors: Tensors) -> Columns:
    """The errors by layer, and the worst of them, which is NaN where all are."""
    of_layers = {f"gradient_check/{key}/{i + 1}": e for i, e in zip(layers, errors, strict=True)}
    every_LK = torch.stack(errors)
    worst_K = every_LK.nan_to_num(nan=-1, posinf=torch.inf).amax(0)
    return {**of_layers, f"gradient_check/{key}": torch.where(worst_K < 0, torch.nan, worst_K)}


def _inner_products(layers: list[Place], theta_KP: torch.Tensor, found_KP: torch.Tensor) -> Columns:
    """⟨W_l, ∂L/∂W_l⟩ of each layer, (K,) each."""
    product_KP = theta_KP * found_KP
    columns: Columns = {}
    for i, place in enumerate(layers):
        weights_H = place.weights_H.to(product_KP.device)
        columns[f"gradient_check/inner_product/{i + 1}"] = product_KP[:, place.columns] @ weights_H
    return columns


def _last_above(layers: list[int], errors: Tensors, tolerance: float) -> torch.Tensor:
    """The number of the last layer with an error above the tolerance, (K,); NaN: none has."""
    number_L1 = torch.tensor(layers, dtype=errors[0].dtype, device=errors[0].device)[:, None] + 1
    last_K = torch.where(torch.stack(errors) > tolerance, number_L1, 0).amax(0)
    return torch.where(last_K == 0, torch.nan, last_K)


def _now(device: torch.device) -> float:
    """Seconds, once all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
