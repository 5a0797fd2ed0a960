"""What a person sees while a sweep runs: a bar, throughput, time left, first failures."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from ..workloads.packs import Pack
from ..workloads.spec import TrialSpec
from .executors import Done
from .sweep import Plan

SHOWN_FAILURES = 3


class Quiet:
    """Tells nobody anything (``--json``, tests)."""

    def started(self, plan: Plan, queue: Sequence[Pack]) -> None:
        """See ``sweep.Watcher``."""

    def done(self, done: Done) -> None:
        """See ``sweep.Watcher``."""

    def failed(self, trial: TrialSpec, error: Exception) -> None:
        """See ``sweep.Watcher``."""

    def told(self, message: str) -> None:
        """See ``sweep.Watcher``."""

    def close(self) -> None:
        """See ``sweep.Watcher``."""


class Bar:
    """A progress bar on the terminal; one line per pack where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.begun = time.perf_counter()
        self.updates = self.trials = self.failures = 0
        self.work = self.work_done = 0.0
        self.messages: set[str] = set()

    def started(self, plan: Plan, queue: Sequence[Pack]) -> None:
        """See ``sweep.Watcher``."""
        self.begun = time.perf_counter()
        self.updates = self.trials = 0
        self.work, self.work_done = sum(pack.seconds for pack in queue), 0.0
        todo = len(plan.todo)
        if self.progress.tasks:
            # The sweep has grown: what was finished before was said then.
            self.progress.remove_task(self.progress.tasks[0].id)
            self.console.print(f"{todo} more trials to train in {len(queue)} packs")
        else:
            reused = len(plan.finished)
            self.console.print(
                f"[bold]{plan.sweep_id}[/]: {len(plan.expansion.trials)} trials"
                + (f", {reused} of them finished before and reused" if reused else "")
                + f"; {todo} to train in {len(queue)} packs"
            )
        self.task = self.progress.add_task("trials", total=todo, speed="")
        self.progress.start()

    def done(self, done: Done) -> None:
        """See ``sweep.Watcher``."""
        if done.error is not None:
            return
        self.trials += sum(done.result.outcomes.values())
        self.updates += done.result.updates
        self.work_done += done.pack.seconds
        elapsed = time.perf_counter() - self.begun
        left = elapsed * (self.work / self.work_done - 1) if self.work_done else 0.0
        speed = (
            f"{self.trials / elapsed:.1f} trials/s, {self.updates / elapsed:,.0f} updates/s, "
            f"about {left:.0f} s left"
        )
        self.progress.update(self.task, completed=self.trials, speed=speed)
        if not self.console.is_terminal:
            self.console.print(f"  {self.trials} trials done, {speed}")

    def failed(self, trial: TrialSpec, error: Exception) -> None:
        """See ``sweep.Watcher``."""
        self.failures += 1
        if self.failures <= SHOWN_FAILURES:
            self.console.print(f"[red]failed[/] {trial.trial_id}: {type(error).__name__}: {error}")

    def told(self, message: str) -> None:
        """See ``sweep.Watcher``; said once."""
        if message not in self.messages:
            self.messages.add(message)
            self.console.print(message)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.progress.stop()
