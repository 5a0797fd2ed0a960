"""Whose the seconds of trials are: whether trials may be compared by them, and why not."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from .formats import count
from .metrics import SECONDS

_HOW = (
    "“timing: isolated” in the grid file gives each trial the machine to itself and records "
    "seconds that are its own."
)


@dataclasses.dataclass(frozen=True)
class Timing:
    """How many trials are compared, how many had the machine to themselves or shared a pack.

    The rest has not ended: whose its seconds are is known at its end.
    """

    trials: int
    isolated: int
    shared: int

    @property
    def refusal(self) -> str | None:
        """Why these trials cannot be compared by seconds; None where they can."""
        if self.trials == self.isolated > 0:
            return None
        return f"Seconds are refused here: {self._why} {_HOW}"

    @property
    def statement(self) -> str:
        """Whose the seconds are, as a sentence for captions and the report."""
        if not self.trials:
            return "No trial has a result with seconds yet, so there are none."
        if self.refusal:
            return f"Seconds are shared: {self._why}"
        return (
            f"Seconds are isolated: each of {count(self.trials, 'trial')} had a machine to itself."
        )

    @property
    def _why(self) -> str:
        compared = count(self.trials, "trial")
        if self.shared:
            some = "all" if self.shared == self.trials else f"{self.shared} of"
            return (
                f"{some} {compared} trained fused, in one pack with others or beside them, so "
                "their seconds belong to no single trial."
            )
        running = self.trials - self.isolated
        return f"{running} of {compared} have not ended, and only then is it known whose they are."


def timing_of(groups: pd.DataFrame) -> Timing:
    """Of the trials behind a frame of groups: curves or costs, of which a group has many rows.

    ``groups``: columns series, lr, trials, isolated and shared.
    """
    counts = groups.groupby(["series", "lr"])[["trials", "isolated", "shared"]].max().sum()
    return Timing(*(int(number) for number in counts))


def sweep_timing(hardware: Sequence[Mapping[str, Any]]) -> Timing:
    """Of all trials of a sweep that ended with a result: the rows of the query ``hardware``."""
    alone, shared = (
        sum(row["trials"] for row in hardware if row["isolated"] is kind) for kind in (True, False)
    )
    return Timing(alone + shared, alone, shared)


def trusted(costs: pd.DataFrame) -> pd.DataFrame:
    """The costs, without those in seconds where these are refused."""
    if timing_of(costs).refusal is None:
        return costs
    kept: pd.DataFrame = costs[costs["unit"] != SECONDS.column]
    return kept.reset_index(drop=True)


def devices(hardware: Sequence[Mapping[str, Any]]) -> str:
    """What to add where isolated trials ran on several devices; else nothing."""
    places = sorted({f"{row['node']} ({row['device']})" for row in hardware if row["isolated"]})
    if len(places) < 2:
        return ""
    return f" They ran on {len(places)} devices, whose speeds are in them: {', '.join(places)}."
