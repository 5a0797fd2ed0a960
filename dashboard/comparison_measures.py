"""What sides are compared by, on which scale, and the contests of all cells and pairs."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from .compare import far_apart
from .compare_deltas import signed
from .compare_measures import measures
from .comparison_cells import Cell, Matching, Standing
from .comparison_sides import Trials
from .comparison_tests import Contest, Values
from .formats import compact
from .metrics import METRICS, Metric

_COLUMNS = ("test_score", "test_loss", "train_score", "train_loss")


@dataclasses.dataclass(frozen=True)
class Scale:
    """A metric at the end of training, and whether its logarithm is compared."""

    metric: Metric
    log: bool

    @property
    def title(self) -> str:
        """``final test accuracy``."""
        return f"final {self.metric.title}"

    def effect(self, number: float) -> float:
        """A value or difference on the scale as people read it: of logs a value or a ratio."""
        return math.exp(number) if self.log else number

    def words(self, difference: float) -> str:
        """``+0.012``; of logged values the ratio, ``× 0.83``."""
        if not math.isfinite(difference):
            return "–"
        return f"× {compact(math.exp(difference))}" if self.log else signed(difference)

    def between(self, low: float, high: float) -> str:
        """An interval: ``−0.002 to +0.012``."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return "–"
        return f"{self.words(low)} to {self.words(high)}"

    def sizes(self, differences: Sequence[float]) -> str:
        """How far apart, without a sign: ``by 0.012 to 0.034``, ``by a factor of 1.2``."""
        found = sorted(abs(d) for d in differences)
        ends = [compact(self.effect(d)) for d in dict.fromkeys((found[0], found[-1]))]
        return f"by {'a factor of ' if self.log else ''}{' to '.join(dict.fromkeys(ends))}"

    def direction(self, difference: float) -> str:
        """``higher`` or ``lower``."""
        return "higher" if difference > 0 else "lower"

    @property
    def note(self) -> str:
        """Why logarithms are compared; empty where they are not."""
        if not self.log:
            return ""
        return (
            f"Values of {self.metric.title} are above 0 and spread over decades: their logarithms "
            "are compared, and differences are given as ratios."
        )


def scales(
    trials: Trials, matching: Matching, studies: Sequence[str | None]
) -> tuple[list[Scale], str]:
    """The metrics that matched trials have, the one that claims rest on first; and a refusal.

    First comes what the sweeps' one study asks for, else the test score, else a loss. Losses are
    refused where sides, or the settings of one, have other loss functions.
    """
    rows = [row for cell in matching.cells for s in cell.standings.values() for row in s.rows]
    values = trials.frame.iloc[rows]
    offered = [m.metric for m in measures(studies, []) if m.kind == "last"]
    ordered = sorted(
        (m for m in offered if m.column in METRICS),
        key=lambda m: (m is not offered[0], _COLUMNS.index(m.column)),
    )
    foreign = _foreign(trials)
    usable = [m for m in ordered if values[m.column].notna().any()]
    kept = [m for m in usable if not (foreign and m.column.endswith("_loss"))]
    shown = kept[:1] + [m for m in kept[1:] if m.column in ("test_score", "train_loss")]
    refusal = ""
    if foreign and len(kept) < len(usable):
        refusal = (
            f"Losses are refused: {foreign}, and values of different loss functions do not compare."
        )
    return [Scale(m, _logged(values[m.column], m)) for m in shown], refusal


def _foreign(trials: Trials) -> str:
    if trials.key == "loss" or trials.key.startswith("loss."):
        return "the sides differ in their loss"
    own = [k.title for k in (*trials.own_keys, *trials.tuned_keys) if k.title.startswith("loss.")]
    return f"{own[0]} goes with the sides" if own else ""


def _logged(values: pd.Series, metric: Metric) -> bool:
    return metric.falling and bool((values.dropna() > 0).all()) and far_apart(values)


def pairs(sides: Sequence[str]) -> list[tuple[str, str]]:
    """Every two sides, in order."""
    return list(itertools.combinations(sides, 2))


def contests(trials: Trials, cells: Sequence[Cell], scale: Scale) -> list[Contest]:
    """A contest per cell and pair of sides that have a value there."""
    return [c for c in _contests(trials, cells, scale) if _has_values(c)]


def _contests(trials: Trials, cells: Sequence[Cell], scale: Scale) -> Iterator[Contest]:
    frame = trials.frame
    values = frame[scale.metric.column].to_numpy(dtype=np.float64)
    diverged = (frame["outcome"] == "diverged").to_numpy()
    for pair in pairs(trials.sides):
        for cell in cells:
            if not all(side in cell.standings for side in pair):
                continue
            one, other = (cell.standings[side] for side in pair)
            yield Contest(
                cell.name,
                *pair,
                _on(scale, values, one),
                _on(scale, values, other),
                cell.paired,
                scale.metric.falling,
                (int(diverged[list(one.rows)].sum()), int(diverged[list(other.rows)].sum())),
            )


def _on(scale: Scale, values: Values, standing: Standing) -> Values:
    own = _rounded(values[list(standing.rows)])
    return np.log(own) if scale.log else own


def _rounded(values: Values) -> Values:
    """Values to six significant digits: float32 carries seven, and rounding is no difference."""
    size = np.abs(values)
    known = np.isfinite(size) & (size > 0)
    places = 5 - np.floor(np.log10(size, out=np.zeros_like(size), where=known))
    factor = 10.0**places
    rounded: Values = np.where(known, np.round(values * factor) / factor, values)
    return rounded


def _has_values(contest: Contest) -> bool:
    return bool(np.isfinite(contest.a).any() or np.isfinite(contest.b).any())
