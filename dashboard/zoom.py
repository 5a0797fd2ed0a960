"""Curves that can be zoomed along their horizontal axis, and stay so while they grow."""

import altair as alt
import streamlit as st

from .charts import Chart

NAME = "zoom"
HINT = "Drag to pan, Alt and wheel to zoom, double-click to see all."
Range = tuple[float, float]


def zoomed(key: str) -> Range | None:
    """The part of its horizontal axis that the chart ``key`` shows; None: all of it.

    Known before the chart is drawn, so that its data can be asked for in that part.
    """
    state = st.session_state.get(key)
    selected = state.selection.get(NAME) if state else None
    if not selected:
        return None
    low, high = next(iter(selected.values()))
    return float(low), float(high)


def chart(drawn: Chart, key: str, alt_text: str) -> None:
    """Draw a chart whose horizontal axis can be zoomed and panned.

    The wheel alone scrolls the page, as everywhere else. Streamlit keeps the zoom of a chart
    that reports its selection when its data change, and forgets that of any other.
    """
    # Without the modifier a page full of charts could not be scrolled.
    zoom = alt.selection_interval(
        name=NAME, bind="scales", encodings=["x"], zoom="wheel![event.altKey]"
    )
    layers = drawn if isinstance(drawn, alt.LayerChart) else alt.LayerChart(layer=[drawn])
    st.altair_chart(
        layers.add_params(zoom), key=key, alt=alt_text, on_select="rerun", selection_mode=NAME
    )
