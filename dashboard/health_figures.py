"""What the page of gradient health shows, as blocks: charts, captions, words, tables."""

from collections.abc import Mapping, Sequence

import pandas as pd

from . import health, health_charts, study_health
from .captions import trials_range
from .formats import compact, count
from .groups import named
from .health import MOMENTS, Values
from .health_keys import Layout, held, paths, said
from .statistics import with_interval
from .study import FORWARD, SIGNAL, Quantity, Study, words_of
from .study_figures import Block, Picture, titled
from .tables import Ask

RATIO = Quantity("update_ratio", "update / weight ratio")
DEAD = Quantity("dead_share", "share of dead units")
ZERO = Quantity("zero_share", "share of outputs that are 0")
SATURATED = Quantity("saturated_share", "share of saturated outputs")
SHARES = (DEAD, ZERO, SATURATED)
QUANTITIES: Mapping[str, Quantity] = {
    quantity.title: quantity
    for quantity in (
        SIGNAL,
        FORWARD,
        Quantity("grad_rms", "root mean square of the weight gradient"),
        Quantity("weight_norm", "norm of the weights"),
        RATIO,
        *SHARES,
    )
}
"""What the heat map may show, by title."""


def heat(ask: Ask, sweep_id: str, layout: Layout, at: Values, quantity: Quantity) -> Block:
    """A quantity of one setting by layer and update."""
    log = quantity not in SHARES
    rows = health.heat_rows(ask, sweep_id, layout, at, quantity.column)
    title = f"{quantity.title[0].upper()}{quantity.title[1:]} by layer and update"
    if rows.empty or (log and not (rows["n"] > 0).any()):
        return Block(title, [])
    setting = said(layout.keys, [at[key] for key in layout.keys])
    chart = health_charts.heat(rows, quantity, log)
    picture = Picture(chart, _heat_alt(rows, quantity, log, setting), "health-heat")
    return Block(title, [picture], _heat_caption(rows, log, setting), _heat_table(rows, log))


def _heat_caption(rows: pd.DataFrame, log: bool, setting: str) -> str:
    places, recordings = rows["place"].nunique(), int(rows["recordings"].iloc[0])
    mean = "Geometric mean" if log else "Mean"
    parts = [
        f"{setting or 'All trials'}. {mean} over the seeds that went on that long, "
        f"{trials_range(rows['trials'])}; {count(recordings, 'recording')} with layers, "
        + ("each a column." if places == recordings else f"shared by {places} columns."),
        "Layer 1 is next to the input.",
    ]
    if log and (zeros := int(rows["zeros"].sum())):
        parts.append(f"{count(zeros, 'value')} of exactly 0 have no logarithm and are left out.")
    return " ".join(parts)


def _heat_alt(rows: pd.DataFrame, quantity: Quantity, log: bool, setting: str) -> str:
    value = "geometric" if log else "mean"
    spoken = []
    for place in (rows["place"].min(), rows["place"].max()):
        ends = rows[rows["place"] == place].sort_values("layer").iloc[[0, -1]]
        low, high = (
            f"{v:.2g} in layer {n}" for v, n in zip(ends[value], ends["layer"], strict=True)
        )
        spoken.append(f"after {compact(ends['updates'].iloc[0])} updates {low}, {high}")
    return f"Heat map of the {quantity.title}, {setting}: {'; '.join(spoken)}."


def _heat_table(rows: pd.DataFrame, log: bool) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "updates": rows["updates"],
            "until": rows["until"],
            "layer": rows["layer"],
            "geometric mean" if log else "mean": rows["geometric" if log else "mean"],
            "trials": rows["trials"],
            "values of 0": rows["zeros"],
        }
    )


def verdicts(
    ask: Ask, sweep_id: str, layout: Layout, axes: Sequence[str], at: Values | None
) -> Block:
    """The grid of verdicts: untrained beside the end, a pair of charts for each panel."""
    others = [key for key in layout.keys if key not in axes]
    rows = health.verdict_rows(ask, sweep_id, axes, others, at)
    across = axes[1] if len(axes) > 1 else None
    pictures = []
    for place, panel in enumerate(rows["panel"].cat.categories):
        for moment, words in MOMENTS.items():
            cells = rows[(rows["panel"] == panel) & (rows["moment"] == moment)]
            if cells.empty:
                continue
            title = ", ".join(filter(None, [str(panel), words]))
            chart = titled(study_health.grid(cells, across, explained=place == 0), title)
            name = f"health-verdicts-{place}-{moment}"
            pictures.append(Picture(chart, _verdict_alt(cells, title), name))
    held_at = said(others, [at[key] for key in others]) if at else ""
    caption = (
        "The most frequent verdict of a cell and how many of its trials got it. A verdict looks at "
        "the backward signal of every layer, never at weight gradients alone. "
        + (f"Only trials with {held_at}." if held_at else _pooled(others))
    )
    return Block("Verdicts", pictures, caption, _verdict_table(rows, axes) if pictures else None)


def _pooled(others: Sequence[str]) -> str:
    words = ", ".join(map(words_of, others))
    return f"A cell counts the trials of every {words}." if words else ""


def _verdict_alt(cells: pd.DataFrame, title: str) -> str:
    spoken = [
        f"{' at '.join(filter(None, [str(row.series), str(row.column)]))} {row.verdict} "
        f"({row.agree} of {row.trials})"
        for row in cells.itertuples()
    ]
    return f"Grid of verdicts, {title}: {'; '.join(spoken)}."


def _verdict_table(rows: pd.DataFrame, axes: Sequence[str]) -> pd.DataFrame:
    columns: dict[str, object] = {
        words_of(key): rows[name].astype(str)
        for key, name in zip(axes, ("series", "column", "panel"), strict=False)
    }
    columns |= {
        "when": [MOMENTS[moment] for moment in rows["moment"]],
        "verdict": rows["verdict"],
        "trials judged so": [
            f"{a} of {t}" for a, t in zip(rows["agree"], rows["trials"], strict=True)
        ],
    }
    return pd.DataFrame(columns)


def predictions(ask: Ask, sweep_id: str, layout: Layout, by: str, at: Values) -> Block:
    """Theory beside measurement, for every untrained net of the sweep.

    What only training knows is held: the nets that it begins with are the same.
    """
    training = [
        key for key in layout.keys if key != by and key.startswith(("optimizer", "descent"))
    ]
    nets = [key for key in layout.keys if key != by and key not in training]
    study = Study("", (layout.score,), lines=(by,), panels=tuple(nets))
    answer = ask("study_predictions", sweep_id=sweep_id, factors=paths([by, *nets, *training]))
    answer = held(answer, 1 + len(nets), [at[key] for key in training])
    return study_health.predictions_of(with_interval(named(answer, study)), study)
