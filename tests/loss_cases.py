"""Losses with outputs and targets that fit them, for several test modules.

K trials, B samples, S labels or numbers a sample, C classes, P pixels; random numbers of ``SEED``.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from talweg.workloads import lossspecs
from talweg.workloads.losses import Criterion, criterion_of
from talweg.workloads.lossparts import LossPart
from talweg.workloads.problems.shapes import Task

SEED = 0
K, B, S, C, P = 5, 12, 3, 4, 9
LOSS: TypeAdapter[LossPart] = TypeAdapter(lossspecs.Loss)
Pair = tuple[torch.Tensor, torch.Tensor]


def spec(name: str, **fields: Any) -> LossPart:
    return LOSS.validate_python({"name": name, **fields})


def criterion(name: str, **fields: Any) -> Criterion:
    """Of the first kind of problem that the loss fits."""
    part = spec(name, **fields)
    return criterion_of(part, part.tasks[0])


def draw() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def normal(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=draw(), dtype=torch.float64)


def labels(*size: int, classes: int = C) -> torch.Tensor:
    return torch.randint(classes, size, generator=draw())


def numbers() -> Pair:
    return 2 * normal(K, B, S), normal(K, B, S).flip(1)


def classes() -> Pair:
    return normal(K, B, C), labels(K, B)


def several() -> Pair:
    return normal(K, B, S * C), labels(K, B, S)


def two() -> Pair:
    return 2 * normal(K, B, 1), labels(K, B, classes=2)


def several_of_two() -> Pair:
    return 2 * normal(K, B, S), labels(K, B, S, classes=2)


def pixels() -> Pair:
    return 2 * normal(K, B, P), labels(K, B, P, classes=2).double()


def soft() -> Pair:
    return normal(K, B, C), normal(K, B, C).flip(1).softmax(-1)


def points() -> Pair:
    return normal(K, B, 3), labels(K, B, classes=3)


def coded() -> Pair:
    """P numbers and four latents of a variational autoencoder."""
    return normal(K, B, P + 2 * 4), normal(K, B, P).sigmoid()


CASES: dict[str, tuple[str, Task | None, dict[str, Any], Callable[[], Pair]]] = {
    "mse": ("mse", None, {}, numbers),
    "mae": ("mae", None, {}, numbers),
    "huber": ("huber", None, {"delta": 0.7}, numbers),
    "log_cosh": ("log_cosh", None, {}, numbers),
    "quantile": ("quantile", None, {"tau": 0.9}, numbers),
    "cross_entropy": ("cross_entropy", None, {}, classes),
    "cross_entropy of labels": ("cross_entropy", None, {}, several),
    "smoothed": ("cross_entropy", None, {"label_smoothing": 0.1}, classes),
    "smoothed of labels": ("cross_entropy", None, {"label_smoothing": 0.1}, several),
    "binary": ("binary_cross_entropy", None, {}, two),
    "binary of labels": ("binary_cross_entropy", None, {}, several_of_two),
    "binary of pixels": ("binary_cross_entropy", Task.SEGMENTATION, {}, pixels),
    "hinge of two": ("hinge", None, {}, two),
    "hinge of two, labels": ("hinge", None, {}, several_of_two),
    "hinge, largest": ("hinge", None, {}, classes),
    "hinge, sum": ("hinge", None, {"multiclass": "weston_watkins"}, classes),
    "hinge of labels": ("hinge", None, {}, several),
    "squared_error": ("squared_error", None, {}, classes),
    "squared_error of two": ("squared_error", None, {}, two),
    "squared_error of labels": ("squared_error", None, {}, several),
    "focal": ("focal", None, {}, classes),
    "focal below one": ("focal", None, {"gamma": 0.5}, several),
    "forward": ("kl_divergence", None, {"temperature": 2.0}, soft),
    "reverse": ("kl_divergence", None, {"direction": "reverse"}, soft),
    "elbo": ("elbo", None, {"beta": 0.5}, coded),
    "elbo, gaussian": ("elbo", None, {"likelihood": "gaussian"}, coded),
    "dice": ("dice", None, {}, pixels),
    "iou": ("iou", None, {"smooth": 0.1}, pixels),
    "dice_cross_entropy": ("dice_cross_entropy", None, {"dice_weight": 0.3}, pixels),
    "contrastive": ("contrastive", None, {"margin": 2.0}, points),
    "contrastive on the sphere": ("contrastive", None, {"normalize": True}, points),
    "triplet": ("triplet", None, {}, points),
    "triplet, plain": ("triplet", None, {"margin": 3.0, "normalize": False}, points),
    "triplet, hard": ("triplet", None, {"mining": "hard"}, points),
    "triplet, semi-hard": ("triplet", None, {"mining": "semi_hard"}, points),
}
every_case = pytest.mark.parametrize("case", CASES)


def made(case: str) -> tuple[Criterion, torch.Tensor, torch.Tensor]:
    name, task, fields, data = CASES[case]
    part = spec(name, **fields)
    return criterion_of(part, task or part.tasks[0]), *data()
