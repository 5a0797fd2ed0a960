"""The answer of a study's sweep in a sentence and in a table, computed from its groups.

As for descent (:mod:`findings`): n and the interval's method are named, diverged and missing
trials counted, and groups whose intervals overlap are called too close to call.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import pandas as pd

from .findings import cost_words
from .formats import compact, count, interval, percent, rate
from .groups import at_level, best_of, finals_of, panels
from .metrics import Metric
from .statistics import METHOD
from .study import Study, words_of
from .tables import Ask


@dataclasses.dataclass(frozen=True)
class StudyResult:
    """The final values of every group, ``finals``, and of each at its best rate, ``best``."""

    study: Study
    finals: pd.DataFrame
    best: pd.DataFrame

    @property
    def metric(self) -> Metric:
        """What the question is answered by."""
        return self.study.metrics[0]

    @property
    def level(self) -> float | None:
        """The largest value along which groups differ: where the answer is given."""
        return float(self.best["along"].max()) if "along" in self.best and len(self.best) else None

    @property
    def sentence(self) -> str:
        """The answer in words, a line for each panel."""
        planned, finished = (int(self.finals[c].sum()) for c in ("planned", "finished"))
        shown = at_level(self.best, self.level)
        if not (shown["n"] > 0).any():
            if not finished:
                return f"Of {count(planned, 'trial')} in this sweep, none has a result yet."
            return f"Of {count(finished, 'finished trial')}, none has a final {self.metric.title}."
        parts = [_panel([self._where, name], rows, self.metric) for name, rows in panels(shown)]
        so_far = "" if finished == planned else f"With {finished} of {planned} trials finished: "
        lost = int(self.finals["diverged"].sum())
        after = f"\n{lost} of {count(finished, 'finished trial')} diverged." if lost else ""
        said = "\n".join(part for part in parts if part)
        return f"{so_far}{said}{after}"

    @property
    def _where(self) -> str:
        if self.level is None:
            return ""
        return f"at {words_of(self.study.along or '')} {rate(self.level)}"


def study_result(ask: Ask, sweep_id: str, study: Study) -> StudyResult:
    """Ask for the final values of a study's first metric."""
    finals = finals_for(ask, sweep_id, study, study.metrics[0])
    return StudyResult(study, finals, best_of(finals, study.metrics[0].falling))


def finals_for(ask: Ask, sweep_id: str, study: Study, metric: Metric) -> pd.DataFrame:
    """The final values of one metric, every group and rate."""
    asked = {"sweep_id": sweep_id, "factors": study.factors, "metric": metric.column}
    return finals_of(ask("study_finals", **asked), study, metric)


def value_words(value: float, metric: Metric) -> str:
    """A share as per cent, anything else with three digits."""
    return percent(value) if metric.bounds == (0.0, 1.0) else compact(value)


def _head(*names: str) -> str:
    """``At depth 5, relu: ``, of the names that are not empty."""
    said = ", ".join(filter(None, names))
    return f"{said[0].upper()}{said[1:]}: " if said else ""


def _panel(names: Sequence[str], rows: pd.DataFrame, metric: Metric) -> str:
    """One panel's best and worst group; nothing where no group has a final value."""
    ranked = rows[rows["n"] > 0].sort_values("mean", ascending=metric.falling, kind="stable")
    if ranked.empty:
        return ""
    first, last = ranked.iloc[0], ranked.iloc[-1]
    prefix = _head(*names)
    if len(ranked) == 1:
        return f"{prefix}{first['series']} ends at {_ends(first, metric)}."
    said = f"{first['series']} ends best in {metric.title}, at {_ends(first, metric)}"
    said += f"; {last['series']} worst, at {_ends(last, metric)}."
    return prefix + said + _caveat(ranked)


def _ends(row: pd.Series, metric: Metric) -> str:
    rated = f"lr {rate(row['lr'])}, " if "lr" in row else ""
    return f"{value_words(row['mean'], metric)} ({rated}{_basis(row, metric)})"


def _basis(row: pd.Series, metric: Metric) -> str:
    """On what a mean rests, as said in brackets."""
    n = int(row["n"])
    if n < 2:
        said = "one trial, so no interval"
    else:
        noun = "seeds" if row["planned"] == row["seeds"] else "trials"
        ends = f"{value_words(row['low'], metric)} to {value_words(row['high'], metric)}"
        said = f"mean of {n} {noun}, {METHOD} {ends}"
    return said + "".join(f", {words}" for words in _lacking(row))


