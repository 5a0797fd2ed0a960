"""Who takes part, and one measured run of each: a process of its own.

The clock that counts starts when Ray, where there is one, is up, its workers have imported
torch and the data is loaded; it stops when the last result is in. The seconds of the whole
process are kept beside it.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .measured import Result, fresh_steps, fresh_store, last_json
from .task import TASKS

GRIDS = Path(__file__).with_name("grids")


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all contestants are given: cores, a device, and a folder for this benchmark."""

    workers: int
    folder: Path
    device: str = "cpu"
    short: bool = False

    def name(self, full: str) -> str:
        """``digits-120``, or in the short form ``digits-short``."""
        return f"{full.rpartition('-')[0]}-short" if self.short else full


@dataclasses.dataclass(frozen=True)
class Contestant:
    """How one run is made; ``cores`` and ``most`` (rounds) where they are not everybody's."""

    measure: Callable[[Setting], Result]
    cores: int | None = None
    most: int | None = None
    short: bool = True
    """Whether it takes part in the short form, too."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One measured run of one contestant."""

    contestant: str
    cores: int
    trials: int
    updates: int
    sweep_seconds: float
    process_seconds: float
    pack_seconds: float = 0.0
    """The workers' own seconds, summed over packs; 0 where there are none."""
    peak_bytes: int = 0
    growth: float = 1.0
    factors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """What else it measured, by name: see :mod:`.probes`."""


def run(name: str, contestant: Contestant, given: Setting) -> Run:
    """Measure one contestant once.

    Raises:
        RuntimeError: it failed, or did not train every trial that it was given.
    """
    result = contestant.measure(given)
    known = {field.name for field in dataclasses.fields(Run)}
    values = {key: value for key, value in result.items() if key in known}
    return Run(contestant=name, cores=contestant.cores or given.workers, **values)


def talweg(grid: str, *, warm: str | None = None, short: bool = True) -> Contestant:
    """``talweg run`` of a grid into a new store, with what it records by default.

    Args:
        grid: name of a file in ``grids``.
        warm: a grid of the same shapes, trained once before, off the clock, with compiled
            steps; None: the folder of compiled steps is empty at the start.
        short: False where another contestant's short form is the same run.
    """

    def measure(given: Setting) -> Result:
        if warm is None:
            with fresh_steps() as steps:
                return _talweg_run(given, grid, steps)
        steps = str(given.folder / warm)
        if not Path(steps).exists():
            _talweg_run(given, warm, steps, "--compile", "always")
        return _talweg_run(given, grid, steps)

    return Contestant(measure, short=short and warm is None)


def _talweg_run(given: Setting, grid: str, steps: str, *options: str) -> Result:
    """Short runs train in one process: Ray takes longer to start than they do."""
    executor = ["--executor", "inline"] if given.short else ["--workers", str(given.workers)]
    with fresh_store() as store:
        where = ["--store", store, "--device", given.device]
        command = ["talweg.services", "run", _file(given, grid), "--json", *where]
        result = last_json([*command, *executor, *options], TALWEG_STEPS_FOLDER=steps)
    if result["reused"] or result["errors"]:
        raise RuntimeError(f"talweg did not train every trial of {grid}: {result}")
    return result


def plan(grid: str) -> Contestant:
    """``talweg plan`` of a grid; its clock is the whole process, and it makes no updates."""

    def measure(given: Setting) -> Result:
        command = ["talweg.services", "plan", _file(given, grid), "--json"]
        nowhere = str(given.folder / "none.duckdb")
        result = last_json([*command, "--store", nowhere, "--workers", str(given.workers)])
        return result | {"updates": 0, "sweep_seconds": result["process_seconds"]}

    return Contestant(measure, cores=1)


def probes() -> Contestant:
    """The costs of :mod:`.probes`, all from one process; it measures them in pairs itself."""

    def measure(given: Setting) -> Result:
        return last_json(["benchmarks.probes", *(["--short"] if given.short else [])])

    return Contestant(measure, cores=1)


def store(
    module: str,
    trials: int | None = None,
    *,
    most: int | None = None,
    short: Sequence[str] | None = None,
) -> Contestant:
    """A module that measures a store and its dashboard, over so many trials of 1,000 recordings.

    ``short``: its options in the short form; without them it takes no part in that.
    """
    size = [] if trials is None else ["--trials", str(trials)]

    def measure(given: Setting) -> Result:
        return last_json([f"benchmarks.{module}", *((short or ()) if given.short else size)])

    return Contestant(measure, cores=None, most=most, short=short is not None)


def _file(given: Setting, grid: str) -> str:
    return str(GRIDS / f"{given.name(grid)}.yaml")


def peer(
    module: str, task: str, *, cores: int | None = None, most: int | None = None
) -> Contestant:
    """A peer on a task of :mod:`.task`; in the short form on one core."""

    def measure(given: Setting) -> Result:
        wanted = TASKS[given.name(task)]
        workers = 1 if given.short else given.workers
        options = ["--task", wanted.name, "--workers", str(workers)]
        return _peer_run(module, options, wanted.trials)

    return Contestant(measure, cores, most)


def net_loop(net: str, *, trials: int, epochs: int) -> Contestant:
    """The plain loop over a few trials of a net of :mod:`.nets`, on one core."""

    def measure(given: Setting) -> Result:
        count, length = (1, 1) if given.short else (trials, epochs)
        options = ["--net", net, "--trials", str(count), "--epochs", str(length)]
        return _peer_run("net_loop", options, count)

    return Contestant(measure, cores=1)


def _peer_run(module: str, options: Sequence[str], trials: int) -> Result:
    result = last_json([f"benchmarks.peers.{module}", *options])
    if result["trials"] != trials:
        raise RuntimeError(f"{module} did not train its {trials} trials: {result}")
    return result
