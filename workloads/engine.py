"""The training loop: one loop for every descent, every tensor with a leading trial axis K.

A pack is K ≥ 1 trials of one shape that train together; a serial trial is a pack of one, so
there is no second code path and a trial's numbers do not depend on its pack. The loop does
not know what is measured or where rows go: it descends to the next recording, hands the
stack to the recorder, and drops the trials that ended.
"""

import time
from collections.abc import Callable, Sequence

import torch

from .losses import LOSSES, SCORES
from .models import MODELS
from .optimizers import RULES, Tensors, norms, settings_of
from .options import Options
from .pace import Pace
from .probes import gradients
from .problems.data import Data
from .recording import Ended, Recorder
from .records import Records
from .samplers import Sampler
from .schedule import log_spaced, subset
from .spec import TrialSpec
from .step import Evaluator, Split, Step, Updater

Sink = Callable[[Records], None]
"""Takes one flush of records; blocks while it cannot, raises when the pack must stop."""

DTYPES = {"float32": torch.float32, "float64": torch.float64}
DEFAULTS = Options()
DIVERGED_FACTOR = 1e6
"""A mini-batch loss above this many times max(1, the untrained loss) counts as diverged."""


class Stack:
    """K trials in training: parameters, optimizer state, sample order, and where they are."""

    def __init__(self, trials: Sequence[TrialSpec], data: Data, device: torch.device) -> None:
        first = trials[0]
        dtype = DTYPES[first.dtype]
        self.model = MODELS[first.model.name](first, data)
        self.data, self.record = data, first.record
        self.train, self.test = (
            Split(torch.as_tensor(x, dtype=dtype, device=device), torch.as_tensor(y, device=device))
            for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test))
        )
        starts = [self.model.start(trial) for trial in trials]
        self.params = [torch.stack(p).to(device, dtype) for p in zip(*starts, strict=True)]
        self.settings = settings_of(trials, self.params[0])
        loss, score = LOSSES[first.loss.name], SCORES[first.loss.name]
        self.step = Step(self.model, loss, score, RULES[first.optimizer.name])
        self.state = self.step.rule.start(self.params, self.settings)
        self.sampler = Sampler(list(trials), device)
        self.positions = list(range(len(trials)))
        self.update = 0
        self.seconds = 0.0
        self.before: Tensors | None = None
        self.clipped: list[torch.Tensor] = []
        self.updater: Updater = self.step
        self.evaluator: Evaluator = self.step

    def splits(self) -> tuple[Split, Split]:
        """What losses and scores are measured on: the training subset, and the test set."""
        return Split(*(t[: self.record.samples] for t in self.train)), self.test

    def descend(self, update: int) -> torch.Tensor:
        """Train up to ``update`` updates. Returns the mini-batch losses met, (U, K).

        ``before`` then holds the parameters before the last update.
        """
        started = time.perf_counter()
        losses = []
        while self.update < update:
            self.before = self.params
            losses.append(self._advance(self.sampler.indices(self.update)))
        self.seconds += time.perf_counter() - started
        return torch.stack(losses) if losses else torch.empty(0, len(self.positions))

    def _advance(self, index_KB: torch.Tensor | None) -> torch.Tensor:
        """One update of every trial; returns the losses before it, (K,)."""
        # A compiled update knows whole batches only; the short last one of an epoch is eager.
        whole = index_KB is None or index_KB.shape[1] == self.sampler.batch_size
        updater = self.updater if whole else self.step
        done = updater.update(self.params, self.state, self.settings, self.train, index_KB)
        self.params, self.state = done.params, done.state
        if done.clipped_K is not None:
            self.clipped.append(done.clipped_K)
        self.update += 1
        return done.loss_K

    def take_clipped(self) -> torch.Tensor:
        """Clipped updates of each trial since the last call, (K,)."""
        counts = (
            torch.stack(self.clipped).sum(0) if self.clipped else torch.zeros(len(self.positions))
        )
        self.clipped = []
        return counts

    def update_norm(self) -> torch.Tensor | None:
        """‖θ(u) − θ(u−1)‖ of the last update, (K,); None before the first."""
        if self.before is None:
            return None
        return norms([p - q for p, q in zip(self.params, self.before, strict=True)])

    def keep(self, stay: list[int]) -> None:
        """Drop all trials but those at ``stay``; theirs are bitwise what they were."""
        index = torch.tensor(stay, dtype=torch.long, device=self.params[0].device)
        self.params = [p[index] for p in self.params]
        self.state = [v[index] for v in self.state]
        self.settings = {name: value_K[index] for name, value_K in self.settings.items()}
        self.before = [p[index] for p in self.before] if self.before else None
        self.sampler.keep(index)
        self.positions = [self.positions[i] for i in stay]


def train(
    trials: Sequence[TrialSpec], data: Data, sink: Sink, options: Options = DEFAULTS
) -> list[Ended]:
    """Train a pack and hand its rows to ``sink``, the endings with the last ones.

    Args:
        trials: K ≥ 1 trials of one shape (equal ``packs.shape_key``).
        data: their problem's data.
        sink: called about every ``options.flush_seconds`` and at the end.
        options: device, names and folders.

    Returns:
        How each trial ended, in order.
    """
    first = trials[0]
    stack = Stack(trials, data, torch.device(options.device))
    pace = Pace(trials, stack, options)
    recorder = Recorder(trials, options)
    plan = log_spaced(first.budget_updates, first.record.steps)
    layered = subset(plan, first.record.layers) if "gradients" in first.record.probes else set()
    limit_K: torch.Tensor | None = None
    flushed = time.perf_counter()
    for update in plan:
        losses_UK = stack.descend(update)
        pace.look()
        measured = gradients.measure(stack, first.record, layers=update in layered)
        if limit_K is None:
            limit_K = DIVERGED_FACTOR * measured.columns["train_loss"].clamp(min=1)
        diverged = _diverged(losses_UK, measured.columns["train_loss"], limit_K, update)
        ended = recorder.add(stack, measured, diverged, last=update == plan[-1])
        if ended:
            stay = [i for i, p in enumerate(stack.positions) if p not in ended]
            stack.keep(stay)
            limit_K = limit_K[stay]
        if not stack.positions:
            break
        if time.perf_counter() - flushed > options.flush_seconds:
            sink(recorder.drain())
            flushed = time.perf_counter()
    pace.close()
    sink(recorder.drain())
    return recorder.ended()


def _diverged(
    losses_UK: torch.Tensor, train_loss_K: torch.Tensor, limit_K: torch.Tensor, update: int
) -> dict[int, int]:
    """Which trials of the stack diverged (index -> update whose loss showed it)."""
    seen = torch.cat([losses_UK, train_loss_K.unsqueeze(0)])
    bad_UK = ~(seen <= limit_K)  # also true for NaN
    if not bad_UK.any():
        return {}
    first = update - len(losses_UK)
    return {
        int(k): first + int(bad_UK[:, k].int().argmax()) for k in bad_UK.any(0).nonzero().flatten()
    }
