"""Figures of a comparison: frame of groups -> Altair chart, pure."""

import altair as alt
import pandas as pd

from . import palette
from .charts import Chart
from .compare import MOST_COLOURS, Comparison
from .encodings import colour, layered, shape
from .formats import compact, interval

_ROW = 26  # pixels of one group
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
_LABELS = alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=340)


def ranking(ranked: pd.DataFrame, comparison: Comparison) -> Chart:
    """Each group's estimate with its interval, the group ahead on top.

    ``ranked``: what :meth:`Comparison.ranked` gives, or its beginning.
    """
    drawn = _flat(ranked)
    title = f"{comparison.measure.title}, {comparison.estimator.word}"
    x, low, y = _places(drawn, "centre", title)
    # Among very many, colours would only seem to say something.
    few = len(ranked["series"].cat.categories) <= MOST_COLOURS
    tint = colour(ranked, legend=False) if few else alt.value(palette.BLUE)
    base = alt.Chart(drawn).encode(y=y, color=tint)
    bars = base.mark_rule(strokeWidth=2).encode(x=low, x2="high:Q")
    points = base.mark_point(size=80, filled=True, opacity=1).encode(
        x=x,
        shape=shape(ranked) if few else alt.value("circle"),
        tooltip=[
            alt.Tooltip("series:N", title="group"),
            alt.Tooltip("centre:Q", title=comparison.estimator.word, format=".4~g"),
            alt.Tooltip("interval:N", title="95 % interval"),
            alt.Tooltip("median:Q", format=".4~g"),
            alt.Tooltip("n:Q"),
            *(alt.Tooltip(f"{name}:Q") for name in ("trials", "diverged", "failed", "missing")),
        ],
    )
    return layered(layer=[bars, points], height=_ROW * len(drawn) + 8, autosize=_FIT)


def differences(found: pd.DataFrame, comparison: Comparison) -> Chart:
    """Each delta with its interval beside the line where there is no difference.

    ``found``: rows of ``compare_deltas.deltas`` that have a delta.
    """
    drawn = _flat(found)
    x, low, y = _places(drawn, "delta", f"Δ {comparison.measure.title}", zero=True)
    line = alt.Chart(pd.DataFrame({"delta": [0.0]}))
    zero = line.mark_rule(strokeDash=[4, 3], color=palette.GREY).encode(x=x)
    base = alt.Chart(drawn).encode(y=y, color=alt.value(palette.BLUE))
    bars = base.mark_rule(strokeWidth=2).encode(x=low, x2="high:Q")
    points = base.mark_point(size=80, filled=True, opacity=1).encode(
        x=x,
        tooltip=[
            alt.Tooltip("series:N", title="group"),
            alt.Tooltip("of:N", title="less"),
            alt.Tooltip("delta:Q", format="+.4~g"),
            alt.Tooltip("percent:Q", title="per cent", format="+.3~g"),
            alt.Tooltip("interval:N", title="95 % interval"),
            alt.Tooltip("n:Q"),
            alt.Tooltip("n_of:Q", title="n of the baseline"),
            alt.Tooltip("flag:N"),
        ],
    )
    return layered(layer=[zero, bars, points], height=_ROW * len(drawn) + 8, autosize=_FIT)


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Only what a chart reads: no lists of values, no categories."""
    kept = frame.drop(columns=[c for c in ("values", "levels", "group_id") if c in frame])
    ends = [interval(a, b) for a, b in zip(kept["low"], kept["high"], strict=True)]
    return kept.assign(series=kept["series"].astype(str), interval=ends)


def _places(
    drawn: pd.DataFrame, centre: str, title: str, zero: bool = False
) -> tuple[alt.X, alt.X, alt.Y]:
    """The centre's and the interval's places, with room around, and the rows of the groups."""
    ends = pd.concat([drawn[centre], drawn["low"], drawn["high"]]).dropna()
    low, high = float(ends.min()), float(ends.max())
    low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
    room = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    scale = alt.Scale(domain=[low - room, high + room], nice=False, zero=False)
    axis = alt.Axis(tickCount=8)
    x, start = (alt.X(f"{c}:Q", title=title, scale=scale, axis=axis) for c in (centre, "low"))
    y = alt.Y("series:N", sort=list(drawn["series"]), title=None, axis=_LABELS)
    return x, start, y


def groups_alt(ranked: pd.DataFrame, comparison: Comparison) -> str:
    """The ranking in words: its beginning."""
    said = [f"{row['series']} {compact(row['centre'])}" for _, row in ranked.head(5).iterrows()]
    more = f" and {len(ranked) - 5} more groups" if len(ranked) > 5 else ""
    return f"{comparison.measure.title} by group, best first: {'; '.join(said)}{more}."


def differences_alt(found: pd.DataFrame, comparison: Comparison) -> str:
    """The deltas in words: how many groups lie on which side of the baseline."""
    above, below = int((found["delta"] > 0).sum()), int((found["delta"] < 0).sum())
    apart = int(((found["low"] > 0) | (found["high"] < 0)).sum())
    return (
        f"Differences in {comparison.measure.title} from the baseline: {above} groups above it, "
        f"{below} below; the intervals of {apart} leave out 0."
    )