def _lacking(row: pd.Series) -> Iterator[str]:
    if row["diverged"]:
        yield f"{row['diverged']} diverged"
    if row["missing"]:
        yield f"{row['missing']} of {row['planned']} missing"


def _caveat(ranked: pd.DataFrame) -> str:
    """Which groups cannot be told apart from the best by these data."""
    first, others = ranked.iloc[0], ranked.iloc[1:]
    if not math.isfinite(first["low"]):
        return f" Too close to call: {first['series']} has no interval."
    near = others[~((others["low"] > first["high"]) | (others["high"] < first["low"]))]
    if near.empty:
        return ""
    names = [str(name) for name in near["series"]]
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    whom = "that of" if len(names) == 1 else "those of"
    return f" Too close to call: its interval overlaps {whom} {listed}."


def signal_sentence(layers: pd.DataFrame) -> str:
    """How the backward signal passes through the untrained net, over all groups of a frame.

    ``layers``: the answer to ``study_layers`` for the backward signal, as frame of groups.
    """
    first = layers[layers["moment"] == "first"]
    ratios: dict[str, float] = {}
    for name, rows in panels(first):
        for series, group in rows.groupby("series", observed=True):
            ends = group.sort_values("layer")["log_mean"].iloc[[0, -1]]
            label = ", ".join(part for part in (name, str(series)) if part)
            if len(group) > 1 and ends.notna().all():
                ratios[label] = float(ends.iloc[0] - ends.iloc[1])
    if not ratios:
        return ""
    low, high = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
    what = "Before training, the backward signal that arrives at the first layer is"
    if low == high:
        return f"{what} {_power(ratios[low])} times that at the last ({low})."
    return (
        f"{what} between {_power(ratios[low])} ({low}) and {_power(ratios[high])} ({high}) times "
        "that at the last; geometric means over seeds."
    )


def costs_sentence(costs: pd.DataFrame, study: Study) -> str:
    """How many updates the target takes: at both ends of a number, or who is first.

    ``costs``: ``study_costs`` in updates as frame of groups with intervals, at the best rates.
    """
    said = []
    for name, rows in panels(costs):
        words = _span(rows, study) if study.along else _first(rows)
        said.append(f"{_head(name)}{words}.")
    return "Updates to the target. " + " ".join(said) if said else ""


def _span(rows: pd.DataFrame, study: Study) -> str:
    along = words_of(study.along or "")
    said = []
    for series, group in rows.groupby("series", observed=True):
        ends = group.sort_values("along").iloc[[0, -1]].to_dict("records")
        low, high = (f"{cost_words(pd.Series(e))} at {along} {rate(e['along'])}" for e in ends)
        said.append(f"{series} {low}, {high}")
    return "; ".join(said)


def _first(rows: pd.DataFrame) -> str:
    """Who meets the target in all trials, the fastest first; how many groups do not."""
    whole = rows[(rows["reached"] == rows["trials"]) & (rows["reached"] > 0)]
    ranked = whole.sort_values("mean", kind="stable")
    said = [f"{row['series']} {cost_words(row)}" for _, row in ranked.head(3).iterrows()]
    rest = len(rows) - len(whole)
    some = f"{count(rest, 'group')} not in every trial" if rest else ""
    return "; ".join(filter(None, [*said, some]))


def _power(exponent: float) -> str:
    return f"{10.0**exponent:.2g}"


def finals_table(finals: pd.DataFrame, metric: Metric, study: Study) -> pd.DataFrame:
    """Final values for people: a row per group, as text and whole numbers."""
    columns: dict[str, object] = {}
    if study.panels:
        columns[" and ".join(words_of(key) for key in study.panels)] = finals["panel"]
    columns["trials with"] = finals["series"].astype(str)
    for column, key in (("along", study.along), ("lr", study.tuned)):
        if key:
            columns[words_of(key)] = [rate(value) for value in finals[column]]
    ends = zip(finals["low"], finals["high"], strict=True)
    columns |= {
        f"final {metric.title}": [compact(mean) for mean in finals["mean"]],
        METHOD: [interval(low, high) for low, high in ends],
        "n": finals["n"],
        "diverged": finals["diverged"],
        "failed or missing": finals["missing"],
    }
    return pd.DataFrame(columns)
