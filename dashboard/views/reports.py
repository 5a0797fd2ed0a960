"""Reports: make one of a sweep, look at it, take it away; and those made before."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import streamlit as st

from .. import report_shelf
from ..answers import Answers
from ..formats import count
from ..frame import RUNNING, away_notice, choose_sweep, empty
from ..report_formats import FORMATS, Format, framed
from ..report_shelf import Made
from ..tables import rounded

TITLE = "Reports"
PREVIEW_PIXELS = 900

HOW_TO_READ = """A report says the conclusion first, then what carries it: tables with intervals,
figures, failures and missing cells, the grid, the machines, a hash of the data, and the command
that makes it again. It is one file, opens without a network, and prints. It says what the store
held when it was made: the same data give the same bytes, so a report that is made again after
new trials is another file, and one without news is the same."""


def render(answers: Answers, folder: Path) -> None:
    """Draw the page. ``folder``: where reports are kept."""
    st.title(TITLE)
    st.markdown("What did a sweep find, in one file that needs neither dashboard nor network?")
    sweeps = answers("sweeps").to_pylist()
    away_notice(answers)
    if sweeps:
        _compose(answers, folder, sweeps)
    else:
        empty("**No sweep to report on yet.** This trains a first one:", "talweg run descent")
    _made(folder)
    with st.expander("How to read this"):
        st.markdown(HOW_TO_READ)


def _compose(answers: Answers, folder: Path, sweeps: list[dict[str, object]]) -> None:
    which, how, go = st.columns([5, 2, 2], vertical_alignment="bottom")
    with which:
        sweep = choose_sweep(sweeps, TITLE)
    with how:
        form = st.selectbox("Format", FORMATS, key="report_format", bind="query-params")
    with go:
        wanted = st.button("Make the report", type="primary", icon=":material/description:")
    if sweep["status"] in RUNNING:
        st.caption("This sweep is running: its report says what is there at that moment.")
    if wanted:
        with st.spinner("Asking the store and drawing the figures …"):
            name = _make(answers, folder, str(sweep["sweep_id"]), FORMATS[form])
        st.session_state["report"] = st.session_state["report_linked"] = name
        st.query_params["report"] = name


def _make(answers: Answers, folder: Path, sweep_id: str, form: Format) -> str:
    def ask(question: str, **parameters: object) -> pa.Table:
        return rounded(answers.once(question, parameters))

    content = form.make(ask, sweep_id).encode()
    return report_shelf.keep(folder, sweep_id, form.ending, content)


def _made(folder: Path) -> None:
    """The reports of the folder, and the one that is chosen."""
    found = {report.name: report for report in report_shelf.made(folder)}
    if not found:
        st.markdown("No report has been made here yet.")
        st.caption(f"Reports are kept on the dashboard's machine, in `{folder}`.")
        return
    st.subheader("Look at one", divider="gray")
    which, take = st.columns([7, 2], vertical_alignment="bottom")
    with which:
        name = _choose(list(found))
    try:
        content = (folder / name).read_bytes()
    except FileNotFoundError:
        st.info("This report has just been put away; choose another one.")
        return
    form = next((f for f in FORMATS.values() if f.ending == found[name].ending), None)
    with take:
        mime = form.mime if form else None
        st.download_button(
            "Download", content, name, mime, key="report_file", on_click="ignore",
            icon=":material/download:",
        )  # fmt: skip
    _preview(content, form, name)
    st.subheader("Made before", divider="gray")
    _history(list(found.values()), folder)


def _choose(names: list[str]) -> str:
    """A report, named in the URL even when it is the newest: a link means the same tomorrow."""
    wanted = st.query_params.get("report")
    if wanted in names and wanted != st.session_state.get("report_linked"):
        st.session_state["report"] = wanted
    if st.session_state.get("report") not in names:
        st.session_state["report"] = names[0]
    name: str = st.selectbox("Report", names, key="report")
    st.query_params["report"] = st.session_state["report_linked"] = name
    return name


def _preview(content: bytes, form: Format | None, name: str) -> None:
    if form is None or form.ending != "html":
        st.caption("This form of report is not shown here: download it.")
        return
    page = framed(content.decode(), f"Report {name}")
    st.iframe(page, height=PREVIEW_PIXELS, alt=f"The report {name}")


def _history(reports: list[Made], folder: Path) -> None:
    st.dataframe(
        pd.DataFrame(
            {
                "sweep": [report.sweep for report in reports],
                "format": [report.ending for report in reports],
                "made": [report.made_at for report in reports],
                "kilobytes": [report.size / 1000 for report in reports],
                "file": [report.name for report in reports],
            }
        ),
        hide_index=True,
        column_config={
            "sweep": "Sweep",
            "format": "Format",
            "made": st.column_config.DatetimeColumn(
                "Made", format="D MMM YYYY, HH:mm", timezone=st.context.timezone
            ),
            "kilobytes": st.column_config.NumberColumn("kB", format="%.0f"),
            "file": st.column_config.TextColumn("File", help="Its last part is the content's hash"),
        },
        alt="Reports made on this dashboard, newest first",
    )
    st.caption(
        f"{count(len(reports), 'report')} in `{folder}`; the newest {report_shelf.KEPT} are kept."
    )
