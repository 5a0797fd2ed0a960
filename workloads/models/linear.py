"""The linear map of a layer, for every model. Legend: K trials, B samples, D in, H out."""

import torch

NARROW = 16
"""Outputs below which a product is computed transposed: CPU libraries vectorise along the
innermost dimension, and 10 classes fill a 16-lane register badly (4 times slower, measured)."""
MANY = 16
"""Samples from which on that pays."""


def linear(
    x_KBD: torch.Tensor, w_KDH: torch.Tensor, b_K1H: torch.Tensor | None = None
) -> torch.Tensor:
    """x W + b for each trial, (K, B, H)."""
    if w_KDH.shape[2] < NARROW and x_KBD.shape[1] >= MANY:
        # (Wᵀ xᵀ)ᵀ: samples become the innermost dimension, in the backward pass as well.
        if b_K1H is None:
            return torch.bmm(w_KDH.mT, x_KBD.mT).mT
        return torch.baddbmm(b_K1H.mT, w_KDH.mT, x_KBD.mT).mT
    if b_K1H is None:
        return torch.bmm(x_KBD, w_KDH)
    return torch.baddbmm(b_K1H, x_KBD, w_KDH)
