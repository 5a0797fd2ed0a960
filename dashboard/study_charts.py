"""Charts that the studies have beside those of descent: rankings, layers, costs along a number."""

import altair as alt
import pandas as pd

from .charts import HEIGHT, Chart
from .encodings import (
    colour,
    dash,
    layered,
    log_scale,
    log_ticks,
    names,
    number_axis,
    shape,
    tooltip,
    value_axis,
    value_scale,
    with_ends,
)
from .formats import compact
from .metrics import Metric, Unit
from .study import Quantity, Study, words_of

_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
_ROW = 40  # pixels of one mark of a ranking, with its label of two lines


def ranking(finals: pd.DataFrame, metric: Metric) -> Chart:
    """Final value of each series with its interval, one row each; "none" where none ended well.

    ``finals``: columns series, n, mean, low, high, diverged, finished.
    """
    drawn = with_ends(finals[finals["n"] > 0], metric)
    labels = {str(row["series"]): _row_label(row) for _, row in finals.iterrows()}
    ordered = [labels[name] for name in names(finals) if name in labels]
    rows = alt.Axis(
        ticks=False, domain=False, labelPadding=10, labelLimit=260,
        labelExpr="split(datum.label, '|')",
    )  # fmt: skip
    y = alt.Y("label:N", title=None, sort=ordered, axis=rows, scale=alt.Scale(domain=ordered))
    drawn = drawn.assign(label=[labels[str(name)] for name in drawn["series"]])
    scale = value_scale(drawn, metric)
    x, low = (
        alt.X(f"{end}:Q", title=f"final {metric.title}", scale=scale, axis=value_axis(scale))
        for end in ("mean", "floor")
    )
    lost = alt.Tooltip("diverged:Q", title="diverged trials")
    base = alt.Chart(drawn).encode(y=y, color=colour(finals, legend=False))
    bars = base.mark_rule(strokeWidth=2, clip=True).encode(x=low, x2=alt.X2("ceiling:Q"))
    points = base.mark_point(size=90, filled=True, opacity=1).encode(
        x=x, shape=shape(finals), tooltip=tooltip(finals, lost)
    )
    height = _ROW * max(len(ordered), 1)
    return layered(layer=[bars, points], height=height, autosize=_FIT)


def _row_label(row: pd.Series) -> str:
    """The series and its mean, and how many of its trials diverged."""
    value = compact(row["mean"]) if row["n"] else "no value"
    lost = f" (✕ {row['diverged']}/{row['finished']})" if row["diverged"] else ""
    return f"{row['series']}|{value}{lost}"


def through_layers(rows: pd.DataFrame, quantity: Quantity) -> Chart:
    """A quantity against the layer or step, log axis, one line per series with its interval.

    ``rows``: columns series, layer, n, mean, low, high: geometric means, above 0.
    """
    drawn = rows[rows["n"] > 0].assign(
        floor=rows["low"].fillna(rows["mean"]), ceiling=rows["high"].fillna(rows["mean"])
    )
    low, high = float(drawn["mean"].min()), float(drawn["mean"].max())
    ends = [low / max((high / low) ** 0.05, 1.5), high * max((high / low) ** 0.05, 1.5)]
    scale = alt.Scale(type="log", domain=ends, nice=False)
    ticks = alt.Axis(values=log_ticks(*ends), format="~e", labelOverlap="greedy")
    last = int(drawn["layer"].max())
    along = alt.Axis(grid=False, format="d", values=_whole(last))
    x = alt.X("layer:Q", title=quantity.axis, scale=alt.Scale(zero=False, padding=8), axis=along)
    y, floor = (
        alt.Y(f"{end}:Q", title=quantity.title, scale=scale, axis=ticks)
        for end in ("mean", "floor")
    )
    drawn = drawn[["series", "layer", "mean", "floor", "ceiling", "n"]]
    base = alt.Chart(drawn).encode(x=x, color=colour(rows))
    band = base.mark_area(opacity=0.18, clip=True).encode(y=floor, y2=alt.Y2("ceiling:Q"))
    line = base.mark_line(strokeWidth=2.25, clip=True).encode(y=y, strokeDash=dash(rows))
    grips = base.mark_point(opacity=0, size=150, aria=False).encode(
        y=y, tooltip=_layer_tooltip(quantity)
    )
    return layered(layer=[band, line, grips], height=HEIGHT, autosize=_FIT)


