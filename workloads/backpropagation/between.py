"""What lies between two layers' weights, backwards: the rows of the table in ``models.blocks``.

z: what a layer's weights give, s: the stream that skips carry on, h: what the next layer sees.
"""

from dataclasses import dataclass

import torch

from ..derivatives import Function
from ..modelparts import Layered
from . import norms

Tensors = list[torch.Tensor]


@dataclass(frozen=True)
class Block:
    """One layer's forward pass, and what its way back needs."""

    h: torch.Tensor
    stream: torch.Tensor
    """s_l."""
    into: torch.Tensor
    """What φ saw: s_l, or with ``pre_norm`` N(s_l)."""
    normalised: norms.Normalised | None
    late: bool
    branch: float | None
    """What N(z_l) was multiplied by before it was added to the stream; None: there is no skip."""

    def backward(
        self, d: torch.Tensor, d_stream: torch.Tensor | None, slope: Function
    ) -> tuple[torch.Tensor, torch.Tensor | None, Tensors]:
        """δ_l, ∂L/∂s_{l−1} by the skip alone, and the gradients of γ and β.

        ``d``: ∂L/∂h_l. ``d_stream``: ∂L/∂s_l by the skip that starts there. δ = d ⊙ φ'(z) is
        Rumelhart et al. (1986), eq. 4; where paths join, their derivatives add (He et al. 2016,
        Identity mappings, eq. 5).
        """
        d = d * slope(self.into)
        learned: Tensors = []
        if self.late and self.normalised is not None:
            d, learned = self.normalised.backward(d)
        if d_stream is not None:
            d = d + d_stream
        before = None if self.branch is None else d
        if self.branch is not None:
            d = d * self.branch
        if not self.late and self.normalised is not None:
            d, learned = self.normalised.backward(d)
        return d, before, learned


def forward(
    spec: Layered,
    depth: int,
    activation: Function,
    z: torch.Tensor,
    stream: torch.Tensor | None,
    learned: Tensors,
) -> Block:
    """From z_l and s_{l−1} of a net of ``depth`` hidden layers."""
    late, kept = spec.residual == "pre_norm", None
    branch: float | None = None
    if spec.norm != "none" and not late:
        z, kept = norms.forward(spec.norm, z, learned)
    if stream is not None and spec.residual is not False:
        branch = (depth - 1) ** -0.5 if spec.residual == "scaled" else 1.0
        z = stream + branch * z
    into = z
    if spec.norm != "none" and late:
        into, kept = norms.forward(spec.norm, z, learned)
    return Block(activation(into), z, into, kept, late, branch)
