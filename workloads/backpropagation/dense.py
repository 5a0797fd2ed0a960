"""A dense layer backwards. K trials, B samples, D in, H out."""

import torch


def weights(h_KBD: torch.Tensor, delta_KBH: torch.Tensor) -> torch.Tensor:
    """∂L/∂W = Σ_b h_b δ_bᵀ, (K, D, H) (Rumelhart et al. 1986, eq. 6; Nielsen 2015, BP4)."""
    return torch.einsum("kbd,kbh->kdh", h_KBD, delta_KBH)


def bias(delta_KBH: torch.Tensor) -> torch.Tensor:
    """∂L/∂b = Σ_b δ_b, (K, 1, H) (Nielsen 2015, BP3)."""
    return delta_KBH.sum(1, keepdim=True)


def inputs(w_KDH: torch.Tensor, delta_KBH: torch.Tensor) -> torch.Tensor:
    """∂L/∂h = W δ, (K, B, D); times φ'(z) it is the δ before (Nielsen 2015, BP2)."""
    return torch.einsum("kdh,kbh->kbd", w_KDH, delta_KBH)
