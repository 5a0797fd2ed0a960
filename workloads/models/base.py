"""What the engine needs of a model. K trials, B samples, D inputs, C outputs."""

from dataclasses import dataclass, field
from typing import Protocol

import torch

from ..spec import TrialSpec


@dataclass(frozen=True)
class Layer:
    """One measured layer: its name, and which of the parameters holds its weights."""

    name: str
    weight: int


@dataclass(frozen=True)
class Trace:
    """What a forward pass leaves: z and h of every layer, input side first, (K, B, width)."""

    z: list[torch.Tensor] = field(default_factory=list)
    h: list[torch.Tensor] = field(default_factory=list)


class Model(Protocol):
    """A model of one shape for a whole pack; parameters are a list of (K, …) tensors."""

    layers: list[Layer]
    saturation: tuple[float, float] | None
    """Outputs of the hidden activation beyond which a unit is saturated; None: undefined."""

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """Initial parameters of one trial, float64, on the CPU, without the trial axis."""

    def forward(
        self, params: list[torch.Tensor], x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """Outputs (K, B, C). With a trace, each layer's z and h are appended to it."""
