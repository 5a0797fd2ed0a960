"""Figures of the descent study and of a sweep: frame -> Altair chart, pure, for page and report.

Every function takes a frame of groups (:func:`tables.grouped`) and returns one chart without
width or theme: the page stretches it and lends it Streamlit's theme, the report
(:mod:`figures`) sets both. :mod:`captions` says the same in words.
"""

import altair as alt
import pandas as pd

from . import palette
from .encodings import (
    colour,
    dash,
    layered,
    log_scale,
    number_axis,
    shape,
    tooltip,
    value_axis,
    value_scale,
    with_ends,
)
from .formats import compact
from .metrics import Metric, Unit

HEIGHT = 340
_ROW = 16  # pixels of one row of marks above a plot
# Widths include axes and legends, heights do not: plots of one kind are equally high.
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")

# A browser reads a frame cell by cell, and an axis of hundreds of points has thousands of them:
# curves take along the columns that they draw, and no others.
_VALUE = ["mean", "floor", "ceiling", "interval", "n"]

Chart = alt.Chart | alt.LayerChart


def loss_curves(curves: pd.DataFrame, metric: Metric, unit: Unit, log: bool) -> Chart:
    """Mean of a metric over seeds against a unit, with its interval as a band.

    ``curves``: columns series, lr, n, mean, low, high and the unit's; one line per series
    and learning rate. On a log axis the untrained net (0) has no place and is left out.
    """
    drawn = with_ends(curves[curves[unit.column] > 0] if log else curves, metric)
    axis = number_axis(log, drawn[unit.column], unit)
    along = alt.Scale(type="log" if log else "linear", nice=False)
    x = alt.X(f"{unit.column}:Q", title=unit.title, scale=along, axis=axis)
    scale = value_scale(drawn, metric)
    y, floor = (
        alt.Y(f"{end}:Q", title=metric.title, scale=scale, axis=value_axis(scale))
        for end in ("mean", "floor")
    )
    drawn = drawn[["series", "lr", unit.column, *_VALUE]]
    base = alt.Chart(drawn).encode(x=x, color=colour(curves), detail=alt.Detail("lr:N"))
    band = base.mark_area(opacity=0.18, clip=True).encode(y=floor, y2=alt.Y2("ceiling:Q"))
    line = base.mark_line(strokeWidth=2.25, clip=True).encode(y=y, strokeDash=dash(curves))
    # Points a reader can hit with the pointer: the line itself is too thin for a tooltip.
    here = alt.Tooltip(f"{unit.column}:Q", title=unit.title, format=f".3{unit.format}")
    grips = base.mark_point(opacity=0, size=150, aria=False).encode(
        y=y, tooltip=tooltip(curves, here)
    )
    return layered(layer=[band, line, grips], height=HEIGHT, autosize=_FIT)


def learning_rates(finals: pd.DataFrame, metric: Metric) -> Chart:
    """Final value against the learning rate, see :func:`finals_along`."""
    return finals_along(finals, metric, "lr", "learning rate")


def finals_along(finals: pd.DataFrame, metric: Metric, key: str, title: str) -> Chart:
    """Final value against a number, one line per series; diverged shares on top.

    ``finals``: columns series, n, mean, low, high, diverged, finished, and ``key``, which is
    drawn on a log axis where all its values are above 0.
    """
    drawn = with_ends(finals[finals["n"] > 0], metric)
    # Ticks at the values that were tried, and nowhere else.
    tried = sorted({float(value) for value in finals[key]})
    axis = alt.Axis(values=tried, format=".3~g", labelOverlap="greedy", grid=False)
    along = log_scale(finals[key]) if tried and tried[0] > 0 else alt.Scale(padding=12)
    x = alt.X(f"{key}:Q", title=title, scale=along, axis=axis)
    marks = _diverged(finals, x)
    scale = value_scale(drawn, metric)
    scale.range = [HEIGHT, _ROW * len(marks) + 8]
    y, floor = (
        alt.Y(f"{end}:Q", title=f"final {metric.title}", scale=scale, axis=value_axis(scale))
        for end in ("mean", "floor")
    )
    base = alt.Chart(drawn).encode(x=x, y=y, color=colour(finals))
    bars = base.mark_rule(strokeWidth=1.5, clip=True).encode(y=floor, y2=alt.Y2("ceiling:Q"))
    lines = base.mark_line(strokeWidth=2).encode(strokeDash=dash(finals))
    lost = alt.Tooltip("diverged:Q", title="diverged trials")
    points = base.mark_point(size=60, filled=True, opacity=1).encode(
        shape=shape(finals), tooltip=tooltip(finals, lost)
    )
    chart = layered(layer=[bars, lines, points, *marks], height=HEIGHT, autosize=_FIT)
    # Else Vega-Lite draws a second legend, of the shapes.
    chart.resolve = alt.Resolve(scale=alt.ScaleResolveMap(shape="independent"))
    return chart


