"""``make bench``: talweg beside its peers on the same trials, in one run, on this machine."""

import argparse
import os
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import report
from .contestants import Run, Setting, run, taking_part
from .task import FULL, SHORT


def measure(given: Setting, rounds: int, console: Console) -> list[Run]:
    """All contestants in turn, as often as asked; each round starts with another one.

    Rounds are interleaved so that a machine that slows down slows all of them down.
    """
    names = taking_part(given.task)
    runs = []
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            runs.append(run(name, given))
            console.print(f"round {turn + 1}: {name} {runs[-1].sweep_seconds:.2f} s")
    return runs


def table(runs: list[Run]) -> Table:
    """The result for the terminal."""
    shown = Table(*report.HEADINGS)
    for row in report.rows(runs):
        shown.add_row(*row)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few trials: only a check")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved repetitions (3)")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--write", action="store_true", help="keep a dated report in reports/")
    given = parser.parse_args()
    task = SHORT if given.short else FULL
    load = os.getloadavg()[0]
    console = Console()
    console.print(f"{task.trials} trials, {given.workers} workers: {report.hardware()}")
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(task, given.workers, Path(folder))
        runs = measure(setting, 1 if given.short else given.rounds, console)
    console.print(table(runs))
    if given.write:
        text = report.markdown(task, runs, given.workers, load)
        console.print(f"Report: {report.write(task, text)}")


if __name__ == "__main__":
    main()
