"""The map of trainability: final scores over depth and another key, and what theory expects."""

from collections.abc import Callable

import altair as alt
import numpy as np
import pandas as pd

from . import health, palette
from .captions import trials_range
from .charts import HEIGHT, Chart
from .encodings import layered
from .formats import compact, count, interval
from .health import Values
from .health_charts import FIT, SCHEME
from .health_keys import Layout, said
from .metrics import Metric
from .statistics import METHOD
from .study import words_of
from .study_figures import Block, Picture
from .tables import Ask


def trainability(ask: Ask, sweep_id: str, layout: Layout, second: str, at: Values) -> Block:
    """Final score over depth and a second key, with the predicted depth scale on it."""
    rows = health.trainability_rows(ask, sweep_id, layout, second, at)
    title = f"Where {layout.score.title} ends, by depth and {words_of(second)}"
    ended = rows[rows["n"] > 0]
    if ended["along"].nunique() < 2:
        return Block(title, [])
    scales = health.scale_rows(ask, sweep_id, layout, second, at)
    chart = trainability_chart(ended, scales, layout.score, words_of(second))
    spoken = [
        f"{row.series} at depth {row.along:g} {compact(mean)}"
        for row, mean in zip(ended.itertuples(), ended["mean"], strict=True)
    ]
    alt = f"Heat map of the final {layout.score.title}: {'; '.join(spoken)}."
    alt += _scales_said(scales)
    picture = Picture(chart, alt, "health-trainability")
    return Block(title, [picture], _map_caption(rows, scales, layout, second, at), _map_table(rows))


def _map_caption(
    rows: pd.DataFrame, scales: pd.DataFrame, layout: Layout, second: str, at: Values
) -> str:
    others = health.held_keys(layout, second)
    where = said(others, [at[key] for key in others])
    parts = [f"Trials with {where}." if where else ""]
    parts.append(
        f"Mean of the last recording over the trials that did not diverge, "
        f"{trials_range(rows[rows['n'] > 0]['n'])}"
        + (", at the best learning rate of each tile." if "lr" in rows else ".")
    )
    if lost := int(rows["diverged"].sum()):
        parts.append(f"{count(lost, 'trial')} of those shown diverged.")
    parts.append("A gap: no trial, or none that ended without diverging.")
    if scales.empty:
        parts.append("Theory has no depth scale for these nets.")
    else:
        parts.append(
            "Orange: the predicted depth scale ξ = 1/|ln χ| (Schoenholz et al. 2017), over which "
            "the backward signal changes by a factor e; nets up to a few ξ deep can be expected "
            "to train. A triangle: deeper than the chart. Without a mark: χ = 1, no limit, or no "
            "prediction."
        )
    return " ".join(filter(None, parts))


def _scales_said(scales: pd.DataFrame) -> str:
    spoken = [
        f"{row.series} {compact(mean)}"
        for row, mean in zip(scales.itertuples(), scales["mean"], strict=True)
    ]
    return f" Predicted depth scale in layers: {'; '.join(spoken)}." if spoken else ""


def _map_table(rows: pd.DataFrame) -> pd.DataFrame:
    columns = {
        "trials with": rows["series"].astype(str),
        "depth": rows["along"],
        "mean": rows["mean"],
        METHOD: [interval(a, b) for a, b in zip(rows["low"], rows["high"], strict=True)],
        "n": rows["n"],
        "diverged": rows["diverged"],
    }
    if "lr" in rows:
        columns["learning rate"] = rows["lr"]
    return pd.DataFrame(columns)


def trainability_chart(
    rows: pd.DataFrame, scales: pd.DataFrame, score: Metric, second: str
) -> Chart:
    """Final score by depth (up) and a second key (across), with the predicted depth scale.

    ``rows`` (those with a score) and ``scales``: as ``health`` gives them. A scale beyond the
    depths that were trained is drawn at the edge, as a triangle.
    """
    depths = sorted({float(value) for value in rows["along"]})
    log = depths[0] > 0
    low, high = _reach(depths, scales["mean"], log)
    order = list(rows["series"].cat.categories)
    x = alt.X(
        "series:N", sort=order, title=second, scale=alt.Scale(domain=order),
        axis=alt.Axis(labelAngle=0 if len(order) < 7 else -40, ticks=False, domain=False),
    )  # fmt: skip
    kind = alt.Scale(type="log" if log else "linear", domain=[low, high], nice=False)
    axis = alt.Axis(values=depths, format="d", grid=False)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title="depth (hidden layers)", scale=kind, axis=axis)

    drawn = rows.assign(
        **_edges(rows["along"], depths, log),
        words=[compact(mean, 2) for mean in rows["mean"]],
    )
    marked = scales.assign(shown=scales["mean"].clip(low, high), beyond=scales["mean"] > high)
    layers = [*_tiles(drawn, score, second, x, y), *_scales(marked, second, x, y)]
    return layered(layer=layers, height=HEIGHT, autosize=FIT)


