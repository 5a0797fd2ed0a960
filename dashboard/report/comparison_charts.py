"""Figures of a comparison: who is ahead where, by how much, and how that moved; pure."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from .. import palette
from ..charts import HEIGHT, Chart
from ..comparison_measures import Scale
from ..comparison_tests import Judged, Verdict
from ..encodings import layered, log_ticks
from ..formats import compact

_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
_ROW = 28  # pixels of a cell
_LABELS = alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=300)
_NOBODY, _PALE = "no difference shown", "#D8DCE0"
_AHEAD = "ahead: "
MARK = " *"
"""After a difference that was shown; every font has it."""


def side_colours(sides: Sequence[str]) -> dict[str, str]:
    """Each side's colour, the same in every figure."""
    return dict(zip(sides, palette.cycle(len(sides))[0], strict=True))


def tile(cell: str, column: str, words: str, ahead: str | None) -> dict[str, object]:
    """One tile of :func:`verdict_grid`: a difference in words, and the side that is ahead."""
    shown = f"{words}{MARK}" if ahead else words
    return {"cell": cell, "column": column, "words": shown, "ahead": ahead or ""}


def verdict_grid(tiles: pd.DataFrame, sides: Sequence[str]) -> Chart:
    """Cells down, comparisons across; a tile has the colour of the side that is ahead.

    ``tiles``: rows of :func:`tile`, in order.
    """
    colours = side_colours(sides)
    meant = [f"{_AHEAD}{side}" if side else _NOBODY for side in tiles["ahead"]]
    inks = [_ink(colours[side] if side else _PALE) for side in tiles["ahead"]]
    drawn = tiles.assign(meaning=meant, dark=[ink == "#000000" for ink in inks])
    domain = [*(f"{_AHEAD}{side}" for side in sides), _NOBODY]
    scale = alt.Scale(domain=domain, range=[*colours.values(), _PALE])
    columns = list(dict.fromkeys(tiles["column"]))
    across = alt.Axis(
        orient="top", labelAngle=0 if len(columns) < 4 else -40, ticks=False, domain=False,
        labelLimit=260 if len(columns) < 4 else 180,
    )  # fmt: skip
    x = alt.X("column:N", sort=columns, title=None, axis=across, scale=alt.Scale(domain=columns))
    y = alt.Y("cell:N", sort=list(dict.fromkeys(tiles["cell"])), title=None, axis=_LABELS)
    legend = alt.Legend(title=None, orient="bottom", columns=1, labelLimit=420, symbolType="square")
    base = alt.Chart(drawn).encode(x=x, y=y)
    boxes = base.mark_rect(stroke="white", strokeOpacity=0.6, strokeWidth=2).encode(
        color=alt.Color("meaning:N", scale=scale, legend=legend, sort=None),
        tooltip=[alt.Tooltip(f"{c}:N") for c in ("cell", "column", "words", "meaning")],
    )
    ink = alt.condition("datum.dark", alt.value("#000000"), alt.value("#FFFFFF"))
    words = base.mark_text(fontSize=12).encode(text="words:N", color=ink)
    height = _ROW * tiles["cell"].nunique()
    return layered([boxes, words], height=height, autosize=_FIT)


def _ink(colour: str) -> str:
    return max(("#FFFFFF", "#000000"), key=lambda ink: palette.contrast(colour, ink))


def forest(judged: Sequence[Judged], scale: Scale, sides: Sequence[str]) -> Chart:
    """The difference of two sides in each cell with its interval, beside the line of none.

    Args:
        judged: the comparisons of one pair that have a difference.
        scale: on which they are compared.
        sides: all sides, which decides about colours.
    """
    rows = [_forest_row(j, scale) for j in judged]
    drawn = pd.DataFrame(rows)
    one, other = judged[0].contest.pair
    ends = pd.concat([drawn["value"], drawn["low"], drawn["high"]]).dropna()
    kind, axis = _axis(ends, scale)
    x, low = (alt.X(f"{c}:Q", title=scale.title, scale=kind, axis=axis) for c in ("value", "low"))
    y = alt.Y("cell:N", sort=list(drawn["cell"]), title=None, axis=_LABELS)
    colours = side_colours(sides)
    domain = [f"{_AHEAD}{one}", f"{_AHEAD}{other}", _NOBODY]
    look = [colours[one], colours[other], palette.GREY]
    legend = alt.Legend(title=None, orient="bottom", columns=1, labelLimit=420)
    colour = alt.Color(
        "meaning:N", scale=alt.Scale(domain=domain, range=look), legend=legend, sort=None
    )
    shapes = alt.Scale(domain=domain, range=["triangle-right", "square", "circle"])
    none = alt.Chart(pd.DataFrame({"value": [scale.effect(0.0)]}))
    line = none.mark_rule(strokeDash=[4, 3], color=palette.GREY).encode(x=x)
    base = alt.Chart(drawn).encode(y=y, color=colour)
    bars = base.mark_rule(strokeWidth=2).encode(x=low, x2="high:Q")
    points = base.mark_point(size=80, filled=True, opacity=1).encode(
        x=x,
        shape=alt.Shape("meaning:N", scale=shapes, legend=legend, sort=None),
        tooltip=[alt.Tooltip(f"{c}:N") for c in ("cell", "words", "interval", "meaning")],
    )
    return _titled(
        layered([line, bars, points], height=_ROW * len(drawn) + 8, autosize=_FIT),
        f"{one} {'over' if scale.log else 'less'} {other}",
    )


