"""The tables below one trial: verdicts, theory, probes, configuration, how to repeat it."""

from typing import Any

import pandas as pd
import streamlit as st

from .. import export, palette, trial_words
from .. import trial_recipe as recipes
from ..answers import Answers
from ..formats import count
from ..frame import Row

IMPORTED = "imported"
"""In ``trials.model``: trained elsewhere, and brought in by ``talweg import``."""
_LINE = 60  # characters of a reason that fit into one line of its column


def captioned(caption: str, name: str, rows: pd.DataFrame) -> None:
    """A caption with the rows behind it to download."""
    left, right = st.columns([12, 1])
    left.caption(caption)
    with right:
        export.offer(name, table=rows)


def measured(answers: Answers, trial_id: str) -> None:
    """Verdicts, predictions and probes: tables with a sentence each."""
    verdicts = answers("trial_verdicts", trial_id=trial_id).to_pandas()
    if not verdicts.empty:
        st.markdown("#### Verdicts")
        _verdicts(trial_words.verdicts(verdicts))
    predicted = answers("trial_predictions", trial_id=trial_id).to_pandas()
    if not predicted.empty:
        st.markdown("#### Theory beside measurement")
        table = trial_words.predictions(predicted)
        _numbers(table, "Predictions and measurements of the untrained net")
        captioned(trial_words.predictions_caption(predicted), f"predictions-{trial_id}", predicted)
    probed = answers("trial_probes", trial_id=trial_id).to_pandas()
    if not probed.empty:
        st.markdown("#### Probes, last recording")
        _numbers(trial_words.probes(probed), "What the probes measured last")
        keys = count(int(probed["key"].nunique()), "key")
        said = f"{count(len(probed), 'value')} of {keys}; without a layer: of the whole net."
        captioned(said, f"probes-{trial_id}", probed)


def coloured(word: object) -> str:
    """Outcomes and verdicts of a table in the colours that they have in charts."""
    page = palette.DARK_PAGE if st.context.theme.type == "dark" else palette.LIGHT_PAGE
    colour = trial_words.ink(word, page)
    return f"color: {colour}" if colour else ""


def _verdicts(rows: pd.DataFrame) -> None:
    st.dataframe(
        rows.style.map(coloured, subset=["verdict"]),
        hide_index=True,
        row_height=110 if rows["reason"].str.len().max() > _LINE else None,  # long ones wrap
        column_config={
            "updates": st.column_config.NumberColumn("At update", width="small"),
            "verdict": st.column_config.TextColumn("Verdict", width="small"),
            "layer": st.column_config.NumberColumn("Layer", format="%d", width="small"),
            "reason": st.column_config.TextColumn("Reason", width="large"),
            "advice": st.column_config.TextColumn("Advice", width="medium"),
        },
        placeholder="–",
        alt="Judgements of this trial in their order, with reasons and advice",
    )
    st.caption("The untrained net, each change, and the end; docs/verdicts.md has the rules.")


def _numbers(rows: pd.DataFrame, said: str) -> None:
    """A table of measurements, which span decades."""
    columns: dict[str, Any] = {name: name.capitalize() for name in rows.columns}
    for name in {"predicted", "measured", "ratio", "value"} & set(columns):
        columns[name] = st.column_config.NumberColumn(name.capitalize(), format="%.3g")
    height = 35 * min(len(rows) + 1, 9) + 3
    if "layer" in columns:
        columns["layer"] = st.column_config.NumberColumn("Layer", format="%d")
    st.dataframe(
        rows,
        hide_index=True,
        column_config=columns,
        height=height,
        placeholder="–",
        alt=said,
    )


def configuration(trial: Row, recipe: recipes.Recipe | None) -> None:
    """What of a trial is no default, and the file that repeats it."""
    st.markdown("#### Configuration")
    if recipe is None and trial["model"] == IMPORTED:
        st.caption("Imported from another tool: settings as that tool names them, see below.")
    elif recipe is None:
        st.caption("Written by another version of talweg: this one cannot tell what is a default.")
    elif recipe.settings:
        table = pd.DataFrame(recipe.settings, columns=["Setting", "Value", "Default"])
        st.dataframe(table, hide_index=True, alt="Settings of this trial that are no defaults")
        st.caption(f"{count(len(table), 'setting')} not at its default; all others are.")
    else:
        st.caption("Every setting stands at its default.")
    with st.expander("The whole configuration"):
        st.json(trial["config"])
    if recipe is not None:
        _repeat(trial["trial_id"], recipe)


def _repeat(trial_id: str, recipe: recipes.Recipe) -> None:
    st.markdown("#### Run it again")
    name = recipes.file_name(trial_id)
    text = recipes.grid_file(name, recipe.content)
    st.code(text, language="yaml")
    st.download_button(
        f"{name}.yaml", text, f"{name}.yaml", "application/yaml",
        key="trial_grid", icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    st.code(recipes.command(trial_id), language="shell")
    if recipe.trial_id == trial_id:
        said = "This file is the same trial, under the same id; a store that has it would reuse it."
    else:
        said = (
            f"The same settings, but this version of talweg plans them as {recipe.trial_id}: "
            "its numbers may differ."
        )
    st.caption(f"{said} Hence another store.")
