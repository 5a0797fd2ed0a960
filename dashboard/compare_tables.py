"""Tables of a comparison for people, and what stands under them."""

from collections.abc import Sequence

import pandas as pd

from . import captions
from .compare import MOST_GROUPS, Comparison, Inside
from .compare_keys import Key, shown
from .formats import compact, count, interval


def differs_table(keys: Sequence[Key]) -> pd.DataFrame:
    """A row for each key that varies: how many levels, which, and who lacks it."""
    return pd.DataFrame(
        {
            "key": [key.title for key in keys],
            "levels": [key.levels for key in keys],
            "which": [_examples(key) for key in keys],
            "trials without it": [key.absent for key in keys],
        }
    )


def _examples(key: Key) -> str:
    """``0.01, 0.1, absent``, and how many more there are."""
    listed = [shown(level) for level in key.examples]
    more = key.levels - len(listed) - (key.absent > 0)
    listed += [f"{more} more"] if more else []
    return ", ".join([*listed, *([shown(None)] if key.absent else [])])


def differs_caption(keys: Sequence[Key], trials: int, sweeps: int) -> str:
    """Over what the keys were looked for."""
    where = f"{count(trials, 'trial')} of {count(sweeps, 'sweep')}"
    if not keys:
        return f"All configurations of {where} are equal."
    return (
        f"The {count(len(keys), 'key')} in which the configurations of {where} differ; what all "
        "have in common is left out. A key that a trial lacks is a level of its own: absent."
    )


def groups_table(groups: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """A row for each group, those without a value as well; ``flag`` says what is uneven."""
    usual = _usual(groups)
    ends = zip(groups["low"], groups["high"], strict=True)
    numbers = {
        "mean": [compact(value) for value in groups["mean"]],
        "median": [compact(value) for value in groups["median"]],
        "interquartile mean": [compact(value) for value in groups["iqm"]],
        f"95 % interval of the {comparison.estimator.word}": [interval(a, b) for a, b in ends],
    }
    counts = {name: groups[name] for name in ("n", "trials", "diverged", "failed", "missing")}
    flags = [_flag(int(n), usual) for n in groups["n"]]
    columns = {"group": groups["series"].astype(str), **numbers, **counts, "flag": flags}
    return pd.DataFrame(columns)


def _usual(groups: pd.DataFrame) -> int:
    """The most frequent n of the groups with a value."""
    counts = groups["n"][groups["n"] > 0]
    return int(counts.mode().max()) if len(counts) else 0


def _flag(n: int, usual: int) -> str:
    if not n:
        return "no value"
    return "" if n == usual else f"unequal n: {n}, not {usual}"


def groups_caption(
    groups: pd.DataFrame, comparison: Comparison, inside: Sequence[Inside], trials: int
) -> str:
    """Method and n, and what a reader of the chart must not overlook.

    Args:
        groups: all of them.
        comparison: what made them.
        inside: what else varies inside the groups.
        trials: how many trials there are, each counted once.
    """
    valued = groups[groups["n"] > 0]
    basis = f", {captions.trials_range(valued['n'])}" if len(valued) else ""
    parts = [
        f"{comparison.estimator.word.capitalize()} over the trials of a group with its "
        f"{comparison.estimator.method}{basis}; trials that diverged, failed or have no value yet "
        "are counted beside."
    ]
    if comparison.estimator.bootstrap and len(groups) > MOST_GROUPS:
        parts.append(f"Of more than {MOST_GROUPS} groups no bootstrap intervals are made.")
    if len(set(valued["n"])) > 1:
        parts.append("Groups have unequal n.")
    if inside:
        listed = ", ".join(f"{key.title} ({key.levels} levels)" for key in inside[:4])
        more = f" and {len(inside) - 4} more" if len(inside) > 4 else ""
        parts.append(f"Averaged inside the groups: {listed}{more}.")
    if twice := int(groups["trials"].sum()) - trials:
        parts.append(f"{count(twice, 'trial')} of several sweeps stand in more than one group.")
    if shared := int(groups["shared"].sum()):
        parts.append(
            f"{count(shared, 'trial')} shared a machine: their seconds are the pack's and missing."
        )
    return " ".join(parts)
