"""The page of any study that is declared in :mod:`declarations`: one view for all of them."""

import dataclasses
import functools

import streamlit as st

from .. import landscapes, study_costs, study_health, zoom
from .. import study_figures as figures
from ..answers import Answers
from ..blocks import block
from ..formats import rate, tied
from ..frame import RUNNING, away_notice, choose_sweep, empty, live
from ..metrics import COUNTED, Metric, Unit
from ..studies import Words, words
from ..study import Study, words_of
from ..study_blocks import offered, sentence
from ..study_findings import StudyResult, study_result


@dataclasses.dataclass(frozen=True)
class Choice:
    """What the selectors of the page say; all of it stands in the URL."""

    metric: Metric
    unit: Unit
    log: bool
    level: float | None
    start: int | None


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
    live(answers, functools.partial(_answer, answers, sweep_id, study), running)
    choice = _choose(answers, sweep_id, name, study)
    live(answers, functools.partial(_figures, answers, sweep_id, study, choice), running)
    _reading(said, study)


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


def _figures(answers: Answers, sweep_id: str, study: Study, choice: Choice) -> None:
    result = study_result(answers, sweep_id, study)
    if not result.finals["finished"].any():
        st.info("No trial has a result yet.", icon=":material/hourglass_empty:")
    else:
        block(figures.finals(answers, sweep_id, result, choice.metric))
    shown = (choice.metric, choice.unit, choice.log, choice.level)
    zoomed = functools.partial(zoom.part, unit=choice.unit.column, log=choice.log)
    block(figures.curves(answers, sweep_id, result, *shown, zoomed))
    if study.landscapes and choice.start is not None:
        block(landscapes.landscapes(answers, sweep_id, result, choice.start))
    if study.costs:
        block(study_costs.costs(answers, sweep_id, result))
        profile = study_costs.profile(answers, sweep_id, result)
        if profile.pictures:
            block(profile)
    if study.tuned and result.finals["finished"].any():
        rates = figures.sensitivity(answers, sweep_id, result, choice.metric, choice.level)
        if rates.pictures:
            block(rates)
    if study.health:
        block(study_health.verdicts(answers, sweep_id, result))
        predicted = study_health.predictions(answers, sweep_id, result)
        if predicted.pictures:
            block(predicted)
    for quantity in study.layers:
        block(figures.layers(answers, sweep_id, result, quantity, choice.level))


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
