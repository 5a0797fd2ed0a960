"""How outputs are judged. K trials, B samples, C outputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

Values = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(outputs (K, B, C), targets (K, B, …)) -> a number for each sample, (K, B), or trial, (K,)."""


@dataclass(frozen=True)
class Criterion:
    """How outputs are judged."""

    loss: Values
    """Of every sample, (K, B). Its mean is minimised."""
    score: Values
    """Of every trial, (K,); higher is better."""
    measures: Mapping[str, Values] = field(default_factory=dict)
    """Further numbers of the test set, (K,) each, recorded under these names."""
