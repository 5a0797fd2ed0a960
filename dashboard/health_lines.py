"""Lines through the layers of a net: update / weight ratios, dead and saturated shares."""

import altair as alt
import pandas as pd

from . import health, palette
from .captions import MEANING, trials_range
from .charts import HEIGHT, Chart
from .encodings import colour, dash, layered, log_ticks
from .formats import interval
from .health import MOMENTS, Values
from .health_charts import numbered
from .health_figures import RATIO, SHARES
from .health_keys import Layout, said
from .statistics import METHOD
from .study import Quantity, words_of
from .study_charts import layers_alt
from .study_figures import Block, Picture, titled
from .tables import Ask

GUIDE = 1e-3
"""Update / weight ratio that is often taken for a good one."""
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")


def ratios(ask: Ask, sweep_id: str, layout: Layout, by: str, at: Values) -> Block:
    """Update / weight ratios per layer at the end, with the line at 0.001."""
    rows = health.layer_rows(ask, sweep_id, layout, at, by, RATIO.column, log=True)
    pictures = []
    for moment, words in {"first": "at the first recording", "last": "at the end"}.items():
        shown = rows[(rows["moment"] == moment) & (rows["n"] > 0)]
        if len(shown):
            chart = through_layers(shown, RATIO, log=True, guide=GUIDE)
            name = f"health-ratio-{moment}"
            pictures.append(Picture(titled(chart, words), layers_alt(shown, RATIO, words), name))
    caption = _lines_caption(rows, layout, by, at, "Geometric mean over seeds with its " + METHOD)
    caption += (
        f" ‖change of W‖ / ‖W‖ of the last update before a recording. Dashed: {GUIDE:g}, "
        "a rule of thumb: far below it a layer hardly learns, far above it the weights are "
        "replaced rather than changed."
    )
    title = "Update / weight ratio per layer"
    return Block(title, pictures, caption, _lines_table(rows, by) if pictures else None)


def shares(ask: Ask, sweep_id: str, layout: Layout, by: str, at: Values) -> Block:
    """Shares of dead units, of zeros and of saturated outputs per layer, before and after."""
    pictures, tables = [], []
    for quantity in SHARES:
        rows = health.layer_rows(ask, sweep_id, layout, at, by, quantity.column, log=False)
        for moment, words in MOMENTS.items():
            shown = rows[rows["moment"] == moment]
            if len(shown):
                title = f"{quantity.title}, {words}"
                chart = titled(through_layers(shown, quantity, log=False), title)
                name = f"health-{quantity.column}-{moment}"
                pictures.append(Picture(chart, layers_alt(shown, quantity, words), name))
        tables.append(_lines_table(rows, by).assign(of=quantity.title))
    every = pd.concat([table for table in tables if len(table)] or tables[:1])
    caption = _lines_caption(every, layout, by, at, MEANING) if pictures else ""
    caption += (
        " A unit is dead where it is 0 on every recorded sample; an output is saturated beyond "
        "±0.97 (tanh) or outside 0.05 to 0.95 (sigmoid), and other activations have none."
    )
    title = "Dead and saturated shares per layer"
    return Block(title, pictures, caption, every if pictures else None)


def _lines_caption(rows: pd.DataFrame, layout: Layout, by: str, at: Values, meaning: str) -> str:
    others = [key for key in layout.keys if key != by]
    held_at = said(others, [at[key] for key in others])
    counted = rows[rows["n"] > 0]["n"]
    n = f", {trials_range(counted)}" if len(counted) else ""
    return (
        f"One line per {words_of(by)}"
        + (f", at {held_at}" if held_at else "")
        + (f". {meaning}{n}, diverged trials included until they stopped.")
    )


def _lines_table(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    shown = rows[rows["n"] > 0]
    return pd.DataFrame(
        {
            words_of(by): shown["series"].astype(str),
            "when": shown["moment"],
            "updates": shown["updates"],
            "layer": shown["layer"],
            "mean": shown["mean"],
            METHOD: [interval(a, b) for a, b in zip(shown["low"], shown["high"], strict=True)],
            "n": shown["n"],
            "values of 0": shown["zeros"],
        }
    )


def through_layers(
    rows: pd.DataFrame, quantity: Quantity, log: bool, guide: float | None = None
) -> Chart:
    """A quantity against the layer, one line per series with its interval.

    ``rows``: columns series, layer, n, mean, low, high. A share is drawn from 0 to 1, anything
    else on a log axis, without what is not above 0 there. ``guide`` is drawn as a line.
    """
    drawn = rows[(rows["n"] > 0) & ((rows["mean"] > 0) | (not log))]
    drawn = drawn.assign(
        floor=drawn["low"].fillna(drawn["mean"]), ceiling=drawn["high"].fillna(drawn["mean"])
    )
    scale = _log_axis(drawn["mean"], guide) if log else alt.Scale(domain=[0, 1], nice=False)
    ticks = (
        alt.Axis(values=log_ticks(*scale.domain), format="~e", labelOverlap="greedy")
        if log
        else alt.Axis(format="%", tickCount=5)
    )
    last = int(rows["layer"].max())
    x = alt.X(
        "layer:Q", title="layer", scale=alt.Scale(domain=[1, max(2, last)], nice=False, padding=8),
        axis=alt.Axis(grid=False, format="d", values=numbered(last)),
    )  # fmt: skip
    y, floor = (
        alt.Y(f"{end}:Q", title=quantity.title, scale=scale, axis=ticks)
        for end in ("mean", "floor")
    )
    base = alt.Chart(drawn).encode(x=x, color=colour(rows))
    band = base.mark_area(opacity=0.18, clip=True).encode(y=floor, y2="ceiling:Q")
    line = base.mark_line(strokeWidth=2.25, clip=True).encode(y=y, strokeDash=dash(rows))
    grips = base.mark_point(opacity=0, size=150).encode(
        y=y,
        tooltip=[
            alt.Tooltip("series:N", title="trials with"),
            alt.Tooltip("layer:Q"),
            alt.Tooltip("mean:Q", title=quantity.title, format=".3~g"),
            alt.Tooltip("n:Q", title="trials"),
        ],
    )
    layers = [band, line, grips]
    if guide is not None:
        layers = [_guide(guide, scale, ticks, quantity), *layers]
    return layered(layer=layers, height=HEIGHT, autosize=_FIT)


def _log_axis(means: pd.Series, guide: float | None) -> alt.Scale:
    ends = [*means, *([guide] if guide else [])] or [0.1, 1.0]
    low, high = float(min(ends)), float(max(ends))
    room = max((high / low) ** 0.05, 1.5)
    return alt.Scale(type="log", domain=[low / room, high * room], nice=False)


def _guide(value: float, scale: alt.Scale, axis: alt.Axis, quantity: Quantity) -> alt.Chart:
    y = alt.Y("value:Q", title=quantity.title, scale=scale, axis=axis)
    rule = alt.Chart(pd.DataFrame({"value": [value]}))
    line: alt.Chart = rule.mark_rule(strokeDash=[4, 3], color=palette.GREY, strokeWidth=1.5)
    return line.encode(y=y)
