"""What the page of gradient health asks, as frames."""

from collections.abc import Mapping, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from . import palette
from .groups import best_of
from .health_keys import DEPTH, RATE, Layout, Level, column, held, number, paths
from .statistics import t_interval, with_interval
from .tables import Ask

COLUMNS = 60
"""Places along the updates of a heat map."""
MOMENTS = {"first": "untrained", "last": "at the end"}
LINES = ("update_ratio", "dead_share", "zero_share", "saturated_share")
"""Columns of ``layers`` that are drawn as lines; asked for at once, of which one takes most."""

Values = Mapping[str, Level]
"""Key -> the chosen level."""


def heat_rows(ask: Ask, sweep_id: str, layout: Layout, at: Values, quantity: str) -> pd.DataFrame:
    """A quantity of one setting by place along the updates and layer; see ``health_heat``."""
    answer = ask(
        "health_heat", sweep_id=sweep_id, factors=layout.factors,
        levels=[at[key] for key in layout.keys], quantity=quantity, columns=COLUMNS,
    )  # fmt: skip
    frame: pd.DataFrame = answer.to_pandas()
    return frame.assign(geometric=10.0 ** frame["log_mean"])


def layer_rows(
    ask: Ask, sweep_id: str, layout: Layout, at: Values, by: str, quantity: str, log: bool
) -> pd.DataFrame:
    """A quantity by layer and moment, one series per level of ``by``, the other keys held.

    ``quantity``: one of :data:`LINES`. Columns series, moment, layer, trials, n, zeros, mean, low,
    high: of the geometric mean where ``log``, and n are the positive values then.
    """
    others = [key for key in layout.keys if key != by]
    every = ask(
        "health_layers", sweep_id=sweep_id, by=f"$.{by}", factors=paths(others),
        levels=[at[key] for key in others], quantities=list(LINES),
    )  # fmt: skip
    answer = every.filter(pc.equal(every["quantity"], quantity))
    frame: pd.DataFrame = answer.drop_columns(["quantity", "level"]).to_pandas()
    frame["series"] = column(by, answer["level"].to_pylist(), known=layout.levels(by))
    if log:
        low, high = t_interval(frame["n"], frame["log_mean"], frame["log_stddev"])
        mean = 10.0 ** frame["log_mean"]
        return frame.assign(mean=mean, low=10.0**low, high=10.0**high)
    low, high = t_interval(frame["trials"], frame["mean"], frame["stddev"], bounds=(0.0, 1.0))
    return frame.assign(n=frame["trials"], low=low, high=high)


def verdict_rows(
    ask: Ask, sweep_id: str, axes: Sequence[str], others: Sequence[str], at: Values | None
) -> pd.DataFrame:
    """For each cell and moment its most frequent verdict.

    Args:
        axes: the keys of rows, columns and panels; columns and panels may be missing.
        others: the remaining keys of the layout.
        at: levels at which the others are held; None: trials of all their levels count.

    Returns:
        Columns series, column, panel, moment, verdict, agree (trials judged so), trials.
    """
    keys = [*axes, *(others if at else [])]
    answer = ask("study_verdicts", sweep_id=sweep_id, factors=paths(keys))
    if at:
        answer = held(answer, len(axes), [at[key] for key in others])
    frame = _placed(answer, axes)
    by = ["panel", "series", "column", "moment"]
    known = list(palette.VERDICT_COLOUR)
    frame["place"] = [known.index(verdict) for verdict in frame["verdict"]]
    frame = frame.sort_values([*by, "trials", "place"], ascending=[True] * 4 + [False, True])
    frame["all"] = frame.groupby(by, observed=True)["trials"].transform("sum")
    top = frame.drop_duplicates(by).drop(columns="place")
    return top.rename(columns={"trials": "agree", "all": "trials"}).reset_index(drop=True)


def _placed(answer: pa.Table, axes: Sequence[str]) -> pd.DataFrame:
    """The answer with its levels as categorical columns series, column and panel."""
    frame: pd.DataFrame = answer.to_pandas().drop(columns="levels")
    levels = answer["levels"].to_pylist()
    for place, name in enumerate(("series", "column", "panel")):
        if place < len(axes):
            found = [row[place] for row in levels]
            frame[name] = column(axes[place], found, labelled=name != "column")
        else:
            frame[name] = pd.Categorical([""] * len(frame), categories=[""])
    return frame


def trainability_rows(
    ask: Ask, sweep_id: str, layout: Layout, second: str, at: Values
) -> pd.DataFrame:
    """Final scores by depth and a second key, at the best learning rate of each where it varies.

    The other keys are held. Columns series (the second key's level), along (depth), n, mean, low,
    high, planned, finished, diverged, and lr where it varies.
    """
    rate = [RATE] if RATE in layout.keys and second != RATE else []
    axes, others = [second, DEPTH, *rate], held_keys(layout, second)
    answer = ask(
        "study_finals",
        sweep_id=sweep_id,
        factors=paths([*axes, *others]),
        metric=layout.score.column,
    )
    answer = held(answer, len(axes), [at[key] for key in others])
    levels = answer["levels"].to_pylist()
    frame = _placed(answer, [second]).drop(columns=["column", "panel"])
    frame["along"] = [number(row[1]) for row in levels]
    if rate:
        frame["lr"] = [number(row[2]) for row in levels]
    shown = frame[frame["along"].notna()].sort_values(["series", "along"], kind="stable")
    return best_of(with_interval(shown, layout.score.bounds), layout.score.falling)


def scale_rows(ask: Ask, sweep_id: str, layout: Layout, second: str, at: Values) -> pd.DataFrame:
    """The predicted depth scale of each level of the second key, the other keys held.

    Columns series, mean, lowest, highest, trials; over all depths, of which it is independent.
    """
    others = held_keys(layout, second)
    answer = ask("health_depth_scale", sweep_id=sweep_id, factors=paths([second, *others]))
    answer = held(answer, 1, [at[key] for key in others])
    frame = _placed(answer, [second])
    return frame[["series", "trials", "mean", "lowest", "highest"]]


def held_keys(layout: Layout, second: str) -> list[str]:
    """The keys that a map of depth and a second key holds."""
    return [key for key in layout.keys if key not in (DEPTH, second, RATE)]
