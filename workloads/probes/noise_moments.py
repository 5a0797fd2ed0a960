"""First and second moments, parameter by parameter, of the gradients of single samples.

K trials, N samples. They are sums, made of a part of the samples at a time: memory is bounded.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.func import grad, vmap

from ..models import Trace
from ..optimizers import Tensors
from ..samplewise import Samplewise, unbiased
from ..step import Split, spread

if TYPE_CHECKING:
    from ..stack import Stack

NUMBERS = 2**22
"""Numbers of one trial and sample, times trials and samples, that are in memory together."""
ROUNDING = 8
"""A variance below so many roundings of the mean square is none."""


class Moments(NamedTuple):
    """What the moments of N gradients come to, (K,) each, in float64."""

    trace_K: torch.Tensor
    square_K: torch.Tensor
    snr_K: torch.Tensor


Sums = tuple[Tensors, Tensors]
"""Σ_i g_i and Σ_i g_i² of every parameter, (K, …) each, in float64."""
Summed = Callable[["Stack", Tensors, Split], Sums]


def moments(stack: "Stack", samples: int, kind: Samplewise) -> Moments:
    """Of the first training samples, N ≥ 2, whose gradients are to be had in one of two ways."""
    summed = _tapped if kind is Samplewise.TAPPED else _mapped
    found = []
    for params in trials_at_once(stack, 1):
        size = max(1, NUMBERS // (len(params[0]) * _numbers(stack)))
        sums: Sums | None = None
        for start in range(0, samples, size):
            part = slice(start, min(start + size, samples))
            more = summed(stack, params, Split(*(t[part] for t in stack.train)))
            sums = more if sums is None else _added(sums, more)
        assert sums is not None
        found.append(_moments(sums, samples, params[0].dtype))
    return Moments(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def trials_at_once(stack: "Stack", samples: int) -> Iterator[Tensors]:
    """The parameters of a few trials at a time, with so many samples each."""
    size = max(1, NUMBERS // (samples * _numbers(stack)))
    yield from (list(part) for part in zip(*(p.split(size) for p in stack.params), strict=True))


def _numbers(stack: "Stack") -> int:
    """Numbers of one trial and sample: its gradient's, or those of its pass through the net."""
    first = stack.trials[0]
    parameters = sum(p[0].numel() for p in stack.params)
    return max(parameters, 4 * first.model.units(first.shape))


def _added(sums: Sums, more: Sums) -> Sums:
    for own, other in zip(sums, more, strict=True):
        torch._foreach_add_(own, other)
    return sums


def _tapped(stack: "Stack", params: Tensors, samples: Split) -> Sums:
    """From every layer's inputs and δ: no gradient of a sample is formed."""
    leaves, trace = [p.detach().requires_grad_() for p in params], Trace()
    x_KBD, y_KB = spread(samples, params)
    with torch.enable_grad():
        loss_KB = stack.step.criterion.loss(stack.model.forward(leaves, x_KBD, trace), y_KB)
        ends = [tap.out for tap in trace.taps]
        found = torch.autograd.grad(loss_KB.sum(), [*leaves, *ends], materialize_grads=True)
    sums, squares = [g.double() for g in found[: len(leaves)]], list(params)
    with torch.no_grad():
        for tap, delta in zip(trace.taps, found[len(leaves) :], strict=True):
            for place, square in zip(tap.places, tap.squares(delta.double()), strict=True):
                squares[place] = square
    return sums, squares


def _mapped(stack: "Stack", params: Tensors, samples: Split) -> Sums:
    """From the gradients of a few samples at once."""
    each = _one_by_one if not stack.model.stackable else _by_vmap
    grads = [g.double() for g in each(stack, [p.detach() for p in params], samples)]
    return [g.sum(0) for g in grads], [g.square().sum(0) for g in grads]


def _by_vmap(stack: "Stack", params: Tensors, samples: Split) -> Tensors:
    """Gradients of single samples, (B, K, …) each."""
    return list(vmap(grad(_loss_of(stack)), (None, 0, 0))(params, *samples))


def _one_by_one(stack: "Stack", params: Tensors, samples: Split) -> Tensors:
    """The same of a module that vmap cannot run; what it draws, it draws from its trial's seed."""
    loss = _loss_of(stack)
    found = []
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(stack.trials[0].seed)
        for x, y in zip(*samples, strict=True):
            leaves = [p.requires_grad_() for p in params]
            found.append(torch.autograd.grad(loss(leaves, x, y), leaves, materialize_grads=True))
    return [torch.stack(grads) for grads in zip(*found, strict=True)]


def _loss_of(stack: "Stack") -> Callable[[Tensors, torch.Tensor, torch.Tensor], torch.Tensor]:
    """The loss of one sample, summed over the trials: they share no parameter."""

    def loss(params: Tensors, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        one = spread(Split(x.unsqueeze(0), y.unsqueeze(0)), params)
        output_K1C = stack.model.forward(params, one.x)
        return stack.step.criterion.loss(output_K1C, one.y).sum()

    return loss


def _moments(sums: Sums, samples: int, dtype: torch.dtype) -> Moments:
    """tr Σ, |G|² and the mean over parameters of mean² / variance."""
    means, squares = (torch.cat([t.flatten(1) for t in part], 1) / samples for part in sums)
    of_both_2K = torch.stack([squares.sum(1) * samples, means.square().sum(1)])
    trace_K, square_K = unbiased(samples, means) @ of_both_2K
    # Where gradients do not vary there is no ratio, and 0/0 where a unit is dead.
    variance = (squares - means.square()) * (samples / (samples - 1))
    varies = variance > ROUNDING * torch.finfo(dtype).eps * squares
    ratio = torch.where(varies, means.square() / variance, 0).sum(1)
    return Moments(trace_K.clamp(min=0), square_K, ratio / varies.sum(1))
