"""One measured process: its result, its seconds, and its memory as it went on."""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
START_SECONDS = 60.0
SAMPLING_SECONDS = 0.05
COMPILER = "talweg.workloads.compile_child"

Result = dict[str, Any]


def last_json(module: Sequence[str], **environment: str) -> Result:
    """Run a module in the root of the repository; its result is the last line it prints.

    Added to that are ``process_seconds`` and, of this process without its children,
    ``peak_bytes`` and ``growth`` (see :class:`Memory`).

    Raises:
        RuntimeError: it failed; with everything that it printed.
    """
    started = time.perf_counter()
    with (
        subprocess.Popen(
            [sys.executable, "-m", *module],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | environment,
        ) as process,
        Memory(process.pid) as memory,
    ):
        out, errors = _finished(process)
    if process.returncode:
        raise RuntimeError(f"{' '.join(module)} failed:\n{out}{errors}")
    result: Result = json.loads(out.splitlines()[-1])
    result["process_seconds"] = time.perf_counter() - started
    return result | {"peak_bytes": memory.peak_bytes, "growth": memory.growth}


def _finished(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate()
    except BaseException:
        process.terminate()  # nobody will read what it would still print
        raise


class Memory:
    """The resident memory of a process, sampled in a thread as long as the context is open."""

    def __init__(self, pid: int) -> None:
        self.status = Path(f"/proc/{pid}/status")
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.resident: list[int] = []
        self.peak_bytes = 0

    def __enter__(self) -> "Memory":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    @property
    def growth(self) -> float:
        """Median of the last quarter of the run over that of its second; 1.0 is flat."""
        quarter = len(self.resident) // 4
        if not quarter:
            return 1.0
        second, last = self.resident[quarter : 2 * quarter], self.resident[-quarter:]
        return statistics.median(last) / statistics.median(second)

    def _watch(self) -> None:
        while not self.over.wait(SAMPLING_SECONDS):
            lines = dict(line.split(":", 1) for line in _text(self.status).splitlines())
            if "VmRSS" in lines:  # a process that has ended has none
                self.resident.append(_bytes(lines["VmRSS"]))
                self.peak_bytes = _bytes(lines["VmHWM"])


def _bytes(entry: str) -> int:
    return int(entry.split()[0]) * 1024


@contextmanager
def fresh_store() -> Iterator[str]:
    """A store in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "bench.duckdb"
        with store_of(database):
            yield str(database)


@contextmanager
def store_of(database: Path) -> Iterator[None]:
    """The store of a database, stopped by its handle: none is left behind."""
    command = [sys.executable, "-m", "talweg.storage", str(database)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(database.with_name(f"{database.name}.endpoint"), server)
            yield
        finally:
            server.terminate()


def _wait_for(endpoint: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not endpoint.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the store did not start (exit status {server.returncode})")
        time.sleep(0.05)


@contextmanager
def fresh_steps() -> Iterator[str]:
    """An empty folder for compiled steps; what still compiles for it at the end is stopped.

    A compilation that a sweep ordered may outlive it: the next contestant must not feel it.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            yield folder
        finally:
            _stop_compilers(folder)


def _stop_compilers(folder: str) -> None:
    """The compiling processes that were started with this folder in their environment."""
    for process in Path("/proc").glob("[0-9]*"):
        ours = folder in _text(process / "environ")
        if ours and COMPILER in _text(process / "cmdline"):
            with suppress(ProcessLookupError):
                os.killpg(os.getpgid(int(process.name)), signal.SIGTERM)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # it left while we looked, or is another user's
