"""``make bench``: talweg beside its peers, figure by figure, in one run, on this machine."""

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from . import report
from .contestants import Contestant, Run, Setting, run
from .figures import FIGURES, Figure


class Job(NamedTuple):
    """One run to be made: of which figure, in which round, of whom."""

    figure: str
    turn: int
    name: str
    contestant: Contestant


def jobs(name: str, figure: Figure, rounds: int, *, short: bool) -> Iterator[Job]:
    """All contestants in turn, as often as asked; each round starts with another one.

    Rounds are interleaved so that a machine that slows down slows all of them down.
    """
    names = [n for n, who in figure.contestants.items() if who.short or not short]
    for turn in range(rounds):
        first = turn % max(len(names), 1)
        for contestant in names[first:] + names[:first]:
            who = figure.contestants[contestant]
            if turn < (who.most or rounds):
                yield Job(name, turn, contestant, who)


def measure(todo: Sequence[Job], given: Setting, console: Console) -> dict[str, list[Run]]:
    """One job at a time; in the short form, which measures nothing, one for each core."""
    results: dict[str, list[Run]] = {job.figure: [] for job in todo}
    with ThreadPoolExecutor(given.workers if given.short else 1) as pool:
        runs = pool.map(lambda job: run(job.name, job.contestant, given), todo)
        for job, done in zip(todo, runs, strict=True):
            results[job.figure].append(done)
            seconds = f"{done.sweep_seconds:.2f} s (process {done.process_seconds:.1f} s)"
            console.print(f"{job.figure}, round {job.turn + 1}: {job.name} {seconds}")
    return results


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A result for the terminal."""
    shown = Table(*headings)
    for row in rows:
        shown.add_row(*row)
    return shown


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument(
        "--figure", action="append", choices=FIGURES, help="only this one; may be given again"
    )
    parser.add_argument("--rounds", type=int, help="interleaved repetitions (each figure's own)")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="talweg's (cpu)")
    parser.add_argument("--short", action="store_true", help="a few trials: only a check")
    parser.add_argument("--write", action="store_true", help="keep a dated report in reports/")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    load = os.getloadavg()[0]
    console = Console()
    console.print(f"{asked.workers} workers, talweg on {asked.device}: {report.hardware()}")
    todo = [
        job
        for name in asked.figure or FIGURES
        for job in jobs(
            name,
            FIGURES[name],
            1 if asked.short else asked.rounds or FIGURES[name].rounds,
            short=asked.short,
        )
    ]
    with tempfile.TemporaryDirectory() as folder:
        given = Setting(asked.workers, Path(folder), asked.device, asked.short)
        results = measure(todo, given, console)
    console.print(table(report.RUNS, report.run_rows(results)))
    if listed := report.factor_rows(results):
        console.print(table(report.FACTORS, listed))
    console.print(table(report.GOALS, report.goal_rows(results)))
    if asked.write:
        text = report.markdown(results, given, load)
        console.print(f"Report: {report.write(results, text)}")


if __name__ == "__main__":
    main()
