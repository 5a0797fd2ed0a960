"""How series, values and intervals are encoded in every chart: colours, scales, tooltips."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from . import palette
from .formats import compact
from .metrics import Metric, Unit
from .statistics import METHOD
from .tables import members


def names(frame: pd.DataFrame) -> list[str]:
    """The series of a frame of groups, in order.

    Descents have looks of their own; other series are a categorical column, whose categories
    keep their looks in every chart of a study.
    """
    if "descent" in frame:
        return [palette.series(*member) for member in members(frame)]
    return list(frame["series"].cat.categories)


def _looks(frame: pd.DataFrame) -> tuple[list[str], list[list[int]], list[str]]:
    """Colours, dashes and shapes of the series, in their order."""
    if "descent" not in frame:
        return palette.looks(names(frame))
    known = members(frame)
    return palette.colours(known), palette.dashes(known), palette.shapes(known)


def colour(frame: pd.DataFrame, legend: bool = True) -> alt.Color:
    """Colour by series."""
    scale = alt.Scale(domain=names(frame), range=_looks(frame)[0])
    return alt.Color("series:N", scale=scale, legend=_legend(frame) if legend else None, sort=None)


def dash(frame: pd.DataFrame) -> alt.StrokeDash:
    """Dash by series; its legend merges with the one of colour."""
    scale = alt.Scale(domain=names(frame), range=_looks(frame)[1])
    return alt.StrokeDash("series:N", scale=scale, legend=_legend(frame), sort=None)


def shape(frame: pd.DataFrame) -> alt.Shape:
    """Point shape by series, without a legend of its own."""
    scale = alt.Scale(domain=names(frame), range=_looks(frame)[2])
    return alt.Shape("series:N", scale=scale, legend=None, sort=None)


_LEGEND, _SYMBOL, _CHARACTER = 440, 50, 6.5  # pixels: of a narrow plot, of an entry's parts


def _columns(frame: pd.DataFrame) -> int:
    """Entries of a legend in a row: as many as a narrow plot has room for; 0: one row."""
    if "descent" in frame:
        return 0
    longest = max(map(len, names(frame)), default=0)
    return max(1, int(_LEGEND // (_SYMBOL + _CHARACTER * longest)))


def _legend(frame: pd.DataFrame) -> alt.Legend:
    return alt.Legend(
        columns=_columns(frame),
        title=None,
        orient="top",
        symbolType="stroke",
        symbolSize=1000,
        symbolStrokeWidth=2.5,
        symbolOpacity=1,
        offset=8,
        labelLimit=320,
    )


def log_scale(values: pd.Series) -> alt.Scale:
    """A log scale a little wider than its values, so that marks do not touch the frame."""
    if values.empty:
        return alt.Scale(type="log", domain=[1, 10])
    low, high = float(values.min()), float(values.max())
    room = max((high / low) ** 0.08, 1.25)
    return alt.Scale(type="log", domain=[low / room, high * room], nice=False)


_STEPS = ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0))
_ENOUGH_TICKS = 4
_NARROW = 50  # times: an axis whose ends are closer gets labels between the decades


def log_ticks(low: float, high: float, *, zoomed: bool = False) -> list[float]:
    """Round ticks of a log axis: the decades; where those are few, steps between them too.

    ``zoomed``: all steps, for an axis of which a part may be shown.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for steps in _STEPS:
        ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= _ENOUGH_TICKS and not zoomed:
            break
    return ticks


def number_axis(log: bool, values: pd.Series, unit: Unit) -> alt.Axis:
    """An axis of a unit: 1, 10, 1k, 10k; without a grid, which only the values need."""
    if values.empty:
        return alt.Axis(labels=False, ticks=False, grid=False)
    # Each label by itself: Vega's own format would give 0 the prefix of its neighbours (0k).
    label = f"format(datum.value, '{unit.format}')"
    axis = alt.Axis(labelExpr=label, labelOverlap="greedy", grid=False)
    if log:
        low, high = float(values.min()), float(values.max())
        axis.values = log_ticks(low, high, zoomed=True)
        # All ticks are there from the start; which of them are labelled follows the zoom.
        whole = ", ".join(f"{tick:g}" for tick in log_ticks(low, high))
        narrow = f"domain('x')[1] < {_NARROW} * domain('x')[0]"
        axis.labelExpr = f"({narrow}) || indexof([{whole}], datum.value) >= 0 ? {label} : ''"
    else:
        axis.tickCount = 8
    return axis


