"""What the peers train: trials on scikit-learn's digits.

One trial is an MLP 64-64-64-10 with tanh, cross-entropy and plain SGD. A task is batch sizes x
learning rates 1e-3 ... 1 x seeds; ``grids/`` holds the same in talweg's form, and a test
compares the counts.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Split = tuple[Features, Labels, Features, Labels]
"""x_train [1437, 64] in [0, 1], y_train [1437], x_test [360, 64], y_test [360]."""

LAYERS = (64, 64, 64, 10)


@dataclasses.dataclass(frozen=True)
class Task:
    """How large the grid is. The default has 120 trials: batch, stochastic, mini-batch 32."""

    name: str = "digits-120"
    rates: int = 8
    seeds: int = 5
    epochs: int = 5
    batch_sizes: tuple[int | None, ...] = (None, 1, 32)
    """Samples per update; None is the whole training set."""

    @property
    def learning_rates(self) -> list[float]:
        """Log-spaced from 1e-3 to 1."""
        return [float(rate) for rate in np.logspace(-3, 0, self.rates)]

    @property
    def trials(self) -> int:
        """Points of the grid."""
        return len(self.batch_sizes) * self.rates * self.seeds

    def updates(self, samples: int) -> int:
        """Updates of all trials together, for a training set of that many samples."""
        per_epoch = sum(-(-samples // (size or samples)) for size in self.batch_sizes)
        return self.rates * self.seeds * self.epochs * per_epoch

    def points(self) -> Iterator[tuple[int | None, float, int]]:
        """(batch size, learning rate, seed) of each trial."""
        for size in self.batch_sizes:
            for rate in self.learning_rates:
                for seed in range(self.seeds):
                    yield size, rate, seed


TASKS = {
    task.name: task
    for task in (
        Task(),
        Task("digits-short", rates=1, seeds=1, epochs=1),
        Task("stochastic-4", rates=4, seeds=1, batch_sizes=(1,)),
        Task("stochastic-short", rates=1, seeds=1, epochs=1, batch_sizes=(1,)),
    )
}


def load() -> Split:
    """The digits, scaled to [0, 1], shuffled with seed 0, 80 % for training."""
    digits = load_digits()
    x = (digits.data / 16.0).astype(np.float32)
    y = digits.target.astype(np.int64)
    order = np.random.RandomState(0).permutation(len(x))
    n = int(0.8 * len(x))
    return x[order[:n]], y[order[:n]], x[order[n:]], y[order[n:]]


def arguments() -> tuple[Task, int]:
    """What a peer is asked to run: the task and how many cores it may use."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=TASKS, default="digits-120")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    return TASKS[given.task], given.workers


class Stopwatch:
    """Prints a peer's result, in the form that measured.py reads: one JSON line, the last one."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def report(self, trials: int, updates: int, best: float) -> None:
        """``best`` is the highest test accuracy seen: a peer that learns nothing shows."""
        seconds = time.perf_counter() - self._started
        result = {"trials": trials, "updates": updates, "sweep_seconds": seconds, "best": best}
        print(json.dumps(result))
