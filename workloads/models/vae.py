"""Encoder and decoder of a variational autoencoder, side by side in one list of parameters.

Legend: K trials, B samples, D numbers of a sample, L latents.
"""

import torch

from ..latentspecs import Vae as Spec
from ..losses.evidence import bounded
from ..problems.data import Data
from ..spec import TrialSpec
from .base import Trace
from .dense import Pair, passed

Tensors = list[torch.Tensor]


class Vae(Pair):
    """Parameters are w_DH, b_1H of each layer, the encoder's first."""

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        del data
        spec = trial.model
        assert isinstance(spec, Spec)
        sizes = spec.sizes(trial.shape)
        super().__init__(("encoder", "decoder"), spec, sizes)
        self.latents = trial.shape.latents
        self.units = max(*sizes[0], *sizes[1])

    def forward(
        self, params: Tensors, x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`; samples are [x, ε], outputs ``losses.evidence.Code``."""
        numbers = x_KBD.shape[2] - self.latents
        seen_KBD, noise_KBL = x_KBD.tensor_split((numbers,), 2)
        code_KB2L = passed(params[: self.first], seen_KBD, self.activation, trace)
        mean_KBL, log_KBL = code_KB2L.tensor_split(2, 2)
        # z = μ + σ ε (Kingma and Welling 2014, section 2.4): ε has no parameters.
        z_KBL = mean_KBL + (bounded(log_KBL) / 2).exp() * noise_KBL
        made_KBD = passed(params[self.first :], z_KBL, self.activation, trace)
        return torch.cat([made_KBD, code_KB2L], 2)
