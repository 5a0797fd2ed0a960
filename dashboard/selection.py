"""Which learning rate stands for a descent: one rule, used by page, report and command line."""

import pandas as pd

RULE = (
    "the learning rate at which the largest share of finished trials reaches the target without "
    "diverging; among those, the one that needs fewest samples on average; where none reaches "
    "it, the one with fewest diverged trials and then the best mean final value"
)


def best_rates(costs: pd.DataFrame, finals: pd.DataFrame, falling: bool) -> dict[str, float]:
    """Series -> its best learning rate, by :data:`RULE`.

    Args:
        costs: ``time_to_target`` as :func:`tables.grouped` gives it.
        finals: ``learning_rates`` of the target's metric, likewise.
        falling: whether smaller final values are better.

    Series without a finished trial are left out.
    """
    samples = costs[(costs["unit"] == "samples") & (costs["trials"] > 0)]
    final = finals[["series", "lr", "mean"]].rename(columns={"mean": "final"})
    ranked = samples.merge(final, on=["series", "lr"])
    ranked = ranked.assign(
        share=-ranked["kept"] / ranked["trials"],
        unstable=ranked["diverged"].where(ranked["kept"] == 0, 0),
        final=ranked["final"] * (1 if falling else -1),
    )
    # Missing values sort last, so a rate without a single final value is never the best.
    ranked = ranked.sort_values(["share", "mean", "unstable", "final", "lr"], kind="stable")
    first = ranked.drop_duplicates("series")
    return {str(name): float(lr) for name, lr in zip(first["series"], first["lr"], strict=True)}


def leading_rates(curves: pd.DataFrame, falling: bool) -> dict[str, float]:
    """Series -> the rate that leads at its last recording: while no trial has a result yet."""
    last = curves.sort_values("updates", kind="stable").groupby(["series", "lr"]).tail(1)
    first = last.sort_values("mean", ascending=falling).drop_duplicates("series")
    return {str(name): float(lr) for name, lr in zip(first["series"], first["lr"], strict=True)}


def at_rates(frame: pd.DataFrame, rates: dict[str, float]) -> pd.DataFrame:
    """The rows of each series at its chosen learning rate."""
    chosen = frame["series"].map(rates)
    kept: pd.DataFrame = frame[frame["lr"] == chosen]
    return kept.reset_index(drop=True)
