"""Batch, stochastic or mini-batch: loss curves, learning-rate sensitivity, time to target."""

import dataclasses
import functools

import pandas as pd
import pyarrow as pa
import streamlit as st

from .. import ahead, captions, charts, export, folds, profiles, studies, zoom
from ..answers import Answers
from ..blocks import block
from ..drawing import draw
from ..findings import DescentResult, cost_table, default_target, descent_result, level
from ..formats import rate, tied
from ..frame import RUNNING, Row, away_notice, choose_sweep, empty, live
from ..metrics import METRICS, SECONDS, UNITS, Metric, Target, Unit
from ..selection import RULE, at_rates, leading_rates
from ..tables import complete_curves, final_values
from ..timing import timing_of

TITLE = "Descent"
STUDY = "descent"
SECTION = "Descent"
BEST = "best of each"


@dataclasses.dataclass(frozen=True)
class Choice:
    """What the selectors of the page say; all of it stands in the URL."""

    metric: Metric
    unit: Unit
    log: bool
    lr: str  # BEST or a rate as shown
    target: Target


def render(answers: Answers) -> None:
    """Draw the page."""
    words = studies.words(STUDY)
    st.title(TITLE)
    st.markdown(words.question)
    sweeps = [row for row in answers("sweeps").to_pylist() if row["study"] == STUDY]
    if not sweeps:
        away_notice(answers)
        empty("**No sweep of this study in the store yet.** This runs it:", "talweg run descent")
        return
    picker, target_place = st.columns([3, 1])
    with picker:
        sweep = choose_sweep(sweeps, TITLE)
    with target_place:
        target = _choose_target(default_target(answers, sweep["sweep_id"]))
    running = sweep["status"] in RUNNING
    ahead.begin(functools.partial(_finals, answers, sweep["sweep_id"], target.metric))
    live(answers, functools.partial(_answer, answers, sweep, target), running)
    choice = _choose(answers, sweep["sweep_id"], target)
    live(answers, functools.partial(_figures, answers, sweep["sweep_id"], choice), running)
    _reading(words)


def _choose_target(default: Target) -> Target:
    share = not default.metric.falling
    value = st.number_input(
        f"Target {default.metric.title}",
        min_value=0.0,
        max_value=1.0 if share else None,
        value=default.value,
        step=0.01,
        format="%g",
        key="target",
        bind="query-params",
        help="Time to target and the best learning rates follow it.",
    )
    return Target(default.metric, value)


def _choose(answers: Answers, sweep_id: str, target: Target) -> Choice:
    """The row of selectors; defaults leave the URL clean."""
    by_title = {metric.title: metric for metric in METRICS.values()}
    units = {unit.title: unit for unit in UNITS}
    finals = _finals(answers, sweep_id, target.metric)
    rates = sorted({row["lr"] for row in finals.to_pylist()})
    what, against, scale, lr = st.columns([3, 3, 2, 2])
    with what:
        metric = st.selectbox("Metric", by_title, key="metric", bind="query-params")
    with against:
        unit = st.selectbox("Against", units, index=1, key="against", bind="query-params")
    with scale:
        axis = st.segmented_control(
            "Axis", ["log", "linear"], default="log", key="axis", bind="query-params", required=True
        )
    with lr:
        shown = st.selectbox(
            "Learning rate", [BEST, *map(rate, rates)], key="lr", bind="query-params",
            help=f"Best is {RULE}.",
        )  # fmt: skip
    return Choice(by_title[metric], units[unit], axis == "log", shown, target)


def _answer(answers: Answers, sweep: Row, target: Target) -> None:
    away_notice(answers)
    result = descent_result(answers, sweep["sweep_id"], target)
    with st.container(border=True):
        st.markdown(tied(result.sentence))


def _finals(answers: Answers, sweep_id: str, metric: Metric) -> pa.Table:
    return answers("learning_rates", sweep_id=sweep_id, metric=metric.column)


def _figures(answers: Answers, sweep_id: str, choice: Choice) -> None:
    result = descent_result(answers, sweep_id, choice.target)
    # What stands below is asked while the curves are drawn.
    profile = ahead.begin(
        lambda: profiles.of_descents(answers, sweep_id, choice.target, result.rates)
    )
    ahead.begin(functools.partial(_finals, answers, sweep_id, choice.metric))
    _curves(answers, sweep_id, choice, result)
    _sensitivity(answers, sweep_id, choice.metric)
    _costs(answers, sweep_id, result)
    if (found := profile()).pictures:
        block(found)


