"""Times to the target, side against side: censored trials are counted, never dropped."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from .comparison_cells import Cell, Standing
from .comparison_measures import pairs
from .comparison_sides import Trials
from .comparison_tests import Verdict
from .metrics import SAMPLES, UPDATES, Unit
from .statistics import corrections, survival
from .statistics.paired import ALPHA, Test


@dataclasses.dataclass(frozen=True)
class Pace:
    """Two sides on their way to the target in one cell."""

    cell: str
    one: str
    other: str
    unit: Unit
    medians: tuple[float, float]
    """Of either side, by Kaplan and Meier; ∞ where half of the trials never met it."""
    met: tuple[int, int]
    trials: tuple[int, int]
    test: Test
    adjusted: float
    verdict: Verdict

    @property
    def ahead(self) -> str | None:
        """The side that is shown to be sooner."""
        return {Verdict.ONE: self.one, Verdict.OTHER: self.other}.get(self.verdict)


def paces(trials: Trials, cells: Sequence[Cell]) -> list[Pace]:
    """Every pair and cell with a target, p corrected over all of them by Holm's method.

    In samples as well as updates where one is not the other times a constant of the cell.
    """
    aimed = [cell for cell in cells if _aims(trials.frame, cell)]
    found = [
        _pace(trials.frame, cell, pair, unit)
        for unit in _units(trials.frame, aimed)
        for pair in pairs(trials.sides)
        for cell in aimed
        if all(side in cell.standings for side in pair)
    ]
    adjusted = corrections.holm([pace.test.p for pace in found])
    return [
        dataclasses.replace(pace, adjusted=float(p), verdict=_verdict(pace, float(p)))
        for pace, p in zip(found, adjusted, strict=True)
    ]


def _aims(frame: pd.DataFrame, cell: Cell) -> bool:
    rows = [row for standing in cell.standings.values() for row in standing.rows]
    return bool(frame["target"].iloc[rows].notna().all())


def _units(frame: pd.DataFrame, cells: Sequence[Cell]) -> list[Unit]:
    for cell in cells:
        rows = frame.iloc[[row for s in cell.standings.values() for row in s.rows]]
        ratio = rows["samples"] / rows["updates"].clip(lower=1)
        if ratio.max() > 1.01 * ratio.min():
            return [UPDATES, SAMPLES]
    return [UPDATES]


def followed(frame: pd.DataFrame, standing: Standing, unit: Unit) -> survival.Trials:
    """The trials of a side in a cell, ready for the estimates of survival."""
    rows = frame.iloc[list(standing.rows)]
    return survival.followed(
        rows[f"target_{unit.column}"].to_numpy(dtype=np.float64),
        rows[unit.column].clip(lower=1).to_numpy(dtype=np.float64),
        (rows["outcome"] == "diverged").to_numpy(),
    )


def _pace(frame: pd.DataFrame, cell: Cell, pair: tuple[str, str], unit: Unit) -> Pace:
    one, other = (followed(frame, cell.standings[side], unit) for side in pair)
    medians = survival.median(one).value, survival.median(other).value
    test = survival.log_rank(one, other)
    verdict = Verdict.UNTESTED
    if not math.isnan(test.p):
        verdict = Verdict.ONE if _sooner(one, other) else Verdict.OTHER
    met = int(one.met_N.sum()), int(other.met_N.sum())
    trials = one.times_N.size, other.times_N.size
    return Pace(cell.name, *pair, unit, medians, met, trials, test, math.nan, verdict)


def _sooner(one: survival.Trials, other: survival.Trials) -> bool:
    """Whether the first waits less, on average up to where both are known."""
    ends = [t.horizon for t in (one, other) if math.isfinite(t.horizon)]
    until = min(ends) if ends else math.inf
    if not math.isfinite(until):
        return False
    waits = [
        survival.restricted_mean(t, until).value if math.isfinite(t.horizon) else until
        for t in (one, other)
    ]
    return waits[0] < waits[1]


def _verdict(pace: Pace, p: float) -> Verdict:
    """Who is sooner, where the corrected p says so."""
    if math.isnan(p):
        return Verdict.UNTESTED
    return pace.verdict if p < ALPHA else Verdict.OPEN


def costs(trials: Trials, cells: Sequence[Cell]) -> pd.DataFrame:
    """Updates and samples to the target as :func:`profiles.profile` takes them.

    Of the cells with a target that all sides are in, on seeds that all are judged by.
    """
    rows = []
    for cell in cells:
        if cell.paired and set(cell.standings) == set(trials.sides) and _aims(trials.frame, cell):
            for side, standing in cell.standings.items():
                rows += [
                    (side, cell.name, seed, row)
                    for seed, row in zip(standing.seeds, standing.rows, strict=True)
                ]
    found = pd.DataFrame(rows, columns=["series", "panel", "seed", "row"])
    reached = trials.frame.iloc[found.pop("row")]
    found["series"] = pd.Categorical(found["series"], categories=list(trials.sides))
    for unit in (UPDATES, SAMPLES):
        found[unit.column] = reached[f"target_{unit.column}"].to_numpy(dtype=np.float64)
    return found


def targets(trials: Trials, cells: Sequence[Cell]) -> list[tuple[str, float]]:
    """The targets of the matched trials: metric and value, each once."""
    rows = [row for cell in cells for s in cell.standings.values() for row in s.rows]
    aims = trials.frame.iloc[rows][["target_metric", "target"]].dropna().drop_duplicates()
    return sorted((str(m), float(v)) for m, v in aims.itertuples(index=False))
