"""K trials in training: their parameters, optimizer state, sample order, and where they are."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from .losses import criterion_of
from .models import MODELS
from .optimizers import RULES, settings_of
from .packs import NotStackable
from .problems.data import Data
from .readings import NEVER
from .redrawn import redrawn
from .samplers import Sampler
from .samplewise import in_every_update, sums_of, unbiased
from .schedules import factor
from .spec import TrialSpec
from .step import Split, Step
from .updaters import Before, Captured, Eager, Taped, Updater, Updates

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}
DIVERGED_FACTOR = 1e6
"""A mini-batch loss above this many times max(1, the untrained loss) counts as diverged."""
GATHERED_BYTES = {"cpu": 2**20, "cuda": 2**26}
"""Samples gathered at once: on a CPU they should stay in its cache."""
FEW_UPDATES = 50
"""Updates that do not win back what recording and proving a tape costs."""
MOST_UPDATES = 64
"""Updates between two looks at the clock."""

Pause = Callable[[], None]


class Stack:
    """A pack in training. Parameters and optimizer state stay where they are in memory.

    ``positions``: for each stacked trial its position in the pack. ``diverged_K``: the first
    update whose loss was above the limit, else NEVER.
    """

    def __init__(self, trials: Sequence[TrialSpec], data: Data, device: torch.device) -> None:
        first = trials[0]
        self.trials = trials
        dtype = DTYPES[first.dtype]
        self.model = MODELS[first.model.name](first, data)
        if len(trials) > 1 and not self.model.stackable:
            raise NotStackable(
                f"{first.model.name} cannot be stacked by torch.func (it branches on values or "
                "draws random numbers): its trials train in packs of one"
            )
        self.data, self.record, self.device = data, first.record, device
        self.train, self.test = (
            Split(_on(device, dtype, x), _on(device, dtype, y))
            for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test))
        )
        starts = [self.model.start(trial) for trial in trials]
        self.params = [torch.stack(p).to(device, dtype) for p in zip(*starts, strict=True)]
        self.before = [torch.empty_like(p) for p in self.params]
        self.settings = settings_of(trials, self.params[0])
        self.base_lr_K = self.settings["lr"].clone()
        criterion = criterion_of(first.loss, first.problem.task)
        noise = in_every_update(self.record.probes, first, self.model)
        self.step = Step(self.model, criterion, RULES[first.optimizer.name], noise)
        self.state = self.step.rule.start(self.params, self.settings)
        self.sampler = Sampler(trials, device)
        self.redrawn = redrawn(trials, device)
        self.positions = list(range(len(trials)))
        self.limit_K = torch.full((len(trials),), torch.inf, dtype=torch.float64, device=device)
        self.diverged_K = torch.full((len(trials),), NEVER, device=device)
        self.clipped_K = torch.zeros(len(trials), dtype=torch.long, device=device)
        self.noise_2K = torch.zeros(2, len(trials), dtype=torch.float64, device=device)
        """tr Σ and |G|² summed over ``noise_updates`` updates; see :mod:`.samplewise`."""
        self.noise_updates = 0
        if noise:
            self.norm_N: torch.Tensor = torch.linalg.vector_norm(self.train.x, dim=1)
        self.update = 0
        self.seconds = 0.0
        self.moved = False
        self.updater = self.plain()

    def eager(self) -> Eager:
        """The reference: every update through autograd."""
        return Eager(self.step, self.params, self.state, self.settings)

    def plain(self) -> Updater:
        """The way to update that needs no compiler."""
        if not self.model.tapeable or self.trials[0].budget_updates < FEW_UPDATES:
            return self.eager()
        taped = Taped(self.eager())
        return Captured(taped) if self.device.type == "cuda" else taped

    def example(self) -> Split:
        """Samples of the shapes and types of one update, (K, B, …)."""
        size = (len(self.positions), self.sampler.batch_size)
        return Split(*(t.new_zeros(*size, *t.shape[1:]) for t in self.train))

    def descend(self, update: int, pause: Pause = lambda: None) -> None:
        """Train up to ``update`` updates; ``pause`` is called off the clock, now and then.

        ``before`` then holds the parameters before the last update.
        """
        while self.update < update - 1:
            pause()
            self._advance(update - 1 - self.update)
        if self.update < update:
            pause()
            torch._foreach_copy_(self.before, self.params)
            self.moved = True
            self._advance(1)

    def _advance(self, most: int) -> None:
        """At least one update, at most ``most``, on the clock."""
        started = time.perf_counter()
        x_UKBD, y_UKB = self._samples(most)
        done = self.updater.run(x_UKBD, y_UKB, self._rates(len(y_UKB)))
        self._watch(done, x_UKBD)
        self.update += len(y_UKB)
        self.seconds += time.perf_counter() - started

    def _rates(self, updates: int) -> Before:
        """What sets the learning rates before each of so many updates; None: they are constant."""
        trial = self.trials[0]
        schedule, budget = trial.optimizer.schedule, trial.budget_updates
        if schedule.name == "constant":
            return None
        coming = range(self.update, self.update + updates)
        factors_U = self.base_lr_K.new_tensor([factor(schedule, u, budget) for u in coming])
        rates = torch.outer(factors_U, self.base_lr_K).unbind(0)
        lr_K = self.settings["lr"]
        # Every path of updates reads the rates where they lie: they are changed there.
        return lambda update: lr_K.copy_(rates[update])

    def _samples(self, most: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What the next updates see, (U, K, B, D) and (U, K, B, …), at most so many updates."""
        x, y = self._gathered(most)
        return (x, y) if self.redrawn is None else self.redrawn(self.update, x, y)

    def _gathered(self, most: int) -> tuple[torch.Tensor, torch.Tensor]:
        k = len(self.positions)
        batch_bytes = k * self.sampler.batch_size * self.train.x[0].nbytes
        limit = GATHERED_BYTES[self.device.type] // max(1, batch_bytes)
        picked = self.sampler.batches(self.update, max(1, min(most, MOST_UPDATES, limit)))
        self.picked = picked
        if isinstance(picked, int):
            x, y = (t.expand(picked, k, *t.shape) for t in self.train)
            return x, y
        index = picked.reshape(-1)
        x, y = (t.index_select(0, index).view(*picked.shape, *t.shape[1:]) for t in self.train)
        return x, y

    def _watch(self, done: Updates, x_UKBD: torch.Tensor) -> None:
        """Note which trials diverged, how often each was clipped, and how noisy gradients were."""
        if done.clipped_K is not None:
            self.clipped_K += done.clipped_K
        if done.noise is not None and x_UKBD.shape[2] > 1:
            sums_2K = sums_of(done.noise, self._norms(x_UKBD), self.model)
            self.noise_2K.addmm_(unbiased(x_UKBD.shape[2], x_UKBD), sums_2K)
            self.noise_updates += len(x_UKBD)
        self._bad(done.loss_UK)

    def _norms(self, x_UKBD: torch.Tensor) -> torch.Tensor:
        """Norms of the samples of the last updates, (U, K, B): each is worked out only once."""
        if self.redrawn is not None:
            norm_UKB: torch.Tensor = torch.linalg.vector_norm(x_UKBD, dim=3)
            return norm_UKB
        if isinstance(self.picked, int):
            return self.norm_N.expand(x_UKBD.shape[:3])
        return self.norm_N.index_select(0, self.picked.reshape(-1)).view(x_UKBD.shape[:3])

    def _bad(self, loss_UK: torch.Tensor) -> None:
        bad_UK = ~(loss_UK <= self.limit_K)  # also true for NaN
        at_U1 = torch.arange(len(bad_UK), device=self.device).unsqueeze(1) + self.update
        first_K = torch.where(bad_UK, at_U1, NEVER).amin(0)
        torch.minimum(self.diverged_K, first_K, out=self.diverged_K)

    def limit(self, train_loss_K: torch.Tensor) -> None:
        """Set the losses above which trials count as diverged, from their untrained losses."""
        self.limit_K = DIVERGED_FACTOR * train_loss_K.double().clamp(min=1)

    def judge(self, train_loss_K: torch.Tensor) -> torch.Tensor:
        """Take a recording's losses into account, too.

        Returns, as (2, K) counts, where each trial diverged (or NEVER), and its clipped updates
        since the last call.
        """
        self._bad(train_loss_K.unsqueeze(0))
        counts_2K = torch.stack([self.diverged_K, self.clipped_K])
        self.clipped_K.zero_()
        return counts_2K

    def forget_noise(self) -> None:
        """Begin anew to sum up the noise of gradients."""
        self.noise_2K.zero_()
        self.noise_updates = 0

    def snapshot(self, places: list[int]) -> dict[str, torch.Tensor]:
        """All that the coming updates of the trials at ``places`` depend on, (K, …) each."""
        tensors = {
            "limit": self.limit_K,
            "diverged": self.diverged_K,
            "clipped": self.clipped_K,
            "noise": self.noise_2K.T,
            "noise_updates": torch.full_like(self.clipped_K, self.noise_updates),
            **{f"param.{i}": p for i, p in enumerate(self.params)},
            **{f"state.{i}": p for i, p in enumerate(self.state)},
            **{f"sampler.{i}": p for i, p in enumerate(self.sampler.state())},
        }
        return {name: t.cpu()[places] for name, t in tensors.items()}

    def restore(self, saved: dict[str, torch.Tensor], update: int, seconds: float) -> None:
        """Go on from :meth:`snapshot`; the trials are those of its places, in their order."""
        self.update, self.seconds = update, seconds
        self.limit_K, self.diverged_K, self.clipped_K = (
            saved[name].to(self.device) for name in ("limit", "diverged", "clipped")
        )
        self.noise_2K = saved["noise"].T.to(self.device).contiguous()
        self.noise_updates = int(saved["noise_updates"][0])
        for kind, own in (("param", self.params), ("state", self.state)):
            for i, tensor in enumerate(own):
                tensor.copy_(saved[f"{kind}.{i}"])
        self.sampler.restore([saved[f"sampler.{i}"] for i in range(3)])

    def keep(self, stay: list[int]) -> None:
        """Drop all trials but those at ``stay``; theirs are bitwise what they were."""
        index = torch.tensor(stay, dtype=torch.long, device=self.device)
        self.params, self.before, self.state = (
            [t[index] for t in tensors] for tensors in (self.params, self.before, self.state)
        )
        self.settings = {name: value_K[index] for name, value_K in self.settings.items()}
        self.base_lr_K = self.base_lr_K[index]
        self.limit_K, self.diverged_K, self.clipped_K = (
            t[index] for t in (self.limit_K, self.diverged_K, self.clipped_K)
        )
        self.noise_2K = self.noise_2K[:, index]
        self.sampler.keep(index)
        if self.redrawn is not None:
            self.redrawn.keep(stay)
        self.positions = [self.positions[i] for i in stay]
        self.updater = self.plain()


def _on(device: torch.device, dtype: torch.dtype, values: Any) -> torch.Tensor:
    """An array on the device; labels stay whole numbers."""
    tensor = torch.as_tensor(values)
    return tensor.to(device, dtype if tensor.is_floating_point() else None)
