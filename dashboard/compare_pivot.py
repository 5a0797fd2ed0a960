"""Two keys crossed: a cell for each pair of levels, and what is wrong with it in words."""

import dataclasses

import altair as alt
import numpy as np
import pandas as pd

from .charts import Chart
from .compare import Comparison, far_apart
from .compare_keys import Key, place, shown
from .encodings import layered
from .formats import compact, count, interval

NO_TRIALS = "no trials"
_CELL = 40  # pixels of a row of the heat map
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
MOST_LEVELS = 30
"""Levels along a side that the heat map has room for; the table has all."""


@dataclasses.dataclass(frozen=True)
class Pivot:
    """``cells`` has a row per pair of levels: row, column, centre, low, high, n, trials, flag."""

    down: Key
    across: Key
    cells: pd.DataFrame
    usual_n: int
    """The most frequent n of the cells with a value; other ones are flagged."""

    @property
    def drawable(self) -> bool:
        """Whether a heat map has room for all levels."""
        return max(self.cells["row"].nunique(), self.cells["column"].nunique()) <= MOST_LEVELS


def pivot(comparison: Comparison, groups: pd.DataFrame, down: Key, across: Key) -> Pivot:
    """Cross two keys. ``groups``: grouped by these two, in this order."""
    found = {row["levels"]: row for _, row in groups.iterrows()}
    rows, columns = (sorted({levels[side] for levels in found}, key=place) for side in (0, 1))
    counts = groups["n"][groups["n"] > 0]
    usual = int(counts.mode().max()) if len(counts) else 0
    cells = [
        {"row": shown(row), "column": shown(column)} | _cell(found.get((row, column)), usual)
        for row in rows
        for column in columns
    ]
    return Pivot(down, across, pd.DataFrame(cells), usual)


def _cell(group: pd.Series | None, usual: int) -> dict[str, object]:
    if group is None:
        nothing = dict.fromkeys(("centre", "low", "high"), float("nan"))
        return nothing | {"n": 0, "trials": 0, "flag": NO_TRIALS}
    kept = {name: group[name] for name in ("centre", "low", "high", "n", "trials")}
    return kept | {"flag": _flag(group, usual)}


def _flag(group: pd.Series, usual: int) -> str:
    """``no value (3 diverged)``, ``n = 3, not 5``, or nothing."""
    if not group["n"]:
        words = {"diverged": "diverged", "failed": "failed", "missing": "without a value"}
        why = [f"{group[name]} {said}" for name, said in words.items() if group[name]]
        return f"no value ({', '.join(why)})"
    return "" if group["n"] == usual else f"n = {group['n']}, not {usual}"


def pivot_table(crossed: Pivot) -> pd.DataFrame:
    """Rows × columns as text: estimate, interval, n, and the flag."""
    texts = crossed.cells.assign(text=[_text(cell) for _, cell in crossed.cells.iterrows()])
    order = list(dict.fromkeys(texts["column"]))
    rows = list(dict.fromkeys(texts["row"]))
    # Levels may look alike when shown shorter; then a cell has the texts of both.
    wide = texts.pivot_table(index="row", columns="column", values="text", aggfunc=" / ".join)
    wide = wide.loc[rows, order]
    # The name of the first column may be a level of the other key as well.
    corner = f"{crossed.down.title} ＼ {crossed.across.title}"
    return wide.rename_axis(index=corner, columns=None).reset_index()


def _text(cell: pd.Series) -> str:
    if not cell["n"]:
        return str(cell["flag"])
    ends = interval(cell["low"], cell["high"])
    flag = f" ⚠ {cell['flag']}" if cell["flag"] else f", n = {cell['n']}"
    return f"{compact(cell['centre'])} ({ends}){flag}"


