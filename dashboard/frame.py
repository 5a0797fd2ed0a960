"""What all pages share: the watch over the store, live sections, filters, the choice of a sweep."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from ..storage.errors import StoreError, StoreUnreachable
from .answers import Answers

LIVE_S, WATCH_S = 2.0, 3.0
RUNNING = ("running", "cancelling")
FILTERS = {"team": "teams", "owner": "owners"}
"""Column of ``sweeps`` -> key of the widget that filters by it, which is its name in the URL."""
NOBODY = "(none)"

Row = Mapping[str, Any]


def show(answers: Answers, page: Callable[[], None]) -> None:
    """One page under the watch: calm while the store is away, drawn again when it is back."""
    st.session_state["seen"] = _state(answers)
    _watch(answers)
    calm(answers, page)


@st.fragment(run_every=WATCH_S)
def _watch(answers: Answers) -> None:
    """Draws nothing; draws the page again when a sweep starts or ends, or the store moves."""
    state = _state(answers)
    if state != st.session_state.get("seen"):
        st.session_state["seen"] = state
        st.rerun()


def _state(answers: Answers) -> str:
    try:
        activity = answers("activity").to_pylist()
    except StoreError as error:
        return type(error).__name__
    answers.settle(repr(activity))
    return repr((activity, answers.away_since, answers.late))


def live(answers: Answers, body: Callable[[], None], running: bool) -> None:
    """A section that draws itself again every two seconds while something runs."""
    st.fragment(lambda: calm(answers, body), run_every=LIVE_S if running else None)()


def calm(answers: Answers, body: Callable[[], None]) -> None:
    """Draw; where the store cannot answer, say so in its place instead of failing."""
    try:
        body()
    except StoreUnreachable:
        st.info(
            f"The store at {answers.where} does not answer. This page looks again every "
            f"{WATCH_S:g} seconds and fills in by itself.",
            icon=":material/cloud_off:",
        )
    except StoreError as error:
        st.error(str(error), icon=":material/error:")


def away_notice(answers: Answers) -> None:
    """Says, while the store is away, that what stands here is its last answer."""
    if answers.away_since:
        since = answers.away_since.strftime("%H:%M:%S UTC")
        st.info(
            f"The store is away since {since}; showing the last answer; retrying.",
            icon=":material/cloud_off:",
        )


def filters(answers: Answers) -> None:
    """Teams and owners to keep to, on all pages; offered where there is more than one."""
    try:
        sweeps = answers("sweeps").to_pylist()
    except StoreError:
        return  # the page says so
    for column, key in FILTERS.items():
        found = sorted({_label(row, column) for row in sweeps})
        if len(found) > 1 or st.query_params.get(key):
            st.multiselect(
                f"{column.capitalize()}s", found, key=key, bind="query-params", placeholder="All"
            )


def filtered(sweeps: Sequence[Row]) -> list[Row]:
    """Those of the teams and owners that the side bar keeps to."""
    wanted = {column: st.session_state.get(key) for column, key in FILTERS.items()}
    return [
        row
        for row in sweeps
        if all(not kept or _label(row, column) in kept for column, kept in wanted.items())
    ]


def _label(row: Row, column: str) -> str:
    return row[column] or NOBODY


def choose_sweep(sweeps: Sequence[Row], page: str) -> Row:
    """A sweep of these, kept in the URL as ``?sweep=``: a link opens on the same one.

    The URL names it even when it is the newest, so that a link means the same tomorrow.
    Streamlit's own binding leaves defaults out; hence by hand. ``page`` tells the pages'
    choices apart, because a widget is another one on another page.
    """
    by_id = {row["sweep_id"]: row for row in sweeps}
    wanted = st.query_params.get("sweep")
    if wanted is not None and wanted not in by_id:
        st.warning(f"This store holds no such sweep for this page: {wanted}. The newest is shown.")
    elif wanted is not None and st.session_state.get("linked") != (page, wanted):
        st.session_state["choice"] = wanted  # a link was opened, or the back button pressed
        st.session_state["guest"] = _guest(wanted)
    offered = _offered(sweeps, wanted)
    if st.session_state.get("choice") not in offered:
        st.session_state["choice"] = offered[0]
    chosen: str = st.selectbox("Sweep", offered, key="choice")
    st.query_params["sweep"] = chosen
    st.session_state["linked"] = (page, chosen)
    return by_id[chosen]


def _offered(sweeps: Sequence[Row], wanted: str | None) -> list[str]:
    """What the filters keep, and what a link named, until the filters are changed."""
    kept = {row["sweep_id"] for row in filtered(sweeps)}
    if wanted is not None and st.session_state.get("guest") == _guest(wanted):
        kept.add(wanted)
    found = [row["sweep_id"] for row in sweeps if row["sweep_id"] in kept]
    if found:
        return found
    st.info("No sweep of this page is of the teams and owners chosen; all are offered.")
    return [row["sweep_id"] for row in sweeps]


def _guest(wanted: str) -> tuple[object, ...]:
    """A sweep that a link named, under the filters of that moment."""
    return (wanted, *(tuple(st.session_state.get(key) or ()) for key in FILTERS.values()))


def empty(what: str, command: str) -> None:
    """An empty page that says what to do next."""
    with st.container(border=True):
        st.markdown(what)
        st.code(command, language="shell")
        st.caption("This page fills in by itself as soon as the first sweep is registered.")
