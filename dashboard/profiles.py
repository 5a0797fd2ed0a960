"""Performance profiles: how often a competitor is within τ times the fastest."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
import pyarrow as pa

from .charts import HEIGHT, Chart
from .encodings import colour, dash, names
from .findings import level
from .formats import count
from .groups import at_best, named
from .metrics import SAMPLES, UPDATES, Target, Unit
from .selection import at_rates
from .statistics import RATIO, performance_profile, performance_score
from .study import Study, words_of
from .study_figures import Block, Picture
from .tables import Ask, grouped

_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
_TITLE = "Who is fastest how often?"
_WORKLOAD = ("panel", "along", "seed")


def of_study(ask: Ask, sweep_id: str, study: Study, target: Target, best: pd.DataFrame) -> Block:
    """The profile of a study's series, each group at its rate in ``best``."""
    asked = {"sweep_id": sweep_id, "factors": study.factors, **target.parameters()}
    costs = at_best(named(ask("target_costs", **asked), study), best)
    differing = [*study.panels, *([study.along] if study.along else [])]
    return profile(costs, level(target), [words_of(key) for key in differing])


def of_descents(ask: Ask, sweep_id: str, target: Target, rates: dict[str, float]) -> Block:
    """The profile of the descents of a sweep, each at its rate in ``rates``."""
    factors = ["$.descent.name", "$.descent.batch_size", "$.optimizer.lr"]
    asked = {"sweep_id": sweep_id, "factors": factors, "lrs": sorted(set(rates.values()))}
    answer = ask("target_costs", **asked, **target.parameters())
    levels = answer["levels"].to_pylist()
    columns = {
        "descent": pa.array([name for name, _, _ in levels], pa.string()),
        "batch_size": pa.array([size and int(size) for _, size, _ in levels], pa.int64()),
        "lr": pa.array([rate and float(rate) for _, _, rate in levels], pa.float64()),
    }
    for name, column in columns.items():
        answer = answer.append_column(name, column)
    return profile(at_rates(grouped(answer.drop_columns("levels")), rates), level(target))


def profile(costs: pd.DataFrame, target: str, differing: Sequence[str] = ()) -> Block:
    """The profile in updates and in samples.

    A workload is a seed of one panel and one number along: the same data, and the same initial
    parameters and order of samples wherever the nets allow it.

    Args:
        costs: columns series, seed, updates, samples, and panel and along where there are any, of
            the trials compared: each group at one learning rate.
        target: in words.
        differing: what else tells workloads apart, in words.
    """
    times = {unit: _times(costs, unit) for unit in (UPDATES, SAMPLES)}
    some = times[UPDATES]
    if some.shape[0] < 2 or some.shape[1] == 0:
        return Block(_TITLE, [])
    pictures = [
        Picture(_chart(_curves(found), costs, unit), _alt(found, unit), f"profile-{unit.column}")
        for unit, found in times.items()
    ]
    everywhere = costs.groupby(_workload(costs), observed=True).ngroups
    left = everywhere - some.shape[1]
    caption = (
        f"Of {count(some.shape[1], 'workload')} ({_words(costs, differing)}), the share in which "
        f"{target} was met within τ times the cost of the fastest there (Dolan and Moré 2002); a "
        f"workload that was never finished counts as later than any τ. The score is the area below "
        f"the curve from τ = 1 to {RATIO:g}, 1 for who is always fastest (AlgoPerf, Dahl et al. "
        f"2023)."
    )
    if left:
        caption += f" {count(left, 'workload')} without a trial of every series left out."
    return Block(_TITLE, pictures, caption, _table(times))


def _workload(costs: pd.DataFrame) -> list[str]:
    return [column for column in _WORKLOAD if column in costs]


def _words(costs: pd.DataFrame, differing: Sequence[str]) -> str:
    seeds = count(costs["seed"].nunique(), "seed")
    return f"{seeds}, by {' and '.join(differing)}" if differing else seeds


def _times(costs: pd.DataFrame, unit: Unit) -> pd.DataFrame:
    """Cost of each series (rows) of each workload (columns); ∞ where it was not met."""
    cost = costs[unit.column].astype(float).fillna(np.inf)
    keyed = costs.assign(cost=cost, series=costs["series"].astype(str)).drop_duplicates(
        [*_workload(costs), "series"]
    )
    table = keyed.pivot(index="series", columns=_workload(costs), values="cost")
    table = table.reindex([name for name in names(costs) if name in table.index])
    # Only a series without a trial leaves NaN: one that never got there has ∞.
    return table.dropna(axis=1, how="any")


def _curves(times: pd.DataFrame) -> pd.DataFrame:
    """The steps of each curve, from τ = 1 to the largest ratio drawn."""
    values = times.to_numpy()
    best = values.min(axis=0)
    ratios = (values / np.where(np.isfinite(best), best, np.nan)).ravel()
    jumps = np.unique(ratios[np.isfinite(ratios) & (ratios <= RATIO)])
    taus = np.unique(np.concatenate([[1.0], jumps, [RATIO]]))
    shares = performance_profile(values, taus)
    parts = [
        pd.DataFrame({"series": name, "tau": taus, "share": share})
        for name, share in zip(times.index, shares, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def _chart(curves: pd.DataFrame, costs: pd.DataFrame, unit: Unit) -> Chart:
    x = alt.X("tau:Q", title=f"τ, cost over the fastest's, in {unit.title}",
              scale=alt.Scale(domain=[1, RATIO], nice=False))  # fmt: skip
    y = alt.Y("share:Q", title="share of workloads", axis=alt.Axis(format="%"),
              scale=alt.Scale(domain=[0, 1]))  # fmt: skip
    base = alt.Chart(curves, height=HEIGHT, autosize=_FIT)
    drawn: alt.Chart = base.mark_line(interpolate="step-after", strokeWidth=2.25).encode(
        x=x,
        y=y,
        color=colour(costs),
        strokeDash=dash(costs),
        tooltip=[
            alt.Tooltip("series:N"),
            alt.Tooltip("tau:Q", title="τ", format=".3~g"),
            alt.Tooltip("share:Q", format=".3~p"),
        ],
    )
    return drawn


def _scores(times: pd.DataFrame) -> pd.Series:
    return pd.Series(performance_score(times.to_numpy()), index=times.index)


def _alt(times: pd.DataFrame, unit: Unit) -> str:
    said = "; ".join(f"{name} scores {score:.2f}" for name, score in _scores(times).items())
    return f"Performance profile in {unit.title} over {count(times.shape[1], 'workload')}: {said}."


def _table(times: dict[Unit, pd.DataFrame]) -> pd.DataFrame:
    """Score of each series per unit, and in how many workloads it met the target."""
    some = times[UPDATES]
    finished = np.isfinite(some).sum(axis=1)
    columns = {f"score in {unit.title}": _scores(found).round(3) for unit, found in times.items()}
    table = pd.DataFrame(
        {"trials with": some.index.astype(str), "met the target in": finished.to_numpy()}
    )
    return table.assign(**{title: score.to_numpy() for title, score in columns.items()})
