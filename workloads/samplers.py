"""Batch, stochastic and mini-batch descent: which samples each update sees.

The three differ here and nowhere else. K trials, N training samples, B samples per update;
an epoch is ceil(N / B) updates, its last batch may be short.
"""

import math

import torch

from .seeds import Stream, generator
from .spec import Batch, TrialSpec


class Sampler:
    """The sample order of a pack of K trials, one generator each."""

    def __init__(self, trials: list[TrialSpec], device: torch.device) -> None:
        first = trials[0]
        self.samples = first.problem.train_samples
        self.batch_size = first.batch_size
        self.per_epoch = math.ceil(self.samples / self.batch_size)
        self.whole = isinstance(first.descent, Batch)
        self.device = device
        self._generators = [generator(trial.seed, Stream.ORDER) for trial in trials]
        self._epoch = -1
        self._batches: tuple[torch.Tensor, ...] = ()

    def indices(self, update: int) -> torch.Tensor | None:
        """Samples of the update after ``update`` updates, as (K, B); None: all, no gathering.

        Calls must come in order: each new epoch draws one permutation per trial.
        """
        if self.whole:
            return None
        epoch, position = divmod(update, self.per_epoch)
        while self._epoch < epoch:
            self._shuffle()
        return self._batches[position]

    def example(self) -> torch.Tensor:
        """Indices of the shape and type of a whole batch, (K, B)."""
        size = (len(self._generators), self.batch_size)
        return torch.zeros(size, dtype=torch.long, device=self.device)

    def seen(self, update: int) -> int:
        """Samples seen by the first ``update`` updates of one trial."""
        epochs, rest = divmod(update, self.per_epoch)
        return epochs * self.samples + rest * self.batch_size

    def keep(self, stay: torch.Tensor) -> None:
        """Drop all trials of the pack but those at the positions ``stay``."""
        self._generators = [self._generators[i] for i in stay.tolist()]
        self._batches = tuple(batch[stay.to(self.device)] for batch in self._batches)

    def _shuffle(self) -> None:
        """Draw the order of the next epoch, cut into contiguous (K, B) batches once and for all."""
        orders = [torch.randperm(self.samples, generator=g) for g in self._generators]
        order_KN = torch.stack(orders).to(self.device)
        whole = self.samples // self.batch_size * self.batch_size
        cut_UKB = order_KN[:, :whole].unflatten(1, (-1, self.batch_size)).transpose(0, 1)
        rest_KB = order_KN[:, whole:].contiguous()
        self._batches = (*cut_UKB.contiguous().unbind(0), *([rest_KB] if rest_KB.numel() else []))
        self._epoch += 1
