"""Figures of one trial: its curves and its layers over time, with captions and alt texts."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from . import palette
from .charts import Chart
from .encodings import layered, log_scale, number_axis, value_axis
from .formats import compact, count
from .metrics import Unit

POINTS, COLUMNS = 400, 60
"""Points of a curve, and recordings of a heat map, at most."""

HEIGHT = 300
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
_PARTS: Mapping[str, tuple[str, list[int]]] = {
    "test": ("test set", [1, 0]),
    "train": ("training samples", [5, 3]),
}

QUANTITIES: Mapping[str, str] = {
    "backward_signal": "backward signal",
    "q": "forward second moment q",
    "grad_norm": "gradient norm of the weights",
    "grad_rms": "gradient of a weight, root mean square",
    "weight_norm": "norm of the weights",
    "update_ratio": "update / weights",
    "dead_share": "share of dead units",
    "zero_share": "share of zero outputs",
    "saturated_share": "share of saturated outputs",
}
"""Columns of the table ``layers`` -> words, in the order offered."""


def curves(rows: pd.DataFrame, kind: str, unit: Unit, log: bool, descent: str) -> Chart:
    """Losses or scores (``kind``) of one trial against a unit, in the colour of its descent.

    ``rows``: the answer to ``trial_curves``.
    """
    drawn = _of_kind(rows, kind)
    drawn = drawn[drawn[unit.column] > 0] if log else drawn
    words, dashes = zip(*_PARTS.values(), strict=True)
    along = alt.Scale(type="log" if log else "linear", nice=False)
    axis = number_axis(log, drawn[unit.column], unit)
    y = _value_y(drawn["value"], kind)
    base = alt.Chart(drawn).encode(
        x=alt.X(f"{unit.column}:Q", title=unit.title, scale=along, axis=axis), y=y
    )
    look = alt.StrokeDash(
        "of:N",
        scale=alt.Scale(domain=list(words), range=list(dashes)),
        legend=alt.Legend(title=None, orient="top", symbolType="stroke", symbolSize=900),
    )
    colour = palette.DESCENT_COLOUR.get(descent, palette.GREY)
    line = base.mark_line(strokeWidth=2, color=colour).encode(strokeDash=look)
    # Points a reader can hit with the pointer: the line itself is too thin for a tooltip.
    grips = base.mark_point(opacity=0, size=150).encode(
        detail="of:N",
        tooltip=[
            alt.Tooltip("of:N", title="on the"),
            alt.Tooltip(f"{unit.column}:Q", title=unit.title, format=","),
            alt.Tooltip("value:Q", title=kind, format=".4~g"),
        ],
    )
    return layered(layer=[line, grips], height=HEIGHT, autosize=_FIT)


def _of_kind(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    found = rows[rows["metric"].isin([f"{part}_{kind}" for part in _PARTS])]
    parts = found["metric"].str.removesuffix(f"_{kind}")
    return found.assign(of=[_PARTS[part][0] for part in parts])


def _value_y(values: pd.Series, kind: str) -> alt.Y:
    """Losses above 0 on a log axis, scores within 0 and 1 on that range, all else as it is."""
    if kind == "loss" and len(values) and values.min() > 0:
        scale = log_scale(values)
        return alt.Y("value:Q", title=kind, scale=scale, axis=value_axis(scale))
    if kind == "score" and values.between(0, 1).all():
        scale = alt.Scale(domain=[0, 1], nice=False)
        return alt.Y("value:Q", title=kind, scale=scale, axis=value_axis(scale))
    return alt.Y("value:Q", title=kind, scale=alt.Scale(zero=False))


def has(rows: pd.DataFrame, kind: str) -> bool:
    """Whether losses or scores were recorded at all."""
    return not _of_kind(rows, kind).empty


def curves_caption(rows: pd.DataFrame, log: bool, whole: bool) -> str:
    """How many of the recorded points are drawn, and what happened to the others.

    ``whole``: whether these are all of the trial, not those between two updates.
    """
    shown = int(rows.groupby("metric").size().max())
    recordings, lost = int(rows["recordings"].max()), int(rows["lost"].max())
    if shown < recordings:
        said = (
            f"{shown} points a curve of {count(recordings, 'recording')}: cut into buckets of "
            "equally many recordings, each keeps its smallest and its largest value."
        )
    else:
        said = f"All {count(recordings, 'recording')}"
        said += " of this one trial." if whole else " between these updates."
    if lost:
        said += f" {count(lost, 'recording')} without a finite value."
    if log and (rows["updates"] == 0).any():
        said += " The untrained net, at 0, has no place on a log axis."
    return said


def curves_alt(rows: pd.DataFrame, kind: str, unit: Unit) -> str:
    """First and last value of each curve."""
    ends = []
    for of, curve in _of_kind(rows, kind).groupby("of"):
        first, last = curve.iloc[0], curve.iloc[-1]
        ends.append(
            f"on the {of} from {compact(first['value'])} to {compact(last['value'])} after "
            f"{compact(last[unit.column])}"
        )
    return f"Line chart of the {kind} of one trial against {unit.title}: {'; '.join(ends)}."


def layers(rows: pd.DataFrame, quantity: str) -> Chart:
    """Heat map of a quantity: recordings across, layers down, layer 1 (at the input) on top.

    ``rows``: the answer to ``trial_layers``. Colours are on a log scale, except for shares;
    values of exactly 0, which have no logarithm, are grey.
    """
    words, share = QUANTITIES[quantity], quantity.endswith("_share")
    across = list(dict.fromkeys(rows["updates"]))
    drawn = rows.assign(at=[str(update) for update in rows["updates"]])
    x = alt.X(
        "at:N", title="updates", sort=[str(update) for update in across],
        axis=alt.Axis(labelAngle=0, labelOverlap="greedy", ticks=False, domain=False),
    )  # fmt: skip
    y = alt.Y(
        "layer:O", title="layer",
        axis=alt.Axis(labelOverlap="greedy", ticks=False, domain=False),
    )  # fmt: skip
    told = [
        alt.Tooltip("updates:Q", format=","),
        alt.Tooltip("layer:O"),
        alt.Tooltip("name:N"),
        alt.Tooltip("value:Q", title=words, format=".3~g"),
    ]
    base = alt.Chart(drawn).encode(x=x, y=y, tooltip=told)
    scale = _heat(drawn["value"], share)
    colour = alt.Color("value:Q", scale=scale, legend=_heat_legend(share))
    # Painted over their edges too, else the page shines through between the tiles.
    edge = alt.ExprRef("scale('color', datum.value)")
    tiles = base.mark_rect(stroke=edge, strokeWidth=1).encode(color=colour)
    if share:
        return layered(layer=[tiles], height=_high(rows), autosize=_FIT)
    zeros = base.transform_filter("datum.value <= 0").mark_rect(color=palette.GREY)
    above = tiles.transform_filter("datum.value > 0")
    return layered(layer=[zeros, above], height=_high(rows), autosize=_FIT)


def _high(rows: pd.DataFrame) -> int:
    return min(max(14 * int(rows["layer"].nunique()), 170), 460)


def _heat(values: pd.Series, share: bool) -> alt.Scale:
    if share:
        return alt.Scale(domain=[0, 1], scheme="viridis")
    above = values[values > 0]
    scale = log_scale(above)
    scale.scheme = "viridis"
    return scale


def _heat_legend(share: bool) -> alt.Legend:
    return alt.Legend(title=None, format=".0%" if share else ".0e", tickCount=5)


def layers_caption(rows: pd.DataFrame, quantity: str) -> str:
    """Over which recordings and layers the map runs, and what its colours mean."""
    shown, every = rows["updates"].nunique(), int(rows["recordings"].max())
    said = (
        f"All {count(every, 'recording')} with layers"
        if shown == every
        else f"{shown} of {count(every, 'recording')} with layers, evenly spread, both ends kept"
    )
    said += f"; {count(int(rows['layer'].nunique()), 'layer')}, 1 is next to the input."
    if quantity.endswith("_share"):
        return said
    zeros = int((rows["value"] <= 0).sum())
    said += " Colours on a log scale."
    return said + (f" {count(zeros, 'value')} of exactly 0 in grey." if zeros else "")


def layers_alt(rows: pd.DataFrame, quantity: str) -> str:
    """The quantity in the first and the last layer, before training and at the end."""
    said = []
    for update in dict.fromkeys((rows["updates"].iloc[0], rows["updates"].iloc[-1])):
        column = rows[rows["updates"] == update]
        first, last = column.iloc[0], column.iloc[-1]
        said.append(
            f"at update {update} {compact(first['value'])} in layer {first['layer']} and "
            f"{compact(last['value'])} in layer {last['layer']}"
        )
    return f"Heat map of the {QUANTITIES[quantity]} by layer and recording: {'; '.join(said)}."


def offered(measured: Sequence[str]) -> dict[str, str]:
    """Words -> column of the quantities that were measured, in their order."""
    return {words: column for column, words in QUANTITIES.items() if column in measured}
