"""Losses of two parameters from above, and the paths that descents take on them."""

import dataclasses
import itertools
import json
from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..workloads.objectivespecs import Beale, Rosenbrock, Saddle
from ..workloads.problems.objectives import MINIMA, PLANAR
from . import palette
from .charts import HEIGHT, Chart
from .encodings import layered, log_ticks, names

Planar = Saddle | Rosenbrock | Beale
SPECS: Mapping[str, type[Planar]] = {
    "saddle": Saddle,
    "rosenbrock": Rosenbrock,
    "beale": Beale,
}
ROWS, COLUMNS = 100, 240
"""Of the grid on which a formula is evaluated; neighbours of one height become one tile."""
PER_DECADE, LOWEST = 2, -4.0
"""Heights are cut at so many levels per power of ten, the lowest at 10 to this power."""
_LOW, _HIGH = "#FCFBF7", "#BCAA82"  # sand: colours belong to the paths
_MIDDLE = np.array([[-1.5, -1.5], [1.5, 1.5]])
"""Corners of what is always shown: most of where starts are drawn from, N(0, I)."""
_INK = "#1A1A1A"  # on sand, whatever the page
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")


@dataclasses.dataclass(frozen=True)
class Window:
    """What of the plane is shown."""

    left: float
    right: float
    bottom: float
    top: float

    def grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x and y of the middles of all tiles, (ROWS, COLUMNS) each."""
        across = np.linspace(self.left, self.right, 2 * COLUMNS + 1)[1::2]
        up = np.linspace(self.bottom, self.top, 2 * ROWS + 1)[1::2]
        x, y = np.meshgrid(across, up)
        return x, y


def problem_of(text: str) -> Planar | None:
    """The objective that a trial's configuration describes; None: none with a formula here."""
    found = json.loads(text)
    kind = SPECS.get(found["name"])
    return kind.model_validate(found) if kind else None


def window(points: NDArray[np.float64], room: float = 0.12) -> Window:
    """The plane around some points, (N, 2), with a share of room on every side."""
    low, high = points.min(0), points.max(0)
    spare = room * np.maximum(high - low, 1e-3)
    (left, bottom), (right, top) = low - spare, high + spare
    return Window(float(left), float(right), float(bottom), float(top))


