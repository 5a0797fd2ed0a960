"""What every problem gives: training and test arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Targets = Labels | Floats


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


def split(x: Any, y: Any, test_share: float, seed: int) -> tuple[Floats, Labels, Floats, Labels]:
    """A random split: the first floor((1 − test_share)·N) of RandomState(seed)'s permutation."""
    order = np.random.RandomState(seed).permutation(len(x))
    cut = int((1 - test_share) * len(x))
    train, test = order[:cut], order[cut:]
    x, y = np.asarray(x, np.float64), np.asarray(y, np.int64)
    return x[train], y[train], x[test], y[test]
