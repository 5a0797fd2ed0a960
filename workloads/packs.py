"""Which trials may share a pack, and how large a pack may grow; torch-free.

Trials of one *shape* train as one stack: everything that is a tensor size, a function or a
schedule must be equal; what is a number per trial (learning rate, momentum, decay, clipping,
initialisation, seed, target value) may differ.
"""

import functools
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .costs import Costs, name_of
from .spec import TrialSpec, canonical

LARGEST = 256
"""Trials per pack: beyond this the stack no longer hides any overhead."""
PACKS_PER_WORKER = 2
"""At least so many packs for each worker, so that load balances."""
EVEN_SECONDS = 0.25
"""From this much work for each worker on, a shape is dealt out evenly: no estimate can err then."""
MEMORY_BYTES = 2 * 2**30
"""What the tensors of one pack may take."""
GUESSED = Costs()
SHAPING = tuple(field for field in TrialSpec.model_fields if field != "seed")


class NotStackable(ValueError):
    """A pack of several trials whose model can only train in packs of one."""


@dataclass(frozen=True)
class Pack:
    """Trials that train together, and the seconds that this is estimated to take."""

    trials: tuple[TrialSpec, ...]
    seconds: float

    @property
    def memory_bytes(self) -> int:
        """Estimated memory of its tensors."""
        return len(self.trials) * trial_bytes(self.trials[0])

    @property
    def isolated(self) -> bool:
        """Whether it must have the machine to itself."""
        return self.trials[0].timing == "isolated"

    def parts(self, count: int) -> list["Pack"]:
        """About ``count`` packs with these trials, for a pack that failed."""
        size = math.ceil(len(self.trials) / count)
        starts = range(0, len(self.trials), size)
        share = self.seconds / len(starts)
        return [Pack(self.trials[start : start + size], share) for start in starts]


def shape_key(trial: TrialSpec) -> str:
    """Equal for trials that may share a pack."""
    target = None if trial.target is None else (trial.target.metric, trial.target.stop)
    parts: list[object] = [
        canonical(trial.problem),
        _without_init(canonical(trial.model), trial.model.name),
        canonical(trial.loss),
        canonical(trial.descent),
        canonical(trial.augmentation),
        trial.optimizer.name,
        canonical(trial.optimizer.schedule),
        trial.budget_updates,
        target,
        trial.dtype,
        trial.tf32,
        canonical(trial.record),
        trial.timing,
    ]
    return "|".join(str(part) for part in parts)


@functools.lru_cache(maxsize=65536)
def _without_init(model: str, name: str) -> str:
    """The canonical text of a model less its initialisation, which may differ in a pack."""
    content = {key: value for key, value in json.loads(model).items() if key != "init"}
    return json.dumps({"name": name, **content}, sort_keys=True)


def by_shape(trials: Iterable[TrialSpec]) -> dict[str, list[TrialSpec]]:
    """The trials of each shape, by the shape's name."""
    shapes: dict[str, list[TrialSpec]] = defaultdict(list)
    keys: dict[tuple[object, ...], str] = {}
    for trial in trials:
        # The trials of a grid share their parts: most keys are made of parts seen before.
        parts = tuple([id(getattr(trial, part)) for part in SHAPING])
        key = keys.get(parts) or keys.setdefault(parts, shape_key(trial))
        shapes[key].append(trial)
    return {name_of(key): group for key, group in shapes.items()}


def plan(
    trials: Iterable[TrialSpec],
    workers: int,
    costs: Costs = GUESSED,
    together: Mapping[str, str] | None = None,
) -> list[Pack]:
    """Pack the trials: packs of about equal work, at least two per worker, longest first.

    Args:
        trials: what is to be trained.
        workers: how many packs train at once.
        costs: what is known of the shapes.
        together: trial_id -> name of a checkpoint; trials that go on from one stay together.
    """
    shapes = by_shape(trials)
    total = sum(costs.seconds(name, group[0], len(group)) for name, group in shapes.items())
    deal = _Deal(costs, max(1, workers), total / (PACKS_PER_WORKER * max(1, workers)))
    packs: list[Pack] = []
    for name, group in shapes.items():
        started, fresh = _started(group, together or {})
        parts = [*started, *deal.split(name, fresh)]
        packs += [Pack(tuple(p), costs.seconds(name, p[0], len(p))) for p in parts]
    return sorted(packs, key=lambda pack: pack.seconds, reverse=True)


def _started(
    group: Sequence[TrialSpec], together: Mapping[str, str]
) -> tuple[list[list[TrialSpec]], list[TrialSpec]]:
    """The trials of each checkpoint, and those of none."""
    if not together:
        return [], list(group)
    found: dict[str | None, list[TrialSpec]] = defaultdict(list)
    for trial in group:
        found[together.get(trial.trial_id)].append(trial)
    fresh = found.pop(None, [])
    return list(found.values()), fresh


@dataclass(frozen=True)
class _Deal:
    """How large packs become; ``share``: seconds that none should take much more than."""

    costs: Costs
    workers: int
    share: float

    def split(self, name: str, group: Sequence[TrialSpec]) -> Iterator[Sequence[TrialSpec]]:
        """Parts of a group of one shape, of about equal size."""
        size = self._size(name, group) if group else 1
        for start in range(0, len(group), size):
            yield group[start : start + size]

    def _size(self, name: str, group: Sequence[TrialSpec]) -> int:
        """Trials per pack: as many as balance allows, and as few as the measured costs advise."""
        first, count = group[0], len(group)
        if first.timing == "isolated":
            return 1
        largest = min(LARGEST, count, max(1, MEMORY_BYTES // trial_bytes(first)))
        parts = max(math.ceil(count / largest), self._parts(self.costs.seconds(name, first, count)))
        balanced = math.ceil(count / min(count, parts))
        # Where a trial costs more in a large pack than in a small one, the small one is better.
        sizes = [balanced, *(size for size in self.costs.sizes(name) if size <= balanced)]
        return min(sizes, key=lambda size: (self.costs.seconds(name, first, size) / size, -size))

    def _parts(self, whole: float) -> int:
        """Packs for a shape that would take ``whole`` seconds as one."""
        parts = max(1, round(whole / self.share))
        even = math.ceil(parts / self.workers) * self.workers
        return even if whole / even > EVEN_SECONDS else parts


def trial_bytes(trial: TrialSpec) -> int:
    """Estimated memory of one trial in a pack: parameters four times over, activations thrice."""
    size = {"float64": 8, "float32": 4, "bfloat16": 2}[trial.dtype]
    shape = trial.shape
    units, weights = trial.model.units(shape), trial.model.parameters(shape)
    units += trial.loss.units(trial.batch_size)
    return size * (4 * weights + 3 * trial.batch_size * units) + 4096
