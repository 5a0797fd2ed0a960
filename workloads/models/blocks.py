"""What lies between two layers' weights: normalisation, skip and activation, for every net.

z: what a layer's weights give, s: the stream that skips carry on, h: what the next layer sees.

    residual   stream                       next layer sees
    false      s_l = N(z_l)                 h_l = φ(s_l)
    plain      s_l = s_{l−1} + N(z_l)       h_l = φ(s_l)
    scaled     s_l = s_{l−1} + N(z_l)/√L    h_l = φ(s_l)
    pre_norm   s_l = s_{l−1} + z_l          h_l = φ(N(s_l))

N is the norm, or nothing. The stream starts at the first layer, s_1 = N(z_1), or z_1 with
pre_norm, so that L = depth − 1 blocks follow. A block is s ← s + W φ(s) + b, the pre-activation
form (He et al. 2016, Identity Mappings): weights stand last, so a branch is independent of the
stream at the start, and with ReLU and He's weights, where E‖W φ(s)‖² = E‖s‖², each block doubles
E‖s‖²; divided by √L it multiplies it by 1 + 1/L. (Of s ← s + φ(W s), whose branch is never
negative, the mean grows along: towards 2.9 for each block.)
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from ..modelparts import Layered

EPSILON = 1e-5
"""Added to variances and mean squares, as in torch.nn."""

Function = Callable[[torch.Tensor], torch.Tensor]


def batch(z: torch.Tensor) -> torch.Tensor:
    """(z − mean) / √(variance + ε) of a unit over the samples, of a channel over pixels, too.

    Source: Ioffe and Szegedy 2015. The statistics are always those of the samples at hand.
    """
    return _standardised(z, (1, *range(3, z.ndim)))


def layer(z: torch.Tensor) -> torch.Tensor:
    """(z − mean) / √(variance + ε) of a sample over all its units (Ba et al. 2016)."""
    return _standardised(z, tuple(range(2, z.ndim)))


def rms(z: torch.Tensor) -> torch.Tensor:
    """z / √(mean of z² + ε) of a sample over all its units (Zhang and Sennrich 2019)."""
    square = z.square().mean(tuple(range(2, z.ndim)), keepdim=True)
    return z * (square + EPSILON).rsqrt()


def _standardised(z: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    variance, mean = torch.var_mean(z, dims, correction=0, keepdim=True)
    return (z - mean) * (variance + EPSILON).rsqrt()


class Norm(NamedTuple):
    """A normalisation of z of (K, B, H) or (K, B, C, height, width)."""

    function: Function
    shifts: bool
    """Whether a learned shift β, from 0, follows the learned scale γ, from 1."""

    def start(self, shape: tuple[int, ...]) -> list[torch.Tensor]:
        """γ and perhaps β of one trial; the shape is (1, H) or (1, C, 1, 1)."""
        scale = torch.ones(shape, dtype=torch.float64)
        return [scale, torch.zeros_like(scale)] if self.shifts else [scale]

    def __call__(
        self, z: torch.Tensor, learned: list[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """γ ẑ + β, and ẑ."""
        scale, *shift = learned
        normalised = self.function(z)
        scaled = normalised * scale
        return scaled + shift[0] if shift else scaled, normalised


NORMS: dict[str, Norm | None] = {
    "none": None,
    "batch": Norm(batch, shifts=True),
    "layer": Norm(layer, shifts=True),
    "rms": Norm(rms, shifts=False),
}


class Between:
    """The rows of the table above, for nets of ``depth`` hidden layers."""

    def __init__(self, spec: Layered, depth: int, activation: Function) -> None:
        self.norm, self.activation = NORMS[spec.norm], activation
        self.residual = spec.residual
        self.branch = max(1, depth - 1) ** -0.5 if spec.residual == "scaled" else 1.0
        self.learned = 0 if self.norm is None else 1 + self.norm.shifts
        """Parameters that each layer has for its norm."""

    def start(self, shape: tuple[int, ...]) -> list[torch.Tensor]:
        """What one layer's norm learns, as it starts, for one trial."""
        return [] if self.norm is None else self.norm.start(shape)

    def __call__(
        self,
        z: torch.Tensor,
        stream: torch.Tensor | None,
        learned: list[torch.Tensor],
        seen: list[tuple[torch.Tensor, torch.Tensor]] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(h_l, s_l) from z_l and s_{l−1}; there is no stream before the first layer.

        ``seen``: where there is a norm, (ẑ, γ ẑ + β) is added to it.
        """
        late = self.residual == "pre_norm"
        if not late:
            z = self._normalised(z, learned, seen)
        if stream is not None and self.residual is not False:
            z = torch.add(stream, z, alpha=self.branch)
        return self.activation(self._normalised(z, learned, seen) if late else z), z

    def _normalised(
        self,
        z: torch.Tensor,
        learned: list[torch.Tensor],
        seen: list[tuple[torch.Tensor, torch.Tensor]] | None,
    ) -> torch.Tensor:
        if self.norm is None:
            return z
        out, normalised = self.norm(z, learned)
        if seen is not None:
            seen.append((normalised, out))
        return out