def _whole(last: int) -> list[int]:
    """Layers to be numbered: all of a few, else every so many, the first always."""
    step = max(1, last // 8)
    return [1, *range(step if step > 1 else 2, last + 1, step)]


def _layer_tooltip(quantity: Quantity) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("series:N", title="trials with"),
        alt.Tooltip("layer:Q", title=quantity.axis),
        alt.Tooltip("mean:Q", title=quantity.title, format=".3~g"),
        alt.Tooltip("n:Q", title="trials"),
    ]


def layers_alt(rows: pd.DataFrame, quantity: Quantity, where: str) -> str:
    """The chart of layers in words: both ends of each line."""
    said, axis = [], quantity.axis
    for name, group in rows[rows["n"] > 0].groupby("series", observed=True):
        ends = group.sort_values("layer").iloc[[0, -1]]
        first, last = (f"{value:.2g}" for value in ends["mean"])
        start, end = (f"{axis} {layer}" for layer in ends["layer"].astype(int))
        said.append(f"{name} {first} in {start}, {last} in {end}")
    return f"Line chart of the {quantity.title} by {axis}, {where}. {'; '.join(said)}."


def cost_along(costs: pd.DataFrame, unit: Unit, study: Study) -> Chart:
    """Cost of reaching the target against a number, log axes; groups that never did have no mark.

    ``costs``: columns series, along, reached, trials, mean, low, high, median.
    """
    whole = costs["reached"] == costs["trials"]
    drawn = costs.assign(cost=costs["mean"].where(whole, costs["median"]))
    drawn = drawn[drawn["cost"].notna()]
    ends = pd.concat([drawn["cost"], drawn["low"][drawn["low"] > 0], drawn["high"]]).dropna()
    scale, ticks = log_scale(ends), number_axis(True, ends, unit)
    # An interval that reaches 0 is drawn down to the bottom of the axis.
    drawn = drawn.assign(floor=drawn["low"].clip(lower=scale.domain[0]))
    tried = sorted({float(value) for value in costs["along"]})
    axis = alt.Axis(values=tried, format=".3~g", labelOverlap="greedy", grid=False)
    title = words_of(study.along or "")
    x = alt.X("along:Q", title=title, scale=log_scale(costs["along"]), axis=axis)
    y, low = (
        alt.Y(f"{end}:Q", title=f"{unit.title} to target", scale=scale, axis=ticks)
        for end in ("cost", "floor")
    )
    base = alt.Chart(drawn).encode(x=x, color=colour(costs))
    bars = base.mark_rule(strokeWidth=1.5, clip=True).encode(y=low, y2=alt.Y2("high:Q"))
    lines = base.mark_line(strokeWidth=2).encode(y=y, strokeDash=dash(costs))
    said = [
        alt.Tooltip("series:N", title="trials with"),
        alt.Tooltip("along:Q", title=title),
        alt.Tooltip("cost:Q", title=unit.title, format=".3~s"),
        alt.Tooltip("reached:Q", title="trials that reached it"),
    ]
    points = base.mark_point(size=60, filled=True, opacity=1).encode(
        y=y, shape=shape(costs), tooltip=said
    )
    chart = layered(layer=[bars, lines, points], height=HEIGHT, autosize=_FIT)
    chart.resolve = alt.Resolve(scale=alt.ScaleResolveMap(shape="independent"))
    return chart
