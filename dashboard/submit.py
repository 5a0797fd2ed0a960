"""Planning and starting a sweep from the dashboard, by the commands that people type.

A plan is ``talweg plan --json`` in a process of its own: what somebody types must not take the
pages' time, memory or imports. A sweep is ``talweg run``, which goes on without the dashboard
and finds the store's write token by itself; no page ever holds that.
"""

import dataclasses
import hashlib
import json
import re
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_TRIALS = 20_000
"""A larger sweep is not started from a page; ``talweg run`` has no such limit."""

MAX_LETTERS = 100_000
PLAN_SECONDS = 10
PLAN_BYTES = 4 << 30
PLANS = threading.BoundedSemaphore(2)
GRID_FILE = "grid.yaml"

_LIMITED = """import resource, runpy, sys
seconds, size = int(sys.argv.pop(1)), int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_AS, (size, size))
runpy.run_module("talweg.services", run_name="__main__", alter_sys=True)"""
"""``talweg`` that cannot take more than its share of the machine."""


@dataclasses.dataclass(frozen=True)
class Complaint:
    """What is wrong with a grid, and in which line of its text (from 1), if in one."""

    message: str
    line: int | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What ``talweg plan`` found: either what would run, or what is wrong."""

    facts: Mapping[str, Any] | None
    complaints: tuple[Complaint, ...] = ()

    @property
    def too_large(self) -> bool:
        """Whether the page leaves it to the terminal."""
        return self.facts is not None and self.facts["trials"] > MAX_TRIALS


def plan(text: str, store: str) -> Plan:
    """Validate a grid, and plan it against what the store has already."""
    if len(text) > MAX_LETTERS:
        return _wrong(f"more than {MAX_LETTERS:,} letters are planned in a terminal")
    with PLANS, tempfile.TemporaryDirectory(prefix="talweg-plan-") as folder:
        file = Path(folder) / GRID_FILE
        file.write_text(text, encoding="utf-8")
        limits = [str(PLAN_SECONDS), str(PLAN_BYTES)]
        command = [sys.executable, "-c", _LIMITED, *limits, *_plan_of(file, store), "--json"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=2 * PLAN_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return _wrong(_TOO_LONG)
    if done.returncode < 0:
        return _wrong(_TOO_LONG)
    if done.returncode:
        return Plan(None, _complaints(done.stderr, str(file)))
    return Plan(json.loads(done.stdout.splitlines()[-1]))


_TOO_LONG = (
    f"no plan within {PLAN_SECONDS} s: the grid is very large, or the store does not answer; "
    "talweg plan, in a terminal, waits for longer"
)


def _plan_of(file: Path, store: str) -> list[str]:
    return ["plan", str(file), "--store", store]


def _wrong(message: str) -> Plan:
    return Plan(None, (Complaint(message),))


def _complaints(errors: str, file: str) -> tuple[Complaint, ...]:
    """The lines ``FILE:LINE: key: what`` of an error, each as one complaint."""
    found = []
    pattern = re.compile(rf"^(?:talweg: )?{re.escape(file)}(?::(\d+))?: (.*)$", re.M)
    for line, message in pattern.findall(errors):
        found.append(Complaint(message, int(line) if line else None))
    if found:
        return tuple(found)
    last = (errors.strip() or "it failed without a word").splitlines()[-1]
    return (Complaint(last.removeprefix("talweg: ")),)


@dataclasses.dataclass(frozen=True)
class Started:
    """A sweep that was started here."""

    sweep_id: str
    grid: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def running(self) -> bool:
        """Whether its driver is still at work."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()


class Starter:
    """Starts sweeps into one database file, one at a time. Thread-safe; one for the process."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.last: Started | None = None
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether the sweep started last is still running."""
        return self.last is not None and self.last.running

    def start(self, text: str, sweep_id: str) -> Started | None:
        """Start a sweep that was planned; None when another one is still running."""
        with self._lock:
            if self.busy:
                return None
            folder = folder_of(self.store)
            folder.mkdir(mode=0o700, exist_ok=True)
            # The plan's own name for the sweep has its grid's name in it: letters and dashes.
            name = f"{sweep_id}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
            grid, log = folder / f"{name}.yaml", folder / f"{name}.log"
            grid.write_text(text, encoding="utf-8")
            command = [sys.executable, "-m", "talweg.services", "run", str(grid)]
            with log.open("ab") as out:
                process = subprocess.Popen(
                    [*command, "--store", self.store],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                )  # fmt: skip
            self.last = Started(sweep_id, grid, log, process)
            return self.last


def folder_of(store: str) -> Path:
    """Where grid files and logs of the sweeps started here lie: beside the database."""
    database = Path(store).resolve()
    return database.with_name(f"{database.name}.sweeps")


def command_line(store: str, file: str) -> str:
    """What starts the sweep in a terminal."""
    return f"talweg run {shlex.quote(file)} --store {shlex.quote(store)}"