def value_axis(scale: alt.Scale) -> alt.Axis:
    """The axis of a metric, with a grid at its labels."""
    low, high = scale.domain
    if scale.type == "log":
        return alt.Axis(values=log_ticks(low, high), format="~g")
    return alt.Axis(tickCount=6)


def value_scale(drawn: pd.DataFrame, metric: Metric) -> alt.Scale:
    """Scores on 0 to 1; losses, which fall over decades, on a log axis around their means.

    What rises and has no bounds, or falls below 0, is drawn on its own range.
    """
    if not metric.falling and all(map(math.isfinite, metric.bounds)):
        return alt.Scale(domain=list(metric.bounds), nice=False)
    if not metric.falling or _sinks(drawn):
        return alt.Scale(domain=_range(drawn), nice=False)
    means = drawn["mean"][drawn["mean"] > 0]
    if means.empty:
        return alt.Scale(type="log", domain=[0.1, 1])
    return alt.Scale(type="log", domain=[_bottom(drawn), float(means.max()) * 1.3], nice=False)


def _range(drawn: pd.DataFrame) -> list[float]:
    """From the least mean to the largest, and a little room."""
    means = drawn["mean"].dropna()
    low, high = (float(means.min()), float(means.max())) if len(means) else (0.0, 1.0)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return [low - room, high + room]


def _sinks(drawn: pd.DataFrame) -> bool:
    """Whether some mean is below 0, where a log axis has no place for it."""
    return bool((drawn["mean"] < 0).any())


def _bottom(drawn: pd.DataFrame) -> float:
    means = drawn["mean"][drawn["mean"] > 0]
    return float(means.min()) / 2 if len(means) else 0.1


def with_ends(frame: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Columns floor and ceiling: the interval as drawn, closed to the mean where there is none.

    A log axis has no place for an interval that reaches 0; there it is drawn down to the
    bottom of the axis. The column ``interval`` says it in words.
    """
    low, high = frame["low"].fillna(frame["mean"]), frame["high"].fillna(frame["mean"])
    logged = metric.falling and not _sinks(frame)
    floor = low.clip(lower=_bottom(frame)) if logged else low
    words = [
        f"{compact(a)} to {compact(b)}" if n > 1 else "one trial: none"
        for a, b, n in zip(frame["low"], frame["high"], frame["n"], strict=True)
    ]
    return frame.assign(floor=floor, ceiling=high, interval=words)


def tooltip(frame: pd.DataFrame, third: alt.Tooltip) -> list[alt.Tooltip]:
    """What pointing at a mean says; ``third`` is what only this chart knows."""
    rate = alt.Tooltip("lr:Q", title="learning rate", format=".3~g")
    return [
        alt.Tooltip("series:N", title="descent" if "descent" in frame else "trials with"),
        *([rate] if "lr" in frame and pd.api.types.is_numeric_dtype(frame["lr"]) else []),
        third,
        alt.Tooltip("mean:Q", title="mean", format=".4~g"),
        alt.Tooltip("interval:N", title=METHOD),
        alt.Tooltip("n:Q", title="trials"),
    ]


def layered(layer: Sequence[alt.Chart], **options: Any) -> alt.LayerChart:
    """Layers in one plot; those on the frame of the first one share it.

    Left to itself, Altair prints the frame of every layer to name the layers and copies every layer
    four times to look for parameters, of which layers have none here: half of a chart's time.
    """
    shared = layer[0].data
    for part in layer:
        if part.data is shared:
            part.data = alt.Undefined
    chart = alt.LayerChart(data=shared, layer=[], **options)
    chart.layer = list(layer)
    return chart
