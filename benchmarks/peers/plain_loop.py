"""Peer: the trials one after the other in a hand-written PyTorch loop.

No scheduler, no logging: what a researcher types first. The test accuracy is looked at once
an epoch. One core: tensors this small lose more by PyTorch's threads than they gain.
"""

import torch
from torch import nn
from torch.nn import functional

from ..task import LAYERS, Stopwatch, arguments, load

Data = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def net() -> nn.Sequential:
    """The MLP of the task, PyTorch's own initialisation."""
    first, second, third, last = LAYERS
    return nn.Sequential(
        nn.Linear(first, second),
        nn.Tanh(),
        nn.Linear(second, third),
        nn.Tanh(),
        nn.Linear(third, last),
    )


def epoch(model: nn.Module, optimizer: torch.optim.Optimizer, size: int | None, data: Data) -> int:
    """Train on every sample once, in a new order; returns the number of updates."""
    x, y = data[:2]
    batches = torch.randperm(len(x)).split(size or len(x))
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    return len(batches)


@torch.no_grad()
def test_accuracy(model: nn.Module, data: Data) -> float:
    """Share of the test samples whose largest output is the right one."""
    x, y = data[2:]
    return float((model(x).argmax(1) == y).float().mean())


def main() -> None:
    task, _ = arguments()
    torch.set_num_threads(1)
    x, y, x_test, y_test = (torch.from_numpy(part) for part in load())
    data = (x, y, x_test, y_test)
    stopwatch = Stopwatch()
    updates, best = 0, 0.0
    for size, rate, seed in task.points():
        torch.manual_seed(seed)
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        for _ in range(task.epochs):
            updates += epoch(model, optimizer, size, data)
            best = max(best, test_accuracy(model, data))
    stopwatch.report(task.trials, updates, best)


if __name__ == "__main__":
    main()
