"""Batch, stochastic and mini-batch descent: which samples each update sees.

The three differ here and nowhere else. K trials, N training samples, B samples per update;
an epoch is ceil(N / B) updates, its last batch may be short; where the problem drops that, an
epoch is floor(N / B) updates and its samples are that many batches'.
"""

import math
from collections.abc import Sequence

import torch

from .seeds import Stream, generator
from .spec import Batch, TrialSpec

State = list[torch.Tensor]


class Epochs:
    """How updates, samples and epochs of a trial go together."""

    def __init__(self, trial: TrialSpec) -> None:
        self.samples = trial.epoch_samples
        self.batch_size = trial.batch_size
        self.per_epoch = math.ceil(self.samples / self.batch_size)

    def seen(self, update: int) -> int:
        """Samples seen by the first ``update`` updates of one trial."""
        epochs, rest = divmod(update, self.per_epoch)
        return epochs * self.samples + rest * self.batch_size


class Sampler(Epochs):
    """The sample order of a pack of K trials, one generator each."""

    def __init__(self, trials: Sequence[TrialSpec], device: torch.device) -> None:
        super().__init__(trials[0])
        self.all = trials[0].problem.train_samples
        self.whole = isinstance(trials[0].descent, Batch)
        self.device = device
        self._generators = [generator(trial.seed, Stream.ORDER) for trial in trials]
        self._epoch = -1
        self._order_KN = torch.empty(0)

    def batches(self, update: int, most: int) -> torch.Tensor | int:
        """Samples of the next updates after ``update`` of them, as (U, K, B) with U ≤ ``most``.

        All have one size: they end with the epoch's whole batches; its short last batch comes
        alone. Batch descent gathers nothing: the number U alone is returned. Calls must come
        in order: each new epoch draws one permutation per trial.
        """
        if self.whole:
            return most
        epoch, position = divmod(update, self.per_epoch)
        while self._epoch < epoch:
            self._shuffle()
        start = position * self.batch_size
        if self.samples - start < self.batch_size:
            return self._order_KN[:, start:].unsqueeze(0)
        count = min(most, (self.samples - start) // self.batch_size)
        picked_KN = self._order_KN[:, start : start + count * self.batch_size]
        batches: torch.Tensor = picked_KN.unflatten(1, (count, self.batch_size)).transpose(0, 1)
        return batches

    def keep(self, stay: torch.Tensor) -> None:
        """Drop all trials of the pack but those at the positions ``stay``."""
        self._generators = [self._generators[i] for i in stay.tolist()]
        if self._epoch >= 0:
            self._order_KN = self._order_KN[stay.to(self.device)]

    def state(self) -> State:
        """Everything that the order of coming samples depends on, as (K, …) tensors."""
        states = [g.get_state() for g in self._generators]
        epoch_K = torch.full((len(states),), self._epoch)
        order_KN = self._order_KN.cpu() if self._epoch >= 0 else torch.empty(len(states), 0)
        return [epoch_K, order_KN, torch.stack(states)]

    def restore(self, state: State) -> None:
        """Go on from :meth:`state`."""
        epoch_K, order_KN, generators = state
        self._epoch, self._order_KN = int(epoch_K[0]), order_KN.to(self.device)
        for own, saved in zip(self._generators, generators, strict=True):
            own.set_state(saved.clone())  # not a view: torch reads past its end

    def _shuffle(self) -> None:
        """Draw the order of the next epoch."""
        orders = [torch.randperm(self.all, generator=g) for g in self._generators]
        self._order_KN = torch.stack(orders)[:, : self.samples].to(self.device)
        self._epoch += 1
