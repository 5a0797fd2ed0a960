"""One number for a method over several tasks, and how sure it is with a few runs of each.

Scores of different tasks must mean the same: accuracies, or scores normalised so that 0 is a
baseline and 1 a known good result.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .bootstrap import MOST_HELD, RESAMPLES, interquartile_mean

Values = NDArray[np.float64]
Name = Literal["mean", "median", "iqm", "optimality gap", "probability of improvement"]


@dataclass(frozen=True)
class Aggregate:
    """A number over tasks and its interval; NaN ends where a task has fewer than two runs."""

    name: Name
    value: float
    low: float
    high: float
    tasks: int
    runs: int


def stratified(
    scores: Sequence[ArrayLike],
    name: Literal["mean", "median", "iqm", "optimality gap"] = "iqm",
    level: float = 0.95,
    gamma: float = 1.0,
) -> Aggregate:
    """An aggregate over tasks with a stratified bootstrap interval.

    Each resample draws runs with replacement *within* each task, so that every task keeps its
    number of runs; the interval is between percentiles of :data:`..bootstrap.RESAMPLES` of them.
    It is about other seeds on the same tasks, not about other tasks.

    | name | of |
    |---|---|
    | mean | the tasks' means |
    | median | the tasks' means: half of the tasks can be anything without moving it |
    | iqm | all runs of all tasks, without the lowest and the highest quarter |
    | optimality gap | γ − mean of min(score, γ), by which tasks fall short of γ |

    Args:
        scores: for each task its runs; they may differ in number, and count equally in the iqm.
        name: which aggregate.
        level: confidence, between 0 and 1.
        gamma: the score that is good enough, of the optimality gap.

    Raises:
        ValueError: there is no task, a task without runs, or a score that is not finite.

    Source: Agarwal et al. 2021 (Deep RL at the edge of the statistical precipice), section 4.
    """
    tasks = _checked(scores)
    found = {
        "mean": lambda parts: _task_means(parts).mean(axis=-1),
        "median": lambda parts: np.median(_task_means(parts), axis=-1),
        "iqm": lambda parts: interquartile_mean(np.concatenate(parts, axis=-1)),
        "optimality gap": lambda parts: (
            gamma - _task_means([np.minimum(part, gamma) for part in parts]).mean(axis=-1)
        ),
    }
    return _with_interval(name, tasks, found[name], level, len(tasks))


def improvement(
    one: Sequence[ArrayLike], other: Sequence[ArrayLike], level: float = 0.95
) -> Aggregate:
    """The mean over tasks of P(X > Y) + ½ P(X = Y), X a score of the first method.

    Here large is good, as scores are; interval by the stratified bootstrap of both methods.

    Args:
        one: for each task the runs of the first method.
        other: the runs of the second method, tasks in the same order.
        level: confidence, between 0 and 1.

    Raises:
        ValueError: the methods have different numbers of tasks, or as for :func:`stratified`.

    Source: Agarwal et al. 2021, section 4.3.
    """
    first, second = _checked(one), _checked(other)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} tasks: both methods need the same ones")

    def mean_share(parts: Sequence[Values]) -> Values:
        pairs = zip(parts[: len(first)], parts[len(first) :], strict=True)
        shares: Values = np.mean([_share_above(x, y) for x, y in pairs], axis=0)
        return shares

    tasks = [*first, *second]
    return _with_interval("probability of improvement", tasks, mean_share, level, len(first))


def _with_interval(
    name: Name,
    parts: Sequence[Values],
    statistic: Callable[[Sequence[Values]], Values],
    level: float,
    tasks: int,
) -> Aggregate:
    value, runs = float(statistic(parts)), sum(map(len, parts))
    low, high = math.nan, math.nan
    if min(map(len, parts)) >= 2:
        found = np.concatenate([statistic(resample) for resample in _resamples(parts)])
        low, high = map(float, np.quantile(found, [(1 - level) / 2, (1 + level) / 2]))
    return Aggregate(name, value, low, high, tasks, runs)


def _resamples(parts: Sequence[Values]) -> Iterator[list[Values]]:
    """Runs of each part drawn with replacement, (R, runs), some of the resamples at a time."""
    random = np.random.default_rng(0)
    batch = max(1, MOST_HELD // sum(map(len, parts)))
    for start in range(0, RESAMPLES, batch):
        size = min(batch, RESAMPLES - start)
        yield [part[random.integers(0, len(part), (size, len(part)))] for part in parts]


def _task_means(parts: Sequence[Values]) -> Values:
    return np.stack([part.mean(axis=-1) for part in parts], axis=-1)


def _share_above(x: Values, y: Values) -> Values:
    """Mann and Whitney's U / (nm) from ranks, along the last axis."""
    n, m = x.shape[-1], y.shape[-1]
    ranks = stats.rankdata(np.concatenate([x, y], axis=-1), axis=-1)
    share: Values = (ranks[..., :n].sum(axis=-1) - n * (n + 1) / 2) / (n * m)
    return share


def _checked(scores: Sequence[ArrayLike]) -> list[Values]:
    tasks = [np.asarray(runs, dtype=np.float64).ravel() for runs in scores]
    if not tasks or min(map(len, tasks)) == 0:
        raise ValueError(f"{len(tasks)} tasks: there must be one at least, each with a run")
    if not all(np.isfinite(runs).all() for runs in tasks):
        raise ValueError("a score is not finite: say first what a diverged run is worth")
    return tasks
