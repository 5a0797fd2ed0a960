"""The loss of objectives: the model's output is the value already. K trials, B samples."""

import torch


def objective(value_KB1: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """The objective of every sample as the model gives it, (K, B)."""
    return value_KB1.squeeze(-1)


def depth(value_KB1: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """Minus the mean objective, (K,): the lower the objective, the higher the score."""
    return -value_KB1.squeeze(-1).mean(1)
