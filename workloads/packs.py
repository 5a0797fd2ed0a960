"""Which trials may share a pack, and how large a pack may grow; torch-free.

Trials of one *shape* train as one stack: everything that is a tensor size, a function or a
schedule must be equal; what is a number per trial (learning rate, momentum, decay, clipping,
initialisation, seed, target value) may differ.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .spec import TrialSpec, canonical

LARGEST = 256
"""Trials per pack: beyond this the stack no longer hides any overhead."""
PACKS_PER_WORKER = 2
"""At least so many packs for each worker, so that load balances."""
MEMORY_BYTES = 2 * 2**30
"""What the tensors of one pack may take."""

# A first guess of what one update costs; only ratios matter for packing.
UPDATE_SECONDS = 2.5e-4
TRIAL_SECONDS = 4e-6
FLOP_SECONDS = 1 / 25e9


@dataclass(frozen=True)
class Pack:
    """Trials that train together."""

    trials: tuple[TrialSpec, ...]

    @property
    def seconds(self) -> float:
        """Estimated training time on one core."""
        return estimate_seconds(self.trials[0], len(self.trials))

    @property
    def memory_bytes(self) -> int:
        """Estimated memory of its tensors."""
        return len(self.trials) * trial_bytes(self.trials[0])

    def halves(self) -> tuple["Pack", "Pack"]:
        """Two packs of half the size, for a pack that failed."""
        middle = len(self.trials) // 2
        return Pack(self.trials[:middle]), Pack(self.trials[middle:])


def shape_key(trial: TrialSpec) -> str:
    """Equal for trials that may share a pack."""
    model = trial.model.model_dump(exclude={"init"})
    target = None if trial.target is None else (trial.target.metric, trial.target.stop)
    parts: list[object] = [
        canonical(trial.problem),
        model,
        canonical(trial.loss),
        canonical(trial.descent),
        trial.optimizer.name,
        canonical(trial.optimizer.schedule),
        trial.budget_updates,
        target,
        trial.dtype,
        canonical(trial.record),
        trial.timing,
    ]
    return "|".join(str(part) for part in parts)


def plan(trials: Iterable[TrialSpec], workers: int) -> list[Pack]:
    """Pack the trials: packs of about equal work, at least two per worker, longest first."""
    shapes: dict[str, list[TrialSpec]] = defaultdict(list)
    for trial in trials:
        shapes[shape_key(trial)].append(trial)
    total = sum(estimate_seconds(group[0], len(group)) for group in shapes.values())
    share = total / (PACKS_PER_WORKER * max(1, workers))
    packs = [pack for group in shapes.values() for pack in _split(group, share)]
    return sorted(packs, key=lambda pack: pack.seconds, reverse=True)


def _split(group: Sequence[TrialSpec], share: float) -> Iterable[Pack]:
    """Parts of a group of one shape, none of them much above ``share`` seconds."""
    whole = estimate_seconds(group[0], len(group))
    largest = min(LARGEST, max(1, MEMORY_BYTES // trial_bytes(group[0])))
    parts = max(math.ceil(len(group) / largest), min(len(group), round(whole / share)), 1)
    size = math.ceil(len(group) / parts)
    for start in range(0, len(group), size):
        yield Pack(tuple(group[start : start + size]))


def estimate_seconds(trial: TrialSpec, count: int) -> float:
    """Estimated seconds on one core of ``count`` such trials as one pack."""
    flops = 6 * parameters(trial) * trial.batch_size
    update = UPDATE_SECONDS + count * (TRIAL_SECONDS + flops * FLOP_SECONDS)
    samples = trial.record.samples or trial.problem.train_samples
    recording = 2 * parameters(trial) * (samples + trial.problem.shape.samples) * FLOP_SECONDS
    return trial.budget_updates * update + trial.record.steps * (1e-3 + count * recording)


def parameters(trial: TrialSpec) -> int:
    """Weights of the trial's net, biases left out."""
    model, shape = trial.model, trial.problem.shape
    sizes = [shape.features, *[model.width] * model.depth, shape.classes]
    return sum(a * b for a, b in itertools.pairwise(sizes))


def trial_bytes(trial: TrialSpec) -> int:
    """Estimated memory of one trial in a pack: parameters four times over, activations thrice."""
    size = 8 if trial.dtype == "float64" else 4
    units = trial.model.depth * trial.model.width + trial.problem.shape.classes
    inputs = trial.problem.shape.features
    return size * (4 * parameters(trial) + 3 * trial.batch_size * (units + inputs)) + 4096
