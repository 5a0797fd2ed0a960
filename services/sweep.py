"""A sweep: expand, skip what is finished, pack, submit, record outcomes. The heart."""

import datetime
import hashlib
import importlib.metadata
import platform
import socket
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..storage.client import Client
from ..storage.errors import Fenced, StoreUnreachable
from ..workloads import packs
from ..workloads.checkpoints import Checkpoints
from ..workloads.grid import Expansion, PlannedTrial
from ..workloads.packs import NotStackable, Pack
from ..workloads.records import Outcome
from ..workloads.spec import TrialSpec, canonical
from . import costing
from .costing import Learned
from .executors import Done, Executor

POLL_SECONDS = 0.5
SOFTWARE = ("torch", "ray", "numpy", "scikit-learn")
"""Libraries whose versions a sweep records."""
OTHERS_SECONDS = 30.0
"""How long trials that another driver took over may stand still before we take them back."""


class SweepInterrupted(RuntimeError):
    """The sweep was stopped from outside; everything committed stays."""


class Watcher(Protocol):
    """Who is told how a sweep goes on: the progress bar, or nobody."""

    def started(self, plan: "Plan", queue: Sequence[Pack]) -> None:
        """The packs are planned."""

    def done(self, done: Done) -> None:
        """A pack came back."""

    def failed(self, trial: TrialSpec, error: Exception) -> None:
        """A single trial failed for good."""

    def told(self, message: str) -> None:
        """Something that a person may want to know; the same may be said more than once."""

    def close(self) -> None:
        """The sweep is over, however it ended."""


@dataclass(frozen=True)
class Plan:
    """What a sweep will do."""

    sweep_id: str
    expansion: Expansion
    finished: dict[str, str]

    @property
    def todo(self) -> list[TrialSpec]:
        """Trials without a result yet."""
        trials = (planned.trial for planned in self.expansion.trials)
        return [trial for trial in trials if trial.trial_id not in self.finished]


@dataclass
class Result:
    """How a sweep went."""

    sweep_id: str
    trials: int
    reused: int
    seconds: float = 0.0
    updates: int = 0
    packs: int = 0
    pack_seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)

    def grown(self, plan: Plan, longer: Plan) -> None:
        """Count the trials that a longer plan adds, and those of them finished before."""
        before = {planned.trial.trial_id for planned in plan.expansion.trials}
        self.trials = len(longer.expansion.trials)
        self.reused += len(longer.finished.keys() - before)


def sweep_id(expansion: Expansion) -> str:
    """Name and content hash: the same grid run again is the same sweep, continued."""
    digest = hashlib.sha256(canonical(expansion.spec).encode()).hexdigest()
    return f"{expansion.name}-{digest[:8]}"


def plan(expansion: Expansion, client: Client) -> Plan:
    """Which trials of the grid are finished already, in this sweep or any other."""
    ids = [planned.trial.trial_id for planned in expansion.trials]
    return Plan(sweep_id(expansion), expansion, client.finished(ids))


Grow = Callable[[Plan], Plan | None]
"""A plan whose trials are finished -> a longer one for the same sweep, or None: that was all."""


def no_more(plan: Plan) -> Plan | None:
    """Grids as they are: nothing is added."""
    del plan
    return None


def run(
    plan: Plan,
    client: Client,
    executor: Executor,
    owner: str,
    watch: Watcher,
    grow: Grow = no_more,
) -> Result:
    """Run what is unfinished, and then what ``grow`` adds to it.

    Raises:
        SweepInterrupted: on Ctrl-C; the status is then ``interrupted``.
        StoreUnreachable: the store did not come back; status unknown until the next run.
    """
    register(plan, client, owner)
    result = Result(plan.sweep_id, len(plan.expansion.trials), len(plan.finished))
    started = time.perf_counter()
    try:
        _Loop(plan, client, executor, watch, result).run()
        while (longer := grow(plan)) is not None:
            register(longer, client, owner)
            result.grown(plan, longer)
            plan = longer
            _Loop(plan, client, executor, watch, result).run()
    except KeyboardInterrupt as error:
        client.set_status(plan.sweep_id, "interrupted")
        raise SweepInterrupted(plan.sweep_id) from error
    result.seconds = time.perf_counter() - started
    client.set_status(plan.sweep_id, "failed" if result.errors else "done")
    return result


def register(plan: Plan, client: Client, owner: str) -> None:
    """Enter the sweep and its trials into the store."""
    expansion = plan.expansion
    sweep = {
        "sweep_id": plan.sweep_id,
        "name": expansion.name,
        "study": expansion.study,
        "team": expansion.team,
        "owner": expansion.owner or owner,
        "spec": canonical(expansion.spec),
        "status": "running",
        "talweg_version": importlib.metadata.version("talweg"),
        "host": socket.gethostname(),
        "software": software(),
    }
    client.register(sweep, columns(expansion.trials))


