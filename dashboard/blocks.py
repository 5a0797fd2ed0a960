"""How a page draws a block: the charts of one question with caption, downloads and table."""

import streamlit as st

from . import export, zoom
from .drawing import draw
from .formats import file_name
from .study_figures import Block


def block(shown: Block) -> None:
    """A heading, its charts two in a row, the caption, and the table behind a fold."""
    files = {picture.name: picture.chart for picture in shown.pictures}
    if not files:
        st.subheader(shown.title)
        st.info("Nothing is recorded here yet.", icon=":material/hourglass_empty:")
        return
    export.headed(shown.title, file_name(shown.title), shown.table, files)
    width = 1 if len(shown.pictures) == 1 else 2
    for start in range(0, len(shown.pictures), width):
        row = shown.pictures[start : start + width]
        for place, picture in zip(st.columns(width), row, strict=False):
            with place:
                drawn = zoom.chart if picture.zoom else draw
                drawn(picture.chart, picture.name, picture.alt)
    hint = zoom.HINT if any(picture.zoom for picture in shown.pictures) else ""
    st.caption(f"{shown.caption} {hint}".strip())
    if shown.table is not None:
        with st.expander(f"{shown.title}: every group"):
            st.dataframe(shown.table, hide_index=True, alt=f"{shown.title}, every group")
