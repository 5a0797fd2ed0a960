"""Losses of a game between a generator G and a discriminator D with logits D(·).

Each game has two losses. What is recorded as the loss is the generator's; what is followed is
the gradient of each player's own, both at the same point (simultaneous gradient descent).
Legend: K trials, B samples, M modes.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch.nn.functional import softplus

from .criterion import Values


class Verdicts(NamedTuple):
    """What the losses are made of, columns of ``models.gan``'s output; (K, B) each but the last.

    ``real``: D(x). ``fake``: D(G(z)), with G held constant. ``through``: D(G(z)), with D held
    constant. ``slope``: ‖∇D‖ between x and G(z), 0 where the loss does not ask for it.
    ``made_KBD``: G(z).
    """

    real: torch.Tensor
    fake: torch.Tensor
    through: torch.Tensor
    slope: torch.Tensor
    made_KBD: torch.Tensor

    @classmethod
    def of(cls, output_KBC: torch.Tensor) -> "Verdicts":
        """Take outputs apart."""
        real, fake, through, slope = output_KBC[..., :4].unbind(-1)
        return cls(real, fake, through, slope, output_KBC[..., 4:])


Loss = Callable[[Verdicts], torch.Tensor]
"""A player's loss of every sample, (K, B)."""

NEAR = 3.0
"""A made sample is of high quality within so many deviations of a mode (Metz et al. 2017)."""
COVERED_SHARE = 0.01
"""A mode is covered when at least this share of the made samples lies so near to it."""


def saturating(v: Verdicts) -> torch.Tensor:
    """log(1 − σ(D(G(z)))), the generator's loss of the minimax game.

    Flat where the discriminator wins: its gradient goes to zero with σ(D(G(z))).
    Source: Goodfellow et al. (2014), eq. 1.
    """
    return -softplus(v.through)


def nonsaturating(v: Verdicts) -> torch.Tensor:
    """−log σ(D(G(z))), steep where the discriminator wins (Goodfellow et al. 2014, section 3)."""
    return softplus(-v.through)


def critic(v: Verdicts) -> torch.Tensor:
    """−D(G(z)), the generator's loss with a hinge and with a critic."""
    return -v.through


def logistic(v: Verdicts) -> torch.Tensor:
    """−log σ(D(x)) − log(1 − σ(D(G(z)))), the discriminator's loss (Goodfellow et al. 2014)."""
    return softplus(-v.real) + softplus(v.fake)


def hinge(v: Verdicts) -> torch.Tensor:
    """max(0, 1 − D(x)) + max(0, 1 + D(G(z))) (Lim and Ye 2017, Geometric GAN)."""
    return torch.relu(1 - v.real) + torch.relu(1 + v.fake)


def wasserstein(penalty: float) -> Loss:
    """D(G(z)) − D(x) + λ (‖∇D(x̂)‖ − 1)² (Gulrajani et al. 2017, eq. 3)."""

    def loss(v: Verdicts) -> torch.Tensor:
        return v.fake - v.real + penalty * (v.slope - 1).square()

    return loss


GAMES: dict[str, Callable[[Any], tuple[Loss, Loss]]] = {
    "gan_minimax": lambda _: (saturating, logistic),
    "gan_nonsaturating": lambda _: (nonsaturating, logistic),
    "gan_hinge": lambda _: (critic, hinge),
    "gan_wasserstein": lambda spec: (critic, wasserstein(spec.penalty)),
}
"""Name of a loss -> the generator's and the discriminator's."""


def game(generator: Loss, discriminator: Loss) -> Values:
    """The generator's loss, (K, B), with the gradients of both players' own losses."""

    def loss(output_KBC: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        verdicts = Verdicts.of(output_KBC)
        other_KB = discriminator(verdicts)
        # Adds nothing to the value, and the discriminator's gradient to the gradient: neither
        # loss depends on the other player's parameters (see models.gan).
        return generator(verdicts) + (other_KB - other_KB.detach())

    return loss


def coverage(output_KBC: torch.Tensor, mode_KB3: torch.Tensor) -> torch.Tensor:
    """Share of the modes that are covered, (K,): the score."""
    covered_KM = _near(output_KBC, mode_KB3).to(output_KBC.dtype).mean(1) >= COVERED_SHARE
    return covered_KM.to(output_KBC.dtype).mean(1)


def measures(discriminator: Loss) -> Mapping[str, Values]:
    """The number of covered modes, the share of samples near a mode, the discriminator's loss."""

    def modes_covered(output_KBC: torch.Tensor, mode_KB3: torch.Tensor) -> torch.Tensor:
        return coverage(output_KBC, mode_KB3) * len(_modes(mode_KB3))

    def high_quality_share(output_KBC: torch.Tensor, mode_KB3: torch.Tensor) -> torch.Tensor:
        return _near(output_KBC, mode_KB3).any(2).to(output_KBC.dtype).mean(1)

    def discriminator_loss(output_KBC: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return discriminator(Verdicts.of(output_KBC)).mean(1)

    return {
        "modes_covered": modes_covered,
        "high_quality_share": high_quality_share,
        "discriminator_loss": discriminator_loss,
    }


def _near(output_KBC: torch.Tensor, mode_KB3: torch.Tensor) -> torch.Tensor:
    """Which made samples lie within three deviations of which mode, (K, B, M)."""
    mode_M3 = _modes(mode_KB3)
    made_KB1D = Verdicts.of(output_KBC).made_KBD.unsqueeze(2)
    distance_KBM: torch.Tensor = torch.linalg.vector_norm(made_KB1D - mode_M3[:, :2], dim=-1)
    return distance_KBM <= NEAR * mode_M3[:, 2]


def _modes(mode_KB3: torch.Tensor) -> torch.Tensor:
    """The modes that the real samples are from, mean and deviation, (M, 3); each once."""
    modes_M3: torch.Tensor = torch.unique(mode_KB3[0], dim=0)
    return modes_M3
