"""Downloads of what a page shows: tables as CSV and Parquet, charts as SVG and PNG."""

import functools
import io
from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st
import vl_convert

from . import figures
from .charts import Chart

WIDTH, SCALE = 720, 2
"""Pixels across the plot of an exported chart, and pixels of a PNG per pixel of the plot."""

Content = Callable[[], bytes | str]


def headed(title: str, name: str, table: pd.DataFrame | None, charts: Mapping[str, Chart]) -> None:
    """A heading with the menu of its charts and table at its right."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(title, width="stretch")
        offer(name, table, charts=charts)


def offer(
    name: str,
    table: pd.DataFrame | None = None,
    chart: Chart | None = None,
    charts: Mapping[str, Chart] | None = None,
) -> None:
    """A small menu beside charts or a table.

    Nothing is made before somebody asks for it: a page that is drawn every two seconds
    must not render pictures that nobody takes.

    Args:
        name: of the files, without ending; unique on the page.
        table: the rows shown.
        chart: the chart shown.
        charts: of several charts, the name of each, unique on the page.
    """
    shown = dict(charts or {}) | ({} if chart is None else {name: chart})
    with st.popover("", icon=":material/download:", type="tertiary", help="Download"):
        if table is not None:
            _button(name, "csv", "text/csv", functools.partial(csv, table))
            mime = "application/vnd.apache.parquet"
            _button(name, "parquet", mime, functools.partial(parquet, table))
        for file, drawn in shown.items():
            _button(file, "svg", "image/svg+xml", functools.partial(svg, drawn, file))
            _button(file, "png", "image/png", functools.partial(png, drawn))


def _button(name: str, ending: str, mime: str, content: Content) -> None:
    file = f"{name}.{ending}"
    st.download_button(
        file, content, file_name=file, mime=mime, key=f"download-{file}", on_click="ignore"
    )


def csv(table: pd.DataFrame) -> str:
    """The rows as comma-separated values with a header."""
    text: str = table.to_csv(index=False)
    return text


def parquet(table: pd.DataFrame) -> bytes:
    """The rows as a Parquet file; categories as words."""
    file = io.BytesIO()
    words = {c: str for c in table.columns if isinstance(table[c].dtype, pd.CategoricalDtype)}
    table.astype(words).to_parquet(file, index=False)
    return file.getvalue()


def svg(chart: Chart, name: str) -> str:
    """The chart as an SVG file."""
    return figures.svg(chart, name, WIDTH)


def png(chart: Chart) -> bytes:
    """The chart on a white page, :data:`SCALE` times as large."""
    drawn: bytes = vl_convert.vegalite_to_png(figures.themed(chart, WIDTH, "white"), scale=SCALE)
    return drawn
