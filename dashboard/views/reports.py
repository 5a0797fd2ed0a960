"""Reports: make one of some sweeps, look at it, take it away; and those made before."""

from pathlib import Path
from zipfile import BadZipFile

import pandas as pd
import pyarrow as pa
import streamlit as st

from .. import report_shelf
from ..answers import Answers
from ..formats import count
from ..frame import RUNNING, Row, away_notice, choose_sweep, empty
from ..report.order import Order
from ..report_formats import FORMATS, Format, framed, made, text_of
from ..report_shelf import Made
from ..tables import rounded

TITLE = "Reports"
PREVIEW_PIXELS = 900
MOST_SHOWN = 20_000
"""Characters of a text report that are shown; the file has all."""

HOW_TO_READ = """A report says the conclusion first, then what carries it: tables with intervals,
figures, failures and missing cells, the grid, the machines, a hash of the data, and the command
that makes it again. It needs no network, and prints. It says what the store held when it was
made: the same data give the same bytes, so a report that is made again after new trials is
another file, and one without news is the same. `talweg report --check FILE` asks a store whether
a report belongs to its data. Markdown and LaTeX come with their figures, as an archive."""


def render(answers: Answers, folder: Path) -> None:
    """Draw the page. ``folder``: where reports are kept."""
    st.title(TITLE)
    st.markdown("What did sweeps find, in one file that needs neither dashboard nor network?")
    sweeps = answers("sweeps").to_pylist()
    away_notice(answers)
    if sweeps:
        _compose(answers, folder, sweeps)
    else:
        empty("**No sweep to report on yet.** This trains a first one:", "talweg run descent")
    _made(folder)
    with st.expander("How to read this"):
        st.markdown(HOW_TO_READ)


def _compose(answers: Answers, folder: Path, sweeps: list[Row]) -> None:
    which, how, go = st.columns([5, 2, 2], vertical_alignment="bottom")
    with which:
        first = choose_sweep(sweeps, TITLE)
    with how:
        form = st.selectbox("Format", FORMATS, key="report_format", bind="query-params")
    with go:
        wanted = st.button("Make the report", type="primary", icon=":material/description:")
    chosen, compare, short = _more(first, sweeps)
    if any(sweep["status"] in RUNNING for sweep in chosen):
        st.caption("A sweep that is running: the report says what is there at that moment.")
    _room(folder)
    if not wanted:
        return
    ids = tuple(str(sweep["sweep_id"]) for sweep in chosen)
    try:
        with st.spinner("Asking the store and drawing the figures …"):
            name = _make(answers, folder, Order(ids, compare, short), FORMATS[form])
    except (LookupError, ValueError) as error:
        st.error(f"No report was made: {error}", icon=":material/error:")
        return
    st.session_state["report"] = st.session_state["report_linked"] = name
    st.query_params["report"] = name


def _more(first: Row, sweeps: list[Row]) -> tuple[list[Row], str | None, bool]:
    """Further sweeps, the key to compare by, and whether a page is enough."""
    others = {s["sweep_id"]: s for s in sweeps if s["sweep_id"] != first["sweep_id"]}
    which, by, how = st.columns([5, 2, 2], vertical_alignment="bottom")
    with which:
        more = st.multiselect(
            "Together with", list(others), key="report_with", placeholder="No other sweep"
        )
    with by:
        compare = st.selectbox(
            "Compare by", ["team", "owner", "sweep"], index=None, key="report_compare",
            placeholder="Nothing", accept_new_options=True,
            help="A key of sweeps or of trials, such as team or optimizer.name",
        )  # fmt: skip
    with how:
        short = st.toggle("One page", key="report_summary", help="A summary of one sweep")
    return [first, *(others[sweep_id] for sweep_id in more)], compare, short


def _room(folder: Path) -> None:
    """What leaves the folder when another report comes: said before anybody presses."""
    if leaving := report_shelf.next_to_leave(folder):
        st.caption(
            f"The newest {report_shelf.KEPT} reports are kept: a new one takes the place of "
            f"`{leaving.name}`, made {leaving.made_at:%d %B %Y}. Download it first to keep it."
        )


def _make(answers: Answers, folder: Path, order: Order, form: Format) -> str:
    def ask(question: str, **parameters: object) -> pa.Table:
        return rounded(answers.once(question, parameters))

    content = made(ask, order, form)
    return report_shelf.keep(folder, _label(order), form.ending, content)


def _label(order: Order) -> str:
    """What a report is of, as its file is called."""
    first, *others = order.sweeps
    parts = [first, *([f"and{len(others)}"] if others else [])]
    parts += [f"by-{order.compare}"] if order.compare else []
    return "-".join([*parts, *(["summary"] if order.summary else [])])


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
    if form is None or form.text == "pdf":
        st.caption("This form of report is not shown here: download it.")
    elif form.text == "html":
        page = framed(content.decode(), f"Report {name}")
        st.iframe(page, height=PREVIEW_PIXELS, alt=f"The report {name}")
    else:
        _source(content, form)


def _source(content: bytes, form: Format) -> None:
    """The text of a packed report, as it is written."""
    try:
        text = text_of(content, form)
    except (BadZipFile, KeyError, UnicodeDecodeError):
        st.warning("This archive holds no report.")
        return
    st.code(text[:MOST_SHOWN], language={"md": "markdown", "tex": "latex"}[form.text], height=500)
    if len(text) > MOST_SHOWN:
        st.caption(f"Its first {MOST_SHOWN:,} characters of {len(text):,}; the archive has all.")


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
