"""Parallel coordinates: a line for each group through its levels to its value."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from . import palette
from .charts import Chart
from .compare import Comparison, far_apart
from .compare_keys import Key, place, shown
from .encodings import layered
from .formats import compact, count

MOST_LINES, MOST_AXES, MOST_LABELS = 500, 8, 12
_HEIGHT = 380
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")


def lines(ranked: pd.DataFrame, keys: Sequence[Key], comparison: Comparison) -> pd.DataFrame:
    """A row for each group and axis: axis, its index, position (0 to 1), level, group, value.

    Levels stand at equal distances in their order; the last axis is the measure's, logarithmic
    where its values are far apart.
    """
    title = comparison.measure.title
    parts = []
    for side, key in enumerate(keys):
        levels = [row[side] for row in ranked["levels"]]
        steps = {level: n for n, level in enumerate(sorted(set(levels), key=place))}
        last = max(len(steps) - 1, 1)
        positions = [steps[level] / last for level in levels]
        words = [shown(level) for level in levels]
        parts.append(_axis(ranked, key.title, positions, words).assign(index=side))
    values = np.log(ranked["centre"]) if far_apart(ranked["centre"]) else ranked["centre"]
    heights = (values - values.min()) / ((values.max() - values.min()) or 1.0)
    words = [compact(value) for value in ranked["centre"]]
    parts.append(_axis(ranked, title, list(heights), words).assign(index=len(keys)))
    return pd.concat(parts, ignore_index=True)


def _axis(
    ranked: pd.DataFrame, title: str, positions: Sequence[float], levels: Sequence[str]
) -> pd.DataFrame:
    named = {"axis": title, "position": positions, "level": levels}
    return pd.DataFrame(
        named | {"group": ranked["series"].astype(str), "value": ranked["centre"]}
    ).reset_index(drop=True)


def parallel(drawn: pd.DataFrame, comparison: Comparison) -> Chart:
    """``drawn``: what :func:`lines` gives."""
    axes = list(dict.fromkeys(drawn["axis"]))
    top = alt.Axis(
        orient="top", labelAngle=0, labelLimit=130, labelOverlap=False, domain=False, ticks=False
    )
    x = alt.X("axis:N", sort=axes, title=None, axis=top, scale=alt.Scale(padding=0.4))
    y = alt.Y("position:Q", axis=None, scale=alt.Scale(domain=[-0.04, 1.1]))
    shade = alt.Color(
        "value:Q",
        scale=alt.Scale(
            range=[palette.BLUE, palette.VERMILLION],
            type="log" if far_apart(drawn["value"]) else "linear",
        ),
        legend=alt.Legend(
            title=comparison.measure.title, orient="bottom", gradientLength=240, titleLimit=400
        ),
    )
    base = alt.Chart(drawn).encode(x=x, y=y)
    words = [
        alt.Tooltip("group:N"),
        alt.Tooltip("value:Q", title=comparison.measure.title, format=".4~g"),
    ]
    paths = base.mark_line(strokeWidth=1.5, opacity=0.5).encode(
        detail="group:N", color=shade, order=alt.Order("index:Q"), tooltip=words
    )
    grips = base.mark_point(filled=True, size=30, opacity=0.9).encode(color=shade, tooltip=words)
    rods = alt.Chart(pd.DataFrame({"axis": axes, "position": 0.0, "top": 1.0}))
    rods = rods.mark_rule(color=palette.GREY, opacity=0.6).encode(x=x, y=y, y2="top:Q")
    texts = (
        alt.Chart(_labels(drawn))
        .mark_text(align="left", dx=5, dy=-8, fontSize=11, fontWeight=600, color=palette.GREY)
        .encode(x=x, y=y, text="level:N")
    )
    return layered(layer=[rods, paths, grips, texts], height=_HEIGHT, autosize=_FIT)


def _labels(drawn: pd.DataFrame) -> pd.DataFrame:
    """What stands beside each axis: its levels; of many, the ends and some between.

    Beside the last one, of the measure, its ends and what is half way.
    """
    *axes, last = drawn.groupby("axis", sort=False)
    parts = [_ends(last[1])]
    for _, rows in axes:
        marks = rows.sort_values("position").drop_duplicates("position")[
            ["axis", "position", "level"]
        ]
        step = -(-len(marks) // MOST_LABELS)
        chosen = sorted({*range(0, len(marks), step), len(marks) - 1})
        parts.append(marks.iloc[chosen])
    return pd.concat(parts, ignore_index=True)


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    low, high = float(rows["value"].min()), float(rows["value"].max())
    places = (0.0, 0.25, 0.5, 0.75, 1.0) if high > low else (0.0,)
    between = np.geomspace if far_apart(rows["value"]) else np.linspace
    levels = [compact(float(value)) for value in between(low, high, len(places))]
    return pd.DataFrame({"axis": rows["axis"].iloc[0], "position": places, "level": levels})


def parallel_caption(ranked: pd.DataFrame, keys: Sequence[Key], comparison: Comparison) -> str:
    """Under the lines: what one is, and over how many trials."""
    trials = int(ranked["n"].sum())
    return (
        f"{count(len(ranked), 'group')} by {', '.join(key.title for key in keys)}, over "
        f"{count(trials, 'trial')}; colour and last axis: {comparison.estimator.word} of "
        f"{comparison.measure.title}{' (logarithmic)' if far_apart(ranked['centre']) else ''}. "
        "Levels stand at equal distances, in their order. Groups without a value have no line."
    )


def parallel_alt(ranked: pd.DataFrame, keys: Sequence[Key], comparison: Comparison) -> str:
    """The lines in words: where the two ends of the measure come from."""
    first, last = ranked.iloc[0], ranked.iloc[-1]
    return (
        f"Parallel coordinates of {count(len(ranked), 'group')} over {len(keys)} keys and "
        f"{comparison.measure.title}: from {first['series']} at {compact(first['centre'])} to "
        f"{last['series']} at {compact(last['centre'])}."
    )
