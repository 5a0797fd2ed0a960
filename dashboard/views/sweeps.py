"""What runs now and what ran: progress, throughput, outcomes, failures with their reasons."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.navigation.page import Page

from .. import captions, charts
from ..answers import Answers
from ..drawing import draw
from ..formats import compact, count, duration
from ..frame import RUNNING, Row, away_notice, choose_sweep, empty, filtered, live
from ..timing import sweep_timing

TITLE = "Sweeps"
QUIET_S = 600.0
"""A running sweep without news for so long is pointed out."""


def render(answers: Answers, studies: Mapping[str, Page]) -> None:
    """Draw the page. ``studies``: the page of each study, for the links."""
    st.title(TITLE)
    st.markdown("What runs now, how far is it, and what has failed?")
    sweeps = answers("sweeps").to_pylist()
    if not sweeps:
        away_notice(answers)
        empty(
            "**No sweep in this store yet.** The built-in study trains batch, stochastic and "
            f"mini-batch descent on real data, in under a minute, into `{answers.where}`:",
            "talweg run descent",
        )
        return
    running = any(row["status"] in RUNNING for row in sweeps)
    live(answers, functools.partial(_now, answers, studies), running)
    st.subheader("In detail", divider="gray")
    chosen = choose_sweep(sweeps, TITLE)
    live(answers, functools.partial(_details, answers, chosen["sweep_id"], studies), running)
    st.subheader("All sweeps", divider="gray")
    live(answers, functools.partial(_table, answers, studies), running)


def _now(answers: Answers, studies: Mapping[str, Page]) -> None:
    away_notice(answers)
    sweeps = filtered(answers("sweeps").to_pylist())
    running = [row for row in sweeps if row["status"] in RUNNING]
    with st.container(border=True):
        st.markdown(_sentence(sweeps, len(running)))
    for row in running:
        with st.container(border=True):
            _head(row, studies)
            _progress(answers("sweep_progress", sweep_id=row["sweep_id"]).to_pylist()[0])


def _sentence(sweeps: Sequence[Row], running: int) -> str:
    """What there is, in words."""
    trials, finished, failed, diverged = (
        sum(row[name] for row in sweeps) for name in ("trials", "finished", "failed", "diverged")
    )
    now = f"{count(running, 'sweep')} running now." if running else "Nothing is running now."
    return (
        f"{now} In {count(len(sweeps), 'sweep')}, of {count(trials, 'trial')}, "
        f"{count(finished, 'result')} ({diverged} diverged), {failed} failed, "
        f"{trials - finished - failed} to come."
    )


def _head(row: Row, studies: Mapping[str, Page]) -> None:
    name, link = st.columns([2, 1], vertical_alignment="center")
    words = [f"**{_plain(row['name'])}**", f":gray-badge[{row['status']}]"]
    name.markdown(" ".join(words))
    if page := studies.get(row["study"] or ""):
        link.page_link(
            page,
            label=f"{page.title} charts",
            icon=":material/show_chart:",
            query_params={"sweep": row["sweep_id"]},
        )


def _plain(text: str) -> str:
    """A name that Markdown leaves as it is."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()<>#+-.!|~$:" else c for c in text)


def _progress(progress: Row) -> None:
    """Bar and figures of a sweep that runs."""
    ended = progress["finished"] + progress["failed"] + progress["cancelled"]
    share = ended / max(progress["trials"], 1)
    st.progress(
        share, text=f"{progress['finished']} of {count(progress['trials'], 'trial')} finished"
    )
    recent, span = progress["recent_trials"], progress["recent_s"]
    pace = recent / span if recent and span else math.nan
    left = progress["trials"] - ended
    _figures(
        {
            "Trials/s": compact(pace),
            "Time left": duration(left / pace) if math.isfinite(pace) else "–",
            "Under way": str(progress["under_way"]),
            "Failed": str(progress["failed"]),
            "Reused": str(progress["reused"]),
        }
    )
    if (quiet := progress["quiet_s"]) is not None and quiet > QUIET_S:
        st.caption(
            f"No trial has started or ended for {duration(quiet)}. If its driver has died, the "
            "same `talweg run` again finishes what is left."
        )


