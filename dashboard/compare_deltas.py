"""Groups against a baseline that shares all their other levels."""

import dataclasses
import math
from collections.abc import Sequence

import pandas as pd

from .compare import Comparison
from .compare_keys import Key, shown
from .formats import compact, count

NO_BASELINE = "no such group at the baseline"
NO_VALUE = "no value here"
NO_BASELINE_VALUE = "no value at the baseline"


@dataclasses.dataclass(frozen=True)
class Baseline:
    """One level of one key, against which the groups at its other levels stand."""

    key: Key
    level: str | None

    @property
    def title(self) -> str:
        """``optimizer.name = sgd``."""
        return f"{self.key.title} = {shown(self.level)}"


def baselines(groups: pd.DataFrame, keys: Sequence[Key]) -> list[Baseline]:
    """Every level of every key of these groups, in their order."""
    found = []
    for position, key in enumerate(keys):
        levels = dict.fromkeys(row[position] for row in groups["levels"])
        found += [Baseline(key, level) for level in levels]
    return found


def deltas(comparison: Comparison, groups: pd.DataFrame, baseline: Baseline) -> pd.DataFrame:
    """Each group less the one that differs from it in the baseline's key alone.

    Columns series, of (the other one's name), delta, percent (of the other's size), low, high,
    n, n_of, and flag: in words, why there is no delta or why it is uneven; else empty.
    """
    position = comparison.keys.index(baseline.key)
    at_baseline = {
        _others(row["levels"], position): row
        for _, row in groups.iterrows()
        if row["levels"][position] == baseline.level
    }
    rows = []
    for _, row in groups.iterrows():
        if row["levels"][position] != baseline.level:
            other = at_baseline.get(_others(row["levels"], position))
            rows.append(_delta(comparison, row, other))
    columns = ["series", "of", "delta", "percent", "low", "high", "n", "n_of", "flag"]
    return pd.DataFrame(rows, columns=columns)


def _others(levels: Sequence[str | None], position: int) -> tuple[str | None, ...]:
    return (*levels[:position], *levels[position + 1 :])


def _delta(comparison: Comparison, row: pd.Series, other: pd.Series | None) -> dict[str, object]:
    found: dict[str, object] = {"series": str(row["series"]), "n": int(row["n"])}
    nothing = dict.fromkeys(("delta", "percent", "low", "high"), math.nan)
    if other is None:
        return found | nothing | {"of": "", "n_of": 0, "flag": NO_BASELINE}
    found |= {"of": str(other["series"]), "n_of": int(other["n"])}
    if not row["n"] or not other["n"]:
        return found | nothing | {"flag": NO_BASELINE_VALUE if row["n"] else NO_VALUE}
    delta, base = row["centre"] - other["centre"], abs(other["centre"])
    low, high = comparison.estimator.difference(row, other)
    uneven = f"unequal n: {row['n']} against {other['n']}" if row["n"] != other["n"] else ""
    return found | {
        "delta": delta,
        "percent": 100 * delta / base if base else math.nan,
        "low": low,
        "high": high,
        "flag": uneven,
    }


def signed(value: float, unit: str = "") -> str:
    """``+0.0123``, ``−4.56 %``; a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return f"{sign}{compact(abs(value))}{unit}"


def delta_table(found: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """The deltas for people."""
    ends = zip(found["low"], found["high"], strict=True)
    return pd.DataFrame(
        {
            "group": found["series"],
            "less": found["of"],
            f"Δ {comparison.measure.title}": [signed(value) for value in found["delta"]],
            "Δ %": [signed(value, " %") for value in found["percent"]],
            "95 % interval": [
                f"{signed(low)} to {signed(high)}" if math.isfinite(low) else "–"
                for low, high in ends
            ],
            "n": found["n"],
            "n of baseline": found["n_of"],
            "flag": found["flag"],
        }
    )


def deltas_caption(found: pd.DataFrame, comparison: Comparison, baseline: Baseline) -> str:
    """Under the deltas: what was matched, by which method, and what was not."""
    others = [key.title for key in comparison.keys if key != baseline.key]
    matched = f" with equal {', '.join(others)}" if others else ""
    method = comparison.estimator.method
    if not comparison.estimator.bootstrap:
        method = "95 % t interval of a difference (Welch)"
    said = f"Each group less the one at {baseline.title}{matched}: difference of the "
    said += f"{comparison.estimator.word}s and its {method}, one comparison at a time."
    for flag, words in (
        (NO_BASELINE, "without a counterpart at the baseline"),
        (NO_VALUE, "without a value"),
        (NO_BASELINE_VALUE, "whose counterpart has no value"),
    ):
        if number := int((found["flag"] == flag).sum()):
            said += f" {count(number, 'group')} {words}."
    if number := int(found["flag"].str.startswith("unequal").sum()):
        said += f" {count(number, 'group')} with unequal n."
    return said
