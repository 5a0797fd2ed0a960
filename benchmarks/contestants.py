"""Who takes part, and one measured run of each: a process of its own, one at a time.

The clock that counts starts when Ray, where there is one, is up and the data is loaded, and
stops when the last result is in. The seconds of the whole process are kept beside it.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .task import SHORT, Task

HERE = Path(__file__).parent
START_SECONDS = 60.0
COMPILER_SECONDS = 300.0
COMPILER = "talweg.workloads.compile_child"


@dataclasses.dataclass(frozen=True)
class Run:
    """One measured run of one contestant."""

    contestant: str
    trials: int
    updates: int
    sweep_seconds: float
    process_seconds: float


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all contestants are given: the task, cores, and a folder for this benchmark."""

    task: Task
    workers: int
    folder: Path


Measure = Callable[[Setting], dict[str, Any]]


def _peer(module: str) -> Measure:
    def measure(given: Setting) -> dict[str, Any]:
        short = ["--short"] if given.task is SHORT else []
        return _last_json([f"benchmarks.peers.{module}", *short, "--workers", str(given.workers)])

    return measure


def _talweg(given: Setting) -> dict[str, Any]:
    """``talweg run`` as on a machine that has never run it: no store, no compiled steps."""
    with tempfile.TemporaryDirectory(dir=given.folder) as steps:
        result = _talweg_run(given, Path(steps))
        _wait_for_compilers()
    return result


def _talweg_again(given: Setting) -> dict[str, Any]:
    """``talweg run`` of trials of a known shape: compiled steps are there, the store is new."""
    steps = given.folder / "compiled"
    if not steps.exists():
        _talweg_run(given, steps, "--compile", "always")
    return _talweg_run(given, steps)


def _talweg_run(given: Setting, steps: Path, *options: str) -> dict[str, Any]:
    grid = str(HERE / "grids" / f"{given.task.name}.yaml")
    workers = ["--workers", str(given.workers)]
    with _fresh_store() as store:
        return _last_json(
            ["talweg.services", "run", grid, "--json", "--store", store, *workers, *options],
            TALWEG_STEPS_FOLDER=str(steps),
        )


CONTESTANTS: dict[str, Measure] = {
    "talweg": _talweg,
    "talweg, steps compiled before": _talweg_again,
    "Ray Tune": _peer("ray_tune"),
    "plain loop": _peer("plain_loop"),
    "hand-batched bound": _peer("hand_batched"),
}


def taking_part(task: Task) -> list[str]:
    """Who runs a task. Compiling takes longer than all of the short one."""
    return [name for name in CONTESTANTS if task is not SHORT or "compiled" not in name]


def run(contestant: str, given: Setting) -> Run:
    """Measure one contestant once.

    Raises:
        RuntimeError: it failed, or did not train every trial of the task.
    """
    result = CONTESTANTS[contestant](given)
    task = given.task
    if result["trials"] != task.trials or result.get("reused") or result.get("errors"):
        raise RuntimeError(f"{contestant} did not train the {task.trials} trials: {result}")
    return Run(
        contestant,
        task.trials,
        int(result["updates"]),
        result["sweep_seconds"],
        result["process_seconds"],
    )


def _last_json(module: list[str], **environment: str) -> dict[str, Any]:
    """Run a module; its result is the last line it prints, the rest is talk."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *module],
        capture_output=True,
        text=True,
        cwd=HERE.parent,
        env=os.environ | environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(module)} failed:\n{done.stdout}{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result | {"process_seconds": time.perf_counter() - started}


@contextmanager
def _fresh_store() -> Iterator[str]:
    """A store in a temporary folder, stopped by its handle: none is left behind."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "bench.duckdb"
        command = [sys.executable, "-m", "talweg.storage", str(database)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
            try:
                _wait_for(database.with_name("bench.duckdb.endpoint"), server)
                yield str(database)
            finally:
                server.terminate()


def _wait_for_compilers() -> None:
    """A compilation that a sweep ordered may outlive it: the next contestant must not feel it."""
    deadline = time.monotonic() + COMPILER_SECONDS
    while any(COMPILER in _command_line(process) for process in Path("/proc").glob("[0-9]*")):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{COMPILER} is still at work after {COMPILER_SECONDS:.0f} s")
        time.sleep(0.5)


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it left while we looked


def _wait_for(endpoint: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not endpoint.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the store did not start (exit status {server.returncode})")
        time.sleep(0.05)
