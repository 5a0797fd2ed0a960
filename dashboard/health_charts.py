"""The heat map of gradient health: layers by updates."""

from typing import Any, Final

import altair as alt
import pandas as pd

from .charts import Chart
from .encodings import log_ticks
from .formats import compact
from .study import Quantity

FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
SCHEME: Final = "viridis"  # even in lightness, and safe for colour vision deficiencies
_LAYER, _HEIGHTS = 18, (140, 440)  # pixels of a layer of a heat map; of the lowest and highest


def heat(rows: pd.DataFrame, quantity: Quantity, log: bool) -> Chart:
    """Tiles: recordings across, layers up from the input, colour by the mean over trials.

    ``rows``: as :func:`health.heat_rows` gives them. On a log scale the geometric mean is drawn;
    where all values are 0 there is none, and the tile stays empty.
    """
    value = "geometric" if log else "mean"
    drawn = rows[(rows["n"] > 0) if log else rows["mean"].notna()].copy()
    drawn["at"] = [_place(row) for row in drawn.itertuples()]
    order = list(dict.fromkeys(drawn.sort_values("place")["at"]))
    scale = _log_colour(drawn[value]) if log else alt.Scale(scheme=SCHEME, domain=[0, 1])
    legend = alt.Legend(
        title=quantity.title, orient="top", gradientLength=300, format="~e" if log else "%",
        titleLimit=320,
    )  # fmt: skip
    if log:
        legend.values = _few(log_ticks(*scale.domain))
    chart: alt.Chart = (
        alt.Chart(drawn, height=_height(rows["layer"].nunique()), autosize=FIT)
        .mark_rect()
        .encode(
            x=alt.X(
                "at:N", sort=order, title="updates",
                axis=alt.Axis(labelAngle=0, labelOverlap="greedy", ticks=False, domain=False),
            ),
            y=alt.Y(
                "layer:O", sort="descending", title="layer",
                axis=alt.Axis(
                    values=numbered(int(rows["layer"].max())), ticks=False, domain=False
                ),
            ),
            color=alt.Color(f"{value}:Q", scale=scale, legend=legend),
            tooltip=[
                alt.Tooltip("at:N", title="updates"),
                alt.Tooltip("layer:Q"),
                alt.Tooltip(f"{value}:Q", title=quantity.title, format=".3~g"),
                alt.Tooltip("trials:Q"),
                alt.Tooltip("zeros:Q", title="values that are 0"),
            ],
        )
    )  # fmt: skip
    return chart


def _height(layers: int) -> int:
    low, high = _HEIGHTS
    return min(high, max(low, _LAYER * layers))


def numbered(last: int) -> list[int]:
    """Layers to be numbered: all of a few, else every so many, the first always."""
    step = max(1, -(-last // 12))
    return [1, *range(step if step > 1 else 2, last + 1, step)]


def _place(row: Any) -> str:
    """The updates of a column of tiles: ``450``, or ``450 to 512`` where recordings share it."""
    first, until = (_whole(n) for n in (row.updates, row.until))
    return first if first == until else f"{first} to {until}"


def _whole(updates: int) -> str:
    return str(updates) if updates < 1000 else compact(updates)


def _log_colour(values: pd.Series) -> alt.Scale:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.1, 1.0)
    if high < low * 1.01:  # one colour alone would have no scale
        low, high = low / 2, high * 2
    return alt.Scale(type="log", scheme=SCHEME, domain=[low, high], nice=False)


def _few(ticks: list[float]) -> list[float]:
    return ticks[:: max(1, -(-len(ticks) // 5))]
