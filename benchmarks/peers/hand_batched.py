"""Bound: the same trials hand-batched over a leading trial axis, one pack per descent and core.

No scheduler, no metrics but the test accuracy once an epoch, no storage: about what a fused
engine of eager PyTorch could reach here if everything around the arithmetic were free. Each
core has a process with one thread, because tensors this small lose more by PyTorch's threads
than they gain; the processes are up before the clock starts.

Shapes: K trials of a pack, B samples of a batch, D inputs, H outputs of a layer.
"""

import itertools
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import torch
from torch.nn import functional

from ..task import LAYERS, Stopwatch, Task, arguments, load


class Part(NamedTuple):
    """Trials of one descent that train as one pack."""

    size: int | None
    rates: list[float]
    epochs: int


class Pack:
    """The nets of K trials as stacked tensors, and one SGD step of all of them."""

    def __init__(self, rates: list[float]) -> None:
        sizes = list(itertools.pairwise(LAYERS))
        k = len(rates)
        self.w_KDH = [(torch.randn(k, d, h) / d**0.5).requires_grad_() for d, h in sizes]
        self.b_K1H = [torch.zeros(k, 1, h, requires_grad=True) for _, h in sizes]
        self.lr_K11 = torch.tensor(rates).view(k, 1, 1)

    def forward(self, x_KBD: torch.Tensor) -> torch.Tensor:
        """The outputs [K, B, 10]."""
        h = x_KBD
        for layer, (w, b) in enumerate(zip(self.w_KDH, self.b_K1H, strict=True), 1):
            z = torch.baddbmm(b, h, w)
            h = z if layer == len(self.w_KDH) else torch.tanh(z)
        return h

    def step(self, x_KBD: torch.Tensor, y_KB: torch.Tensor) -> None:
        """One update of every trial: the loss is a mean over B, a sum over K."""
        out = self.forward(x_KBD).flatten(0, 1)
        loss = functional.cross_entropy(out, y_KB.flatten(), reduction="sum") / y_KB.shape[1]
        parameters = self.w_KDH + self.b_K1H
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            torch._foreach_sub_(parameters, [self.lr_K11 * g for g in gradients])


def descend(part: Part) -> tuple[int, float]:
    """Train the pack of one part; returns updates of all its trials and the best accuracy."""
    x, y, x_test, y_test = (torch.from_numpy(array) for array in load())
    pack, k = Pack(part.rates), len(part.rates)
    updates, best = 0, 0.0
    for _ in range(part.epochs):
        order = torch.stack([torch.randperm(len(x)) for _ in part.rates])
        for batch in order.split(part.size or len(x), dim=1):
            pack.step(x[batch], y[batch])
            updates += k
        with torch.no_grad():
            hits = pack.forward(x_test.expand(k, *x_test.shape)).argmax(-1) == y_test
        best = max(best, float(hits.float().mean(1).max()))
    return updates, best


def parts(task: Task, workers: int) -> list[Part]:
    """Each descent's trials, dealt out to the workers; the longest first."""
    rates = [rate for rate in task.learning_rates for _ in range(task.seeds)]
    shares = [share for share in (rates[i::workers] for i in range(workers)) if share]
    sizes = sorted(task.batch_sizes, key=lambda size: size or float("inf"))
    return [Part(size, share, task.epochs) for size in sizes for share in shares]


def main() -> None:
    task, workers = arguments()
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        # One short trial for each process: it has imported and loaded all that it needs.
        list(pool.map(descend, [Part(None, [0.1], 1)] * workers))
        stopwatch = Stopwatch()
        packs = list(pool.map(descend, parts(task, workers)))
        updates = sum(updates for updates, _ in packs)
        stopwatch.report(task.trials, updates, max(best for _, best in packs))


if __name__ == "__main__":
    main()
