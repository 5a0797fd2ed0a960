"""Losses by name. Each maps (output_KBC, target_KB) to the loss of every sample, (K, B)."""

from collections.abc import Callable

import torch

from .classification import accuracy, cross_entropy

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy}
SCORES: dict[str, Loss] = {"cross_entropy": accuracy}
"""What a score is under each loss: per sample, higher is better."""
