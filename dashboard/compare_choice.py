"""The selectors of the Compare page; all that they say stands in the URL."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import pandas as pd
import streamlit as st

from . import compare_deltas
from .answers import Answers
from .compare import ESTIMATORS, Comparison
from .compare_deltas import Baseline
from .compare_keys import SEED, Key, default_keys
from .compare_measures import measures
from .frame import Row, filtered
from .metrics import SAMPLES, UPDATES, Unit

MOST_KEYS = 6
Option = TypeVar("Option")


def choose_sweeps(sweeps: Sequence[Row]) -> list[Row]:
    """Sweeps of these, kept in the URL as ``?sweeps=``, the newest too: see ``choose_sweep``.

    A link with ``?sweep=``, as other pages have it, opens on that one.
    """
    by_id = {row["sweep_id"]: row for row in sweeps}
    wanted = st.query_params.get_all("sweeps") or st.query_params.get_all("sweep")
    known = [sweep for sweep in wanted if sweep in by_id]
    if len(known) < len(wanted):
        lost = ", ".join(sweep for sweep in wanted if sweep not in by_id)
        st.warning(plain(f"This store holds no such sweep: {lost}."))
    kept = [row["sweep_id"] for row in filtered(sweeps)] or list(by_id)
    if "compare_sweeps" not in st.session_state or st.session_state.get("linked_sweeps") != wanted:
        st.session_state["compare_sweeps"] = known or kept[:1]
    # What a link names is offered whatever the side bar keeps to.
    offered = [sweep for sweep in by_id if sweep in kept or sweep in known]
    ids: list[str] = st.multiselect("Sweeps", offered, key="compare_sweeps")
    st.query_params.pop("sweep", None)
    st.query_params["sweeps"] = ids
    st.session_state["linked_sweeps"] = ids
    return [by_id[sweep] for sweep in ids]


def choose_comparison(answers: Answers, chosen: Sequence[Row], keys: Sequence[Key]) -> Comparison:
    """Groups, measure and estimator; defaults leave the URL clean."""
    ids = tuple(row["sweep_id"] for row in chosen)
    measured = [row["key"] for row in answers("compare_measures", sweeps=list(ids)).to_pylist()]
    known = {m.title: m for m in measures([row["study"] for row in chosen], measured)}
    by_title = {key.title: key for key in keys}
    first = default_keys(keys, {row["study"] for row in chosen})
    by, by_what, how = st.columns([4, 3, 3])
    with by:
        grouped = st.multiselect(
            "Group by", by_title, default=[key.title for key in first], key="compare_by",
            max_selections=MOST_KEYS, bind="query-params", placeholder="all trials as one group",
        )  # fmt: skip
    with by_what:
        measure = st.selectbox("Measure", known, key="compare_measure", bind="query-params")
    with how:
        estimator = st.selectbox(
            "Estimate", ESTIMATORS, key="compare_estimate", bind="query-params"
        )
    chosen_keys = tuple(by_title[title] for title in grouped)
    return Comparison(ids, chosen_keys, known[measure], ESTIMATORS[estimator])


def choose_baseline(comparison: Comparison, groups: pd.DataFrame) -> Baseline | None:
    """One level of one key; None where there is nothing to stand against it."""
    if len(groups) < 2:
        return None
    options = compare_deltas.baselines(groups, comparison.keys)
    # Without a norm, without clipping: what is left out is what others are held against.
    plain = (n for n, option in enumerate(options) if option.level in ("none", "null", "false"))
    by_title = {option.title: option for option in options}
    with st.columns(3)[0]:
        return _selected("Baseline", by_title, "compare_baseline", next(plain, 0))


def choose_pivot(comparison: Comparison, keys: Sequence[Key]) -> tuple[Key, Key] | None:
    """Two different keys: at first those grouped by, then others that vary, the seed last."""
    if len(keys) < 2:
        return None
    order = sorted(keys, key=lambda key: (key.path == SEED, key.absent > 0))
    order = [*comparison.keys, *(key for key in order if key not in comparison.keys)]
    by_title = {key.title: key for key in keys}
    down, across, _ = st.columns(3)
    with down:
        row = _selected("Rows", by_title, "compare_rows", list(by_title).index(order[0].title))
    rest = {title: key for title, key in by_title.items() if key != row}
    second = next(key for key in order if key != row)
    with across:
        column = _selected("Columns", rest, "compare_columns", list(rest).index(second.title))
    return row, column


def choose_curves() -> tuple[Unit, bool, bool]:
    """Against what, whether on a log axis, whether with single trials."""
    units = {unit.title: unit for unit in (UPDATES, SAMPLES)}
    against, scale, single = st.columns(3, vertical_alignment="bottom")
    with against:
        unit = st.selectbox("Curves against", units, key="compare_against", bind="query-params")
    with scale:
        axis = st.segmented_control(
            "Axis", ["log", "linear"], default="log", key="compare_axis", bind="query-params",
            required=True,
        )  # fmt: skip
    with single:
        raw = st.toggle("Single trials under the bands", key="compare_raw", bind="query-params")
    return units[unit], axis == "log", raw


def _selected(label: str, options: Mapping[str, Option], key: str, index: int) -> Option:
    return options[st.selectbox(label, options, index=index, key=key, bind="query-params")]


def plain(text: str) -> str:
    """A text with names that Markdown leaves as they are."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()<>#+-.!|~$:" else c for c in text)
