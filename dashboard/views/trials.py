"""All trials of a sweep or of the store: filter, sort, page through them, open one."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from pydantic import BaseModel

from .. import export
from .. import trial_filter as filters
from ..answers import Answers
from ..frame import RUNNING, Row, away_notice, empty, filtered, live
from ..trial_filter import ROWS, Filter
from . import trial
from .trial_record import coloured

TITLE = "Trials"
ALL = "all sweeps"

COLUMNS: Mapping[str, Any] = {
    "slug": st.column_config.TextColumn("Trial", width=280, pinned=True),
    "outcome": "Outcome",
    "verdict": st.column_config.TextColumn("Verdict", help="The latest one"),
    "last_score": st.column_config.NumberColumn(
        "Last score", format="%.3g", help="On the test set, at the last recording"
    ),
    "best_score": st.column_config.NumberColumn("Best score", format="%.3g"),
    "last_loss": st.column_config.NumberColumn("Last loss", format="%.3g", help="On the test set"),
    "best_loss": st.column_config.NumberColumn("Best loss", format="%.3g"),
    "lr": st.column_config.NumberColumn("Rate", format="%.3g", help="Learning rate"),
    "depth": st.column_config.NumberColumn("Depth", format="%d", help="Hidden layers"),
    "activation": "Activation",
    "descent": "Descent",
    "batch_size": st.column_config.NumberColumn("Batch", format="%d", help="Samples per update"),
    "model": "Model",
    "optimizer": "Optimizer",
    "updates": st.column_config.NumberColumn("Updates", format="localized"),
    "seconds": st.column_config.NumberColumn(
        "Seconds", format="%.3g", help="Only of trials that had their machine to themselves"
    ),
    "node": "Node",
    "device": "Device",
}
"""Columns of the table, in their order."""

HOW_TO_READ = """Each row is one trial: one point of a grid with one seed. Scores and losses are
those on the test set; what the score is (accuracy, R², …) depends on the problem. The verdict is
the latest judgement of the trial's gradients. A dash or an empty cell means *not measured here* or
*not yet*, never zero. Seconds stand only where a trial had its machine to itself: trials of a pack
share theirs. Choosing a row opens the trial below the table; the address of this page then names
it, with the filter and the order, and opens the same view for whoever gets it."""


def render(answers: Answers, spec: type[BaseModel]) -> None:
    """Draw the page. ``spec``: what a configuration is validated with (``TrialSpec``)."""
    st.title(TITLE)
    st.markdown("Which trials are there, what became of each, and why?")
    sweeps = answers("sweeps").to_pylist()
    if not sweeps:
        away_notice(answers)
        empty("**No trial in this store yet.** This trains the first ones:", "talweg run descent")
        return
    place, search = st.columns([3, 2])
    with place:
        chosen = _choose_sweeps(sweeps)
    with search:
        words = st.text_input(
            "Name contains", key="trials_words", bind="query-params", type="search"
        )
    choices = answers("trials_choices", sweeps=chosen).to_pylist()[0]
    wanted = _filter(chosen, choices, words or "")
    order = _order()
    running = any(
        row["status"] in RUNNING for row in sweeps if chosen is None or row["sweep_id"] in chosen
    )
    live(answers, functools.partial(_table, answers, wanted, order), running)
    if opened := st.query_params.get("trial"):
        st.divider()
        trial.render(answers, spec, opened, _close)
    with st.expander("How to read this"):
        st.markdown(HOW_TO_READ)


def _choose_sweeps(every: Sequence[Row]) -> list[str] | None:
    """One sweep, all that the side bar keeps to, or None for all there are.

    The choice stands in the URL as ``?sweep=``, as on the other pages.
    """
    known = [row["sweep_id"] for row in every]
    kept = [row["sweep_id"] for row in filtered(every)]
    wanted = st.query_params.get("sweep")
    if wanted not in (None, ALL, *known):
        st.warning("This store holds no sweep of the id in this address. All trials are shown.")
    elif wanted is not None and st.session_state.get("trials_linked") != wanted:
        st.session_state["trials_sweep"] = wanted
    # A link may lead to a sweep that the side bar leaves out.
    guests = [wanted] if wanted in known and wanted not in kept else []
    offered = [ALL, *kept, *guests]
    if st.session_state.get("trials_sweep") not in offered:
        st.session_state["trials_sweep"] = ALL
    chosen = st.selectbox("Sweep", offered, key="trials_sweep")
    st.query_params["sweep"] = st.session_state["trials_linked"] = chosen
    if chosen != ALL:
        return [chosen]
    return None if len(kept) == len(known) else kept


def _filter(sweeps: list[str] | None, choices: Row, words: str) -> Filter:
    """Two rows of widgets; empty ones leave the URL clean."""
    first, second = st.columns(3), st.columns([2, 2, 1, 1])
    picked: dict[str, Any] = {}
    lists = {
        "outcome": (first[0], filters.STATES),
        "verdict": (first[1], filters.VERDICTS),
        "descent": (first[2], filters.DESCENTS),
        "model": (second[0], choices["models"]),
        "optimizer": (second[1], choices["optimizers"]),
    }
    for name, (place, options) in lists.items():
        picked[f"{name}s"] = place.multiselect(
            name.capitalize(),
            options,
            key=f"trials_{name}",
            bind="query-params",
            placeholder="any",
            format_func=lambda option: option.replace("_", " "),
        )
    for end, place in (("from", second[2]), ("to", second[3])):
        picked[f"lr_{end}"] = place.number_input(
            f"Rate {end}",
            min_value=0.0,
            value=None,
            format="%g",
            placeholder=_rate_at(choices["lr_min" if end == "from" else "lr_max"]),
            key=f"trials_lr_{end}",
            bind="query-params",
            help="Learning rates are compared as shown: to three digits.",
        )
    return Filter(sweeps, **picked, words=words)


def _rate_at(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.3g}"


def _order() -> dict[str, Any]:
    """What the table is sorted by, and which page of it is shown."""
    key, way, number = st.columns([2, 2, 1], vertical_alignment="bottom")
    by = key.selectbox("Sorted by", filters.SORTS, key="trials_sort", bind="query-params")
    direction = way.segmented_control(
        "Direction",
        ["rising", "falling"],
        default="rising",
        required=True,
        key="trials_direction",
        bind="query-params",
        label_visibility="collapsed",
    )
    page = number.number_input(
        "Page", min_value=1, value=1, key="trials_page", bind="query-params", help=f"Of {ROWS} rows"
    )
    return {"sort": filters.SORTS[by], "descending": direction == "falling", "page": int(page)}


def _table(answers: Answers, wanted: Filter, order: Mapping[str, Any]) -> None:
    """The sentence, and one page of the table."""
    away_notice(answers)
    if st.session_state.pop("trials_opened", False):
        st.rerun()  # the trial stands below this section
    every = answers("trials_choices", sweeps=wanted.parameters()["sweeps"]).to_pylist()[0]["trials"]
    ends = answers("trials_found", **wanted.parameters()).to_pylist()
    fitting = sum(row["trials"] for row in ends)
    with st.container(border=True):
        st.markdown(filters.found(ends, every, wanted))
    if not fitting:
        st.info("No trial fits all of this: take a filter away.", icon=":material/filter_alt_off:")
        return
    page = min(order["page"], filters.pages(fitting))
    asked = {"sort": order["sort"], "descending": order["descending"]}
    start = (page - 1) * ROWS
    rows = answers("trials_page", **wanted.parameters(), **asked, rows=ROWS, start=start)
    _rows(rows.to_pandas(), f"{wanted}{asked}{page}")
    left, right = st.columns([12, 1])
    left.caption(
        f"{filters.span(page, fitting)}, page {page} of {filters.pages(fitting)}. Choose a row to "
        "open that trial."
    )
    with right:
        export.offer("trials", table=rows.to_pandas())


def _rows(shown: pd.DataFrame, view: str) -> None:
    """The table itself. ``view``: what it shows; another view is another table, unselected."""
    ids = shown["trial_id"].tolist()
    opened = st.query_params.get("trial")
    chosen = [ids.index(opened)] if opened in ids else []
    key = f"trials-{st.session_state.get('trials_closed', 0)}-{hash(view)}"
    st.dataframe(
        shown[list(COLUMNS)].style.map(coloured, subset=["outcome", "verdict"]),
        hide_index=True,
        column_config=COLUMNS,
        height=420,
        key=key,
        on_select=functools.partial(_open, key, ids),
        selection_mode="single-row",
        selection_default={"selection": {"rows": chosen}},
        placeholder="–",
        alt="Trials that fit the filter, one page",
    )


def _open(key: str, ids: Sequence[str]) -> None:
    """A row was chosen or let go: the URL says which trial is open."""
    rows = st.session_state[key].selection.rows
    if rows:
        st.query_params["trial"] = ids[rows[0]]
    else:
        st.query_params.pop("trial", None)
    st.session_state["trials_opened"] = True


def _close() -> None:
    """The trial is closed; a fresh table has no row chosen."""
    st.query_params.pop("trial", None)
    st.session_state["trials_closed"] = st.session_state.get("trials_closed", 0) + 1
