"""Gradient health of any sweep: does a signal get back to the first layer, and what follows."""

import functools
from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from .. import ahead, health_answer, health_lines, health_map, study_health
from .. import health_figures as figures
from ..answers import Answers
from ..blocks import block
from ..declarations import DECLARED
from ..formats import tied
from ..frame import RUNNING, Row, away_notice, choose_sweep, empty, live
from ..health_keys import DEPTH, RATE, Layout, Level, layout, text
from ..study import words_of
from ..study_figures import Block

TITLE = "Gradient health"
URL = "health"
SECTION = "Depth and time"
NONE = "none"
QUESTION = (
    "Does a signal get back to the first layer, before training and at its end: in which nets does "
    "it vanish, explode, or meet units that are dead or saturated, and does theory foretell it?"
)
HOW_TO_READ = """
**Backward signal**: E‖δ‖² of a layer, divided by its width, of the loss of one sample. From the
last layer down to the first it should stay within a few powers of ten. An even fall by a factor χ
per layer means vanishing, a rise exploding, and both are straight lines, or even gradients of
colour.

**Weight gradients mislead**: in deep ReLU nets their norms hardly differ between layers, whether or
not the signal arrives. A verdict therefore looks at the signal.

**Theory beside measurement**: on the line a net does what is predicted of endlessly wide ones.
Narrow nets scatter around it.

**Trainability**: nets much deeper than the predicted scale forget their inputs before the last
layer, and should not train without a remedy.
"""
CHANGES = (
    ("A longer budget.", "Some nets only start late; a verdict at the end is one at that end."),
    ("Wider nets.", "In narrow ones the signal spreads at random, and seeds differ more."),
    ("Other thresholds.", "Verdicts have limits, which the grid file sets (docs/verdicts.md)."),
    ("More seeds.", "The most frequent verdict of a cell rests on its few trials."),
)


def render(answers: Answers) -> None:
    """Draw the page."""
    st.title(TITLE)
    st.markdown(QUESTION)
    measured = {row["sweep_id"] for row in answers("health_sweeps").to_pylist()}
    sweeps = [row for row in answers("sweeps").to_pylist() if row["sweep_id"] in measured]
    if not sweeps:
        away_notice(answers)
        empty(
            "**No sweep with layers in the store yet.** Every study of depth records them; this "
            "runs one:",
            "talweg run depth_and_activation",
        )
        return
    sweep = choose_sweep(sweeps, TITLE)
    ahead.begin(functools.partial(health_answer.verdict_counts, answers, sweep["sweep_id"]))
    ahead.begin(functools.partial(study_health.foretold, answers, sweep["sweep_id"]))
    top = st.container()
    places = _layout(answers, sweep)
    if places.keys:
        _body(answers, sweep, places, top)
        _reading()
        return
    live(answers, lambda: _said(answers, _sentence(answers, sweep)), sweep["status"] in RUNNING)
    st.info("All trials of this sweep have one setting: there is nothing to lay out.")


def _layout(answers: Answers, sweep: Row) -> Layout:
    return layout(answers, sweep["sweep_id"], DECLARED.get(sweep["study"] or ""))


def _sentence(answers: Answers, sweep: Row) -> str:
    return health_answer.sentence(answers, sweep["sweep_id"], _layout(answers, sweep))


def _said(answers: Answers, sentence: str) -> None:
    away_notice(answers)
    with st.container(border=True):
        st.markdown("\n\n".join(tied(sentence).splitlines()))


