"""From the answers of the study queries to frames of groups: names, order, choice of rates."""

import math
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from .metrics import Metric
from .statistics import with_interval
from .study import Study, words_of

ALL = "all trials"
_ABSENT = ("none", "false")
Level = str | None


def named(table: pa.Table, study: Study) -> pd.DataFrame:
    """The answer as a frame with the columns series, panel, and where declared along and lr.

    ``table`` has the column levels, in the order of ``study.keys``. ``series`` is categorical:
    its categories are all series of the answer, in order.
    """
    frame: pd.DataFrame = table.to_pandas()
    levels = [list(row) for row in frame.pop("levels")]
    columns = dict(zip(study.keys, zip(*levels, strict=True), strict=True)) if levels else {}
    lines = _labels([columns.get(key, ()) for key in study.lines], study.lines)
    panels = _labels([columns.get(key, ()) for key in study.panels], study.panels)
    order = list(dict.fromkeys(name for _, name in sorted(set(lines))))
    frame["series"] = pd.Categorical([name for _, name in lines] or [], categories=order)
    frame["panel"] = [name for _, name in panels] if study.panels else [""] * len(frame)
    places = {place: rank for rank, place in enumerate(sorted({place for place, _ in panels}))}
    frame["panel_place"] = [places[place] for place, _ in panels] if study.panels else 0
    for column, key in (("along", study.along), ("lr", study.tuned)):
        if key:
            frame[column] = [_number(value) for value in columns.get(key, ())]
    by = [c for c in ("panel_place", "series", "along", "lr") if c in frame]
    ordered = frame.sort_values(by, kind="stable").drop(columns="panel_place")
    return ordered.reset_index(drop=True)


def _labels(
    columns: Sequence[Sequence[Level]], keys: Sequence[str]
) -> list[tuple[tuple[tuple[int, float, str], ...], str]]:
    """(place in the order, label) of each row; what never differs is not said."""
    varying = [(k, c) for k, c in zip(keys, columns, strict=True) if len(set(c)) > 1]
    told = varying or list(zip(keys, columns, strict=True))[:1]
    count = len(columns[0]) if columns else 0
    rows = [tuple((key, column[row]) for key, column in told) for row in range(count)]
    # Rows are thousands, and groups are few.
    words = {row: (tuple(_place(value) for _, value in row), _label(row)) for row in set(rows)}
    return [words[row] for row in rows]


def _label(row: Sequence[tuple[str, Level]]) -> str:
    """``huber (delta 0.5)``; of several parts, those that are absent or 0 are left out."""
    silent = _ABSENT if len(row) == 1 else (*_ABSENT, "0", "0.0")
    parts = [_part(key, value) for key, value in row if value not in (None, *silent)]
    if not parts:
        return f"no {words_of(row[0][0])}" if len(row) == 1 else "plain"
    return parts[0] + (f" ({', '.join(parts[1:])})" if len(parts) > 1 else "")


def _part(key: str, value: Level) -> str:
    text = str(value).replace("_", " ")
    if not math.isnan(number := _number(text)):
        text = f"{number:.4g}"
    if key.endswith(".name") or key == "model.activation":
        return text
    return words_of(key) if text == "true" else f"{words_of(key)} {text}"


def _number(value: Level) -> float:
    try:
        return float(value) if value is not None else math.nan
    except ValueError:
        return math.nan


def _place(value: Level) -> tuple[int, float, str]:
    """Sort key of a level: absent ones first, numbers by size, then words."""
    number = _number(value)
    if value is None or value in _ABSENT:
        return 0, 0.0, ""
    return (2, 0.0, value) if math.isnan(number) else (1, number, "")


GROUP = ("panel", "series", "along")


def _group(frame: pd.DataFrame) -> list[str]:
    return [column for column in GROUP if column in frame]


def best_of(finals: pd.DataFrame, falling: bool) -> pd.DataFrame:
    """The rows of each group at its best learning rate: fewest diverged, then best mean.

    Groups without a final value keep their first rate; without rates nothing is left out.
    """
    if "lr" not in finals:
        return finals
    lost = finals["diverged"] / finals["finished"].clip(lower=1)
    ranked = finals.assign(
        lost=lost.where(finals["finished"] > 0, 2.0),
        final=finals["mean"] * (1 if falling else -1),
        place=range(len(finals)),
    ).sort_values(["lost", "final", "lr"], kind="stable")
    best = ranked.drop_duplicates(_group(finals)).sort_values("place")
    return best.drop(columns=["lost", "final", "place"]).reset_index(drop=True)


def cheapest_of(costs: pd.DataFrame) -> pd.DataFrame:
    """The rows of each group at the rate that meets the target in most trials, then soonest.

    ``costs``: the answer to ``study_costs`` in one unit.
    """
    if "lr" not in costs:
        return costs
    ranked = costs.assign(
        share=-costs["reached"] / costs["trials"].clip(lower=1),
        place=range(len(costs)),
    ).sort_values(["share", "mean", "lr"], kind="stable")
    best = ranked.drop_duplicates(_group(costs)).sort_values("place")
    return best.drop(columns=["share", "place"]).reset_index(drop=True)


def at_best(frame: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``frame`` whose group stands at the same learning rate in ``best``."""
    if "lr" not in frame:
        return frame
    keys = [*_group(frame), "lr"]
    chosen = {tuple(row) for row in best[keys].itertuples(index=False)}
    kept = [tuple(row) in chosen for row in frame[keys].itertuples(index=False)]
    # A plain empty list would choose columns, and none of them.
    chosen_rows: pd.DataFrame = frame[pd.Series(kept, index=frame.index, dtype=bool)]
    return chosen_rows.reset_index(drop=True)


def at_level(frame: pd.DataFrame, level: float | None) -> pd.DataFrame:
    """The rows at one value of ``along``; all of them where nothing stands along."""
    if level is None or "along" not in frame:
        return frame
    kept: pd.DataFrame = frame[frame["along"] == level]
    return kept.reset_index(drop=True)


def group_name(row: pd.Series) -> str:
    """``relu, norm batch``: panel and series of a row."""
    return ", ".join(part for part in (row["panel"], str(row["series"])) if part)


def panels(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """(name, rows) of each panel, in order."""
    found = frame.groupby("panel", sort=False)
    return [(str(name), rows.reset_index(drop=True)) for name, rows in found]


def with_levels(table: pa.Table, study: Study) -> pd.DataFrame:
    """As :func:`named`, with the levels of each group, by which a query can be asked for it."""
    places = pa.array(range(table.num_rows))
    frame = named(table.append_column("place", places), study)
    levels = table["levels"].to_pylist()
    each = [tuple(levels[place]) for place in frame.pop("place")]
    frame["levels"] = pd.Series(each, dtype=object)
    return frame


def complete(table: pa.Table, groups: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """The answer to ``study_curves`` where every trial of a group is still there, with intervals.

    ``groups``: those that were asked for, of :func:`with_levels`; they keep their order and names.
    """
    frame: pd.DataFrame = table.to_pandas()
    frame["levels"] = [tuple(row) for row in frame["levels"]]
    words = [c for c in (*GROUP, "lr", "levels") if c in groups]
    curves = groups[words].merge(frame[frame["n"] == frame["trials"]], on="levels")
    return with_interval(curves.drop(columns="levels"), metric.bounds)


def finals_of(table: pa.Table, study: Study, metric: Metric) -> pd.DataFrame:
    """The answer to ``study_finals`` with intervals."""
    return with_interval(named(table, study), metric.bounds)
