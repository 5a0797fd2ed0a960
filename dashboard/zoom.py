"""Curves that can be zoomed along their horizontal axis, and stay so while they grow."""

from collections.abc import Sequence

import altair as alt
import streamlit as st

from .charts import Chart
from .drawing import draw

NAME = "zoom"
HINT = "Drag to pan, Alt and wheel to zoom, double-click to see all."
Range = tuple[float, float]


def zoomed(key: str, column: str) -> Range | None:
    """The part of its horizontal axis, a column, that the chart ``key`` shows; None: all of it.

    Known before the chart is drawn, so that its data can be asked for in that part.
    """
    state = st.session_state.get(key)
    selected = state.selection.get(NAME) if state else None
    ends = selected.get(column) if selected else None  # another axis may have been zoomed before
    return (float(ends[0]), float(ends[1])) if ends else None


MARGIN = 0.1  # of the part shown, at either end: lines go on beyond the frame


def part(keys: Sequence[str], unit: str, log: bool) -> dict[str, object]:
    """The optional parameters of a curve query, for charts of which all show a part only."""
    shown = [zoomed(key, unit) for key in keys]
    ends = [end for range_ in shown if range_ is not None for end in range_]
    if not keys or None in shown:
        return {}
    low, high = min(ends), max(ends)
    if log and low > 0:
        room = (high / low) ** MARGIN
        return {"along": unit, "low": low / room, "high": high * room}
    room = (high - low) * MARGIN
    return {"along": unit, "low": low - room, "high": high + room}


def chart(drawn: Chart, key: str, text: str) -> None:
    """Draw a chart whose horizontal axis can be zoomed and panned.

    The wheel alone scrolls the page, as everywhere else. Streamlit keeps the zoom of a chart
    that reports its selection when its data change, and forgets that of any other.
    """
    # Without the modifier a page full of charts could not be scrolled.
    zoom = alt.selection_interval(
        name=NAME, bind="scales", encodings=["x"], zoom="wheel![event.altKey]"
    )
    layers = drawn if isinstance(drawn, alt.LayerChart) else alt.LayerChart(layer=[drawn])
    zoomable = layers.add_params(zoom)
    draw(zoomable, key, text, on_select="rerun", selection_mode=NAME)
