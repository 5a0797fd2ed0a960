"""A new sweep: write a grid by form or by hand, see what it would run, start it where allowed."""

import functools

import streamlit as st
from streamlit.navigation.page import Page

from ...workloads import studies
from .. import grid_text, submit, submit_form
from ..answers import Answers
from ..editor import editor
from ..formats import count, duration
from ..frame import calm
from ..grid_form import Schema
from ..submit import Plan, Started, Starter

TITLE = "New sweep"
EMPTY = "an empty grid"
SMALL = ", small"
LOOK_AGAIN_S = 2.0

HOW_TO_READ = f"""The grid file on the right is what counts; the form on the left shows what it
says and writes into it. Each key under *grid* is a list of values, and every combination of them
is one trial; seeds are a key like any other. The plan counts trials, those that the store has
already (they are reused, not trained again), and packs: trials of one shape that train together.
The time is an estimate, from earlier trainings of the same shapes where there were any, else from
their arithmetic. A sweep of more than {submit.MAX_TRIALS:,} trials is left to the terminal, and
the page starts one sweep at a time."""


def render(
    answers: Answers, schema: Schema, starter: Starter | None, owner: str | None, sweeps: Page
) -> None:
    """Draw the page.

    Args:
        answers: the pages' way to the store.
        schema: of a grid file, as ``talweg schema`` prints it.
        starter: starts sweeps; None for whoever may only look.
        owner: who is logged in; written into the grid that is started.
        sweeps: the page to follow a sweep on.
    """
    st.title(TITLE)
    st.markdown("Which trials would a grid run, and how long would they take?")
    _start_from()
    form, text = st.columns([3, 4], gap="large")
    with form:
        _form(schema)
    with text:
        plan = _planned(submit_form.text(), answers.where, owner, starter is not None)
        _editor(plan)
        st.subheader("Plan", divider="gray")
        _show(plan)
        _go(answers, plan, starter, owner, sweeps)
    with st.expander("How to read this"):
        st.markdown(HOW_TO_READ)


def _start_from() -> None:
    """Where the text comes from; choosing another beginning replaces it."""
    begun = st.session_state.get("submit_begun")
    if begun is not None:
        st.session_state.setdefault("start_from", begun)
    chosen = st.selectbox("Start from", _beginnings(), key="start_from", bind="query-params")
    if chosen != begun:
        st.session_state["submit_begun"] = chosen
        submit_form.rewrite(_beginning(chosen))


def _beginnings() -> list[str]:
    names = list(studies.names())
    return [EMPTY, *names, *(name + SMALL for name in names)]


def _beginning(chosen: str) -> str:
    if chosen == EMPTY:
        return grid_text.EMPTY
    name = chosen.removesuffix(SMALL)
    return studies.path(name, small=chosen.endswith(SMALL)).read_text(encoding="utf-8")


def _editor(plan: Plan) -> None:
    wrong = [c.line for c in plan.complaints if c.line is not None]
    st.caption("Grid file")
    editor(
        "submit_editor", "Grid file", submit_form.text(), submit_form.version(), wrong,
        submit_form.typed,
    )  # fmt: skip
    if plan.complaints:
        words = (f"line {c.line}: {c.message}" if c.line else c.message for c in plan.complaints)
        st.error("This grid cannot be planned:", icon=":material/error:")
        # Not as Markdown: the messages repeat what was typed.
        st.code("\n".join(words), language=None, wrap_lines=True)
    elif plan.facts is not None:
        st.caption(":material/check: valid")


def _form(schema: Schema) -> None:
    value = grid_text.value_of(submit_form.text())
    if value is None:
        st.info("The form comes back as soon as the text is a YAML mapping again.")
        return
    submit_form.draw(schema, value)
    if refused := st.session_state.pop("submit_refused", None):
        st.error("Not taken over:")
        st.code(refused, language=None, wrap_lines=True)


def _planned(text: str, store: str, owner: str | None, may_start: bool) -> Plan:
    """The plan of a text; not of one whose mere validation would read this machine for a viewer."""
    ours = text in (_beginning(name) for name in _beginnings())
    if not may_start and not ours and grid_text.reaches_outside(text):
        names = ", ".join(sorted(grid_text.OUTSIDE))
        message = (
            f"it names data or code of this machine ({names}); the page plans that only for those "
            "who may start sweeps: talweg plan, in a terminal, plans it for you"
        )
        return Plan(None, (submit.Complaint(message),))
    return _plan(_final(text, owner), store)


