"""The table of a benchmark, in the terminal and as a dated Markdown report."""

import datetime
import importlib.metadata
import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .contestants import CONTESTANTS, Run
from .task import Task

FOLDER = Path(__file__).parent / "reports"
VERSIONS = ("talweg", "torch", "ray", "duckdb", "pyarrow", "numpy")
HEADINGS = ("", "sweep s", "process s", "trials/s", "updates/s", "time / talweg's")


def hardware() -> str:
    """The machine in one line: processor, cores this process may use, memory, accelerators."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    parts = [_processor(), f"{cores} cores", f"{memory:.0f} GiB", platform.platform(terse=True)]
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        parts += subprocess.check_output(query, text=True).splitlines()
    return ", ".join(parts)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def software() -> str:
    """Python and the libraries that the result depends on."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in VERSIONS]
    return ", ".join([f"Python {platform.python_version()}", *versions])


def rows(runs: Sequence[Run]) -> list[list[str]]:
    """One row per contestant: medians over its runs, the sweep's with its range."""
    ours = _median_sweep([run for run in runs if run.contestant == "talweg"])
    took_part = {run.contestant for run in runs}
    ordered = [name for name in CONTESTANTS if name in took_part]
    return [_row([run for run in runs if run.contestant == name], ours) for name in ordered]


def _row(own: list[Run], ours: float) -> list[str]:
    median = _median_sweep(own)
    return [
        own[0].contestant,
        f"{median:.2f}{_range([run.sweep_seconds for run in own])}",
        f"{statistics.median(run.process_seconds for run in own):.1f}",
        f"{own[0].trials / median:.2f}",
        f"{own[0].updates / median:,.0f}",
        f"{median / ours:.2f}",
    ]


def _median_sweep(runs: Sequence[Run]) -> float:
    return statistics.median(run.sweep_seconds for run in runs)


def _range(seconds: list[float]) -> str:
    return f" ({min(seconds):.2f}–{max(seconds):.2f})" if len(seconds) > 1 else ""


def markdown(task: Task, runs: Sequence[Run], workers: int, load: float) -> str:
    """The report; ``load`` is the machine's load average before the first run."""
    now = datetime.datetime.now(datetime.UTC)
    rounds = sum(run.contestant == "talweg" for run in runs)
    table = [HEADINGS, ["---"] * len(HEADINGS), *rows(runs)]
    return "\n".join(
        [
            f"# {task.name}, {now:%Y-%m-%d}",
            "",
            f"{task.trials} trials, {workers} workers, {rounds} interleaved rounds: medians, "
            "smallest and largest in brackets. Sweep seconds begin when Ray is up; process "
            f"seconds are all of it. Made by `make bench` at {now:%H:%M} UTC; load average "
            f"before the first round {load:.2f}.",
            "",
            f"- Machine: {hardware()}",
            f"- Software: {software()}",
            "",
            *("| " + " | ".join(row) + " |" for row in table),
            "",
            "talweg recorded all its default metrics into DuckDB, into a new store each time; "
            "its first row also started without compiled steps. Ray Tune reported loss and "
            "accuracy once an epoch; the loop (on one core) and the bound only looked at the "
            "accuracy once an epoch. The bound schedules and stores nothing.",
            "",
        ]
    )


def write(task: Task, text: str) -> Path:
    """Keep a report under its date; a later one of the same day replaces it."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}-{task.name}.md"
    path.write_text(text)
    return path