def heights(problem: Planar, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """f(x, y) − min f, by the formula that is trained on."""
    formula = PLANAR[problem.name]
    above: NDArray[np.float64] = formula(problem, x, y) - formula(problem, *minima(problem)[0])
    return above


def minima(problem: Planar) -> list[list[float]]:
    """The global minima."""
    return MINIMA[problem.name](problem)


def tiles(problem: Planar, shown: Window) -> pd.DataFrame:
    """Level by level: columns level, left, right, bottom, top; equal neighbours in a row are one.

    ``level`` is the height at the lower edge of a band: 10 to a multiple of 1/PER_DECADE.
    """
    above = heights(problem, *shown.grid())
    powers = np.log10(np.maximum(above, 10.0**LOWEST))
    band_RC = np.floor(powers * PER_DECADE) / PER_DECADE
    width, height = (shown.right - shown.left) / COLUMNS, (shown.top - shown.bottom) / ROWS
    found = []
    for row, band_C in enumerate(band_RC):
        starts = np.concatenate([[0], np.flatnonzero(np.diff(band_C)) + 1, [COLUMNS]])
        bottom = shown.bottom + row * height
        found += [
            # Higher than a row: between exact neighbours what is behind would shine through.
            (10.0 ** band_C[a], shown.left + a * width, shown.left + b * width, bottom,
             bottom + 1.5 * height)
            for a, b in itertools.pairwise(starts)
        ]  # fmt: skip
    return pd.DataFrame(found, columns=["level", "left", "right", "bottom", "top"])


def chart(problem: Planar, paths: pd.DataFrame, title: str) -> Chart:
    """The landscape of one objective with its paths: start a ring, end filled, minima crossed.

    ``paths``: columns series (categorical), trial_id, updates, x, y, above (f − min f).
    """
    lowest = pd.DataFrame(minima(problem), columns=["x", "y"])
    shown = window(np.concatenate([paths[["x", "y"]].to_numpy(), lowest.to_numpy(), _MIDDLE]))
    floor = _floor(tiles(problem, shown), shown)
    x, y = _across(shown), _up(shown)
    stroke, dash, shape, fill = _looks(paths)
    base = alt.Chart(paths).encode(x=x, y=y, order="updates:Q", detail="trial_id:N")
    halo = base.mark_line(strokeWidth=4.5, stroke="white", opacity=0.8, clip=True)
    line = base.mark_line(strokeWidth=2, clip=True).encode(stroke=stroke, strokeDash=dash)
    grips = base.mark_point(opacity=0, size=90, clip=True).encode(tooltip=_said())
    by_trial = paths.sort_values("updates").groupby("trial_id")
    start = (
        alt.Chart(by_trial.head(1))
        .mark_point(size=120, stroke=_INK, strokeWidth=2, fill="white", opacity=1)
        .encode(x=x, y=y)
    )
    end = (
        alt.Chart(by_trial.tail(1))
        .mark_point(size=120, filled=True, opacity=1, strokeWidth=1.5)
        .encode(x=x, y=y, stroke=alt.value("white"), fill=fill, shape=shape)
    )
    cross = (
        alt.Chart(lowest)
        .mark_point(shape="cross", size=170, filled=True, angle=45, opacity=1)
        .encode(x=x, y=y, fill=alt.value(_INK), stroke=alt.value("white"))
    )
    layers = [floor, halo, line, start, cross, end, grips]
    drawn = layered(layer=layers, height=HEIGHT, autosize=_FIT, title=title)
    drawn.view = alt.ViewBackground(fill=_HIGH)
    drawn.resolve = alt.Resolve(scale=alt.ScaleResolveMap(shape="independent", fill="independent"))
    return drawn


def _floor(ground: pd.DataFrame, shown: Window) -> alt.Chart:
    ends = [float(ground["level"].min()), float(ground["level"].max())]
    scale = alt.Scale(type="log", domain=ends, range=[_LOW, _HIGH], nice=False)
    legend = alt.Legend(
        title="f − min f", orient="right", format="~e", gradientLength=200,
        values=[tick for tick in log_ticks(*ends) if f"{tick:e}".startswith("1.0")],
    )  # fmt: skip
    drawn: alt.Chart = alt.Chart(ground).mark_rect(clip=True, opacity=1, strokeWidth=0)
    return drawn.encode(
        x=_across(shown, "left"), x2="right:Q", y=_up(shown, "bottom"), y2="top:Q",
        color=alt.Color("level:Q", scale=scale, legend=legend),
    )  # fmt: skip


def _across(shown: Window, field: str = "x") -> alt.X:
    scale = alt.Scale(domain=[shown.left, shown.right], nice=False, zero=False)
    return alt.X(f"{field}:Q", title="θ₁", scale=scale, axis=alt.Axis(grid=False))


def _up(shown: Window, field: str = "y") -> alt.Y:
    scale = alt.Scale(domain=[shown.bottom, shown.top], nice=False, zero=False)
    return alt.Y(f"{field}:Q", title="θ₂", scale=scale, axis=alt.Axis(grid=False))


def _looks(paths: pd.DataFrame) -> tuple[alt.Stroke, alt.StrokeDash, alt.Shape, alt.Fill]:
    """Colours, dashes and shapes as in the study's other charts, of the series drawn here."""
    every, present = names(paths), set(paths["series"])
    kept = [place for place, name in enumerate(every) if name in present]
    domain = [every[place] for place in kept]
    colours, dashes, shapes = (
        alt.Scale(domain=domain, range=[look[place] for place in kept])
        for look in palette.cycle(len(every))
    )
    legend = alt.Legend(
        title=None, orient="top", symbolType="stroke", symbolSize=1000, symbolStrokeWidth=2.5,
        symbolFillColor="transparent",
    )  # fmt: skip
    return (
        alt.Stroke("series:N", scale=colours, legend=legend, sort=None),
        alt.StrokeDash("series:N", scale=dashes, legend=legend, sort=None),
        alt.Shape("series:N", scale=shapes, legend=None, sort=None),
        alt.Fill("series:N", scale=colours, legend=None, sort=None),
    )


def _said() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("series:N", title="trials with"),
        alt.Tooltip("updates:Q", format=",d"),
        alt.Tooltip("x:Q", title="θ₁", format=".4~g"),
        alt.Tooltip("y:Q", title="θ₂", format=".4~g"),
        alt.Tooltip("above:Q", title="f − min f", format=".3~g"),
    ]
