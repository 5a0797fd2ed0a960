"""One trial in full: its fate, curves and layers; :mod:`trial_record` has the rest."""

import dataclasses
import functools
from collections.abc import Callable

import streamlit as st
from pydantic import BaseModel

from .. import export, trial_words
from .. import trial_charts as charts
from .. import trial_recipe as recipes
from ..answers import Answers
from ..drawing import draw
from ..formats import count
from ..frame import Row, live
from ..metrics import COUNTED, Unit
from .trial_record import captioned, configuration, measured

UNFINISHED = ("running", "waiting")


def render(
    answers: Answers, spec: type[BaseModel], trial_id: str, close: Callable[[], None]
) -> None:
    """Draw what is known of a trial; ``close`` is called when the reader is done with it."""
    found = answers("trial", trial_id=trial_id).to_pylist()
    if not found:
        st.warning("This store holds no trial of the id in this address.")
        return
    (trial,) = found
    name, button = st.columns([8, 1], vertical_alignment="bottom")
    name.subheader("One trial")
    button.button("Close", key="trial_close", on_click=close)
    running = trial["outcome"] in UNFINISHED
    live(answers, functools.partial(_head, answers, trial_id), running)
    axis = _axis()
    live(answers, functools.partial(_curves, answers, trial, axis), running)
    live(answers, functools.partial(_layers, answers, trial_id), running)
    live(answers, functools.partial(measured, answers, trial_id), running)
    configuration(trial, recipes.recipe(spec, trial["config"]))


def _head(answers: Answers, trial_id: str) -> None:
    """Name, figures, fate, and the error of a failed trial."""
    (trial,) = answers("trial", trial_id=trial_id).to_pylist()
    st.code(trial["slug"], language=None)
    for column, (label, value) in zip(st.columns(6), trial_words.tiles(trial).items(), strict=True):
        column.metric(label, value)
    with st.container(border=True):
        st.markdown(trial_words.fate(trial))
    if trial["error"]:
        st.code(trial["error"], language=None, wrap_lines=True)
    told = [f"Trial {trial_id}", f"attempt {trial['attempt']}"]
    told += [f"on {trial['device']} of {trial['node']}"] if trial["device"] else []
    told += [f"in {count(len(trial['sweeps'] or []), 'sweep')}"]
    st.text(", ".join(told))


@dataclasses.dataclass(frozen=True)
class Axis:
    """What curves are drawn against, and between which updates."""

    unit: Unit
    log: bool
    first: int | None
    last: int | None


def _axis() -> Axis:
    units = {unit.title: unit for unit in COUNTED}
    st.markdown("#### Curves")
    against, scale, *ends = st.columns([2, 2, 1, 1], vertical_alignment="bottom")
    unit = against.selectbox("Against", units, key="trial_against", bind="query-params")
    axis = scale.segmented_control(
        "Axis",
        ["log", "linear"],
        default="log",
        required=True,
        key="trial_axis",
        bind="query-params",
    )
    first, last = (
        place.number_input(
            f"{word} update",
            min_value=0,
            value=None,
            placeholder=word.lower(),
            key=f"trial_{word.lower()}",
            bind="query-params",
            help="Looks closer: the store is asked again for these recordings alone.",
        )
        for word, place in zip(("First", "Last"), ends, strict=True)
    )
    return Axis(units[unit], axis == "log", first, last)


def _curves(answers: Answers, trial: Row, axis: Axis) -> None:
    asked = {"points": charts.POINTS, "first": axis.first, "last": axis.last}
    rows = answers("trial_curves", trial_id=trial["trial_id"], **asked).to_pandas()
    unit, log = axis.unit, axis.log
    whole = axis.first is None and axis.last is None
    if rows.empty:
        st.info("Nothing is recorded here yet.", icon=":material/hourglass_empty:")
        return
    for place, kind in zip(st.columns(2), ("loss", "score"), strict=True):
        if not charts.has(rows, kind):
            place.caption(f"This trial has no {kind}.")
            continue
        chart = charts.curves(rows, kind, unit, log, trial["descent"])
        with place:
            draw(chart, f"trial-{kind}", charts.curves_alt(rows, kind, unit))
            export.offer(f"{kind}-{trial['trial_id']}", chart=chart)
    captioned(charts.curves_caption(rows, log, whole), f"curves-{trial['trial_id']}", rows)


def _layers(answers: Answers, trial_id: str) -> None:
    measured = answers("trial_quantities", trial_id=trial_id).to_pylist()
    offered = charts.offered([row["quantity"] for row in measured])
    if not offered:
        return
    st.markdown("#### Layers")
    words = st.selectbox("Quantity", offered, key="trial_quantity", bind="query-params")
    asked = {"quantity": offered[words], "columns": charts.COLUMNS}
    rows = answers("trial_layers", trial_id=trial_id, **asked).to_pandas()
    chart = charts.layers(rows, offered[words])
    draw(chart, "trial-layers", charts.layers_alt(rows, offered[words]))
    left, right = st.columns([12, 1])
    left.caption(charts.layers_caption(rows, offered[words]))
    with right:
        export.offer(f"layers-{trial_id}", table=rows, chart=chart)
