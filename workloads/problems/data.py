"""What every problem gives: training and test arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Targets = Labels | Floats
Split = tuple[Floats, Targets, Floats, Targets]
"""Training inputs and targets, test inputs and targets."""


@dataclass(frozen=True)
class Data:
    """Inputs (N, D) as float64, and targets, for training and for testing.

    Targets are as the problem's task has them (see ``shapes.Task``): int64 labels or float64
    numbers. ``truth`` holds what is known of the solution, by name: true weights, a minimum.
    """

    x_train: Floats
    y_train: Targets
    x_test: Floats
    y_test: Targets
    truth: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def features(self) -> int:
        """Inputs per sample, D."""
        return int(self.x_train.shape[1])


def split(x: Any, y: Any, test_share: float, seed: int) -> Split:
    """A random split: the first floor((1 − test_share)·N) of RandomState(seed)'s permutation.

    Whole numbers become int64 labels, all other targets float64 numbers.
    """
    order = np.random.RandomState(seed).permutation(len(x))
    return parted(x, y, [order], test_share)


def parted(x: Any, y: Any, orders: list[Labels], test_share: float) -> Split:
    """The same of several groups of samples, each split on its own."""
    cuts = [int((1 - test_share) * len(order)) for order in orders]
    train = np.concatenate([order[:cut] for order, cut in zip(orders, cuts, strict=True)])
    test = np.concatenate([order[cut:] for order, cut in zip(orders, cuts, strict=True)])
    x, y = np.asarray(x, np.float64), np.asarray(y)
    y = y.astype(np.int64 if y.dtype.kind in "iu" else np.float64)
    return x[train], y[train], x[test], y[test]


def standardised(train: Targets, test: Targets) -> tuple[Floats, Floats]:
    """Mean 0 and deviation 1 of every column of the training split; constant ones become 0."""
    # Only the training split is looked at: the test set must not leak into the scale.
    mean, deviation = train.mean(0), train.std(0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return (train - mean) / deviation, (test - mean) / deviation
