"""Losses by name: what is minimised, what counts as the score, and what else is measured.

K trials, B samples. Adding one: its spec in ``lossspecs``, functions beside these, a row here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from .classification import accuracy, cross_entropy

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


CRITERIA: dict[str, Callable[[Any], Criterion]] = {
    "cross_entropy": lambda _: Criterion(cross_entropy, accuracy),
}
"""Name of a loss -> what its spec comes to."""
