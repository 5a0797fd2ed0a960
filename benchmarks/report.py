"""The tables of a benchmark, in the terminal and as a dated Markdown report."""

import datetime
import importlib.metadata
import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .contestants import Run, Setting
from .figures import FIGURES, Figure
from .goals import Goal, Value, value

FOLDER = Path(__file__).parent / "reports"
VERSIONS = ("talweg", "torch", "ray", "duckdb", "pyarrow", "numpy")
GOALS = ("figure", "", "value", "per core", "goal", "met")
FACTORS = ("figure", "contestant", "measured", "value")
RUNS = ("figure", "contestant", "runs", "cores", "trials", "sweep s", "process s",
        "trials/s", "updates/s", "peak MB")  # fmt: skip

Results = Mapping[str, Sequence[Run]]
"""Name of a figure -> the runs of its contestants."""


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


def goal_rows(results: Results) -> list[list[str]]:
    """One row per goal whose contestants ran: its value and whether that is good enough."""
    return [
        [name, goal.label, _value(goal, found), _per_core(found), _bound(goal), _met(goal, found)]
        for name, runs in results.items()
        for goal in FIGURES[name].goals
        if (found := value(goal, runs)) is not None
    ]


def _value(goal: Goal, found: Value) -> str:
    unit = "×" if goal.theirs else goal.quantity.unit
    spread = f" ({found.low:.2f}–{found.high:.2f})" if found.low < found.high else ""
    return f"{found.median:.2f} {unit}{spread}"


def _per_core(found: Value) -> str:
    return "" if found.per_core is None else f"{found.per_core:.2f} ×"


def _bound(goal: Goal) -> str:
    return "" if goal.bound is None else str(goal.bound)


def _met(goal: Goal, found: Value) -> str:
    if goal.bound is None:
        return ""
    met = goal.bound.holds(found.median)
    return "yes" if met else "not yet" if goal.stretch else "no"


def run_rows(results: Results) -> list[list[str]]:
    """One row per contestant of each figure: medians over its runs, sweeps with their range."""
    return [
        [name, *_run([run for run in runs if run.contestant == contestant])]
        for name, runs in results.items()
        for contestant in dict.fromkeys(run.contestant for run in runs)
    ]


def _run(own: Sequence[Run]) -> list[str]:
    first = own[0]
    seconds = [run.sweep_seconds for run in own]
    median = statistics.median(seconds)
    updates = statistics.median(run.updates for run in own)
    return [
        first.contestant,
        str(len(own)),
        str(first.cores),
        f"{first.trials:,}",
        f"{median:.2f}" + (f" ({min(seconds):.2f}–{max(seconds):.2f})" if own[1:] else ""),
        f"{statistics.median(run.process_seconds for run in own):.1f}",
        f"{first.trials / median:,.2f}",
        f"{updates / median:,.0f}" if updates else "",
        f"{max(run.peak_bytes for run in own) / 1e6:,.0f}",
    ]


def factor_rows(results: Results) -> list[list[str]]:
    """One row per contestant and quantity, of the figures that list all that they measured."""
    return [
        [name, contestant, key, f"{_factor(runs, contestant, key):.3g} {unit}"]
        for name, runs in results.items()
        if (unit := FIGURES[name].factors)
        for contestant in dict.fromkeys(run.contestant for run in runs)
        for key in next(run for run in runs if run.contestant == contestant).factors
    ]


def _factor(runs: Sequence[Run], contestant: str, key: str) -> float:
    return statistics.median(run.factors[key] for run in runs if run.contestant == contestant)


def markdown(results: Results, given: Setting, load: float) -> str:
    """The report; ``load`` is the machine's load average before the first run."""
    now = datetime.datetime.now(datetime.UTC)
    title = "Figures" if len(results) > 1 else next(iter(results))
    return "\n".join(
        [
            f"# {title}, {now:%Y-%m-%d}",
            "",
            f"{given.workers} workers, talweg on {given.device}, peers on CPU. Made by "
            f"`python -m benchmarks.run` at {now:%H:%M} UTC; load average before the first "
            f"round {load:.2f}. [Benchmarks](../../docs/benchmarks.md) says what is measured.",
            "",
            f"- Machine: {hardware()}",
            f"- Software: {software()}",
            *(f"- {name}: {_described(FIGURES[name])}" for name in results),
            "",
            "Medians; in brackets the smallest and largest that single runs could give. Ratios "
            "are as users meet them; *per core* where the two used a different number of cores.",
            "",
            *_table(GOALS, goal_rows(results)),
            "",
            "Sweep seconds begin when workers are up and have imported torch; process seconds "
            "are all of it. Peak memory is that of the contestant's main process.",
            "",
            *_table(RUNS, run_rows(results)),
            "",
            *([*_table(FACTORS, listed), ""] if (listed := factor_rows(results)) else []),
        ]
    )


def _described(figure: Figure) -> str:
    once = [name for name, who in figure.contestants.items() if who.most == 1]
    return figure.title + (f"; run only once: {', '.join(once)}" if once else "")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def write(results: Results, text: str) -> Path:
    """Keep a report under its date; a later one of the same day and figures replaces it."""
    FOLDER.mkdir(exist_ok=True)
    name = "figures" if set(results) == set(FIGURES) else "-".join(results)
    path = FOLDER / f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}-{name}.md"
    path.write_text(text)
    return path
