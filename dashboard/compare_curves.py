"""Mean curves of groups, and single trials under their bands."""

import altair as alt
import pandas as pd

from . import captions, charts
from .charts import Chart
from .compare import MOST_COLOURS, Comparison
from .encodings import colour
from .formats import compact, count
from .metrics import Unit
from .statistics import METHOD, with_interval
from .tables import Ask

MOST_CURVES = MOST_COLOURS
"""Of more groups, the curves of those ahead are drawn."""
POINTS, TRACES = 120, 60
"""Points of a curve or trace, and traces, at most."""


def curves(ask: Ask, comparison: Comparison, ranked: pd.DataFrame) -> pd.DataFrame:
    """The answer to ``compare_curves`` with intervals, and with series in the ranks' order."""
    shown = ranked.head(MOST_CURVES)
    answer = ask("compare_curves", **_asked(comparison, shown)).to_pandas()
    found = with_interval(_with_series(answer, shown), comparison.measure.metric.bounds)
    return found.assign(lr="")


def traces(ask: Ask, comparison: Comparison, ranked: pd.DataFrame) -> pd.DataFrame:
    """The answer to ``compare_traces`` for the same groups."""
    shown = ranked.head(MOST_CURVES)
    answer = ask("compare_traces", traces=TRACES, **_asked(comparison, shown)).to_pandas()
    return _with_series(answer, shown)


def _asked(comparison: Comparison, shown: pd.DataFrame) -> dict[str, object]:
    return {
        "sweeps": list(comparison.sweeps),
        "keys": [key.path for key in comparison.keys],
        "groups": list(shown["group_id"]),
        "metric": comparison.measure.metric.column,
        "points": POINTS,
    }


def _with_series(answer: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    names = dict(zip(shown["group_id"], shown["series"].astype(str), strict=True))
    # The same colours as in the ranking, where that has any.
    known = list(shown["series"].cat.categories)
    order = known if len(known) <= MOST_COLOURS else list(names.values())
    series = pd.Categorical(answer["group_id"].map(names), categories=order)
    ordered = answer.assign(series=series).sort_values(["series", "updates"], kind="stable")
    return ordered.reset_index(drop=True)


def refusal(found: pd.DataFrame, unit: Unit) -> str | None:
    """Why these curves cannot be drawn against a unit; None where they can."""
    if unit.column != "samples":
        return None
    if ((found["samples"] == 0) & (found["updates"] > 0)).any():
        return (
            "Some of these trials were imported without a batch size: how many samples they have "
            "seen is not known. Take updates."
        )
    if found["alike"].all():
        return None
    return (
        "Trials of one group have seen different numbers of samples after as many updates: their "
        "mean has no place on this axis. Group by descent.batch_size as well, or take updates."
    )


def curve_chart(
    found: pd.DataFrame,
    single: pd.DataFrame | None,
    comparison: Comparison,
    unit: Unit,
    log: bool,
) -> Chart:
    """Means and bands of :func:`charts.loss_curves`, over single trials where these are given."""
    drawn = charts.loss_curves(found, comparison.measure.metric, unit, log)
    if single is None or not len(single):
        return drawn
    # Scales and axes are those of the means; a trace may leave the frame.
    x, y = (drawn.layer[1].encoding[name].copy() for name in ("x", "y"))
    y.shorthand = "value:Q"
    kept = single[single[unit.column] > 0] if log else single
    if comparison.measure.metric.falling:
        kept = kept[kept["value"] > 0]  # drawn on a log axis
    columns = ["series", "trial_id", "value", unit.column]
    thin = (
        alt.Chart(kept[columns].assign(series=kept["series"].astype(str)))
        .mark_line(strokeWidth=0.8, opacity=0.35, clip=True)
        .encode(
            x=x,
            y=y,
            detail="trial_id:N",
            color=colour(found),
            tooltip=[
                alt.Tooltip("series:N", title="group"),
                alt.Tooltip("trial_id:N", title="trial"),
            ],
        )
    )
    drawn.layer = [thin, *drawn.layer]
    return drawn


def curves_caption(found: pd.DataFrame, single: pd.DataFrame | None, groups: int, log: bool) -> str:
    """Under the curves: of how many trials and points, and what is left out.

    ``groups``: how many have a value.
    """
    parts = [f"Mean over trials that ended without diverging with its {METHOD}"]
    parts[0] += f", {captions.trials_range(found['n'])}."
    if not found["ended"].all():
        parts.append("Of groups in which none has ended yet, over those under way.")
    drawn = found["series"].nunique()
    if drawn < groups:
        parts.append(f"{drawn} of {count(groups, 'group')} are drawn: those ahead.")
    recorded = int(found.drop_duplicates("series")["recorded"].sum())
    if len(found) < recorded:
        parts.append(
            f"{count(len(found), 'point')} of {recorded}: of each of {POINTS // 2} spans of "
            "updates the lowest and the highest mean."
        )
    parts.append("A curve has a point where all of its trials recorded one.")
    if single is not None:
        parts.append(_traces_words(single))
    if log:
        parts.append("The untrained net, at 0, has no place on a log axis.")
    return " ".join(parts)


def _traces_words(single: pd.DataFrame) -> str:
    """How many of how many trials are drawn, chosen how."""
    drawn = single["trial_id"].nunique()
    total = int(single.drop_duplicates("series")["trials"].sum())
    return (
        f"Thin lines: {drawn} of {count(total, 'trial')}, equally many of each group, chosen by a "
        f"hash of their names; lowest and highest value of {POINTS // 2} spans of updates. The "
        "frame is that of the means, and a trial may leave it."
    )


def curves_alt(found: pd.DataFrame, comparison: Comparison, unit: Unit) -> str:
    """The curves in words: where each ends."""
    last = found.sort_values(unit.column).groupby("series", observed=True).tail(1)
    ends = [
        f"{row['series']} at {compact(row['mean'])} after {compact(row[unit.column])}"
        for _, row in last.sort_values("series").iterrows()
    ]
    title = comparison.measure.metric.title
    return f"Line chart of {title} against {unit.title}. Curves end: {'; '.join(ends)}."
