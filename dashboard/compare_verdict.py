"""The answer of a comparison in a sentence: who is ahead, by how much, or that nobody is."""

import math
from collections.abc import Sequence

import pandas as pd

from .compare import MOST_GROUPS, Comparison, Inside
from .compare_deltas import signed
from .compare_keys import Key
from .formats import compact, count
from .statistics import Ends

FEWEST = 5
"""Values below which a bootstrap interval covers the truth too seldom to claim an order."""


def verdict(
    comparison: Comparison,
    groups: pd.DataFrame,
    inside: Sequence[Inside] = (),
    keys: Sequence[Key] = (),
) -> str:
    """Which group is ahead, by how much, or that it is too close to call.

    The first is held against every other at 1 − 5 %/(groups − 1), so that all statements
    together are right in 95 % of cases (Bonferroni): it was picked because it is first.

    Args:
        comparison: what is compared.
        groups: what :meth:`Comparison.groups` gives.
        inside: what :meth:`Comparison.inside` gives.
        keys: all in which the trials differ.
    """
    uneven = [key.title for key in inside if key.uneven]
    return _order(comparison, groups) + _unlike(uneven) + _foreign(comparison, keys)


def _foreign(comparison: Comparison, keys: Sequence[Key]) -> str:
    """A warning where values of different quantities stand side by side."""
    metric = comparison.measure.metric
    if comparison.measure.mixed:
        return f" These sweeps measure different things as {metric.title}."
    if metric.column.endswith("_loss") and any(key.path.startswith("$.loss.") for key in keys):
        return " The losses of these trials are different functions, whose values do not compare."
    return ""


def _unlike(uneven: Sequence[str]) -> str:
    if not uneven:
        return ""
    listed = ", ".join(uneven[:4]) + (f" and {len(uneven) - 4} more" if len(uneven) > 4 else "")
    return (
        f" Not like for like: the groups do not hold the same levels of {listed}, and a difference "
        "may come from there."
    )


def _order(comparison: Comparison, groups: pd.DataFrame) -> str:
    ranked = comparison.ranked(groups)
    total = int(groups["trials"].sum())
    if ranked.empty:
        title = comparison.measure.title
        return f"Of {count(total, 'trial')}, none has a value of {title} yet."
    first, others = ranked.iloc[0], ranked.iloc[1:]
    if others.empty:
        return f"{_standing(first, comparison)} is the only group with a value." + _lost(groups)
    if len(others) >= MOST_GROUPS:
        return (
            f"{_standing(first, comparison)} comes first of {count(len(ranked), 'group')}, too "
            "many to call one ahead." + _lost(groups)
        )
    level = 1 - 0.05 / len(others)
    ends = [comparison.estimator.difference(first, row, level) for _, row in others.iterrows()]
    near = [str(row["series"]) for (_, row), end in zip(others.iterrows(), ends, strict=True)
            if not _apart(comparison, first, row, end)]  # fmt: skip
    second = others.iloc[0]
    gap = first["centre"] - second["centre"]
    by = (
        f"{_standing(first, comparison)} against {_standing(second, comparison)}, a difference "
        f"of {signed(gap)} ({_interval_words(ends[0], comparison, len(others))})"
    )
    if near:
        listed = "; ".join(near[:3]) + (f" and {len(near) - 3} more" if len(near) > 3 else "")
        return f"Too close to call: {by}. Not told apart from the first: {listed}." + _lost(groups)
    ahead = "ahead" if comparison.measure.directed else "highest"
    whom = "" if len(others) == 1 else f" of all {len(others)} others"
    return f"{first['series']} is {ahead}{whom} in {comparison.measure.title}: {by}." + _lost(
        groups
    )


def _apart(comparison: Comparison, row: pd.Series, other: pd.Series, ends: Ends) -> bool:
    """Whether the interval of a difference leaves 0 out and can be trusted to."""
    if comparison.estimator.bootstrap and min(row["n"], other["n"]) < FEWEST:
        return False
    low, high = ends
    return low > 0 or high < 0


def _standing(row: pd.Series, comparison: Comparison) -> str:
    """``relu at 0.931 (n = 5)``."""
    return f"{row['series']} at {compact(row['centre'])} (n = {row['n']})"


def _interval_words(ends: Ends, comparison: Comparison, comparisons: int) -> str:
    """The interval of the difference as said in brackets, with its level and method."""
    if not all(map(math.isfinite, ends)):
        return "no interval: it takes two trials on either side that differ"
    method = "bootstrap interval" if comparison.estimator.bootstrap else "Welch interval"
    level = 100 * (1 - 0.05 / comparisons)
    shared = f", for {comparisons} comparisons at once" if comparisons > 1 else ""
    low, high = map(signed, ends)
    return f"{level:.4g} % {method} {low} to {high}{shared}"


def _lost(groups: pd.DataFrame) -> str:
    """How many trials are in no mean, and why."""
    words = {"diverged": "diverged", "failed": "failed", "missing": "without a value"}
    parts = [f"{n} {said}" for name, said in words.items() if (n := int(groups[name].sum()))]
    if not parts:
        return ""
    total = count(int(groups["trials"].sum()), "trial")
    return f" Left out of {total}: {', '.join(parts)}."
