"""Generator and discriminator, side by side in one list of parameters.

Legend: K trials, B samples, D = 2 numbers of a point, L latents, H units of a layer.

Both players move at once. That takes one backward pass and no second step: each loss sees the
other player's parameters as constants (``detach``), so that the gradient of the sum of both
losses is, in each player's parameters, that of its own loss (see ``losses.adversarial``).
"""

import torch

from ..derivatives import DERIVATIVES
from ..gamespecs import Gan as Spec
from ..gamespecs import GanWasserstein
from ..problems.data import Data
from ..spec import TrialSpec
from .base import Trace
from .dense import Pair, passed
from .linear import linear

Tensors = list[torch.Tensor]


class Gan(Pair):
    """Parameters are w_DH, b_1H of each layer, the generator's first."""

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        del data
        spec = trial.model
        assert isinstance(spec, Spec)
        sizes = spec.sizes(trial.problem.shape)
        super().__init__(("generator", "discriminator"), spec, sizes)
        self.derivative = DERIVATIVES[spec.activation]
        self.penalised = isinstance(trial.loss, GanWasserstein)
        # The discriminator sees real samples and made ones.
        self.units = max(sizes[0] + [2 * size for size in sizes[1]])

    def forward(
        self, params: Tensors, x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`; outputs are ``losses.adversarial.Verdicts``.

        A trace of the discriminator has 2 B samples: the real ones, then the made ones.
        """
        real_KBD, z_KBL, weight_KB1 = x_KBD.tensor_split((2, x_KBD.shape[2] - 1), 2)
        player, judge = params[: self.first], params[self.first :]
        made_KBD = passed(player, z_KBL, self.activation, trace)
        fixed_KBD = made_KBD.detach()
        both_KBD = torch.cat([real_KBD, fixed_KBD], 1)
        judged_KB1 = passed(judge, both_KBD, self.activation, trace)
        real_KB1, fake_KB1 = judged_KB1.chunk(2, 1)
        through_KB1 = passed([p.detach() for p in judge], made_KBD, self.activation)
        slope_KB1 = torch.zeros_like(real_KB1)
        if self.penalised:
            # x̂ = u x + (1 − u) G(z) (Gulrajani et al. 2017, algorithm 1)
            between_KBD = fixed_KBD + weight_KB1 * (real_KBD - fixed_KBD)
            slope_KB1 = self._slope(judge, between_KBD).unsqueeze(-1)
        return torch.cat([real_KB1, fake_KB1, through_KB1, slope_KB1, made_KBD], 2)

    def _slope(self, net: Tensors, x_KBD: torch.Tensor) -> torch.Tensor:
        """‖∂D/∂x‖ of every sample, (K, B), by the layer-wise equations of backpropagation.

        Written out, it is a forward computation like any other, and its gradient by the
        parameters takes one backward pass, where autograd would need a graph of its own graph.
        """
        h_KBD, slopes = x_KBD, []
        for i in range(0, len(net) - 2, 2):
            z_KBH = linear(h_KBD, net[i], net[i + 1])
            slopes.append(self.derivative(z_KBH))
            h_KBD = self.activation(z_KBH)
        # δ_L = w_L; δ_{l−1} = (δ_l ⊙ φ'(z_{l−1})) W_{l−1}ᵀ
        delta_KBH = net[-2].mT.expand(-1, x_KBD.shape[1], -1)
        for w_KDH, slope_KBH in zip(net[-4::-2], reversed(slopes), strict=True):
            delta_KBH = torch.bmm(delta_KBH * slope_KBH, w_KDH.mT)
        slope_KB: torch.Tensor = torch.linalg.vector_norm(delta_KBH, dim=-1)
        return slope_KB
