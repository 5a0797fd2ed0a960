"""The evidence lower bound of a variational autoencoder, in nats.

Legend: K trials, B samples, D numbers x of a sample, L latents z.
"""

import math
from typing import NamedTuple

import torch
from torch.nn.functional import softplus

from .criterion import Values

LARGEST_LOG = 20.0
"""Log-variances count as at most this, up and down: exp would leave float32's range at 88."""


class Code(NamedTuple):
    """What the bound is made of, columns of ``models.vae``'s output.

    ``made_KBD``: the decoder's outputs for one z of each sample. ``mean_KBL``, ``log_KBL``: mean
    and log-variance of q(z|x), a Gaussian of independent components.
    """

    made_KBD: torch.Tensor
    mean_KBL: torch.Tensor
    log_KBL: torch.Tensor

    @classmethod
    def of(cls, output_KBC: torch.Tensor, x_KBD: torch.Tensor) -> "Code":
        """Take outputs apart."""
        numbers = x_KBD.shape[2]
        latents = (output_KBC.shape[2] - numbers) // 2
        made, mean, log = output_KBC.split((numbers, latents, latents), 2)
        return cls(made, mean, bounded(log))


def bounded(log_KBL: torch.Tensor) -> torch.Tensor:
    """Log-variances within what their exponentials stay finite for."""
    return log_KBL.clamp(-LARGEST_LOG, LARGEST_LOG)


def divergence(output_KBC: torch.Tensor, x_KBD: torch.Tensor) -> torch.Tensor:
    """KL(q(z|x)‖N(0, I)) = ½ Σ_l (μ_l² + σ_l² − ln σ_l² − 1), (K, B).

    Source: Kingma and Welling (2014), appendix B.
    """
    _, mean_KBL, log_KBL = Code.of(output_KBC, x_KBD)
    return (mean_KBL.square() + log_KBL.exp() - log_KBL - 1).sum(2) / 2


def bernoulli(output_KBC: torch.Tensor, x_KBD: torch.Tensor) -> torch.Tensor:
    """−ln p(x|z) = Σ_d ln(1 + exp a_d) − x_d a_d for logits a, (K, B).

    Source: Kingma and Welling (2014), appendix C.1. Of x between 0 and 1 it is the mean of that
    of pixels that are 1 with probability x_d.
    """
    logit_KBD = Code.of(output_KBC, x_KBD).made_KBD
    return (softplus(logit_KBD) - x_KBD * logit_KBD).sum(2)


def gaussian(deviation: float) -> Values:
    """−ln p(x|z) = Σ_d (x_d − a_d)²/(2s²) + ½ ln(2πs²) for means a and a fixed deviation s, (K, B).

    Source: Kingma and Welling (2014), appendix C.2.
    """
    constant = math.log(2 * math.pi * deviation**2) / 2

    def reconstruction(output_KBC: torch.Tensor, x_KBD: torch.Tensor) -> torch.Tensor:
        off_KBD = x_KBD - Code.of(output_KBC, x_KBD).made_KBD
        return (off_KBD.square() / (2 * deviation**2) + constant).sum(2)

    return reconstruction


def minus_elbo(reconstruction: Values, beta: float) -> Values:
    """−ln p(x|z) + β·KL(q(z|x)‖N(0, I)), (K, B), with one z for each sample.

    β = 1 is the bound itself (Kingma and Welling 2014, eq. 10); others: Higgins et al. (2017).
    """

    def loss(output_KBC: torch.Tensor, x_KBD: torch.Tensor) -> torch.Tensor:
        kl_KB = divergence(output_KBC, x_KBD)
        return reconstruction(output_KBC, x_KBD) + beta * kl_KB

    return loss


def mean_of(values: Values, sign: int = 1) -> Values:
    """The mean over samples, (K,)."""

    def mean(output_KBC: torch.Tensor, x_KBD: torch.Tensor) -> torch.Tensor:
        return sign * values(output_KBC, x_KBD).mean(1)

    return mean
