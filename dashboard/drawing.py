"""Putting a chart on a page, without what a page that is drawn every two seconds cannot pay for."""

from typing import Any, cast

import altair as alt
import streamlit as st
from altair.utils import schemapi

from .charts import Chart

# Altair checks every scale and axis against its schema when it is made, and the whole chart when it
# is written. Exports and reports, and so the tests, check what is written.
schemapi.disable_debug_mode()


class _Unchecked:
    """A chart that Streamlit turns into Vega-Lite without Altair's check of its schema.

    The check takes longer than all the rest. Tests draw every chart with it.
    """

    def __init__(self, chart: Chart) -> None:
        self._chart = chart

    def to_dict(self) -> dict[str, Any]:
        """The chart as Vega-Lite; all that Streamlit asks of a chart."""
        spec: dict[str, Any] = self._chart.to_dict(validate=False)
        return spec


def draw(chart: Chart, key: str, text: str, **options: Any) -> None:
    """Draw a chart; ``text`` is what a screen reader says, ``key`` unique on the page."""
    st.altair_chart(cast("alt.Chart", _Unchecked(chart)), key=key, alt=text, **options)
