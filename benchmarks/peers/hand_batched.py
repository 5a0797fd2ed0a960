"""Bound: the same trials hand-batched over a leading trial axis, one pack per descent.

No scheduler, no metrics but the test accuracy once an epoch, no storage: about what a fused
engine could reach on this machine if everything around the arithmetic were free.

Shapes: K trials of a pack, B samples of a batch, D inputs, H outputs of a layer.
"""

import itertools

import torch
from torch.nn import functional

from ..task import BATCH_SIZES, LAYERS, Stopwatch, Task, arguments, load


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


def descend(task: Task, size: int | None, data: tuple[torch.Tensor, ...]) -> tuple[int, float]:
    """Train the pack of one descent; returns updates of all its trials and the best accuracy."""
    x, y, x_test, y_test = data
    rates = [rate for rate in task.learning_rates for _ in range(task.seeds)]
    pack, k = Pack(rates), len(rates)
    updates, best = 0, 0.0
    for _ in range(task.epochs):
        order = torch.stack([torch.randperm(len(x)) for _ in rates])
        for batch in order.split(size or len(x), dim=1):
            pack.step(x[batch], y[batch])
            updates += k
        with torch.no_grad():
            hits = pack.forward(x_test.expand(k, *x_test.shape)).argmax(-1) == y_test
        best = max(best, float(hits.float().mean(1).max()))
    return updates, best


def main() -> None:
    task, workers = arguments()
    torch.set_num_threads(workers)
    torch.manual_seed(0)
    data = tuple(torch.from_numpy(part) for part in load())
    stopwatch = Stopwatch()
    packs = [descend(task, size, data) for size in BATCH_SIZES]
    updates = sum(updates for updates, _ in packs)
    stopwatch.report(task.trials, updates, max(best for _, best in packs))


if __name__ == "__main__":
    main()
