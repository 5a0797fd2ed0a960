"""The losses themselves as functions, and how robust they turned out in the store's sweeps."""

import functools
from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.navigation.page import Page

from .. import loss_curves_figures as figures
from .. import study_figures
from ..answers import Answers
from ..blocks import block
from ..declarations import DECLARED
from ..formats import tied
from ..frame import RUNNING, Row, away_notice, empty, filtered, live
from ..loss_curves import Curve, classification, regression
from ..study_findings import study_result

TITLE = "The losses themselves"
URL = "losses"
SECTION = "Losses"
QUESTION = (
    "What does each loss make of a mistake: how much does one sample pull, when it is an outlier, "
    "when it is right already, when it is badly wrong, and does that show in the store's sweeps?"
)
ROBUSTNESS = {
    "regression_losses": "Robustness to outliers",
    "classification_losses": "Robustness to imbalance",
}
HOW_TO_READ = """
**The slope decides.** A net never sees the value of a loss, only its slope: that is what a sample
adds to the gradient at the output. A slope that grows with the residual lets a few outliers speak
louder than all others; a bounded one does not.

**Right already.** Where the slope is 0, as of the hinge beyond a margin of 1, a sample has no say
any more. The focal loss turns easy samples down, the more the larger γ is.

**Badly wrong.** The squared error of a probability has hardly any slope there: a net that is
confidently wrong learns slowest. Cross-entropy cancels that factor.
"""
CHANGES = (
    ("Another scale.", "Residuals are in units of the targets; δ has to go with them."),
    ("Another learning rate.", "A loss with half the slope is one with half the rate, for SGD."),
    ("More classes.", "With a softmax all logits of a sample are coupled; here there are two."),
)


def render(answers: Answers, pages: Mapping[str, Page]) -> None:
    """Draw the page; ``pages`` are those of the studies, to link to."""
    st.title(TITLE)
    st.markdown(QUESTION)
    away_notice(answers)
    left, right = st.columns(2)
    with left:
        delta = st.slider(
            "δ of Huber's loss", 0.1, 3.0, 1.0, 0.1, key="losses_delta", bind="query-params"
        )
    with right:
        gamma = st.slider(
            "γ of the focal loss", 0.0, 5.0, 2.0, 0.5, key="losses_gamma", bind="query-params"
        )
    with st.container(border=True):
        st.markdown("\n\n".join(tied(figures.sentence(delta, gamma)).splitlines()))
    _family(figures.RESIDUALS, regression(delta))
    _family(figures.MARGINS, classification(gamma))
    for name, heading in ROBUSTNESS.items():
        _robustness(answers, name, heading, pages)
    _reading()


def _family(family: figures.Family, curves: Sequence[Curve]) -> None:
    block(figures.curves(family, curves))
    with st.expander(f"{family.title}: the formulas", expanded=True):
        places = [place for _ in curves[::2] for place in st.columns(2)]
        for curve, place in zip(curves, places, strict=False):
            with place:
                st.markdown(f"**{curve.title}**")
                st.latex(curve.formula)
                st.caption("Its slope:")
                st.latex(curve.slope_formula)
        st.caption(family.words)


def _robustness(answers: Answers, name: str, heading: str, pages: Mapping[str, Page]) -> None:
    """The newest sweep of a study that the side bar keeps: its answer and its final values."""
    st.header(heading)
    every = [row for row in answers("sweeps").to_pylist() if row["study"] == name]
    if not every:
        empty("**No sweep of this study in the store yet.** This runs it:", f"talweg run {name}")
        return
    kept = {row["sweep_id"]: row for row in filtered(every) or every}
    chosen = st.selectbox(
        f"Sweep of {DECLARED[name].title.lower()}", kept, key=f"losses_{name}", bind="query-params"
    )
    sweep = kept[chosen]
    live(answers, functools.partial(_finals, answers, name, sweep), sweep["status"] in RUNNING)
    if name in pages:
        st.page_link(
            pages[name],
            label=f"All of {DECLARED[name].title.lower()}",
            icon=":material/arrow_forward:",
            query_params={"sweep": chosen},
        )


def _finals(answers: Answers, name: str, sweep: Row) -> None:
    study = DECLARED[name]
    result = study_result(answers, sweep["sweep_id"], study)
    with st.container(border=True):
        st.markdown("\n\n".join(tied(result.sentence).splitlines()))
    if result.finals["finished"].any():
        block(study_figures.finals(answers, sweep["sweep_id"], result, result.metric))
    else:
        st.info("No trial has a result yet.", icon=":material/hourglass_empty:")


def _reading() -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("How to read this")
        st.markdown(HOW_TO_READ)
    with right:
        st.subheader("What would change the conclusion")
        st.markdown("\n".join(f"- **{change}** {why}" for change, why in CHANGES))
