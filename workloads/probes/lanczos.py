"""Extreme eigenvalues of K symmetric matrices at once, known only by their products.

Lanczos 1950, in the form of Golub and Van Loan, Matrix Computations (2013), section 10.1, with
full reorthogonalisation in float64. Legend: K matrices, P their dimension, M iterations.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

EXHAUSTED = 1e-12
"""A next vector of this size, relative to the matrix, is rounding: the subspace is invariant."""
ROUNDING = 1e-12
"""Eigenvalues of this size, relative to the largest in size, are 0 to rounding."""


class Extremes(NamedTuple):
    """Algebraically smallest and largest Ritz value, (K,); NaN where a product was not finite.

    Both lie inside the spectrum: a positive semidefinite matrix has no negative one.
    ``residual_K``: ‖Hy − λy‖ of the largest one's vector y: so near is an eigenvalue.
    """

    smallest_K: torch.Tensor
    largest_K: torch.Tensor
    residual_K: torch.Tensor


def extremes(
    product: Callable[[torch.Tensor], torch.Tensor], start_KP: torch.Tensor, iterations: int
) -> Extremes:
    """The extreme eigenvalues by at most so many products, and by P at most.

    Args:
        product: (K, P) -> (K, P), each row times its own matrix.
        start_KP: random float64 vectors; what they are orthogonal to is never found.
        iterations: products; as many as P (then it is exact) or more are P.
    """
    steps = min(iterations, start_KP.shape[1])
    basis_KMP = start_KP.new_zeros(len(start_KP), steps, start_KP.shape[1])
    alpha_MK, beta_MK = start_KP.new_zeros(2, steps, len(start_KP))
    q_KP = start_KP / torch.linalg.vector_norm(start_KP, dim=1, keepdim=True)
    scale_K = torch.zeros_like(beta_MK[0])
    for i in range(steps):
        basis_KMP[:, i] = q_KP
        w_KP = product(q_KP)
        alpha_MK[i] = (w_KP * q_KP).sum(1)
        # Twice is enough (Parlett 1998, section 6.9).
        w_KP = _without(_without(w_KP, basis_KMP[:, : i + 1]), basis_KMP[:, : i + 1])
        beta_K = torch.linalg.vector_norm(w_KP, dim=1)
        scale_K = torch.maximum(scale_K, torch.maximum(alpha_MK[i].abs(), beta_K))
        beta_MK[i] = torch.where(beta_K <= EXHAUSTED * scale_K, 0.0, beta_K)
        q_KP = torch.where(beta_MK[i].unsqueeze(1) == 0, 0.0, w_KP / beta_K.unsqueeze(1))
    return _ritz(_padded(alpha_MK, beta_MK).T, beta_MK.T)


def _without(w_KP: torch.Tensor, basis_KMP: torch.Tensor) -> torch.Tensor:
    """w less its projection onto the basis."""
    inside_KM1 = basis_KMP @ w_KP.unsqueeze(2)
    return w_KP - (basis_KMP.mT @ inside_KM1).squeeze(2)


def _padded(alpha_MK: torch.Tensor, beta_MK: torch.Tensor) -> torch.Tensor:
    """The diagonal, where a subspace was exhausted filled up with what changes no extreme.

    The first entry is a Rayleigh quotient and lies between the extremes; zeros might not.
    """
    after_MK = (beta_MK == 0).cumsum(0).roll(1, 0) > 0
    after_MK[0] = False
    return torch.where(after_MK, alpha_MK[0], alpha_MK)


def _ritz(alpha_KM: torch.Tensor, beta_KM: torch.Tensor) -> Extremes:
    """Eigenvalues of the tridiagonal matrices."""
    finite_K = alpha_KM.isfinite().all(1) & beta_KM.isfinite().all(1)
    # One matrix that is not finite would end the decomposition of all.
    alpha_KM, beta_KM = (t.where(finite_K.unsqueeze(1), 0.0) for t in (alpha_KM, beta_KM))
    side_KMM = torch.diag_embed(beta_KM[:, :-1], 1)
    values_KM, vectors_KMM = torch.linalg.eigh(torch.diag_embed(alpha_KM) + side_KMM + side_KMM.mT)
    residual_K = (beta_KM[:, -1] * vectors_KMM[:, -1, -1]).abs()
    ends_K2 = values_KM[:, [0, -1]]
    tiny_K2 = ends_K2.abs() <= ROUNDING * values_KM.abs().amax(1, keepdim=True)
    smallest_K, largest_K = torch.where(tiny_K2, 0.0, ends_K2).unbind(1)
    return Extremes(*(t.where(finite_K, torch.nan) for t in (smallest_K, largest_K, residual_K)))
