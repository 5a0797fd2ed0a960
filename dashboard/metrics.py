"""The metrics and units that curves are drawn in: columns of ``steps`` with their words."""

import dataclasses
import math
from collections.abc import Mapping

from .statistics import Bounds


@dataclasses.dataclass(frozen=True)
class Metric:
    """One measured column of ``steps``; losses fall, scores rise."""

    column: str
    title: str
    falling: bool
    bounds: Bounds

    def better(self, one: float, other: float) -> bool:
        """Whether ``one`` is the better value."""
        return one < other if self.falling else one > other


@dataclasses.dataclass(frozen=True)
class Unit:
    """What a descent is charged in: a column of the queries, its words, how axes write it."""

    column: str
    title: str
    format: str = "~s"  # of d3: 10k for ten thousand


_POSITIVE, _SHARE = (0.0, math.inf), (0.0, 1.0)

METRICS: Mapping[str, Metric] = {
    metric.column: metric
    for metric in (
        Metric("test_score", "test accuracy", False, _SHARE),
        Metric("train_score", "train accuracy", False, _SHARE),
        Metric("test_loss", "test loss", True, _POSITIVE),
        Metric("train_loss", "train loss", True, _POSITIVE),
    )
}

UPDATES = Unit("updates", "updates")
SAMPLES = Unit("samples", "samples")
EVALUATIONS = Unit("gradient_evaluations", "gradient evaluations")
SECONDS = Unit("seconds", "seconds", "~g")  # 10m would read as ten minutes
COUNTED = (UPDATES, SAMPLES, EVALUATIONS)
"""Units that every trial can be compared in, whatever shared its machine."""
UNITS = (*COUNTED, SECONDS)


@dataclasses.dataclass(frozen=True)
class Target:
    """A level that a metric must reach: losses fall to it, scores rise to it."""

    metric: Metric
    value: float

    def parameters(self) -> dict[str, object]:
        """As the query ``time_to_target`` wants it."""
        return {"metric": self.metric.column, "target": self.value}


DEFAULT_TARGET = Target(METRICS["test_score"], 0.95)


def target_of(metric: str, value: float) -> Target:
    """A target as a grid file names it (``test_accuracy`` is the ``test_score``)."""
    return Target(METRICS[metric.replace("accuracy", "score")], value)
