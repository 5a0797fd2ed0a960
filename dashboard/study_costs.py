"""What it takes to meet the target of a grid, for the studies that ask it."""

import pandas as pd

from . import charts, profiles, study_charts
from .findings import cost_words, default_target
from .formats import rate
from .groups import at_best, cheapest_of, group_name, named, panels
from .metrics import SAMPLES, UPDATES
from .statistics import with_interval
from .study import Study, words_of
from .study_figures import Block, Picture, at_along, titled
from .study_findings import StudyResult
from .tables import Ask


def cost_rows(ask: Ask, sweep_id: str, result: StudyResult) -> pd.DataFrame:
    """Updates and samples to the grid's own target, each group at its fastest rate.

    Empty where no grid has a target.
    """
    study = result.study
    every = named(ask("study_costs", sweep_id=sweep_id, factors=study.factors), study)
    # The mean of the trials that got there, where some did not, is the mean of the lucky ones.
    whole = every.assign(n=every["reached"].where(every["reached"] == every["trials"], 0))
    found = with_interval(whole, bounds=(0.0, float("inf")))
    return at_best(found, cheapest_of(found[found["unit"] == UPDATES.column]))


def costs(ask: Ask, sweep_id: str, result: StudyResult) -> Block:
    """Updates and samples to the grid's own target, a chart per unit and panel."""
    study, best = result.study, cost_rows(ask, sweep_id, result)
    pictures = []
    for unit in (UPDATES, SAMPLES):
        for place, (name, rows) in enumerate(panels(best[best["unit"] == unit.column])):
            chart = (
                study_charts.cost_along(rows, unit, study)
                if study.along
                else charts.time_to_target(rows, unit)
            )
            words = [f"{r['series']}{at_along(r)} {cost_words(r)}" for _, r in rows.iterrows()]
            said = f"{name} {unit.title.capitalize()} to target: {'; '.join(words)}.".strip()
            pictures.append(Picture(titled(chart, name), said, f"cost-{unit.column}-{place}"))
    table = _cost_table(best, study) if pictures else None
    caption = f"{_COSTS} {_RATES}" if study.tuned else _COSTS
    return Block("How long to the target?", pictures, caption, table)


def profile(ask: Ask, sweep_id: str, result: StudyResult) -> Block:
    """The performance profile at the grid's own target; no charts where there is none."""
    best = cost_rows(ask, sweep_id, result)
    one = best[best["unit"] == UPDATES.column]
    target = default_target(ask, sweep_id)
    return profiles.of_study(ask, sweep_id, result.study, target, one)


_COSTS = (
    "Cost until the grid's target is first seen met at a recording. Mean over seeds with its 95 % "
    "t interval where all trials met it; where some did not, the median with those counted as "
    "later than all others; where half or more did not, no mark: see the table."
)
_RATES = (
    "Each group at the rate at which most of its trials meet the target, and then in the fewest "
    "updates; that need not be the rate at which it ends best."
)


def _cost_table(costs: pd.DataFrame, study: Study) -> pd.DataFrame:
    rows: dict[tuple[object, ...], dict[str, str]] = {}
    for _, cost in costs.iterrows():
        key = {"trials with": group_name(cost)}
        if study.along:
            key[words_of(study.along)] = rate(cost["along"])
        if study.tuned:
            key[words_of(study.tuned)] = rate(cost["lr"])
        row = rows.setdefault(tuple(key.values()), key)
        row["reached"] = f"{cost['reached']} of {cost['trials']}"
        row[f"{cost['unit']} to target"] = cost_words(cost)
    return pd.DataFrame(list(rows.values()))
