"""Comparing trials of any sweeps: groups of them, and estimates with intervals."""

import dataclasses
import math
from collections.abc import Sequence

import pandas as pd

from .compare_keys import ROOT, SEED, Key, named
from .compare_measures import Measure
from .statistics import (
    RESAMPLES,
    Ends,
    Statistic,
    bootstrap_interval,
    welch_interval,
    with_interval,
)
from .tables import Ask

MOST_COLOURS = 12
"""Groups that can be told apart by colour, dash and shape in one chart."""
MOST_GROUPS = 300
"""Of more groups no bootstrap intervals are made, and none is called ahead."""


@dataclasses.dataclass(frozen=True)
class Estimator:
    """What stands for a group, and how far it may be off."""

    title: str
    statistic: Statistic
    bootstrap: bool

    @property
    def word(self) -> str:
        """``mean`` or ``interquartile mean``."""
        return self.title.partition(",")[0]

    @property
    def method(self) -> str:
        """How captions name the interval."""
        if not self.bootstrap:
            return "95 % t interval (Student)"
        kind = "bias-corrected and accelerated" if self.statistic == "mean" else "percentile"
        return f"95 % bootstrap interval ({kind}, {RESAMPLES} resamples)"

    def with_interval(self, groups: pd.DataFrame, measure: Measure) -> pd.DataFrame:
        """The groups with columns centre, low and high."""
        found = groups.assign(centre=groups[self.statistic].astype(float))
        if not self.bootstrap:
            return with_interval(found, measure.metric.bounds)
        ends = [(math.nan, math.nan)] * len(found)
        if len(found) <= MOST_GROUPS:
            ends = [
                bootstrap_interval([values_of(row)], self.statistic) for _, row in found.iterrows()
            ]
        return found.assign(low=[low for low, _ in ends], high=[high for _, high in ends])

    def difference(self, row: pd.Series, other: pd.Series, level: float = 0.95) -> Ends:
        """Of one group less another, whose trials are other ones."""
        if self.bootstrap:
            return bootstrap_interval([values_of(row), values_of(other)], self.statistic, level)
        one, two = ((int(r["n"]), float(r["mean"]), float(r["stddev"])) for r in (row, other))
        return welch_interval(one, two, level)


ESTIMATORS = {
    estimator.title: estimator
    for estimator in (
        Estimator("mean, t interval", "mean", False),
        Estimator("mean, bootstrap interval", "mean", True),
        Estimator("interquartile mean, bootstrap interval", "iqm", True),
    )
}


def values_of(row: pd.Series) -> list[float]:
    """The values of a group, which the bootstrap needs."""
    return [] if row["values"] is None else list(row["values"])


@dataclasses.dataclass(frozen=True)
class Inside:
    """A key that takes several levels inside some group, at most ``levels``."""

    title: str
    levels: int
    uneven: bool
    """Not the same levels in every group: a difference between groups may be this key's."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared: trials of sweeps, in groups by keys, by a measure, with an estimator."""

    sweeps: tuple[str, ...]
    keys: tuple[Key, ...]
    measure: Measure
    estimator: Estimator

    def groups(self, ask: Ask, keys: Sequence[Key] | None = None) -> pd.DataFrame:
        """A row per group, in the order of levels: that of the query, and what :func:`named` adds.

        ``keys``: other ones than those of the comparison.
        """
        by = self.keys if keys is None else keys
        answer = ask(
            "compare_groups",
            sweeps=list(self.sweeps),
            keys=[key.path for key in by],
            with_values=self.estimator.bootstrap,
            **self.measure.parameters,
        )
        return self.estimator.with_interval(named(answer, by), self.measure)

    def inside(self, ask: Ask, keys: Sequence[Key]) -> list[Inside]:
        """What else varies inside the groups, of ``keys``, the seed aside."""
        others = [key.path for key in keys if key not in self.keys and key.path != SEED]
        if not others:
            return []
        answer = ask(
            "compare_balance",
            sweeps=list(self.sweeps),
            keys=[key.path for key in self.keys],
            others=others,
        )
        return [
            Inside(row["path"].removeprefix(ROOT), row["most"], row["uneven"])
            for row in answer.to_pylist()
        ]

    def ranked(self, groups: pd.DataFrame) -> pd.DataFrame:
        """Those that have a value, the one ahead first."""
        falling = self.measure.directed and self.measure.metric.falling
        kept = groups[groups["n"] > 0]
        return kept.sort_values("centre", ascending=falling, kind="stable")


_DECADES = 1.5


def far_apart(centres: pd.Series) -> bool:
    """Whether values are so far apart that on a linear scale most would look the same."""
    found = centres.dropna()
    return bool(len(found) and found.min() > 0 and found.max() > 10**_DECADES * found.min())
