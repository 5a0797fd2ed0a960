"""The curves of losses as blocks: value and slope side by side, and what they say in numbers."""

import dataclasses
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from . import palette
from .charts import HEIGHT, Chart
from .encodings import colour, dash, layered
from .formats import compact
from .loss_curves import Curve, classification, regression
from .study_figures import Block, Picture, titled

POINTS = 401
GRIP = 4
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")


@dataclasses.dataclass(frozen=True)
class Family:
    """Losses of the same number: what it is, from where to where it is drawn, where to read it."""

    name: str
    title: str
    axis: str
    low: float
    high: float
    marks: tuple[float, float]
    """A small and a large mistake, at which the text compares slopes."""
    words: str
    """What the symbols of the formulas are."""


RESIDUALS = Family(
    "regression",
    "Of a residual",
    "residual r = ŷ − y",
    -4,
    4,
    (0.5, 5.0),
    "r = ŷ − y: what the net says, less the target.",
)
MARGINS = Family(
    "classification",
    "Of a margin",
    "margin m = t·z",
    -5,
    5,
    (2.0, -5.0),
    "m = t·z: the logit z, in favour of the right class where it is above 0; t = ±1. p = σ(m): the "
    "probability of the right class.",
)


def rows(curves: Sequence[Curve], family: Family) -> pd.DataFrame:
    """Columns series (categorical), at, value, slope."""
    at = np.linspace(family.low, family.high, POINTS)
    order = [curve.title for curve in curves]
    parts = [
        pd.DataFrame(
            {"series": c.title, "at": at, "value": c.value(at) + 0.0, "slope": c.slope(at) + 0.0}
        )
        for c in curves
    ]
    found = pd.concat(parts, ignore_index=True)
    return found.assign(series=pd.Categorical(found["series"], categories=order))


def curves(family: Family, shown: Sequence[Curve]) -> Block:
    """Value and slope of each loss."""
    frame = rows(shown, family)
    pictures = []
    for field, title in (("value", "loss"), ("slope", "slope")):
        chart = titled(_lines(frame, field, title, family), title)
        name = f"{family.name}-{field}"
        pictures.append(Picture(chart, _alt(shown, field, family), name))
    caption = (
        f"Exact, by the formulas below, at {POINTS} points; no data. The slope is what a sample "
        "adds to the gradient of the net's output."
    )
    return Block(family.title, pictures, caption, frame.assign(series=frame["series"].astype(str)))


def _lines(frame: pd.DataFrame, field: str, title: str, family: Family) -> Chart:
    scale = alt.Scale(domain=_reach(frame, field), nice=False)
    x = alt.X(
        "at:Q", title=family.axis, axis=alt.Axis(grid=False),
        scale=alt.Scale(domain=[family.low, family.high], nice=False),
    )  # fmt: skip
    y = alt.Y(f"{field}:Q", title=title, scale=scale)
    zero = (
        alt.Chart(pd.DataFrame({"zero": [0.0]}))
        .mark_rule(color=palette.GREY, strokeWidth=1)
        .encode(y=alt.Y("zero:Q", title=title, scale=scale))
    )
    frame = frame[["series", "at", field]]
    base = alt.Chart(frame).encode(x=x, y=y)
    line = base.mark_line(strokeWidth=2.25, clip=True).encode(
        color=colour(frame), strokeDash=dash(frame)
    )
    # What points are for is the tooltip: they touch one another along a line, and overlap no more.
    gripped = frame[frame.groupby("series", observed=True).cumcount() % GRIP == 0]
    grips = (
        alt.Chart(gripped)
        .encode(x=x, y=y)
        .mark_point(opacity=0, size=60, clip=True, aria=False)
        .encode(
            tooltip=[
                alt.Tooltip("series:N", title="loss"),
                alt.Tooltip("at:Q", title=family.axis, format=".2f"),
                alt.Tooltip(f"{field}:Q", title=title, format=".4~g"),
            ]
        )
    )
    return layered(layer=[zero, line, grips], height=HEIGHT, autosize=_FIT)


def _reach(frame: pd.DataFrame, field: str) -> list[float]:
    """A parabola must not flatten the others: as far as the second steepest goes, and a half."""
    ends = frame.groupby("series", observed=True)[field].agg(lambda v: v.abs().max())
    most = 1.5 * float(ends.sort_values().iloc[-2])
    low = -most if (frame[field] < 0).any() else 0.0
    high = most if (frame[field] > 0).any() else 0.0
    room = 0.05 * (high - low)
    return [low - room, high + room]


def _alt(shown: Sequence[Curve], field: str, family: Family) -> str:
    at = np.array(family.marks)
    spoken = []
    for curve in shown:
        small, large = (curve.value if field == "value" else curve.slope)(at)
        spoken.append(
            f"{curve.title} {compact(float(small))} at {at[0]:g} and {compact(float(large))} at "
            f"{at[1]:g}"
        )
    what = "losses" if field == "value" else "slopes"
    return f"Line chart of the {what} against the {family.axis}: {'; '.join(spoken)}."


def sentence(delta: float, gamma: float) -> str:
    """What the slopes say of outliers and of easy samples, computed from the formulas."""
    small, large = RESIDUALS.marks
    residual = [f"{_times(c, RESIDUALS)} under {_the(c)}" for c in regression(delta)]
    first = (
        f"A residual of {large:g} pulls, in comparison with one of {small:g}, "
        f"{', '.join(residual)}, whose pull never exceeds {delta:g}."
    )
    easy, wrong = MARGINS.marks
    margin = [f"{_times(c, MARGINS)} under {_the(c)}" for c in classification(gamma)]
    second = (
        f"A sample that is wrong by a margin of {-wrong:g} pulls, in comparison with one that is "
        f"right by {easy:g}, {', '.join(margin)}."
    )
    return f"{first}\n{second}"


def _the(curve: Curve) -> str:
    return curve.title if "'" in curve.title else f"the {curve.title}"


def _times(curve: Curve, family: Family) -> str:
    """By how much the slope at a large mistake exceeds that at a small one: ``8.22 times``."""
    small, large = np.abs(curve.slope(np.array(family.marks)))
    if small == 0:
        return "alone"
    return f"{compact(float(large / small))} times as hard"