@st.cache_data(ttl=60, max_entries=100, show_spinner="Planning …")
def _plan(text: str, store: str) -> Plan:
    return submit.plan(text, store)


def _final(text: str, owner: str | None) -> str:
    """The text as it is run: with a login, the sweep is of whoever is logged in."""
    if owner is None or not grid_text.value_of(text):
        return text
    return grid_text.put(text, ("owner",), owner)


def _show(plan: Plan) -> None:
    if plan.facts is None:
        st.markdown("Nothing to plan until the grid is valid.")
        return
    facts = plan.facts
    shown = {
        "Trials": f"{facts['trials']:,}",
        "To train": f"{facts['to_train']:,}",
        "In the store": f"{facts['finished']:,}",
        "Duplicates": f"{facts['duplicates']:,}",
        "Packs": f"{facts['packs']:,}",
        "About": _about(facts["estimated_seconds"]) if facts["to_train"] else "–",
    }
    with st.container(horizontal=True):
        for label, value in shown.items():
            st.metric(label, value, width="content")
    said = [f"On {count(facts['workers'], 'worker')} of the dashboard's machine"]
    if facts["to_train"]:
        said.append(f"about {max(facts['estimated_memory_mib'], 1):,.0f} MiB of memory")
        said.append(f"cost measured before for {facts['shapes_measured']} shapes")
    else:
        said.append("every trial is in the store: starting it trains nothing, it only lists them")
    if facts["excluded"]:
        said.append(f"{count(facts['excluded'], 'combination')} excluded")
    st.caption(f"{'; '.join(said)}.")


def _about(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else "< 1 s"


def _go(
    answers: Answers, plan: Plan, starter: Starter | None, owner: str | None, sweeps: Page
) -> None:
    """The button that starts it, or how to start it elsewhere."""
    name = f"{_name(plan)}.yaml"
    text = _final(submit_form.text(), owner)
    row = st.container(horizontal=True, vertical_alignment="center")
    start, take = row.empty(), row.empty()
    take.download_button(
        "Download the grid file", text, name, "application/yaml", key="submit_file",
        on_click="ignore", icon=":material/download:", type="tertiary",
    )  # fmt: skip
    if starter is None:
        start.button("Start the sweep", disabled=True, key="submit_start")
        st.caption(
            "Sweeps are not started from this page for you: that takes `talweg dashboard "
            "--allow-submit`, and with a login an entry in `TALWEG_OIDC_WRITERS`. In a terminal:"
        )
        st.code(submit.command_line(answers.where, name), language="shell")
        return
    if plan.too_large:
        st.caption(f"More than {submit.MAX_TRIALS:,} trials are started in a terminal:")
        st.code(submit.command_line(answers.where, name), language="shell")
    ready = plan.facts is not None and not plan.too_large and not starter.busy
    if start.button(
        "Start the sweep", type="primary", disabled=not ready, key="submit_start",
        icon=":material/play_arrow:",
    ) and plan.facts is not None:  # fmt: skip
        starter.start(text, plan.facts["sweep_id"])
        st.rerun()
    if starter.last is not None:
        body = functools.partial(_follow, answers, starter.last, sweeps)
        every = LOOK_AGAIN_S if starter.busy else None
        st.fragment(functools.partial(calm, answers, body), run_every=every)()


def _name(plan: Plan) -> str:
    """A name for the file: the sweep's, which holds letters, digits, dots and dashes."""
    return str(plan.facts["sweep_id"]).rpartition("-")[0] if plan.facts else "grid"


def _follow(answers: Answers, started: Started, sweeps: Page) -> None:
    """What became of the sweep that was started here last."""
    known = answers("sweep", sweep_id=started.sweep_id).num_rows > 0
    code = started.process.poll()
    with st.container(border=True):
        if code is None:
            st.markdown("The sweep is running." if known else "The sweep is starting …")
        else:
            st.markdown("The sweep started here has ended.")
        st.text(started.sweep_id)
        if known:
            st.page_link(
                sweeps, label="Follow it", icon=":material/monitoring:",
                query_params={"sweep": started.sweep_id},
            )  # fmt: skip
        if code:
            st.error(f"It ended with exit code {code}; its last words:")
            st.code(started.last_words(), language=None, wrap_lines=True)
        st.caption(f"Grid and log: `{started.grid}`, `{started.log.name}`")
    if code is not None and st.session_state.get("submit_seen") != started.sweep_id:
        st.session_state["submit_seen"] = started.sweep_id
        st.rerun()  # the button may be pressed again
