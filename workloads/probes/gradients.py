"""First-order measurements of a stack: losses, scores, norms, and per layer q and D.

Legend: K trials, B samples, H units of a layer. Per-sample δ_l = ∂loss/∂z_l of all samples come
from one backward pass of the *summed* loss: no per-sample gradient of a parameter is formed.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from ..models import Model, Trace
from ..optimizers import Tensors, norms

if TYPE_CHECKING:
    from ..engine import Split, Stack

CACHE_ELEMENTS = 300_000
"""Trials are measured a few at a time, so that one layer's activations fit in a core's cache."""

Columns = dict[str, torch.Tensor]


@dataclass
class Measured:
    """One recording: a value per trial for ``steps``, and per layer and trial for ``layers``."""

    columns: Columns
    layers: list[Columns] = field(default_factory=list)
    seconds: float = 0.0


def measure(stack: "Stack", samples: int | None, *, layers: bool) -> Measured:
    """Measure every trial of the stack at its present parameters.

    Args:
        stack: the trials in training.
        samples: training samples to measure on, the first of the split; None: all.
        layers: whether to run the backward pass for layer rows and the gradient norm.
    """
    started = time.perf_counter()
    train = type(stack.train)(*(t[:samples] for t in stack.train))
    parts = [_part(stack, train, part, layers=layers) for part in _parts(stack, train)]
    columns = {key: torch.cat([p.columns[key] for p in parts]) for key in parts[0].columns}
    rows = [
        {key: torch.cat([p.layers[i][key] for p in parts]) for key in parts[0].layers[i]}
        for i in range(len(parts[0].layers))
    ]
    update_norm = stack.update_norm()
    if update_norm is not None:
        columns["update_norm"] = update_norm
    _add_update_ratios(stack, rows)
    return Measured(columns, rows, time.perf_counter() - started)


def _parts(stack: "Stack", train: "Split") -> Iterator[slice]:
    """Slices of the trial axis whose widest activation fits the cache."""
    widest = max(p.shape[-1] for p in stack.params)
    size = max(1, CACHE_ELEMENTS // (widest * max(len(train.x), len(stack.test.x))))
    for start in range(0, len(stack.positions), size):
        yield slice(start, start + size)


def _part(stack: "Stack", train: "Split", part: slice, *, layers: bool) -> Measured:
    params = [p.detach()[part].requires_grad_(layers) for p in stack.params]
    with torch.no_grad():
        columns = _evaluate(stack, params, stack.test, "test")
        columns["param_norm"] = norms(params)
    if not layers:
        with torch.no_grad():
            return Measured(columns | _evaluate(stack, params, train, "train"))
    trace = Trace()
    columns |= _evaluate(stack, params, train, "train", trace)
    return _backward(stack.model, params, columns, trace, len(train.x))


def _evaluate(
    stack: "Stack", params: Tensors, data: "Split", prefix: str, trace: Trace | None = None
) -> Columns:
    """Mean loss and score over a split, (K,) each."""
    x_KBD, y_KB = (t.expand(len(params[0]), *t.shape) for t in data)
    output_KBC = stack.model.forward(params, x_KBD, trace)
    loss_KB = stack.loss(output_KBC, y_KB)
    score_KB = stack.score(output_KBC.detach(), y_KB)
    return {f"{prefix}_loss": loss_KB.mean(1), f"{prefix}_score": score_KB.mean(1)}


def _backward(
    model: Model, params: Tensors, columns: Columns, trace: Trace, samples: int
) -> Measured:
    """Gradients of the summed loss, per parameter and per pre-activation."""
    total = columns["train_loss"].sum() * samples
    found = torch.autograd.grad(total, [*params, *trace.z])
    grads, deltas = list(found[: len(params)]), found[len(params) :]
    with torch.no_grad():
        torch._foreach_div_(grads, samples)  # of the mean loss
        columns = {key: value.detach() for key, value in columns.items()}
        columns["grad_norm"] = norms(grads)
        rows = []
        for i, layer in enumerate(model.layers):
            row = _layer(params[layer.weight], grads[layer.weight], trace.z[i], deltas[i])
            if i < len(model.layers) - 1:
                row |= _units(trace.h[i], model.saturation)
            rows.append(row)
    return Measured(columns, rows)


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
