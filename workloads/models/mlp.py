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
from .linear import linear


class Mlp:
    """``depth`` hidden layers and a linear output: h_l = φ(h_{l−1} W_l + b_l)."""

    tapeable = stackable = True

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        spec = trial.model
        assert isinstance(spec, Spec)
        self.sizes = [data.features, *[spec.width] * spec.depth, trial.shape.outputs]
        self.activation = ACTIVATIONS[spec.activation]
        self.saturation = SATURATION.get(spec.activation)
        self.bias = spec.bias
        self.units = max(self.sizes)
        self.per_layer = 2 if spec.bias else 1
        names = [f"hidden{i + 1}" for i in range(spec.depth)] + ["output"]
        self.layers = [Layer(name, (i * self.per_layer,)) for i, name in enumerate(names)]

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """See :class:`~.base.Model`: w_DH and, where there are biases, b_1H, layer by layer."""
        assert isinstance(trial.model, Spec)
        init, g = trial.model.init, generator(trial.seed, Stream.INIT)
        params = []
        for fan_in, fan_out in itertools.pairwise(self.sizes):
            w_DH, b_H = INITIALIZERS[init.name](fan_in, fan_out, init, g)
            params += [w_DH, b_H.unsqueeze(0)] if self.bias else [w_DH]
        return params

    def forward(
        self, params: list[torch.Tensor], x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`."""
        h_KBD = x_KBD
        for i in range(len(self.layers)):
            z_KBH = self._linear(params, i, h_KBD)
            last = i == len(self.layers) - 1
            h_KBD = z_KBH if last else self.activation(z_KBH)
            if trace is not None:
                trace.add(z_KBH, h_KBD)
        return h_KBD

    def _linear(self, params: list[torch.Tensor], i: int, x_KBD: torch.Tensor) -> torch.Tensor:
        b_K1H = params[i * self.per_layer + 1] if self.bias else None
        return linear(x_KBD, params[i * self.per_layer], b_K1H)
