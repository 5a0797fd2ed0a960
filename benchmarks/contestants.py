"""Who takes part, and one measured run of each: a process of its own, one at a time.

The clock that counts starts when Ray, where there is one, is up and the data is loaded, and
stops when the last result is in. The seconds of the whole process are kept beside it.
"""

import dataclasses
import json
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


@dataclasses.dataclass(frozen=True)
class Run:
    """One measured run of one contestant."""

    contestant: str
    trials: int
    updates: int
    sweep_seconds: float
    process_seconds: float


def _peer(module: str) -> Callable[[Task, int], dict[str, Any]]:
    def measure(task: Task, workers: int) -> dict[str, Any]:
        short = ["--short"] if task is SHORT else []
        return _last_json([f"benchmarks.peers.{module}", *short, "--workers", str(workers)])

    return measure


def _talweg(task: Task, workers: int) -> dict[str, Any]:
    """``talweg run`` against a store of its own, so that no trial can be reused."""
    grid = str(HERE / "grids" / f"{task.name}.yaml")
    with _fresh_store() as store:
        return _last_json(
            ["talweg.services", "run", grid, "--json", "--store", store, "--workers", str(workers)]
        )


CONTESTANTS: dict[str, Callable[[Task, int], dict[str, Any]]] = {
    "talweg": _talweg,
    "Ray Tune": _peer("ray_tune"),
    "plain loop": _peer("plain_loop"),
    "hand-batched bound": _peer("hand_batched"),
}


def run(contestant: str, task: Task, workers: int) -> Run:
    """Measure one contestant once.

    Raises:
        RuntimeError: it failed, or did not train every trial of the task.
    """
    started = time.perf_counter()
    result = CONTESTANTS[contestant](task, workers)
    seconds = time.perf_counter() - started
    if result["trials"] != task.trials or result.get("reused") or result.get("errors"):
        raise RuntimeError(f"{contestant} did not train the {task.trials} trials: {result}")
    return Run(contestant, task.trials, int(result["updates"]), result["sweep_seconds"], seconds)


def _last_json(module: list[str]) -> dict[str, Any]:
    """Run a module; its result is the last line it prints, the rest is talk."""
    command = [sys.executable, "-m", *module]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(module)} failed:\n{done.stdout}{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


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


def _wait_for(endpoint: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not endpoint.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the store did not start (exit status {server.returncode})")
        time.sleep(0.05)
