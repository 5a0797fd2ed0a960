"""Peer: the plain loop over a few trials of a larger net; what counts is updates per second.

Mini-batches of 32, the test accuracy once an epoch, one core.
"""

import argparse

import numpy as np
import torch
from torch import nn

from ..nets import SIDE, ConvNet, Deep, Lstm
from ..task import Stopwatch, load
from .plain_loop import Data, epoch, test_accuracy

NETS: dict[str, type[nn.Module]] = {"deep": Deep, "convnet": ConvNet, "lstm": Lstm}
BATCH_SIZE = 32


def images() -> Data:
    """The digits as (n, 1, 8, 8)."""
    x, y, x_test, y_test = (torch.from_numpy(part) for part in load())
    shape = (-1, 1, SIDE, SIDE)
    return x.view(shape), y, x_test.view(shape), y_test


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--net", choices=NETS, required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = images()
    stopwatch = Stopwatch()
    updates, best = 0, 0.0
    for seed, rate in enumerate(np.logspace(-2, -1, given.trials)):
        torch.manual_seed(seed)
        model = NETS[given.net]()
        optimizer = torch.optim.SGD(model.parameters(), lr=float(rate))
        for _ in range(given.epochs):
            updates += epoch(model, optimizer, BATCH_SIZE, data)
            best = max(best, test_accuracy(model, data))
    stopwatch.report(given.trials, updates, best)


if __name__ == "__main__":
    main()
