"""The answer of a sweep in a sentence: computed from the data, and never stronger than it.

One builder for the page, the report and the command's summary. It states costs as upper
bounds ("within"), because a target is only seen met at a recording; gives n and the interval's
method; says when trials are missing, when a level was reached by some seeds only, and when two
costs are too close to call.
"""

import dataclasses
import math

import pandas as pd

from .formats import compact, count, interval, percent, rate
from .metrics import DEFAULT_TARGET, METRICS, UNITS, Target, target_of
from .selection import at_rates, best_rates
from .statistics import METHOD, with_interval
from .tables import Ask, grouped
from .timing import Timing, timing_of, trusted


@dataclasses.dataclass(frozen=True)
class DescentResult:
    """What the sentence, the charts and the tables of a descent sweep are made of.

    ``costs`` and ``finals`` hold every group, ``rates`` the best learning rate per series,
    ``best`` the rows of ``costs`` at those rates.
    """

    target: Target
    costs: pd.DataFrame
    finals: pd.DataFrame
    rates: dict[str, float]

    @property
    def best(self) -> pd.DataFrame:
        """Costs of each series at its best learning rate, a row per unit; seconds if trusted."""
        return trusted(at_rates(self.costs, self.rates))

    @property
    def timing(self) -> Timing:
        """Whose the seconds of the trials in ``best`` are."""
        return timing_of(self.best)

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return descent_finding(self.costs, self.best, self.target)


def default_target(ask: Ask, sweep_id: str) -> Target:
    """The target most of the sweep's trials were given, else 95 % test accuracy."""
    given = ask("target", sweep_id=sweep_id).to_pylist()
    named = [row for row in given if row["metric"].replace("accuracy", "score") in METRICS]
    return target_of(named[0]["metric"], named[0]["value"]) if named else DEFAULT_TARGET


def descent_result(ask: Ask, sweep_id: str, target: Target | None = None) -> DescentResult:
    """Ask the queries of the descent study about one sweep; two to three answers, all small."""
    goal = target or default_target(ask, sweep_id)
    costs = ask("time_to_target", sweep_id=sweep_id, **goal.parameters())
    finals = grouped(ask("learning_rates", sweep_id=sweep_id, metric=goal.metric.column))
    costs = costs_with_interval(grouped(costs))
    return DescentResult(goal, costs, finals, best_rates(costs, finals, goal.metric.falling))


def costs_with_interval(costs: pd.DataFrame) -> pd.DataFrame:
    """Costs with n, low and high; only where every finished trial reached the target.

    The mean of the trials that did, where some did not, would be the mean of the lucky ones.
    """
    complete = costs["reached"] == costs["trials"]
    trusted = costs.assign(n=costs["reached"].where(complete, 0))
    return with_interval(trusted, bounds=(0.0, math.inf))


def descent_finding(costs: pd.DataFrame, best: pd.DataFrame, target: Target) -> str:
    """Who reached the target after how many samples, in one or two sentences.

    Args:
        costs: every group, as :func:`costs_with_interval` gives it.
        best: its rows at the chosen learning rates.
        target: the level asked for.
    """
    every = costs[costs["unit"] == "samples"]
    rows = best[best["unit"] == "samples"]
    if rows.empty:
        planned = int(every["planned"].sum())
        return f"Of {count(planned, 'trial')} in this sweep, none has a result yet."
    fast = rows[rows["reached"] > 0].sort_values("mean", kind="stable").reset_index(drop=True)
    slow = rows[rows["reached"] == 0]
    if fast.empty:
        tries = ", ".join(f"{row['series']} in {_tried(row, every)}" for row in _rows(slow))
        sentence = f"no descent reached {level(target)} within its budget: {tries}"
    else:
        parts = [_reached(row, index == 0, target) for index, row in enumerate(_rows(fast))]
        parts += [_never(row, every) for row in _rows(slow)]
        sentence = "; ".join(parts)
    return f"{_capital(_so_far(every) + sentence)}.{_caveat(fast)}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _rows(frame: pd.DataFrame) -> list[pd.Series]:
    return [row for _, row in frame.iterrows()]


def level(target: Target) -> str:
    """``95 % test accuracy``, ``a test loss of 0.1``."""
    if target.metric.falling:
        return f"a {target.metric.title} of {rate(target.value)}"
    return f"{percent(target.value)} {target.metric.title}"


