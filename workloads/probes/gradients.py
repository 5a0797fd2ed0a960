"""First-order measurements of a stack: losses, scores, norms, and per layer q and D.

Legend: K trials, B samples, H units of a layer. Per-sample δ_l = ∂loss/∂z_l of all samples come
from one backward pass of the *summed* loss: no per-sample gradient of a parameter is formed.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from ..imagespecs import ConvNet
from ..models import Layer, Trace
from ..modelspecs import Mlp
from ..optimizers import Tensors, each_norm, joint, norms
from ..step import Split, spread
from .base import Columns
from .first_update import Seen, first_update, has_layers

if TYPE_CHECKING:
    from ..stack import Stack

CACHE_ELEMENTS = 480_000
"""Trials are measured a few at a time, so that one layer's activations fit in a core's cache."""

FAINT = 1e-15
"""Norms below are taken once more in float64."""
LEAST = 1e-70
"""D_l below may come of numbers below float32's range."""


class Gradients:
    """The measurements of one stack.

    Run eagerly: recordings are too few, and their products too large, for a tape or a compiled
    function to win back what making it costs (measured).
    """

    def __init__(self, stack: "Stack") -> None:
        self.stack = stack
        self.subset = Split(*(t[: stack.record.samples] for t in stack.train))
        self.probe = Split(*(t[: stack.record.layer_samples] for t in stack.train))

    def measure(self, *, layers: bool, first: bool = False) -> Columns:
        """Measure every trial at its present parameters; ``layers`` runs a backward pass, too.

        ``first``: the nets are untrained, and their first updates are foreseen from that pass.
        """
        columns = self.losses()
        if layers:
            foreseen = first and has_layers(self.stack)
            measure = functools.partial(self._layers, first=foreseen)
            columns |= self._in_parts(measure, len(self.probe.x))
        if self.stack.moved:
            columns |= self._moved(layers=layers)
        return columns

    def losses(self) -> Columns:
        """Mean losses and scores over both splits, and parameter norms, (K,) each."""
        return self._in_parts(self._losses, max(len(self.subset.x), len(self.stack.test.x)))

    def _in_parts(self, measure: Callable[[slice], Columns], samples: int) -> Columns:
        """Measure a few trials at a time and put their values together again."""
        stack = self.stack
        of_trials = slices(len(stack.positions), samples * stack.model.units)
        parts = [measure(part) for part in of_trials]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    @torch.no_grad()
    def _moved(self, *, layers: bool) -> Columns:
        """‖θ(u) − θ(u−1)‖ of the last update, and ‖ΔW_l‖ / ‖W_l(u−1)‖ of each layer."""
        before = self.stack.before
        each = each_norm(list(torch._foreach_sub(self.stack.params, before)))
        columns = {"update_norm": joint(each)}
        if layers:
            for number, layer in enumerate(self.stack.model.layers, 1):
                ratio = joint(layer.of(each)) / norms(layer.of(before))
                columns[f"{number}.update_ratio"] = ratio
        return columns

    @torch.inference_mode()
    def _losses(self, part: slice) -> Columns:
        params = [p[part] for p in self.stack.params]
        columns: Columns = {}
        for name, split in (("train", self.subset), ("test", self.stack.test)):
            found = self.stack.step.evaluate(params, split)
            columns |= {f"{name}_loss": found.loss_K, f"{name}_score": found.score_K}
        return columns | {"param_norm": norms(params)}

    def _layers(self, part: slice, *, first: bool) -> Columns:
        """Gradients of the summed loss, per parameter and per pre-activation."""
        model, step, samples = self.stack.model, self.stack.step, len(self.probe.x)
        params = [p[part].detach().requires_grad_() for p in self.stack.params]
        split = spread(self.probe, params)
        trace = Trace()
        with torch.enable_grad():
            loss_KB = step.criterion.loss(model.forward(params, split.x, trace), split.y)
            ends = [*params, *trace.at]
            found = torch.autograd.grad(loss_KB.sum(), ends, materialize_grads=True)
        with torch.no_grad():
            each = each_norm(list(found[: len(params)]))
            torch._foreach_div_(each, samples)  # of the mean loss
            deltas = found[len(params) :]
            signals = _signals(deltas)
            columns = {"grad_norm": joint(each)} | self._factors(signals)
            for i, layer in enumerate(model.layers):
                row = _layer(layer, params, each)
                row |= {"q": _mean_square(trace.z[i]), "backward_signal": signals[i]}
                if i < len(model.layers) - 1:
                    row |= _units(trace.h[i], model.saturation)
                columns |= {f"{i + 1}.{name}": value_K for name, value_K in row.items()}
            if first:
                grads = [g / samples for g in found[: len(params)]]
                seen = Seen(params, grads, trace, split, loss_KB.detach().mean(1))
                columns |= first_update(self.stack, part, seen)
        return columns

    def _factors(self, signals: Tensors) -> Columns:
        """χ̂_l = D_l/D_{l+1} between hidden layers, and χ̂ of the net; see docs/probes.md."""
        spec = self.stack.trials[0].model
        if not isinstance(spec, Mlp | ConvNet):
            return {}
        if len(signals) < 3:
            return {}
        hidden_LK = torch.stack(signals[:-1])
        columns = {f"gradients/chi/{n}": chi_K for n, chi_K in enumerate(_ratios(hidden_LK), 1)}
        # With a norm or skips the first layer's z is on another scale than the others'.
        alike_LK = hidden_LK[int(spec.norm != "none" or spec.residual is not False) :]
        return columns | ({"gradients/chi": _factor(alike_LK)} if len(alike_LK) > 1 else {})