def _tiles(
    drawn: pd.DataFrame, score: Metric, second: str, x: alt.X, y: Callable[[str], alt.Y]
) -> list[alt.Chart]:
    """A tile for each depth and level, with its score in it."""
    reach = _domain(drawn["mean"], score)
    legend = alt.Legend(title=f"final {score.title}", orient="top", gradientLength=300)
    colours = alt.Scale(scheme=SCHEME, domain=reach)
    base = alt.Chart(drawn).encode(x=x)
    tiles = base.mark_rect(clip=True).encode(
        y=y("bottom"), y2="top:Q", color=alt.Color("mean:Q", scale=colours, legend=legend),
        tooltip=[
            alt.Tooltip("series:N", title=second), alt.Tooltip("along:Q", title="depth"),
            alt.Tooltip("mean:Q", title=f"final {score.title}", format=".4~g"),
            alt.Tooltip("n:Q", title="trials"), alt.Tooltip("diverged:Q", title="diverged trials"),
        ],
    )  # fmt: skip
    # Words in black or white, whichever stands out on the tile; above where a scale may cross.
    bright = f"datum.mean > {sum(reach) / 2:.6g}"
    ink = alt.condition(bright, alt.value("black"), alt.value("white"))
    words = base.mark_text(fontSize=11, clip=True, dy=-9)
    return [tiles, words.encode(y=y("along"), text="words:N", color=ink)]


def _scales(
    marked: pd.DataFrame, second: str, x: alt.X, y: Callable[[str], alt.Y]
) -> list[alt.Chart]:
    """The predicted scale of each level: a bar, or a triangle where it is beyond the chart."""
    predicted = alt.Chart(marked).encode(
        x=x, y=y("shown"),
        tooltip=[
            alt.Tooltip("series:N", title=second),
            alt.Tooltip("mean:Q", title="predicted depth scale, layers", format=".3~g"),
            alt.Tooltip("trials:Q"),
        ],
    )  # fmt: skip
    within = predicted.transform_filter("!datum.beyond")
    bars = [
        within.mark_tick(orient="horizontal", thickness=width, bandSize=64, color=paint)
        for width, paint in ((6, "white"), (3, palette.VERMILLION))
    ]
    triangles = predicted.transform_filter("datum.beyond").mark_point(
        shape="triangle-up", filled=True, size=110, color=palette.VERMILLION, stroke="white",
        yOffset=8,
    )  # fmt: skip
    return [*bars, triangles]


def _edges(along: pd.Series, depths: list[float], log: bool) -> dict[str, list[float]]:
    """Between which depths the tile of each depth stands: half way to its neighbours."""
    places = np.log(depths) if log else np.asarray(depths)
    gaps = np.diff(places) if len(places) > 1 else np.ones(1)
    ends = np.concatenate(
        [[places[0] - gaps[0] / 2], places[:-1] + np.diff(places) / 2, [places[-1] + gaps[-1] / 2]]
    )
    ends = np.exp(ends) if log else ends
    bottom = {depth: float(ends[place]) for place, depth in enumerate(depths)}
    top = {depth: float(ends[place + 1]) for place, depth in enumerate(depths)}
    return {"bottom": [bottom[d] for d in along], "top": [top[d] for d in along]}


def _reach(depths: list[float], scales: pd.Series, log: bool) -> tuple[float, float]:
    """The ends of the depth axis: all tiles, and below them the scales that are shorter."""
    edges = _edges(pd.Series(depths), depths, log)
    low, high = min(edges["bottom"]), max(edges["top"])
    if len(scales) and log:
        low = min(low, float(scales.min()) / 1.15)
    return low, high


def _domain(means: pd.Series, score: Metric) -> list[float]:
    if score.bounds == (0.0, 1.0) or means.empty:
        return [0.0, 1.0]
    low, high = float(means.min()), float(means.max())
    return [low, high] if high > low else [low - 0.5, high + 0.5]