def _body(answers: Answers, sweep: Row, places: Layout, top: DeltaGenerator) -> None:
    """The answer, selectors, each above what it decides about, and the figures, live.

    All of it is begun as soon as the selectors are there, so that the store works meanwhile.
    """
    sweep_id, running = sweep["sweep_id"], sweep["status"] in RUNNING
    said = ahead.begin(functools.partial(_sentence, answers, sweep))
    at = _choose_setting(places, sweep["study"] or "other")
    axes, narrow = _choose_axes(places)
    verdicts, heat, lines, depths = (st.container() for _ in range(4))
    with heat:
        titles = figures.QUANTITIES
        title = st.selectbox("Quantity", titles, key="health_quantity", bind="query-params")
    with lines:
        by = _choose_key("One line per", "by", places.keys)
    begun: list[tuple[DeltaGenerator, Callable[[Block], None], Callable[[], Block]]] = []

    def begin(place: DeltaGenerator, make: Callable[..., Block], *chosen: object) -> None:
        drawn = _theory if make is figures.predictions else block
        made = functools.partial(make, answers, sweep_id, places, *chosen)
        begun.append((place, drawn, ahead.begin(made)))

    begin(verdicts, figures.verdicts, axes, at if narrow else None)
    begin(heat, figures.heat, at, titles[title])
    for make in (figures.predictions, health_lines.ratios, health_lines.shares):
        begin(lines, make, by, at)
    others = [key for key in places.keys if key != DEPTH]
    if DEPTH in places.keys and others:
        with depths:
            second = _choose_key("Depth against", "against", others)
        begin(depths, health_map.trainability, second, at)
    with top:
        live(answers, lambda: _said(answers, said()), running)
    for place, drawn, made in begun:
        with place:
            live(answers, functools.partial(_drawn, drawn, made), running)


def _drawn(draw: Callable[[Block], None], make: Callable[[], Block]) -> None:
    draw(make())


def _theory(found: Block) -> None:
    """Predictions exist of some nets only."""
    if found.pictures:
        block(found)
    else:
        st.subheader(found.title)
        st.info("Theory predicts nothing that is measured in these nets.", icon=":material/info:")


def _choose_setting(places: Layout, study: str) -> dict[str, Level]:
    """A level of each key: where the charts of one setting stand.

    The levels of another study may not go together here: Streamlit would carry them over.
    """
    usual, chosen = places.usual, {}
    st.caption("The setting at which charts of single layers stand:")
    columns = st.columns(max(4, len(places.keys)))
    for key, column in zip(places.keys, columns, strict=False):
        levels = {text(level): level for level in places.levels(key)}
        with column:
            shown = st.selectbox(
                _capital(words_of(key)),
                levels,
                index=list(levels).index(text(usual[key])),
                key=f"health_{study}_{key.replace('.', '_')}",
                bind="query-params",
            )
        chosen[key] = levels[shown]
    if tuple(chosen.values()) not in {setting.levels for setting in places.settings}:
        st.warning("No trial of this sweep has this combination: its charts below are empty.")
    return chosen


def _choose_axes(places: Layout) -> tuple[tuple[str, ...], bool]:
    """Keys of rows, columns and panels of the grid of verdicts, and whether it is narrowed."""
    rows, columns, panels, narrow = st.columns([2, 2, 2, 3], vertical_alignment="bottom")
    with rows:
        first = _choose_key("Rows", "rows", places.keys)
    rest = [key for key in places.keys if key != first]
    with columns:
        # Depth is what verdicts change along; it reads best from left to right.
        second = _choose_key("Columns", "columns", sorted(rest, key=lambda key: key != DEPTH), True)
    rest = [key for key in rest if key != second]
    with panels:
        # A chart for each learning rate is too many to begin with.
        third = _choose_key("Panels", "panels", rest, True, rest == [RATE]) if second else None
    with narrow:
        narrowed = st.toggle(
            "Only the setting's trials", key="health_narrow", bind="query-params",
            help="Keys that the grid does not show are held at the setting chosen above.",
        )  # fmt: skip
    return tuple(key for key in (first, second, third) if key), narrowed


def _choose_key(
    title: str, name: str, keys: Sequence[str], optional: bool = False, absent: bool = False
) -> str:
    """One of the keys by its words.

    Where it is ``optional`` none may be chosen, the empty key; with ``absent`` it comes first.
    """
    words = {_capital(words_of(key)): key for key in keys}
    if len(words) < len(keys):  # two keys of one name: say them whole
        words = {key: key for key in keys}
    if optional:
        words = {NONE: "", **words} if absent else {**words, NONE: ""}
    return words[st.selectbox(title, words, key=f"health_{name}", bind="query-params")]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _reading() -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("How to read this")
        st.markdown(HOW_TO_READ)
    with right:
        st.subheader("What would change the conclusion")
        st.markdown("\n".join(f"- **{change}** {why}" for change, why in CHANGES))