def _so_far(every: pd.DataFrame) -> str:
    planned, finished = int(every["planned"].sum()), int(every["trials"].sum())
    if finished == planned:
        return ""
    return f"with {finished} of {count(planned, 'trial')} finished, "


def _reached(row: pd.Series, first: bool, target: Target) -> str:
    what = f"reached {level(target)} " if first else ""
    noun = " samples" if first else ""
    cost = row["mean"] if row["reached"] == row["trials"] else row["median"]
    within = f"within {compact(cost)}{noun}" if math.isfinite(cost) else "in a minority of trials"
    return f"{row['series']} (lr {rate(row['lr'])}) {what}{within} ({basis(row)})"


def basis(row: pd.Series) -> str:
    """On what a cost rests: n, interval and what is missing, as said in brackets."""
    trials, reached = int(row["trials"]), int(row["reached"])
    if reached < trials:
        said = f"{reached} of {count(trials, 'trial')}" + (
            ", median" if reached * 2 > trials else ""
        )
    elif reached < 2:
        said = "one trial, so no interval"
    else:
        noun = "seeds" if row["planned"] == row["seeds"] else "trials"
        said = f"mean of {trials} {noun}, {METHOD} {interval(row['low'], row['high'])}"
    if row["diverged"]:
        said += f", {row['diverged']} diverged"
    lacking = int(row["planned"]) - trials
    return said + (f", {lacking} of {row['planned']} missing" if lacking else "")


def cost_words(row: pd.Series) -> str:
    """One cost as a table shows it: ``1.68 k (1.42 k to 1.95 k)``, ``never (0 of 5)``."""
    reached, trials = int(row["reached"]), int(row["trials"])
    if reached < trials:
        of = f"({reached} of {trials})"
        return f"median {compact(row['median'])} {of}" if reached * 2 > trials else f"never {of}"
    if not trials:
        return "no trial finished"
    ends = f" ({interval(row['low'], row['high'])})" if trials > 1 else " (one trial)"
    return compact(row["mean"]) + ends


def cost_table(costs: pd.DataFrame) -> pd.DataFrame:
    """Costs for people: a row per series and rate, a column per unit, all as text.

    Seconds have a column where they belong to every trial of the table.
    """
    rows: dict[tuple[str, float], dict[str, str]] = {}
    shown = trusted(costs)
    for cost in _rows(shown):
        row = rows.setdefault((cost["series"], cost["lr"]), _group_words(cost))
        row[cost["unit"]] = cost_words(cost)
    table = pd.DataFrame(list(rows.values()))
    charged = set(shown["unit"])
    titles = {unit.column: f"{unit.title} to target" for unit in UNITS if unit.column in charged}
    return table.rename(columns=titles)[[*_group_words(costs.iloc[0]), *titles.values()]]


def _group_words(cost: pd.Series) -> dict[str, str]:
    return {
        "descent": cost["series"],
        "learning rate": rate(cost["lr"]),
        "finished": f"{cost['trials']} of {cost['planned']}",
        "reached": str(cost["reached"]),
        "diverged": str(cost["diverged"]),
    }


def _never(row: pd.Series, every: pd.DataFrame) -> str:
    return f"{row['series']} never did within its budget ({_tried(row, every)})"


def _tried(row: pd.Series, every: pd.DataFrame) -> str:
    group = every[every["series"] == row["series"]]
    rates = count(len(group), "learning rate")
    return f"{count(int(group['trials'].sum()), 'trial')} at {rates}"


def _caveat(fast: pd.DataFrame) -> str:
    """Say when the two fastest cannot be told apart by these data."""
    if len(fast) < 2:
        return ""
    first, second = fast.iloc[0], fast.iloc[1]
    # Met at a recording: the true cost may be smaller by up to one gap between recordings.
    earliest = second["low"] * (1 - (second["gap"] if math.isfinite(second["gap"]) else 0))
    if first["high"] < earliest:
        return ""
    if math.isfinite(first["high"]) and math.isfinite(earliest):
        why = "their intervals, widened by one gap between recordings, overlap"
    else:
        why = "not both have an interval"
    return f" {_capital(first['series'])} and {second['series']} are too close to call: {why}."
