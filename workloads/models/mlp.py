"""The multilayer perceptron on stacked tensors. Legend: K trials, B samples, D in, H out."""

import itertools

import torch

from ..activations import ACTIVATIONS, SATURATION
from ..initializers import INITIALIZERS
from ..modelspecs import Mlp as Spec
from ..problems.data import Data
from ..seeds import Stream, generator
from ..spec import TrialSpec
from .base import Layer, Trace
from .blocks import Between
from .linear import linear
from .taps import Product, Scaling

Ends = tuple[torch.Tensor, torch.Tensor]
"""What goes into an operation with parameters, and what comes out of it."""


class Mlp:
    """``depth`` hidden layers and a linear output: z_l = h_{l−1} W_l + b_l, h_l = φ(z_l).

    Norms and skips come between z_l and h_l, see :mod:`.blocks`; a trace has z before them.
    """

    tapeable = compilable = stackable = True

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        spec = trial.model
        assert isinstance(spec, Spec)
        self.sizes = [data.features, *[spec.width] * spec.depth, trial.shape.outputs]
        self.between = Between(spec, spec.depth, ACTIVATIONS[spec.activation])
        self.saturation = SATURATION.get(spec.activation)
        self.bias, self.depth = spec.bias, spec.depth
        self.units = max(self.sizes)
        self.per_layer = 1 + spec.bias + self.between.learned
        names = [f"hidden{i + 1}" for i in range(spec.depth)] + ["output"]
        self.layers = [Layer(name, (i * self.per_layer,)) for i, name in enumerate(names)]

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """See :class:`~.base.Model`: layer by layer w_DH, b_1H if any, γ_1H and β_1H if any."""
        assert isinstance(trial.model, Spec)
        init, g = trial.model.init, generator(trial.seed, Stream.INIT)
        params = []
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(self.sizes)):
            w_DH, b_H = INITIALIZERS[init.name](fan_in, fan_out, init, g)
            params += [w_DH, b_H.unsqueeze(0)] if self.bias else [w_DH]
            params += self.between.start((1, fan_out)) if i < self.depth else []
        return params

    def forward(
        self, params: list[torch.Tensor], x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`."""
        h_KBD, stream = x_KBD, None
        for i in range(self.depth):
            own = params[i * self.per_layer : (i + 1) * self.per_layer]
            a_KBD = h_KBD
            scaled: list[Ends] = []
            z_KBH = self._linear(own, a_KBD)
            h_KBD, stream = self.between(z_KBH, stream, own[1 + self.bias :], scaled)
            if trace is not None:
                trace.add(z_KBH, h_KBD)
                self._tap(trace, i, (a_KBD, z_KBH), scaled)
        z_KBC = self._linear(params[self.depth * self.per_layer :], h_KBD)
        if trace is not None:
            trace.add(z_KBC, z_KBC)
            self._tap(trace, self.depth, (h_KBD, z_KBC), [])
        return z_KBC

    def _tap(self, trace: Trace, layer: int, product: Ends, scaled: list[Ends]) -> None:
        """Note what a layer's parameters, in their order, do to what."""
        first, after = (layer * self.per_layer + n for n in (0, 1 + self.bias))
        trace.taps.append(Product(tuple(range(first, after)), *product))
        places = tuple(range(after, after + self.between.learned))
        trace.taps.extend(Scaling(places, *ends) for ends in scaled)

    def _linear(self, own: list[torch.Tensor], x_KBD: torch.Tensor) -> torch.Tensor:
        return linear(x_KBD, own[0], own[1] if self.bias else None)
