"""What a figure compares, its goal, and what it comes to.

A ratio of two contestants that ran in turns, or a quantity of one of them; every quantity is
a median over that contestant's runs.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .contestants import Run


class Quantity(NamedTuple):
    """What is read off a run."""

    unit: str
    of: Callable[[Run], float]


TRIALS = Quantity("trials/s", lambda run: run.trials / run.sweep_seconds)
UPDATES = Quantity("updates/s", lambda run: run.updates / run.sweep_seconds)
SWEEP = Quantity("sweep s", lambda run: run.sweep_seconds)
PROCESS = Quantity("process s", lambda run: run.process_seconds)
WALL = Quantity("wall / ideal", lambda run: run.sweep_seconds * run.cores / run.pack_seconds)
WHOLE = Quantity("wall / ideal", lambda run: run.process_seconds * run.cores / run.pack_seconds)
GROWTH = Quantity("last / second quarter", lambda run: run.growth)
PEAK = Quantity("GB", lambda run: run.peak_bytes / 1e9)


def factor(name: str, unit: str = "steps") -> Quantity:
    """One of a run's factors: of the training step, where no other unit is named."""
    return Quantity(unit, lambda run: run.factors[name])


SLOWEST_PAGE, FIRST_PAINT = "slowest page, charts drawn, p95", "slowest first paint, p95"
SLOWEST_QUESTION, MEMORY = "slowest question, p95", "memory of the dashboard"
REPORT, REPORT_SIZE = "report", "size of the report"
"""Factors of the runs that measure a store and its dashboard."""


class Bound(NamedTuple):
    """``≥ 15`` or ``≤ 1.1``."""

    sign: str
    value: float

    def holds(self, value: float) -> bool:
        """Whether a value meets it."""
        return value >= self.value if self.sign == "≥" else value <= self.value

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g}"


def at_least(value: float) -> Bound:
    return Bound("≥", value)


def at_most(value: float) -> Bound:
    return Bound("≤", value)


@dataclass(frozen=True)
class Goal:
    """One line of the result: ``ours`` over ``theirs``, or ``ours`` alone."""

    label: str
    quantity: Quantity
    ours: str
    theirs: str | None = None
    bound: Bound | None = None
    stretch: bool = False
    """Beyond the goal: worth knowing, and no failure."""


class Value(NamedTuple):
    """A median, or a ratio of medians, with the extremes that single runs could give."""

    median: float
    low: float
    high: float
    per_core: float | None
    """A ratio per core, where the two had a different number of them."""


def value(goal: Goal, runs: Sequence[Run]) -> Value | None:
    """What a goal comes to; None where a contestant of it did not run."""
    ours = [run for run in runs if run.contestant == goal.ours]
    theirs = [run for run in runs if run.contestant == goal.theirs]
    if not ours or (goal.theirs and not theirs):
        return None
    mine = [goal.quantity.of(run) for run in ours]
    other = [goal.quantity.of(run) for run in theirs] or [1.0]
    ratio = statistics.median(mine) / statistics.median(other)
    share = ours[0].cores / theirs[0].cores if theirs else 1.0
    extremes = min(mine) / max(other), max(mine) / min(other)
    return Value(ratio, *extremes, None if share == 1 else ratio / share)
