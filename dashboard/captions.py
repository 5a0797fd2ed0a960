"""What stands under each figure, and what a screen reader says instead of it; pure text."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from .findings import cost_words, level
from .formats import compact, count, percent, rate
from .metrics import Metric, Target, Unit
from .statistics import METHOD
from .timing import Timing, devices

CURVE_POINTS = 200
"""The most points of a line; the queries ``descent`` and ``study_curves`` have the number, too."""

MEANING = f"Mean over seeds with its {METHOD} (Student, n − 1 degrees of freedom)"

WHAT_WOULD_CHANGE = (
    (
        "More seeds.",
        "The intervals are over initial parameters and sample order only: one data split, one net.",
    ),
    (
        "Another grid of learning rates.",
        "Each descent is judged at its best rate among those tried; a rate at the edge of the grid "
        "may not be its best. Choosing it on the same trials flatters every descent a little.",
    ),
    (
        "A longer budget, or another target.",
        "A descent that never got there was stopped by its budget, not by a law; a lower target "
        "favours whoever starts fastest.",
    ),
    (
        "Another cost.",
        "Updates count in parallel hardware, samples where data is dear, gradient evaluations "
        "where arithmetic is, seconds on one machine: the order may differ between them.",
    ),
    (
        "Another problem, net, loss or momentum.",
        "Nothing here says how far this carries.",
    ),
)
"""Each point in two parts: the change, and why it matters."""


def trials_range(n: pd.Series) -> str:
    """``n = 5`` or ``n = 3 to 5``, of the values that were averaged."""
    low, high = int(n.min()), int(n.max())
    return f"n = {low}" if low == high else f"n = {low} to {high}"


def curves(shown: pd.DataFrame, log: bool, rates: dict[str, float], best: bool) -> str:
    """Under the loss curves: what the lines are means of, and at which learning rates."""
    chosen = ", ".join(f"{rate(lr)} for {name}" for name, lr in rates.items())
    parts = [
        f"{MEANING}, {trials_range(shown['n'])}. Learning rates: {chosen}"
        + (" (each one's best)." if best else "."),
        "A line ends where the first of its trials ends.",
    ]
    if log:
        parts.append("The untrained net, at 0, has no place on a log axis.")
    if less := fewer(shown):
        parts.append(less)
    return " ".join(parts) + mixed(bool((shown["n"] > shown["seeds"]).any()))


def fewer(shown: pd.DataFrame) -> str:
    """Where curves have more recordings than are drawn: how many, and which are kept."""
    most = int(shown["recordings"].max()) if len(shown) else 0
    if most <= CURVE_POINTS:
        return ""
    return (
        f"Of up to {most:,} recordings a line shows at most {CURVE_POINTS}: the lowest and the "
        "highest mean of each part of the log axis, the first and the last."
    )


def seconds(timing: Timing, hardware: Sequence[Mapping[str, Any]]) -> str:
    """Under a chart in seconds: whose they are, and on what they were spent.

    ``hardware``: the rows of the query of that name.
    """
    return f"{timing.statement}{devices(hardware)} Measurements are not in them."


def mixed(there_are: bool) -> str:
    """A warning where a group holds more trials than seeds, so something else varies in it."""
    if not there_are:
        return ""
    return " Groups hold more trials than seeds: other settings vary in them and are averaged too."


def curves_alt(shown: pd.DataFrame, metric: Metric, unit: Unit) -> str:
    """The loss curves in words: where each line ends."""
    last = shown.sort_values(unit.column).groupby("series", sort=False, observed=True).tail(1)
    ends = "; ".join(
        f"{row['series']} at {compact(row['mean'])} after {compact(row[unit.column])} {unit.title}"
        for _, row in last.iterrows()
    )
    return f"Line chart of {metric.title} against {unit.title}, mean over seeds. Lines end: {ends}."


AT_THIS_RATE = " at this rate"


def finals_caption(finals: pd.DataFrame, where: str = "") -> str:
    """What final values are means of, and who is not among them; ``where``: of what."""
    counted = finals[finals["n"] > 0]
    parts = [f"{MEANING} of the last recording, over trials that did not diverge"]
    parts[0] += f", {trials_range(counted['n'])}." if len(counted) else "."
    if finals["diverged"].any():
        parts.append(f"✕\u00a02/5: two of five finished trials diverged{where}.")
    if missing := int(finals["missing"].sum()):
        parts.append(f"{count(missing, 'trial')} failed or not finished.")
    return " ".join(parts) + mixed(bool((finals["planned"] > finals["seeds"]).any()))


def rates_alt(finals: pd.DataFrame, metric: Metric) -> str:
    """The learning-rate chart in words: each descent's best final value."""
    said = []
    for name, group in finals[finals["n"] > 0].groupby("series", sort=False):
        row = group.sort_values("mean", ascending=metric.falling).iloc[0]
        said.append(f"{name} best at {rate(row['lr'])} with {compact(row['mean'])}")
    diverged = int(finals["diverged"].sum())
    return (
        f"Final {metric.title} against the learning rate: {'; '.join(said) or 'no final values'}. "
        f"{count(diverged, 'trial')} diverged."
    )


def costs_caption(best: pd.DataFrame, target: Target) -> str:
    """Under the time-to-target charts: censoring, and how late a recording may be."""
    gap = best["gap"].max()
    late = f" by at most {percent(float(gap))}" if math.isfinite(gap) else ""
    return (
        f"Cost until {level(target)} is first seen at a recording, at each descent's best learning "
        f"rate; recordings are log-spaced, so the true cost is smaller{late}. {MEANING}; where "
        "some trials never got there, the median with those counted as later than all others, "
        "and no interval; where half or more did not, never."
    ) + mixed(bool((best["planned"] > best["seeds"]).any()))


def costs_alt(best: pd.DataFrame, unit: Unit) -> str:
    """One time-to-target chart in words."""
    said = [f"{row['series']}: {cost_words(row)}" for _, row in best.iterrows()]
    return f"{unit.title.capitalize()} to target. {'; '.join(said)}."


def outcomes_alt(counts: pd.DataFrame) -> str:
    """The outcome bar in words."""
    said = [
        f"{n} {name.replace('_', ' ')}"
        for name, n in zip(counts["outcome"], counts["trials"], strict=True)
    ]
    return f"Trials by outcome: {', '.join(said)}."