def _curves(answers: Answers, sweep_id: str, choice: Choice, result: DescentResult) -> None:
    heading = f"{choice.metric.title.capitalize()} against {choice.unit.title}"
    metric = choice.metric
    asked = {"sweep_id": sweep_id, "metric": metric.column, **_wanted(choice, result)}
    curves = complete_curves(answers("descent", **asked), metric)
    part = zoom.part(["curves"], choice.unit.column, choice.log)
    if part and captions.fewer(curves):
        curves = complete_curves(answers("descent", **asked, **part), metric)
    best = choice.lr == BEST
    given = curves[curves["lr"].map(rate) == choice.lr]
    rates = dict(zip(given["series"], given["lr"], strict=True))
    if best:
        # Live from the first recording on, before any rate can be the best.
        rates = leading_rates(curves, metric.falling) | result.rates
    shown = at_rates(curves, rates)
    if shown.empty:
        st.subheader(heading)
        st.info("Nothing is recorded at this choice yet.", icon=":material/hourglass_empty:")
        return
    timing = timing_of(shown)
    if choice.unit is SECONDS and timing.refusal:
        st.subheader(heading)
        _refuse(timing.refusal)
        return
    drawn = charts.loss_curves(shown, metric, choice.unit, choice.log)
    export.headed(heading, "curves", shown, {"curves": drawn})
    zoom.chart(drawn, "curves", captions.curves_alt(shown, metric, choice.unit))
    caption = f"{captions.curves(shown, choice.log, rates, best)} {zoom.HINT}"
    if choice.unit is SECONDS:
        caption += " " + captions.seconds(timing, _hardware(answers, sweep_id))
    st.caption(caption)


def _wanted(choice: Choice, result: DescentResult) -> dict[str, object]:
    """The groups whose curves are drawn; all of them until every series has a best rate."""
    groups = result.finals
    best = groups["series"].map(result.rates)
    if choice.lr == BEST and best.isna().any():
        return {}
    of_best, of_rate = groups["lr"] == best, groups["lr"].map(rate) == choice.lr
    drawn = groups[of_best if choice.lr == BEST else of_rate]
    return {
        "descents": list(drawn["descent"]),
        "batch_sizes": [None if pd.isna(size) else int(size) for size in drawn["batch_size"]],
        "lrs": [float(lr) for lr in drawn["lr"]],
    }


def _refuse(reason: str) -> None:
    """Stand where a chart in seconds would stand."""
    st.info(reason, icon=":material/timer_off:")


def _hardware(answers: Answers, sweep_id: str) -> list[Row]:
    return list(answers("hardware", sweep_id=sweep_id).to_pylist())


def _sensitivity(answers: Answers, sweep_id: str, metric: Metric) -> None:
    heading = "How carefully must the learning rate be chosen?"
    finals = final_values(_finals(answers, sweep_id, metric), metric)
    if not finals["finished"].any():
        st.subheader(heading)
        st.info("No trial has a result yet.", icon=":material/hourglass_empty:")
        return
    drawn = charts.learning_rates(finals, metric)
    export.headed(heading, "learning-rates", finals, {"learning-rates": drawn})
    draw(drawn, "rates", captions.rates_alt(finals, metric))
    st.caption(captions.finals_caption(finals, captions.AT_THIS_RATE))


def _costs(answers: Answers, sweep_id: str, result: DescentResult) -> None:
    heading = f"How long to {level(result.target)}?"
    best = result.best
    if best.empty:
        st.subheader(heading)
        st.info("No trial has a result yet.", icon=":material/hourglass_empty:")
        return
    refusal = result.timing.refusal
    drawn = {
        unit: charts.time_to_target(best[best["unit"] == unit.column], unit)
        for unit in UNITS
        if not (unit is SECONDS and refusal)
    }
    files = {f"time-to-target-{unit.column}": chart for unit, chart in drawn.items()}
    every = cost_table(result.costs)
    export.headed(heading, "time-to-target", every, files)
    places = [*st.columns(2), *st.columns(2)]
    for place, unit in zip(places, UNITS, strict=True):
        with place:
            if refusal and unit not in drawn:
                _refuse(refusal)
            else:
                said = captions.costs_alt(best[best["unit"] == unit.column], unit)
                draw(drawn[unit], f"cost-{unit.column}", said)
    caption = captions.costs_caption(best, result.target)
    if not refusal:
        caption += " " + captions.seconds(result.timing, _hardware(answers, sweep_id))
    st.caption(caption)
    folds.table("Every learning rate", "fold_costs", every, "Time to target, every rate")


def _reading(words: studies.Words) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("How to read this")
        st.markdown(words.how_to_read)
        st.markdown(f"“Best of each” is {RULE}.")
    with right:
        st.subheader("What would change the conclusion")
        points = (f"- **{change}** {why}" for change, why in captions.WHAT_WOULD_CHANGE)
        st.markdown("\n".join(points))