def slices(trials: int, elements: int) -> Iterator[slice]:
    """Parts of the trial axis whose widest activation, of ``elements`` a trial, fits the cache."""
    size = max(1, CACHE_ELEMENTS // elements)
    for start in range(0, trials, size):
        yield slice(start, start + size)


def _layer(layer: Layer, params: Tensors, grad_norms: Tensors) -> Columns:
    """Norms of the layer's weights and of their gradient."""
    weights = layer.of(params)
    grad_norm = joint(layer.of(grad_norms))
    return {
        "grad_norm": grad_norm,
        "grad_rms": grad_norm / sum(w[0].numel() for w in weights) ** 0.5,
        "weight_norm": norms(weights),
    }


def _signals(deltas: Sequence[torch.Tensor]) -> Tensors:
    """D_l = E‖δ_l‖²/n_l (Schoenholz 2017) of each layer, (K,) float64 each."""
    norms_LK = torch.stack(each_norm(list(deltas))).double()
    if (norms_LK < FAINT).any():
        # Squares of float32 numbers end at 1e-45, vanishing signals do not. Only theirs are
        # replaced: no trial's numbers may depend on its neighbours.
        precise_LK = torch.stack([each_norm([delta.double()])[0] for delta in deltas])
        norms_LK = torch.where(norms_LK < FAINT, precise_LK, norms_LK)
    pairs = zip(norms_LK, deltas, strict=True)
    return [norm_K.square() / delta[0].numel() for norm_K, delta in pairs]


def _mean_square(t: torch.Tensor) -> torch.Tensor:
    """q_l = E‖z_l‖²/n_l (Poole 2016)."""
    return each_norm([t])[0].square() / t[0].numel()


def _ratios(d_LK: torch.Tensor) -> torch.Tensor:
    """D_l/D_{l+1}, (L − 1, K); NaN where a signal is too faint for its square to be told from 0."""
    return torch.where(d_LK[1:] > LEAST, d_LK[:-1] / d_LK[1:], torch.nan)


def _factor(d_LK: torch.Tensor) -> torch.Tensor:
    """exp of the least-squares slope of ln D_l towards the input, (K,); NaN where a D_l is 0."""
    log_LK = d_LK.log()
    depth_L1 = torch.arange(len(d_LK), device=d_LK.device).double().flip(0).unsqueeze(1)
    off_L1 = depth_L1 - depth_L1.mean()
    factor_K = ((off_L1 * log_LK).sum(0) / off_L1.square().sum()).exp()
    return torch.where(log_LK.isfinite().all(0), factor_K, torch.nan)


def _units(h_KBH: torch.Tensor, saturation: tuple[float, float] | None) -> Columns:
    """Shares of zero entries, of units dead on every sample, and of saturated entries."""
    # Signs are counted, not comparisons: torch reduces booleans ten times slower than floats.
    active_KH = h_KBH.sign().abs_().sum(1).flatten(1)
    row = {
        "zero_share": 1 - active_KH.mean(1) / h_KBH.shape[1],
        "dead_share": (active_KH == 0).to(h_KBH.dtype).mean(1),
    }
    if saturation is not None:
        beyond_KBH = h_KBH.clamp(*saturation).sub_(h_KBH)
        row["saturated_share"] = beyond_KBH.sign_().abs_().flatten(1).mean(1)
    return row
