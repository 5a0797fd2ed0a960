"""Regression losses; K trials, B samples, T numbers that are asked for. r = ŷ − y.

Each is the mean over a sample's T numbers.
"""

import math

import torch
from torch.nn.functional import logsigmoid

from .criterion import Values


def mse(output_KBT: torch.Tensor, target_KBT: torch.Tensor) -> torch.Tensor:
    """Squared error r², (K, B).

    Without a ½, as torch and Hastie et al. (2009), eq. 2.9, have it; Bishop (2006), eq. 3.12,
    has one.
    """
    return (output_KBT - target_KBT).square().mean(-1)


def mae(output_KBT: torch.Tensor, target_KBT: torch.Tensor) -> torch.Tensor:
    """Absolute error |r|, (K, B), least at the median; its gradient at r = 0 is 0.

    Source: Hastie et al. (2009), eq. 2.18.
    """
    return (output_KBT - target_KBT).abs().mean(-1)


def huber(delta: float) -> Values:
    """½r² where |r| ≤ δ, else δ(|r| − ½δ), (K, B). Source: Huber (1964)."""

    def loss(output_KBT: torch.Tensor, target_KBT: torch.Tensor) -> torch.Tensor:
        size_KBT = (output_KBT - target_KBT).abs()
        # With c = min(|r|, δ), both cases are c(|r| − ½c).
        near_KBT = size_KBT.clamp(max=delta)
        return (near_KBT * (size_KBT - near_KBT / 2)).mean(-1)

    return loss


def log_cosh(output_KBT: torch.Tensor, target_KBT: torch.Tensor) -> torch.Tensor:
    """log cosh r, (K, B): near ½r² for small errors, |r| − ln 2 for large ones.

    Source: Green (1990). Finite for any finite r: cosh itself is never formed.
    """
    # log cosh r = r + softplus(−2r) − ln 2
    r_KBT = output_KBT - target_KBT
    return (r_KBT - logsigmoid(2 * r_KBT)).mean(-1) - math.log(2)


def quantile(tau: float) -> Values:
    """τ(y − ŷ) below the target, (1 − τ)(ŷ − y) above it, (K, B): least at the τ-quantile.

    τ = ½ is half the absolute error. Source: Koenker and Bassett (1978).
    """

    def loss(output_KBT: torch.Tensor, target_KBT: torch.Tensor) -> torch.Tensor:
        r_KBT = output_KBT - target_KBT
        return torch.maximum(-tau * r_KBT, (1 - tau) * r_KBT).mean(-1)

    return loss


def r_squared(output_KBT: torch.Tensor, target_KBT: torch.Tensor) -> torch.Tensor:
    """R² = 1 − Σr² / Σ(y − ȳ)² over a split, (K,): 1 is perfect, 0 is saying the mean ȳ.

    Sums run over all T numbers, each with its own mean. Where no target varies it is −∞, or NaN.
    """
    spread_KBT = target_KBT - target_KBT.mean(1, keepdim=True)
    squares = ((output_KBT - target_KBT).square(), spread_KBT.square())
    error_K, total_K = (square_KBT.sum((1, 2)) for square_KBT in squares)
    return 1 - error_K / total_K
