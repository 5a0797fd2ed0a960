"""The page of any study that is declared in :mod:`declarations`: one view for all of them."""

import functools

import pandas as pd
import streamlit as st

from .. import landscapes, zoom
from .. import study_figures as figures
from ..answers import Answers
from ..blocks import block
from ..decision_words import sentences, standings
from ..decisions import decisions
from ..formats import rate, tied
from ..frame import RUNNING, away_notice, choose_sweep, empty, live
from ..metrics import COUNTED
from ..studies import Words, words
from ..study import SIGNAL, Study, words_of
from ..study_blocks import offered, sentence
from ..study_figures import Block
from ..study_findings import StudyResult, study_result
from ..study_parts import CURVES, Choice, Part, parts, split

MORE = "More charts of this sweep"


def render(answers: Answers, name: str, study: Study) -> None:
    """Draw the page of one study."""
    said = words(name)
    st.title(study.title)
    st.markdown(said.question)
    sweeps = [row for row in answers("sweeps").to_pylist() if row["study"] == name]
    if not sweeps:
        away_notice(answers)
        empty(
            "**No sweep of this study in the store yet.** This runs it; with `--small` it takes "
            "seconds and shows less:",
            f"talweg run {name}",
        )
        return
    sweep = choose_sweep(sweeps, study.title)
    running = sweep["status"] in RUNNING
    sweep_id = sweep["sweep_id"]
    _expect(answers, sweep_id, study)
    live(answers, functools.partial(_answer, answers, sweep_id, study), running)
    choice = _choose(answers, sweep_id, name, study)
    live(answers, functools.partial(_figures, answers, sweep_id, study, choice), running)
    live(answers, functools.partial(_more, answers, sweep_id, name, study, choice), running)
    _reading(said, study)


def _expect(answers: Answers, sweep_id: str, study: Study) -> None:
    """All that the sentence and the selectors need, at once."""
    grouped = {"sweep_id": sweep_id, "factors": study.factors}
    answers.expect("study_finals", metric=study.metrics[0].column, **grouped)
    answers.expect("study_measures", sweep_id=sweep_id)
    if study.costs:
        answers.expect("study_costs", **grouped)
    if SIGNAL in study.layers:
        answers.expect("study_layers", quantity=SIGNAL.column, **grouped)


def _choose(answers: Answers, sweep_id: str, name: str, study: Study) -> Choice:
    """The row of selectors; defaults leave the URL clean.

    Each study has keys of its own: what is chosen here may not exist on another page, and
    Streamlit would carry it over there.
    """
    keys = {row["key"] for row in answers("study_measures", sweep_id=sweep_id).to_pylist()}
    by_title = {metric.title: metric for metric in offered(study, keys)}
    units = {unit.title: unit for unit in COUNTED}
    what, against, scale, where = st.columns([3, 3, 2, 2])
    with what:
        metric = st.selectbox("Measure", by_title, key=f"{name}_metric", bind="query-params")
    with against:
        unit = st.selectbox("Against", units, key=f"{name}_against", bind="query-params")
    with scale:
        axis = st.segmented_control(
            "Axis",
            ["log", "linear"],
            default="log",
            key=f"{name}_axis",
            bind="query-params",
            required=True,
        )
    with where:
        level = _choose_level(name, study_result(answers, sweep_id, study))
        start = _choose_start(answers, sweep_id, name) if study.landscapes else None
    return Choice(by_title[metric], units[unit], axis == "log", level, start)


def _choose_level(name: str, result: StudyResult) -> float | None:
    """At which value of what groups lie along curves and layers are shown."""
    if "along" not in result.best or result.best.empty:
        return None
    levels = {rate(v): float(v) for v in sorted(result.best["along"].unique(), reverse=True)}
    word = words_of(result.study.along or "")
    shown = st.selectbox(
        f"{word[0].upper()}{word[1:]}", levels, key=f"{name}_at", bind="query-params",
        help="Where curves and layers are shown; final values are shown along all.",
    )  # fmt: skip
    return levels[shown]


def _choose_start(answers: Answers, sweep_id: str, name: str) -> int | None:
    """From which start the paths on landscapes are shown."""
    seeds = {str(seed): seed for seed in landscapes.starts(answers, sweep_id)}
    if not seeds:
        return None
    shown = st.selectbox(
        "Start", seeds, key=f"{name}_start", bind="query-params",
        help="Seed of the start whose paths are drawn on the landscapes.",
    )  # fmt: skip
    return seeds[shown]


def _answer(answers: Answers, sweep_id: str, study: Study) -> None:
    away_notice(answers)
    with st.container(border=True):
        lines = tied(sentence(answers, sweep_id, study)).splitlines()
        st.markdown("\n\n".join(lines))
    if (found := decisions(answers, sweep_id)) is not None:
        with st.expander("Enough seeds? What the sweep's own rule has decided", expanded=True):
            st.markdown("\n\n".join(tied(line) for line in sentences(found)))
            rows = pd.DataFrame(standings(found))
            st.dataframe(rows, hide_index=True, alt="Where each setting stands")


def _parts(
    answers: Answers, sweep_id: str, result: StudyResult, choice: Choice
) -> tuple[list[Part], list[Part]]:
    """Those that the page opens with, and all others."""
    zoomed = functools.partial(zoom.part, unit=choice.unit.column, log=choice.log)
    return split(parts(answers, sweep_id, result, choice, zoomed))


def _figures(answers: Answers, sweep_id: str, study: Study, choice: Choice) -> None:
    result = study_result(answers, sweep_id, study)
    first, _ = _parts(answers, sweep_id, result, choice)
    if CURVES in [part.title for part in first]:
        _, asked = figures.curves_asked(answers, sweep_id, result, choice.metric, choice.level)
        answers.expect("study_curves", **asked)  # while the final values are drawn
    if not first[0].ready:
        st.info("No trial has a result yet.", icon=":material/hourglass_empty:")
    for part in first:
        made = part.block() if part.ready else None
        if made and (made.pictures or not part.absent):
            block(made)


def _more(answers: Answers, sweep_id: str, name: str, study: Study, choice: Choice) -> None:
    """The parts that are drawn when they are asked for; the URL names them."""
    result = study_result(answers, sweep_id, study)
    _, later = _parts(answers, sweep_id, result, choice)
    if not later:
        return
    wanted = st.pills(
        MORE,
        [part.title for part in later],
        selection_mode="multi",
        key=f"{name}_more",
        bind="query-params",
    )
    for part in later:
        if part.title in wanted:
            _asked(part)


def _asked(part: Part) -> None:
    """What was asked for has a heading, even where there is nothing to show."""
    made = part.block() if part.ready else Block(part.title, [])
    if made.pictures or not part.absent:
        block(made)
        return
    st.subheader(part.title)
    st.info(part.absent, icon=":material/info:")


def _reading(said: Words, study: Study) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("How to read this")
        st.markdown(said.how_to_read)
        if study.tuned:
            st.markdown(f"The best {words_of(study.tuned)} is {figures.rule(study)}.")
    with right:
        st.subheader("What would change the conclusion")
        points = (f"- **{change}** {why}" for change, why in study.what_would_change)
        st.markdown("\n".join(points))
