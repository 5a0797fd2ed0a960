"""Any grouping of the trials of any sweeps, by any number: what differs, and who is ahead."""

import functools
from collections.abc import Callable, Sequence

import streamlit as st

from .. import ahead, compare_tables, compare_verdict, drawing, export, folds
from .. import compare_blocks as blocks
from ..answers import Answers
from ..compare import Comparison
from ..compare_choice import (
    choose_baseline,
    choose_comparison,
    choose_curves,
    choose_pivot,
    choose_sweeps,
    plain,
)
from ..compare_keys import Key, keys_of
from ..formats import tied
from ..frame import RUNNING, away_notice, empty, live
from ..study_figures import Block

TITLE = "Compare"
QUESTION = "Which settings differ between these trials, and which group of them is ahead?"
READING = """
A **group** is all trials with equal levels of the keys it is grouped by; whatever else differs is
averaged inside it, and the caption lists it. Add such a key to *Group by* to hold it apart.

The sentence on top calls a group **ahead** only where the interval of its difference from *every*
other group leaves out 0, at a level that allows for the number of comparisons. Deltas below are
looked at one at a time, so among twenty of them one may leave out 0 by chance.

**Absent** is a level: the trials whose configuration does not have the key at all.
"""
CHANGES = (
    ("Another grouping.", "What is averaged inside a group may cancel, or carry the difference."),
    ("Trials that diverged.", "They have no value: a group that loses many looks better."),
    ("More seeds.", "Intervals are over initial parameters and sample order only."),
    ("Unequal groups.", "Where cells are missing, groups average over different settings."),
)


def render(answers: Answers) -> None:
    """Draw the page."""
    st.title(TITLE)
    st.markdown(QUESTION)
    sweeps = answers("sweeps").to_pylist()
    if not sweeps:
        away_notice(answers)
        empty("**No sweep in this store yet.** This runs one:", "talweg run descent")
        return
    chosen = choose_sweeps(sweeps)
    if not chosen:
        st.info("Choose a sweep, or several.", icon=":material/checklist:")
        return
    ids = [row["sweep_id"] for row in chosen]
    ahead.begin(functools.partial(answers, "compare_measures", sweeps=ids))
    varying = answers("compare_keys", sweeps=ids)
    keys = keys_of(varying)
    trials = varying["trials"][0].as_py() if len(varying) else sum(r["trials"] for r in chosen)
    running = any(row["status"] in RUNNING for row in chosen)
    comparison = choose_comparison(answers, chosen, keys)
    ahead.begin(functools.partial(comparison.inside, answers, keys))
    live(answers, functools.partial(_answer, answers, comparison, keys), running)
    _differs(keys, trials, len(ids))
    _sections(answers, comparison, keys, trials, running)
    _reading()


def _answer(answers: Answers, comparison: Comparison, keys: Sequence[Key]) -> None:
    away_notice(answers)
    groups, inside = comparison.groups(answers), comparison.inside(answers, keys)
    with st.container(border=True):
        said = compare_verdict.verdict(comparison, groups, inside, keys)
        st.markdown(plain(tied(said)))


def _differs(keys: Sequence[Key], trials: int, sweeps: int) -> None:
    table = compare_tables.differs_table(keys) if keys else None
    export.headed("What differs", "what-differs", table, {})
    if table is not None:
        widths = {"which": st.column_config.TextColumn(width="large")}
        said = "Keys that vary over the chosen trials"
        st.dataframe(table, hide_index=True, column_config=widths, alt=said)
    st.caption(plain(compare_tables.differs_caption(keys, trials, sweeps)))


def _sections(
    answers: Answers, comparison: Comparison, keys: Sequence[Key], trials: int, running: bool
) -> None:
    """The groups and what is made of them, each with its own selectors above it.

    All blocks are begun as soon as the selectors are there, so that the store works meanwhile.
    """
    begun: dict[str, Callable[[], Block]] = {}

    def begin(name: str, make: Callable[..., Block], *arguments: object) -> None:
        begun[name] = ahead.begin(functools.partial(make, answers, comparison, *arguments))

    places = {name: st.container() for name in ("groups", "deltas", "pivot", "curves", "parallel")}
    begin("groups", blocks.groups_block, keys, trials)
    if axes := blocks.parallel_keys(keys, comparison.keys):
        begin("parallel", blocks.parallel_block, axes)
    with places["curves"]:
        begin("curves", blocks.curves_block, *choose_curves())
    with places["pivot"]:
        if crossed := choose_pivot(comparison, keys):
            begin("pivot", blocks.pivot_block, *crossed)
    with places["deltas"]:
        if baseline := choose_baseline(comparison, comparison.groups(answers)):
            begin("deltas", blocks.deltas_block, baseline)
    for name, place in places.items():
        if name in begun:
            with place:
                live(answers, functools.partial(_drawn, name, begun[name]), running)


def _drawn(name: str, make: Callable[[], Block]) -> None:
    """A heading, its chart, the caption, and the table behind a fold."""
    block = make()
    files = {picture.name: picture.chart for picture in block.pictures}
    if not files:
        st.subheader(plain(block.title))
    else:
        export.headed(plain(block.title), f"{next(iter(files))}-table", block.table, files)
    for picture in block.pictures:
        drawing.draw(picture.chart, f"chart-{picture.name}", picture.alt)
    st.caption(plain(block.caption))
    if block.table is not None:
        title = plain(f"{block.title}: as a table")
        folds.table(title, f"fold_{name}", block.table, f"{block.title}, as a table")


def _reading() -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("How to read this")
        st.markdown(READING)
    with right:
        st.subheader("What would change the conclusion")
        st.markdown("\n".join(f"- **{change}** {why}" for change, why in CHANGES))
