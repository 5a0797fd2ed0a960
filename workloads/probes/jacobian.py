"""Singular values of the input–output Jacobian. K trials, S samples, C outputs, D inputs.

Pennington et al. 2017 (Resurrecting the sigmoid in deep learning through dynamical isometry).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from ..models import Trace
from ..optimizers import Tensors
from ..probespecs import Jacobian as Spec
from ..problems.shapes import Task
from ..samplewise import normalises_batches
from ..seeds import Stream, generator
from .base import Columns
from .lanczos import extremes
from .precise import doubles, graph_elements, precise, slices, undisturbed

if TYPE_CHECKING:
    from ..stack import Stack

EXACT = 512
"""Up to so many singular values a sample they are computed, beyond it estimated."""
VECTORS = 32
"""Random vectors of an estimate."""
ITERATIONS = 20
"""Products for the largest singular value of an estimate."""
WITH_HIDDEN = ("mlp", "convnet")
"""Models whose trace has the activations of a last hidden layer."""


class Linear:
    """The Jacobian of outputs (K, S, C) by inputs (K, S, D), sample by sample, as products."""

    def __init__(self, output: torch.Tensor, x_KSD: torch.Tensor) -> None:
        self.output_KSC, self.x_KSD = output.flatten(2), x_KSD
        with torch.enable_grad():
            self.any_KSC = torch.zeros_like(self.output_KSC).requires_grad_()
            (self.pulled_KSD,) = torch.autograd.grad(
                self.output_KSC, x_KSD, self.any_KSC, create_graph=True, materialize_grads=True
            )

    def pull(self, u_KSC: torch.Tensor) -> torch.Tensor:
        """Jᵀu, (K, S, D)."""
        (found,) = torch.autograd.grad(
            self.output_KSC, self.x_KSD, u_KSC, retain_graph=True, materialize_grads=True
        )
        return found

    def push(self, v_KSD: torch.Tensor) -> torch.Tensor:
        """J v, (K, S, C): the derivative of Jᵀu, which is linear in u, by u."""
        if not self.pulled_KSD.requires_grad:
            return torch.zeros_like(self.output_KSC)
        (found,) = torch.autograd.grad(
            self.pulled_KSD, self.any_KSC, v_KSD, retain_graph=True, materialize_grads=True
        )
        return found

    def matrix(self) -> torch.Tensor:
        """J, (K, S, C, D), or its transpose where there are fewer inputs than outputs."""
        c, d = self.output_KSC.shape[2], self.x_KSD.shape[2]
        along, like = (self.pull, self.output_KSC) if c <= d else (self.push, self.x_KSD)
        return torch.stack([along(unit.expand_as(like)) for unit in _units(like)], 2)


def _units(like: torch.Tensor) -> Iterator[torch.Tensor]:
    yield from torch.eye(like.shape[2], dtype=like.dtype, device=like.device).unbind(0)


class Jacobian:
    """Moments and extremes of the squared singular values, over all samples together."""

    def __init__(self, stack: "Stack", spec: Spec) -> None:
        self.stack, self.spec = stack, spec
        self.x_SD = precise(stack.train, spec.samples).x
        shape = stack.trials[0].shape
        values = min(shape.features, shape.outputs)
        held = values * max(shape.features, shape.outputs) if values <= EXACT else 0
        self.elements = graph_elements(stack, len(self.x_SD)) + held * len(self.x_SD)

    def measure(self) -> Columns:
        """See :class:`~.base.Probe`."""
        if not exists(self.stack):
            return {}
        with undisturbed(self.stack.device):
            parts = [self._part(part) for part in slices(self.stack, self.elements)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _part(self, part: slice) -> Columns:
        stack = self.stack
        params: Tensors = doubles(stack.params, part)
        x_KSD = self.x_SD.expand(params[0].shape[0], *self.x_SD.shape).clone().requires_grad_()
        trace = Trace() if self._hidden else None
        with torch.enable_grad():
            output = stack.model.forward(params, x_KSD, trace)
        columns = self._of(Linear(output, x_KSD), part, "jacobian/")
        if trace is not None:
            columns |= self._of(Linear(trace.h[-2], x_KSD), part, "jacobian/hidden_")
        return columns

    @property
    def _hidden(self) -> bool:
        model = self.stack.model
        named = self.stack.trials[0].model.name in WITH_HIDDEN
        return self.spec.hidden and named and len(model.layers) > 1

    def _of(self, linear: Linear, part: slice, prefix: str) -> Columns:
        if min(linear.output_KSC.shape[2], linear.x_KSD.shape[2]) <= EXACT:
            found = _exact(linear.matrix())
        else:
            seeds = [self.stack.trials[p].seed for p in self.stack.positions[part]]
            found = _estimated(linear, seeds)
        return {prefix + name: value_K for name, value_K in found.items()}


def exists(stack: "Stack") -> bool:
    """Whether a sample has outputs that are its own and depend on it.

    With batch normalisation they are the whole batch's; an objective's samples are terms of a
    mean, a game's outputs are those of two players, and a density's samples have noise beside.
    """
    trial = stack.trials[0]
    own = trial.problem.task not in (Task.OBJECTIVE, Task.GENERATION, Task.DENSITY)
    return own and not normalises_batches(trial, stack.model)


def _exact(jacobian_KSCD: torch.Tensor) -> Columns:
    """From all singular values."""
    finite_K = jacobian_KSCD.flatten(1).isfinite().all(1)
    # One matrix that is not finite would end the decomposition of all.
    clean = jacobian_KSCD.where(finite_K.view(-1, 1, 1, 1), 0.0)
    values_KN = torch.linalg.svdvals(clean).flatten(1)
    columns = _moments(values_KN.square().mean(1), values_KN.pow(4).mean(1))
    columns |= {"largest": values_KN.amax(1), "smallest": values_KN.amin(1)}
    return {name: value_K.where(finite_K, torch.nan) for name, value_K in columns.items()}


def _moments(square_K: torch.Tensor, fourth_K: torch.Tensor) -> Columns:
    """E s² and (E s⁴ − (E s²)²)/(E s²)²; the latter does not exist where all are 0."""
    return {"mean_square": square_K, "relative_variance": fourth_K / square_K.square() - 1}


def _estimated(linear: Linear, seeds: list[int]) -> Columns:
    """From products with random vectors.

    E‖Jv‖² = tr JᵀJ and E‖JᵀJv‖² = tr (JᵀJ)² over v of signs (Hutchinson 1990); the largest by
    Lanczos's method for JᵀJ, which contains what power iteration finds. The smallest would take
    the matrix.
    """
    k, s, d = linear.x_KSD.shape
    values = min(linear.output_KSC.shape[2], d)
    draws = [generator(seed, Stream.HUTCHINSON) for seed in seeds]
    square_K, fourth_K = linear.x_KSD.new_zeros(2, k)
    for _ in range(VECTORS):
        v_KSD = torch.stack([torch.randint(2, (s, d), generator=g) * 2.0 - 1 for g in draws])
        y_KSC = linear.push(v_KSD.to(linear.x_KSD))
        square_K += y_KSC.square().sum((1, 2)) / (VECTORS * s * values)
        fourth_K += linear.pull(y_KSC).square().sum((1, 2)) / (VECTORS * s * values)

    def gram(v_ND: torch.Tensor) -> torch.Tensor:
        return linear.pull(linear.push(v_ND.view(k, s, d))).flatten(0, 1)

    start = torch.stack([torch.randn(s, d, generator=g, dtype=torch.float64) for g in draws])
    largest_N = extremes(gram, start.to(linear.x_KSD.device).flatten(0, 1), ITERATIONS).largest_K
    columns = _moments(square_K, fourth_K)
    largest_K = largest_N.view(k, s).amax(1).clamp(min=0).sqrt()
    return columns | {"largest": largest_K, "smallest": torch.full_like(square_K, torch.nan)}
