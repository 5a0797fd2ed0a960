"""Encoder and decoder of a variational autoencoder, side by side in one list of parameters.

Legend: K trials, B samples, D numbers of a sample, L latents.
"""

import torch

from ..activations import ACTIVATIONS, SATURATION
from ..latentspecs import Vae as Spec
from ..losses.evidence import bounded
from ..problems.data import Data
from ..seeds import Stream, generator
from ..spec import TrialSpec
from .base import Layer, Trace
from .dense import passed, started

Tensors = list[torch.Tensor]


class Vae:
    """Parameters are w_DH, b_1H of each layer, the encoder's first."""

    tapeable = compilable = stackable = True

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        spec = trial.model
        assert isinstance(spec, Spec)
        self.sizes = spec.sizes(trial.shape)
        self.latents = trial.shape.latents
        self.activation = ACTIVATIONS[spec.activation]
        self.saturation = SATURATION.get(spec.activation)
        self.units = max(*self.sizes[0], *self.sizes[1])
        self.encoder = 2 * (len(self.sizes[0]) - 1)
        """How many of the parameters are the encoder's."""
        own = [f"hidden{i + 1}" for i in range(spec.depth)] + ["output"]
        names = [f"{net}.{name}" for net in ("encoder", "decoder") for name in own]
        self.layers = [Layer(name, (2 * i,)) for i, name in enumerate(names)]

    def start(self, trial: TrialSpec) -> Tensors:
        """See :class:`~.base.Model`."""
        assert isinstance(trial.model, Spec)
        init, g = trial.model.init, generator(trial.seed, Stream.INIT)
        return [p for sizes in self.sizes for p in started(sizes, init, g)]

    def forward(
        self, params: Tensors, x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`; samples are [x, ε], outputs ``losses.evidence.Code``."""
        numbers = x_KBD.shape[2] - self.latents
        seen_KBD, noise_KBL = x_KBD.tensor_split((numbers,), 2)
        code_KB2L = passed(params[: self.encoder], seen_KBD, self.activation, trace)
        mean_KBL, log_KBL = code_KB2L.tensor_split(2, 2)
        # z = μ + σ ε (Kingma and Welling 2014, section 2.4): ε has no parameters.
        z_KBL = mean_KBL + (bounded(log_KBL) / 2).exp() * noise_KBL
        made_KBD = passed(params[self.encoder :], z_KBL, self.activation, trace)
        return torch.cat([made_KBD, code_KB2L], 2)
