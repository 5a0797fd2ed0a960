"""∂loss/∂outputs of every sample, (K, B, C), as closed forms. K trials, B samples, S labels.

Adding one: a function and a row. A loss without a row has no equations here, and is compared
with central differences only.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

Slope = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def cross_entropy(spec: Any) -> Slope:
    """ŷ − y: softmax z less the target, (1 − ε)·one-hot + ε/C (Bishop 2006, eq. 4.109)."""

    def slope(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        apart, labels = _labelled(z, y)
        classes = apart.shape[-1]
        target = functional.one_hot(labels, classes).to(z.dtype)
        target = (1 - spec.label_smoothing) * target + spec.label_smoothing / classes
        found: torch.Tensor = (apart.softmax(-1) - target).reshape(z.shape)
        return found / labels.shape[-1]

    return slope


def binary_cross_entropy(_: Any) -> Slope:
    """σ(z) − y (Bishop 2006, eq. 4.91); the mean over the pixels of an image."""

    def slope(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (torch.sigmoid(z) - y.reshape(z.shape)) / z.shape[-1]

    return slope


def squared_error(_: Any) -> Slope:
    """Of one logit (σ − y)σ(1 − σ); of more, with r = p − y: p_c (r_c − Σ_j r_j p_j).

    The factors σ(1 − σ) and p_c are what a sure and wrong net does not learn by (Nielsen 2015,
    chapter 3).
    """

    def slope(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        apart, labels = _labelled(z, y)
        if apart.shape[-1] == 1:
            p = torch.sigmoid(apart)
            found = (p - labels.unsqueeze(-1)) * p * (1 - p)
        else:
            p = apart.softmax(-1)
            r = p - functional.one_hot(labels, apart.shape[-1])
            found = p * (r - (r * p).sum(-1, keepdim=True))
        return found.reshape(z.shape) / labels.shape[-1]

    return slope


def mse(_: Any) -> Slope:
    """2(ŷ − y) / T (Bishop 2006, eq. 5.18, there half of it for one number)."""

    def slope(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return 2 * (z - y) / z.shape[-1]

    return slope


SLOPES: dict[str, Callable[[Any], Slope]] = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "squared_error": squared_error,
    "mse": mse,
}
"""Name of a loss -> (its spec) -> its slope."""


def _labelled(z: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs (K, B, S, C) and labels (K, B, S), also where a sample has one label."""
    labels = y.unsqueeze(-1) if y.ndim == 2 else y
    return z.unflatten(-1, (labels.shape[-1], -1)), labels