def _titled(chart: alt.LayerChart, names: str) -> Chart:
    """The chart under the names of its sides.

    Vega-Lite writes titles of axes into expressions without escaping them, so that a name with
    a quote would end up as code there. It leaves the title of a chart alone.
    """
    chart.title = names
    return chart


def _forest_row(judged: Judged, scale: Scale) -> dict[str, object]:
    low, high = judged.contest.interval()
    value = judged.contest.difference
    known = low == low
    return {
        "cell": judged.contest.cell,
        "value": scale.effect(value),
        "low": scale.effect(low) if known else None,
        "high": scale.effect(high) if known else None,
        "words": scale.words(value),
        "interval": scale.between(low, high),
        "meaning": f"{_AHEAD}{judged.ahead}" if judged.ahead else _NOBODY,
    }


def _axis(ends: pd.Series, scale: Scale) -> tuple[alt.Scale, alt.Axis]:
    """A scale of differences, or of ratios, with the place of none on it."""
    none = scale.effect(0.0)
    low, high = min(float(ends.min()), none), max(float(ends.max()), none)
    if scale.log:
        room = max((high / low) ** 0.05, 1.05)
        low, high = low / room, high * room
        ticks = log_ticks(low, high)
        axis = alt.Axis(values=ticks, format="~g", labelOverlap="greedy")
        return alt.Scale(type="log", domain=[low, high], nice=False), axis
    room = 0.05 * (high - low) or 1.0
    kind = alt.Scale(domain=[low - room, high + room], nice=False, zero=False)
    return kind, alt.Axis(tickCount=7)


def over_dates(rows: pd.DataFrame, scale: Scale, title: str) -> Chart:
    """The mean difference over cells, day by day, with its interval.

    ``rows``: columns day (text), value, low, high, as people read them; words, interval, cells.
    """
    ends = pd.concat([rows["value"], rows["low"], rows["high"]]).dropna()
    kind, axis = _axis(ends, scale)
    y, low = (alt.Y(f"{c}:Q", title=scale.title, scale=kind, axis=axis) for c in ("value", "low"))
    days = list(rows["day"])
    x = alt.X("day:O", sort=days, title=None, axis=alt.Axis(labelAngle=0, labelOverlap="greedy"))
    none = alt.Chart(pd.DataFrame({"value": [scale.effect(0.0)]}))
    line = none.mark_rule(strokeDash=[4, 3], color=palette.GREY).encode(y=y)
    base = alt.Chart(rows).encode(x=x)
    band = base.mark_rule(strokeWidth=2, color=palette.BLUE).encode(y=low, y2="high:Q")
    curve = base.mark_line(strokeWidth=2, color=palette.BLUE).encode(y=y)
    points = base.mark_point(size=80, filled=True, opacity=1, color=palette.BLUE).encode(
        y=y,
        tooltip=[alt.Tooltip(f"{c}:N") for c in ("day", "words", "interval", "cells")],
    )
    chart = layered([line, band, curve, points], height=HEIGHT // 2 + 60, autosize=_FIT)
    return _titled(chart, title)


def grid_alt(tiles: pd.DataFrame) -> str:
    """The grid in words: how often each side is ahead, and where."""
    won = tiles[tiles["ahead"] != ""].astype(str)
    said = [
        f"{row['ahead']} ahead in {row['cell']}, {row['column']}: {row['words'].removesuffix(MARK)}"
        for row in won.head(8).to_dict("records")
    ]
    more = f" and {len(won) - 8} more" if len(won) > 8 else ""
    return (
        f"Grid of {len(tiles)} comparisons; in {len(won)} of them a side is ahead"
        f"{': ' if said else ''}{'; '.join(said)}{more}."
    )


def forest_alt(judged: Sequence[Judged], scale: Scale) -> str:
    """The differences in words."""
    one, other = judged[0].contest.pair
    said = [f"{j.contest.cell} {scale.words(j.contest.difference)}" for j in judged[:12]]
    more = f" and {len(judged) - 12} more cells" if len(judged) > 12 else ""
    shown = sum(j.verdict in (Verdict.ONE, Verdict.OTHER) for j in judged)
    return (
        f"Differences in {scale.title}, {one} against {other}: {'; '.join(said)}{more}. "
        f"{shown} of {len(judged)} are shown to be other than none."
    )


def dates_alt(rows: pd.DataFrame, title: str) -> str:
    """The line over dates in words."""
    ends = rows.iloc[[0, -1]]
    said = [f"{row.words} ({row.interval}) on {row.day}" for row in ends.itertuples()]
    return f"{title} over {compact(len(rows))} dates: {'; '.join(said)}."