def _diverged(finals: pd.DataFrame, x: alt.X) -> list[alt.Chart]:
    """One row of "✕ 2/5" per series that lost trials, above the plot."""
    lost = finals[finals["diverged"] > 0]
    shares = [f"✕ {d}/{f}" for d, f in zip(lost["diverged"], lost["finished"], strict=True)]
    marked = lost.assign(share=shares)
    return [
        alt.Chart(marked[marked["series"] == name])
        .mark_text(fontSize=12, fontWeight=600, baseline="top")
        .encode(x=x, y=alt.value(_ROW * row), text=alt.Text("share:N"), color=colour(finals))
        for row, name in enumerate(lost["series"].unique())
    ]


def time_to_target(best: pd.DataFrame, unit: Unit) -> Chart:
    """Cost of reaching the target per series, with its interval; "never" where none did.

    ``best``: rows of ``time_to_target`` at the chosen rates, of one unit, with low and high.
    """
    costs = _with_labels(best)
    # The numbers stand in the axis labels, which take the colour of the page.
    rows = alt.Axis(ticks=False, domain=False, labelPadding=10, labelExpr="split(datum.label, '|')")
    y = alt.Y("label:N", title=None, sort=list(costs["label"]), axis=rows)
    met = costs[costs["cost"].notna()]
    ends = pd.concat([met["cost"], met["low"][met["low"] > 0], met["high"]]).dropna()
    title, scale, axis = f"{unit.title} to target", log_scale(ends), number_axis(True, ends, unit)
    x, low = (alt.X(f"{end}:Q", title=title, scale=scale, axis=axis) for end in ("cost", "low"))
    base = alt.Chart(costs).encode(y=y, color=colour(best, legend=False))
    bars = base.mark_rule(strokeWidth=2, clip=True).encode(x=low, x2=alt.X2("high:Q"))
    points = base.mark_point(size=90, filled=True, opacity=1).encode(
        x=x, shape=shape(best), tooltip=_cost_tooltip(best, unit)
    )
    height = 52 * max(len(costs), 1)
    return layered(layer=[bars, points], height=height, autosize=_FIT)


def _with_labels(best: pd.DataFrame) -> pd.DataFrame:
    """Columns cost (mean, or median where some were censored), share and label."""
    cost = best["mean"].where(best["reached"] == best["trials"], best["median"])
    share = [f"{r} of {t}" for r, t in zip(best["reached"], best["trials"], strict=True)]
    label = [
        f"{name}|" + (f"never ({met})" if pd.isna(value) else compact(value))
        for name, value, met in zip(best["series"], cost, share, strict=True)
    ]
    return best.assign(cost=cost, share=share, label=label)


def _cost_tooltip(best: pd.DataFrame, unit: Unit) -> list[alt.Tooltip]:
    rated = [alt.Tooltip("lr:Q", title="learning rate", format=".3~g")] if "lr" in best else []
    return [
        alt.Tooltip("series:N", title="descent" if "descent" in best else "trials with"),
        *rated,
        alt.Tooltip("cost:Q", title=unit.title, format=f".3{unit.format}"),
        alt.Tooltip("share:N", title="trials that reached it"),
    ]


def outcomes(counts: pd.DataFrame) -> Chart:
    """How a sweep's trials ended, as one bar. ``counts``: columns outcome, trials."""
    place = {name: rank for rank, name in enumerate(palette.OUTCOME_COLOUR)}
    drawn = counts.assign(place=[place[name] for name in counts["outcome"]]).sort_values("place")
    drawn["words"] = [
        f"{trials} {name.replace('_', ' ')}"
        for name, trials in zip(drawn["outcome"], drawn["trials"], strict=True)
    ]
    scale = alt.Scale(
        domain=list(drawn["words"]),
        range=[palette.OUTCOME_COLOUR[name] for name in drawn["outcome"]],
    )
    legend = alt.Legend(title=None, orient="bottom", columns=0, symbolType="square", offset=2)
    bar = alt.Chart(drawn, height=24, autosize=_FIT).mark_bar(height=22)
    chart: alt.Chart = bar.encode(
        x=alt.X("trials:Q", axis=None, stack="zero", scale=alt.Scale(nice=False)),
        order=alt.Order("place:O"),
        color=alt.Color("words:N", scale=scale, legend=legend, sort=None),
        tooltip=[alt.Tooltip("words:N", title="trials")],
    )
    return chart