def heat_map(crossed: Pivot, comparison: Comparison) -> Chart:
    """The cells as tiles; what is flagged says so in its tile."""
    drawn = crossed.cells.assign(
        interval=[interval(a, b) for a, b in zip(crossed.cells["low"], crossed.cells["high"],
                                                  strict=True)],
        text=[_tile(cell) for _, cell in crossed.cells.iterrows()],
    )  # fmt: skip
    title = comparison.measure.title
    rows, columns = (list(dict.fromkeys(drawn[side])) for side in ("row", "column"))
    x = alt.X("column:N", sort=columns, title=crossed.across.title,
              axis=alt.Axis(labelAngle=0, ticks=False, domain=False, labelLimit=160))  # fmt: skip
    y = alt.Y("row:N", sort=rows, title=crossed.down.title,
              axis=alt.Axis(ticks=False, domain=False, labelLimit=200))  # fmt: skip
    base = alt.Chart(drawn).encode(x=x, y=y, tooltip=_tooltip(crossed, comparison))
    shade = alt.Color(
        "centre:Q",
        scale=alt.Scale(scheme="blues", type="log" if far_apart(drawn["centre"]) else "linear"),
        legend=alt.Legend(title=f"{comparison.estimator.word}, {title}", orient="top",
                          gradientLength=240, titleLimit=400),
    )  # fmt: skip
    empty = base.transform_filter("datum.n === 0").mark_rect(
        fillOpacity=0, stroke="#7A7A7A", strokeDash=[3, 3]
    )
    tiles = base.transform_filter("datum.n > 0").mark_rect().encode(color=shade)
    texts = base.mark_text(fontSize=11, lineBreak="\n", baseline="middle", dy=-3)
    middle = _middle(crossed.cells)
    dark = f"datum.centre > {middle}"
    filled = texts.transform_filter("datum.n > 0").encode(
        text="text:N", color=alt.condition(dark, alt.value("white"), alt.value("black"))
    )
    hollow = texts.transform_filter("datum.n === 0").encode(
        text="text:N", color=alt.value("#7A7A7A")
    )
    return layered(
        layer=[empty, tiles, filled, hollow], height=_CELL * max(1, len(rows)), autosize=_FIT
    )


def _middle(cells: pd.DataFrame) -> float:
    """From where on tiles are too dark for black words."""
    centres = cells["centre"].dropna()
    if centres.empty:
        return 0.0
    ends = np.array([centres.min(), centres.max()])
    if far_apart(centres):
        return float(np.exp(np.log(ends) @ (0.45, 0.55)))
    return float(ends @ (0.45, 0.55))


def _tile(cell: pd.Series) -> str:
    if not cell["n"]:
        return str(cell["flag"]).replace(" (", "\n(")
    return compact(cell["centre"]) + (f"\nn = {cell['n']}" if cell["flag"] else "")


def _tooltip(crossed: Pivot, comparison: Comparison) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("row:N", title=crossed.down.title),
        alt.Tooltip("column:N", title=crossed.across.title),
        alt.Tooltip("centre:Q", title=comparison.estimator.word, format=".4~g"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("n:Q"),
        alt.Tooltip("trials:Q"),
        alt.Tooltip("flag:N"),
    ]


def pivot_caption(crossed: Pivot, comparison: Comparison) -> str:
    """Under the pivot: what a cell is, by which method, and how many are flagged."""
    cells = crossed.cells
    said = (
        f"{comparison.measure.title}, {comparison.estimator.word} of all trials of a cell with its "
        f"{comparison.estimator.method}; n = {crossed.usual_n} unless a cell says otherwise."
    )
    absent, void = cells["trials"] == 0, (cells["trials"] > 0) & (cells["n"] == 0)
    uneven = (cells["n"] > 0) & (cells["flag"] != "")
    for which, words in ((absent, "no trials"), (void, "no value"), (uneven, "unequal n")):
        if number := int(which.sum()):
            said += f" {count(number, 'cell')} with {words}."
    return said[0].upper() + said[1:]


def pivot_alt(crossed: Pivot, comparison: Comparison) -> str:
    """The heat map in words: its extremes and its holes."""
    cells = crossed.cells[crossed.cells["n"] > 0].sort_values("centre")
    said = f"Heat map of {comparison.measure.title}, {crossed.down.title} by {crossed.across.title}"
    if cells.empty:
        return f"{said}; no cell has a value."
    low, high = (cells.iloc[end] for end in (0, -1))
    ends = [f"{c['row']} and {c['column']} with {compact(c['centre'])}" for c in (low, high)]
    flagged = int((crossed.cells["flag"] != "").sum())
    return f"{said}; lowest {ends[0]}, highest {ends[1]}; {count(flagged, 'cell')} flagged."
