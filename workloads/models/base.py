"""What the engine needs of a model. K trials, B samples, D inputs, C outputs."""

from dataclasses import dataclass, field
from typing import Protocol

import torch

from ..spec import TrialSpec
from .taps import Tap


@dataclass(frozen=True)
class Layer:
    """One measured layer: its name, and which of the parameters hold its weights."""

    name: str
    weights: tuple[int, ...]

    def of(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        """Those of the tensors, one for each parameter, that belong to this layer's weights."""
        return [tensors[i] for i in self.weights]


@dataclass(frozen=True)
class Trace:
    """What a forward pass leaves of every layer, input side first, (K, B, …) each.

    ``z``: pre-activations. ``h``: activations. ``at``: the tensors of the graph that the loss
    must be differentiated by to get δ; the pre-activations themselves, or terms of them.
    ``taps``: where parameters meet samples, of nets that say so: all of their parameters then.
    """

    z: list[torch.Tensor] = field(default_factory=list)
    h: list[torch.Tensor] = field(default_factory=list)
    at: list[torch.Tensor] = field(default_factory=list)
    taps: list[Tap] = field(default_factory=list)
    images: list[tuple[torch.Tensor, int]] = field(default_factory=list)
    """Of nets of images, for the first layers as far as their activations are images: what the
    next layer sees, (K, B, C, H, W), after pooling, and how many pixels of the input lie
    between two of its pixels."""

    def add(self, z: torch.Tensor, h: torch.Tensor, at: torch.Tensor | None = None) -> None:
        """Note one layer."""
        self.z.append(z)
        self.h.append(h)
        self.at.append(z if at is None else at)


class Model(Protocol):
    """A model of one shape for a whole pack; parameters are a list of (K, …) tensors."""

    layers: list[Layer]
    saturation: tuple[float, float] | None
    """Outputs of the hidden activation beyond which a unit is saturated; None: undefined."""
    tapeable: bool
    """Whether the same operations are executed whatever the values in the tensors are."""
    compilable: bool
    """Whether one compiled step can serve packs of every size, and is faster than the tape."""
    stackable: bool
    """Whether several trials can train in one pack."""
    units: int
    """Outputs of the widest layer for one sample, for sizing what is done at once."""

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """Initial parameters of one trial, float64, on the CPU, without the trial axis."""

    def forward(
        self, params: list[torch.Tensor], x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """Outputs (K, B, C). With a trace, each layer is added to it."""
