"""First-order measurements of a stack: losses, scores, norms, and per layer q and D.

Legend: K trials, B samples, H units of a layer. Per-sample δ_l = ∂loss/∂z_l of all samples come
from one backward pass of the *summed* loss: no per-sample gradient of a parameter is formed.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from ..models import Trace
from ..optimizers import norms
from ..spec import Record
from ..step import Split

if TYPE_CHECKING:
    from ..engine import Stack

CACHE_ELEMENTS = 300_000
"""Trials are measured a few at a time, so that one layer's activations fit in a core's cache."""

Columns = dict[str, torch.Tensor]


@dataclass
class Measured:
    """One recording: a value per trial for ``steps``, and per layer and trial for ``layers``."""

    columns: Columns
    layers: list[Columns] = field(default_factory=list)
    seconds: float = 0.0


def measure(stack: "Stack", record: Record, *, layers: bool) -> Measured:
    """Measure every trial of the stack at its present parameters.

    Args:
        stack: the trials in training.
        record: how many training samples to measure on.
        layers: whether to run the backward pass for layer rows and the gradient norm.
    """
    started = time.perf_counter()
    splits = stack.splits()
    widest = max(p.shape[-1] for p in stack.params)
    largest = max(len(split.x) for split in splits)
    columns = _joined(_evaluated(stack, part, splits) for part in _parts(stack, widest * largest))
    probe = Split(*(t[: record.layer_samples] for t in stack.train))
    rows: list[Columns] = []
    if layers:
        found = [_backward(stack, part, probe) for part in _parts(stack, widest * len(probe.x))]
        columns |= _joined(part.columns for part in found)
        rows = [_joined(layer) for layer in zip(*(part.layers for part in found), strict=True)]
    update_norm = stack.update_norm()
    if update_norm is not None:
        columns["update_norm"] = update_norm
    _add_update_ratios(stack, rows)
    return Measured(columns, rows, time.perf_counter() - started)


def _parts(stack: "Stack", elements: int) -> Iterator[slice]:
    """Slices of the trial axis whose widest activation, of ``elements`` a trial, fits the cache."""
    size = max(1, CACHE_ELEMENTS // elements)
    for start in range(0, len(stack.positions), size):
        yield slice(start, start + size)


def _joined(parts: Iterable[Columns]) -> Columns:
    """Columns of parts of the trial axis, put together again."""
    listed = list(parts)
    return {key: torch.cat([part[key] for part in listed]) for key in listed[0]}


def _evaluated(stack: "Stack", part: slice, splits: Sequence[Split]) -> Columns:
    """Mean losses and scores over both splits, and parameter norms, (K,) each."""
    params = [p[part] for p in stack.params]
    train, test = stack.evaluator.evaluate(params, splits)
    return {
        "train_loss": train.loss_K,
        "train_score": train.score_K,
        "test_loss": test.loss_K,
        "test_score": test.score_K,
        "param_norm": norms(params),
    }


def _backward(stack: "Stack", part: slice, probe: Split) -> Measured:
    """Gradients of the summed loss, per parameter and per pre-activation."""
    params = [p.detach()[part].requires_grad_() for p in stack.params]
    x_KBD, y_KB = (t.expand(len(params[0]), *t.shape) for t in probe)
    trace = Trace()
    total = stack.step.loss(stack.model.forward(params, x_KBD, trace), y_KB).sum()
    found = torch.autograd.grad(total, [*params, *trace.z])
    grads, deltas = list(found[: len(params)]), found[len(params) :]
    with torch.no_grad():
        torch._foreach_div_(grads, len(probe.x))  # of the mean loss
        rows = []
        for i, layer in enumerate(stack.model.layers):
            row = _layer(params[layer.weight], grads[layer.weight], trace.z[i], deltas[i])
            if i < len(stack.model.layers) - 1:
                row |= _units(trace.h[i], stack.model.saturation)
            rows.append(row)
        return Measured({"grad_norm": norms(grads)}, rows)


def _layer(
    w: torch.Tensor, grad: torch.Tensor, z_KBH: torch.Tensor, delta_KBH: torch.Tensor
) -> Columns:
    """q_l = E‖z_l‖²/n_l (Poole 2016), D_l = E‖δ_l‖²/n_l (Schoenholz 2017), weight norms."""
    grad_norm = norms([grad])
    return {
        "q": z_KBH.square().mean((1, 2)),
        "backward_signal": delta_KBH.square().mean((1, 2)),
        "grad_norm": grad_norm,
        "grad_rms": grad_norm / (grad[0].numel() ** 0.5),
        "weight_norm": norms([w]),
    }


def _units(h_KBH: torch.Tensor, saturation: tuple[float, float] | None) -> Columns:
    """Shares of zero entries, of units dead on every sample, and of saturated entries."""
    zero_KBH = h_KBH == 0
    row = {
        "zero_share": zero_KBH.to(h_KBH.dtype).mean((1, 2)),
        "dead_share": zero_KBH.all(1).to(h_KBH.dtype).mean(1),
    }
    if saturation is not None:
        low, high = saturation
        saturated = (h_KBH < low) | (h_KBH > high)
        row["saturated_share"] = saturated.to(h_KBH.dtype).mean((1, 2))
    return row


def _add_update_ratios(stack: "Stack", rows: list[Columns]) -> None:
    """‖W_l(u) − W_l(u−1)‖ / ‖W_l(u−1)‖ of the last update, where there was one."""
    if stack.before is None:
        return
    for layer, row in zip(stack.model.layers, rows, strict=False):
        before, now = stack.before[layer.weight], stack.params[layer.weight].detach()
        row["update_ratio"] = norms([now - before]) / norms([before])
