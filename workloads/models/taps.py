"""Where parameters meet samples: what gradients of single samples can be read from.

Of a layer z = a W + b, the gradient of sample i is a_iᵀ δ_i and δ_i, with δ = ∂loss/∂z: its
norms and squares follow from a and δ, which a backward pass has anyway, and the gradients
themselves are never formed (Goodfellow 2015, Efficient per-example gradient computations).
Legend: K trials, B samples, D in, H out.
"""

import itertools
from dataclasses import dataclass

import torch

from ..optimizers import Tensors, each_norm


@dataclass(frozen=True)
class Product:
    """z = a W, and + b: ``places`` of W, and of b if any, among the parameters."""

    places: tuple[int, ...]
    a_KBD: torch.Tensor
    out: torch.Tensor

    def squares(self, delta_KBH: torch.Tensor) -> Tensors:
        """Σ_i g_i² of each parameter: (a²)ᵀ δ² is (K, D, H), and Σ δ² is (K, 1, H)."""
        square_KBH = delta_KBH.square()
        of_weights = torch.bmm(self.a_KBD.to(delta_KBH.dtype).square().mT, square_KBH)
        return [of_weights, square_KBH.sum(1, keepdim=True)][: len(self.places)]


@dataclass(frozen=True)
class Scaling:
    """s = γ ẑ, and + β: ``places`` of γ, and of β if any, among the parameters."""

    places: tuple[int, ...]
    z_KBH: torch.Tensor
    out: torch.Tensor

    def squares(self, delta_KBH: torch.Tensor) -> Tensors:
        """Σ_i g_i² of each parameter, (K, 1, H): Σ (δ ẑ)² and Σ δ²."""
        parts = [delta_KBH * self.z_KBH, delta_KBH][: len(self.places)]
        return [part.square().sum(1, keepdim=True) for part in parts]


Tap = Product | Scaling


FEW = 10_000
"""Numbers up to which putting tensors together costs less than an operation for each of them."""


def norms_of_samples(taps: list[Tap], deltas: Tensors) -> torch.Tensor:
    """Norms of every sample that its gradient's norm follows from, (K, M·B); see :func:`totals`.

    This runs in every update: as few operations as can be.

    Args:
        taps: of all parameters; the first is that of the layer which sees the samples.
        deltas: δ at each tap's ``out``.
    """
    pairs = list(zip(taps, deltas, strict=True))
    products = [(tap.a_KBD, delta) for tap, delta in pairs if isinstance(tap, Product)]
    found = [a_KBD for a_KBD, _ in products[1:]] + [delta for _, delta in products]
    for tap, delta in pairs:
        if isinstance(tap, Scaling):
            found += [delta * tap.z_KBH, delta][: len(tap.places)]
    parts = [_norms(t) for t in _together(found)]
    return torch.cat(parts, 1) if parts[1:] else parts[0]


def norms_of_gradients(grads: Tensors) -> torch.Tensor:
    """Norms whose squares sum up to ‖G‖², (P, K)."""
    return torch.stack(each_norm(_together(grads)))


def _together(tensors: Tensors) -> Tensors:
    """The tensors in their order, (K, …, H), small ones of one H that follow each other as one."""
    found: Tensors = []
    for _, run in itertools.groupby(tensors, lambda t: t.shape[-1]):
        several = list(run)
        size = sum(t.numel() for t in several)
        # While a step is traced for packs of every size, K is no number and counts as many.
        few = isinstance(size, int) and size <= FEW and len(several) > 1
        found += [torch.cat(several, 1)] if few else several
    return found


def _norms(t_KBH: torch.Tensor) -> torch.Tensor:
    """The norm of every sample, (K, B)."""
    if t_KBH.stride(-1) == 1:
        norm_KB: torch.Tensor = torch.linalg.vector_norm(t_KBH, dim=2)
        return norm_KB
    # What lies transposed in memory takes vector_norm thirty times as long (measured on a CPU).
    return t_KBH.square().sum(2).sqrt()


def totals(
    norms_UKM: torch.Tensor, x_UKB: torch.Tensor, layers: int, *, bias: bool
) -> torch.Tensor:
    """Σ_i ‖g_i‖² over all samples of U updates, (K,), in float64.

    ‖a_iᵀ δ_i‖² = ‖a_i‖² ‖δ_i‖², and of a bias ‖δ_i‖². First come ‖a_i‖ of each of the layers but
    the first, whose inputs are the samples, then ‖δ_i‖ of each layer, then the norms of whatever
    else is the gradient of a parameter as it is.

    Args:
        norms_UKM: what :func:`norms_of_samples` gave in each update, (U, K, M·B).
        x_UKB: norms of the samples.
        layers: products of the net.
        bias: whether they have biases.
    """
    square_UKMB = norms_UKM.square().unflatten(2, (-1, x_UKB.shape[2]))
    inputs, deltas = square_UKMB[:, :, : layers - 1], square_UKMB[:, :, layers - 1 :]
    parts = [(x_UKB.square() * deltas[:, :, 0]).unsqueeze(2), inputs * deltas[:, :, 1:layers]]
    parts += [deltas if bias else deltas[:, :, layers:]]
    sums = [part.sum((0, 2, 3), dtype=torch.float64) for part in parts if part.shape[2]]
    return torch.stack(sums).sum(0)
