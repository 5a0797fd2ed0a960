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
HEADINGS = ("", "sweep s", "range", "process s", "trials/s", "updates/s", "time / talweg's")


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
    """One row per contestant: medians over its runs, and the range where there are several."""
    sweeps = {name: [r.sweep_seconds for r in runs if r.contestant == name] for name in CONTESTANTS}
    ours = statistics.median(sweeps["talweg"])
    table = []
    for name, seconds in sweeps.items():
        own = [run for run in runs if run.contestant == name]
        median = statistics.median(seconds)
        table.append(
            [
                name,
                f"{median:.2f}",
                f"{min(seconds):.2f} – {max(seconds):.2f}",
                f"{statistics.median(run.process_seconds for run in own):.1f}",
                f"{own[0].trials / median:.2f}",
                f"{own[0].updates / median:,.0f}",
                f"{median / ours:.2f}",
            ]
        )
    return table


def markdown(task: Task, runs: Sequence[Run], workers: int, load: float) -> str:
    """The report; ``load`` is the machine's load average before the first run."""
    now = datetime.datetime.now(datetime.UTC)
    rounds = len(runs) // len(CONTESTANTS)
    table = [HEADINGS, ["---"] * len(HEADINGS), *rows(runs)]
    return "\n".join(
        [
            f"# {task.name}, {now:%Y-%m-%d}",
            "",
            f"{task.trials} trials, {rounds} interleaved rounds, {workers} workers.",
            f"Medians over the rounds; ranges are smallest to largest. Made by `make bench` at "
            f"{now:%H:%M} UTC; load average before the first round {load:.2f}.",
            "",
            f"- Machine: {hardware()}",
            f"- Software: {software()}",
            "",
            *("| " + " | ".join(row) + " |" for row in table),
            "",
            "talweg recorded all its default metrics into DuckDB; Ray Tune reported loss and "
            "accuracy once an epoch; the other two only looked at the accuracy once an epoch. "
            "The hand-batched bound schedules and stores nothing.",
            "",
        ]
    )


def write(task: Task, text: str) -> Path:
    """Keep a report under its date; a later one of the same day replaces it."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}-{task.name}.md"
    path.write_text(text)
    return path
