"""The same comparison on each day on which a side ran sweeps: how the difference moved."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from .comparison_cells import matched_cells
from .comparison_found import Found
from .comparison_measures import contests
from .comparison_sides import Trials
from .comparison_tests import over_cells
from .tables import Ask

MOST_DAYS = 30
"""Of more days the latest are shown."""


@dataclasses.dataclass(frozen=True)
class History:
    """Of one pair of sides: columns day, value, low, high, words, interval, cells."""

    pair: tuple[str, str]
    rows: pd.DataFrame
    days: int
    """On which a side ran sweeps, those without a matched cell and the oldest of many included."""


def histories(ask: Ask, found: Found, sweeps: Sequence[Mapping[str, Any]]) -> list[History]:
    """The mean difference over cells, day by day; nothing where no side ran on several days.

    On each day a side stands with the sweeps of its latest day up to then.

    Args:
        ask: answers named queries.
        found: the comparison of all days together, whose metric is kept.
        sweeps: rows of the query ``sweep``.
    """
    if not found.families or found.trials.key == "sweep":
        return []
    runs = _runs(ask, found.trials, sweeps)
    every = [_history(found, runs, pair) for pair in found.pairs]
    return [history for history in every if len(history.rows) > 1]


def _runs(ask: Ask, trials: Trials, sweeps: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Columns row (place in the frame), side and day: when which trial was asked for by whom."""
    held = ask("comparison_sweeps", sweeps=[w["sweep_id"] for w in sweeps]).to_pandas()
    days = {w["sweep_id"]: f"{w['created_at']:%Y-%m-%d}" for w in sweeps}
    held["day"] = held["sweep_id"].map(days)
    frame = trials.frame[["trial_id", "side"]].assign(row=range(len(trials.frame)))
    runs = held.merge(frame, on="trial_id")
    if trials.key in ("team", "owner"):
        # A trial that two teams share belongs to each of them on its own days.
        whose = {w["sweep_id"]: trials.names.get(w[trials.key]) for w in sweeps}
        runs = runs[runs["sweep_id"].map(whose) == runs["side"]]
    found: pd.DataFrame = runs[["row", "side", "day"]].drop_duplicates()
    return found


def _history(found: Found, runs: pd.DataFrame, pair: tuple[str, str]) -> History:
    mine = runs[runs["side"].isin(pair)]
    days = sorted(set(mine["day"]))
    several = days[-MOST_DAYS:] if len(days) > 1 else []
    rows = [row for day in several if (row := _on_day(found, mine, pair, day))]
    columns = ["day", "value", "low", "high", "words", "interval", "cells"]
    return History(pair, pd.DataFrame(rows, columns=columns), len(days))


def _on_day(
    found: Found, runs: pd.DataFrame, pair: tuple[str, str], day: str
) -> dict[str, object] | None:
    """The comparison as it stood on a day; None where the two shared no cell yet."""
    until = runs[runs["day"] <= day]
    latest = until.groupby("side")["day"].transform("max")
    places = sorted(set(until["row"][until["day"] == latest]))
    trials = found.trials.some(places, pair)
    mean = over_cells(contests(trials, matched_cells(trials), found.scale))
    if mean is None:
        return None
    scale = found.scale
    return {
        "day": day,
        "value": scale.effect(mean.value),
        "low": scale.effect(mean.low),
        "high": scale.effect(mean.high),
        "words": scale.words(mean.value),
        "interval": scale.between(mean.low, mean.high),
        "cells": mean.cells,
    }
