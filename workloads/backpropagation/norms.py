"""Normalisation backwards, for z of (K, B, H) or (K, B, C, height, width)."""

from typing import NamedTuple

import torch

from ..models.blocks import EPSILON

Tensors = list[torch.Tensor]


class Normalised(NamedTuple):
    """What is kept of a forward pass: ẑ, 1/√(variance + ε), γ, and whether there is a β."""

    z: torch.Tensor
    inverse: torch.Tensor
    scale: torch.Tensor
    shifts: bool
    dims: tuple[int, ...]
    centred: bool

    def backward(self, d: torch.Tensor) -> tuple[torch.Tensor, Tensors]:
        """∂L/∂z, and ∂L/∂γ and perhaps ∂L/∂β, from ∂L/∂(γẑ + β).

        With d̂ = γd: ∂L/∂z = (d̂ − mean d̂ − ẑ · mean(d̂ẑ)) / √(variance + ε), means over what was
        normalised together (Ioffe and Szegedy 2015, section 3, its equations joined). Without a
        mean that was taken away, the term mean d̂ is not there (Zhang and Sennrich 2019).
        """
        inner = d * self.scale
        along = (inner * self.z).mean(self.dims, keepdim=True)
        back = inner - self.z * along
        if self.centred:
            back = back - inner.mean(self.dims, keepdim=True)
        others = (1, *range(3, d.ndim))  # a γ and a β for each unit, or channel
        learned = [(d * self.z).sum(others, keepdim=True)]
        if self.shifts:
            learned.append(d.sum(others, keepdim=True))
        return back * self.inverse, learned


def forward(name: str, z: torch.Tensor, learned: Tensors) -> tuple[torch.Tensor, Normalised]:
    """γẑ + β and what its way back needs; the norms of :mod:`..models.blocks`."""
    dims = (1, *range(3, z.ndim)) if name == "batch" else tuple(range(2, z.ndim))
    centred = name != "rms"
    off = z - z.mean(dims, keepdim=True) if centred else z
    inverse = (off.square().mean(dims, keepdim=True) + EPSILON).rsqrt()
    scale, *shift = learned
    kept = Normalised(off * inverse, inverse, scale, bool(shift), dims, centred)
    out = kept.z * scale
    return (out + shift[0] if shift else out), kept