def _figures(figures: Mapping[str, str]) -> None:
    for column, (label, value) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(label, value)


def _details(answers: Answers, sweep_id: str, studies: Mapping[str, Page]) -> None:
    row = next(r for r in answers("sweeps").to_pylist() if r["sweep_id"] == sweep_id)
    progress = answers("sweep_progress", sweep_id=sweep_id).to_pylist()[0]
    if row["status"] not in RUNNING:
        _head(row, studies)
        _result(progress)
    counts = answers("outcomes", sweep_id=sweep_id).to_pandas()
    if not counts.empty:
        draw(charts.outcomes(counts), "outcomes", captions.outcomes_alt(counts))
    _failures(answers("failures", sweep_id=sweep_id).to_pandas())
    with st.expander("Settings that vary, and how to run it again"):
        _settings(answers("factors", sweep_id=sweep_id).to_pandas())
        st.caption(sweep_timing(answers("hardware", sweep_id=sweep_id).to_pylist()).statement)
        st.code(f"talweg report {sweep_id} -o {row['name']}.html", language="shell")


def _result(progress: Row) -> None:
    """Figures of a sweep that has ended."""
    ran, span = progress["ran_trials"], progress["ran_s"]
    _figures(
        {
            # The whole in the label: a figure such as "10000 of 10000" does not fit its tile.
            f"Finished of {progress['trials']:,}": f"{progress['finished']:,}",
            "Trained": str(ran),
            "Reused": str(progress["reused"]),
            "Failed": str(progress["failed"]),
            "Took": duration(span),
            "Trials/s": compact(ran / span if ran and span else None),
        }
    )


def _failures(failures: pd.DataFrame) -> None:
    if failures.empty:
        return
    st.markdown(f"**{count(int(failures['trials'].sum()), 'trial')} failed**")
    st.dataframe(
        failures[["trials", "reason", "example", "nodes"]],
        hide_index=True,
        row_height=60,  # reasons wrap
        column_config={
            "trials": st.column_config.NumberColumn("Trials", width="small"),
            "reason": st.column_config.TextColumn("Reason", width="large"),
            "example": "For example",
            "nodes": "On",
        },
        alt="Failed trials by reason",
    )


def _settings(factors: pd.DataFrame) -> None:
    shown = factors.assign(values=[", ".join(values) for values in factors["values"]])
    st.dataframe(
        shown[["factor", "levels", "values"]],
        hide_index=True,
        column_config={"factor": "Setting", "levels": "Levels", "values": "Values"},
        alt="Settings that vary within this sweep",
    )


def _table(answers: Answers, studies: Mapping[str, Page]) -> None:
    every = answers("sweeps")
    kept = {row["sweep_id"] for row in filtered(every.to_pylist())}
    sweeps = every.to_pandas()
    sweeps = sweeps[sweeps["sweep_id"].isin(kept)].copy()
    if len(kept) < every.num_rows:
        st.caption(f"{len(kept)} of {count(every.num_rows, 'sweep')}: those of the side bar.")
    sweeps[["study", "team", "owner"]] = sweeps[["study", "team", "owner"]].fillna("")
    sweeps["share"] = sweeps["finished"] / sweeps["trials"].clip(lower=1)
    sweeps["charts"] = _links(sweeps.to_dict("records"), studies)
    columns = ["name", "charts", "study", "status", "share", "trials", "team", "owner"]
    st.dataframe(
        sweeps[[*columns, "created_at"]],
        hide_index=True,
        column_config={
            "name": "Name",
            "study": "Study",
            "team": "Team",
            "owner": "Owner",
            "status": "Status",
            "share": st.column_config.ProgressColumn("Finished", format="percent", width=110),
            "trials": "Trials",
            "created_at": st.column_config.DatetimeColumn(
                "Created", format="D MMM YYYY, HH:mm", timezone=st.context.timezone
            ),
            "charts": st.column_config.LinkColumn("Charts", display_text="open"),
        },
        alt="All sweeps of this store, newest first",
    )


def _links(rows: Sequence[Mapping[Any, Any]], studies: Mapping[str, Page]) -> list[str | None]:
    return [
        f"{row['study']}?sweep={row['sweep_id']}" if row["study"] in studies else None
        for row in rows
    ]