def software() -> dict[str, str]:
    """Versions of what decides about a trial's numbers, as installed here; loads none of it."""
    found = {name: importlib.metadata.version(name) for name in SOFTWARE}
    return {"python": platform.python_version(), **found}


def columns(trials: Sequence[PlannedTrial]) -> dict[str, Sequence[Any]]:
    """The columns of ``trials`` that are known before anything runs, one value per trial."""
    names = ("slug", *trials[0].trial.row())
    # Tuples, then turned over: a dictionary per trial would be 100,000 times the names.
    rows = [(planned.slug, *planned.trial.row().values()) for planned in trials]
    return dict(zip(names, zip(*rows, strict=True), strict=True))


class _Loop:
    """Keeps the executor full until every trial has an outcome."""

    def __init__(
        self, plan: Plan, client: Client, executor: Executor, watch: Watcher, result: Result
    ) -> None:
        self.plan, self.client, self.executor = plan, client, executor
        self.watch, self.result = watch, result
        self.learned = Learned()
        self.queue = deque(self._packed(plan.todo))
        self.in_flight = 0
        self.elsewhere: list[TrialSpec] = []

    def run(self) -> None:
        self.watch.started(self.plan, list(self.queue))
        while self.queue or self.in_flight or self.elsewhere:
            while self.queue and self.in_flight < self.executor.capacity:
                self.executor.submit(self.queue.popleft())
                self.in_flight += 1
            if not self.in_flight:
                self._wait_for_others()
            elif (done := self.executor.next(POLL_SECONDS)) is not None:
                self.in_flight -= 1
                self._take(done)
        self.learned.remember(self.client)

    def _take(self, done: Done) -> None:
        """Count a pack's outcomes; halve it when it failed, down to the trial at fault."""
        self.watch.done(done)
        match done.error:
            case None:
                self.learned.add(done.pack, done.result)
                self.result.outcomes.update(done.result.outcomes)
                self.result.updates += done.result.updates
                self.result.packs += 1
                self.result.pack_seconds += done.result.seconds
            case StoreUnreachable():
                raise done.error
            case Fenced():
                self.elsewhere += done.pack.trials
            case NotStackable():
                self.watch.told(str(done.error))
                self.queue.extendleft(done.pack.parts(len(done.pack.trials)))
            case _ if len(done.pack.trials) > 1:
                self.queue.extendleft(done.pack.parts(2))
            case _:
                self._fail(done.pack.trials[0], done.error)

    def _fail(self, trial: TrialSpec, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        self.result.outcomes[str(Outcome.FAILED)] += 1
        self.result.errors[trial.trial_id] = reason
        self.watch.failed(trial, error)
        writer = uuid.uuid4().hex
        self.client.begin(writer, [trial.trial_id])
        self.client.append(writer, 1, {"endings": failure(trial, reason)})

    def _wait_for_others(self) -> None:
        """Trials that another driver trains now: wait while it gets on, else take them back."""
        ids = [trial.trial_id for trial in self.elsewhere]
        left, deadline = len(ids), time.monotonic() + OTHERS_SECONDS
        while left and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            finished = self.client.finished(ids)
            if len(ids) - len(finished) < left:
                left, deadline = len(ids) - len(finished), time.monotonic() + OTHERS_SECONDS
        finished = self.client.finished(ids)
        self.result.outcomes.update(finished.values())
        self.queue.extend(self._packed([t for t in self.elsewhere if t.trial_id not in finished]))
        self.elsewhere = []

    def _packed(self, trials: Sequence[TrialSpec]) -> list[Pack]:
        """Packs of the trials, by what is known or measured of their costs."""
        shapes = packs.by_shape(trials)
        costs = costing.known(self.client, shapes)
        if new := costing.unknown(shapes, costs):
            self.watch.told(f"measuring what {len(new)} kinds of pack cost")
            costing.calibrated(self.client, self.executor, new)
            costs = costing.known(self.client, shapes)
        return packs.plan(trials, self.executor.workers, costs, self._together())

    def _together(self) -> dict[str, str]:
        """Trials that go on from one checkpoint; those of finished trials are removed."""
        folder = self.executor.options.checkpoints_folder
        if folder is None:
            return {}
        checkpoints = Checkpoints(folder)
        checkpoints.prune(self.client.finished)
        return checkpoints.groups()


def failure(trial: TrialSpec, reason: str) -> dict[str, list[Any]]:
    """The ending of a trial that could not be trained."""
    return {
        "trial_id": [trial.trial_id],
        "outcome": [str(Outcome.FAILED)],
        "updates": [0],
        "samples": [0],
        "seconds": [0.0],
        "isolated": [trial.timing == "isolated"],
        "device": [""],
        "node": [socket.gethostname()],
        "finished_at": [datetime.datetime.now(datetime.UTC)],
        "diverged_at_update": [None],
        "error": [reason[:2000]],
        "probe_seconds": [0.0],
    }
