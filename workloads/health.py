"""The health score of an untrained net: will it learn within its budget? Torch-free.

The smallest of three margins, in nats, less what inputs look alike; above 0 means healthy. Each
compares one number of the first update with a round limit; docs/verdicts.md has the reasons, and
how the score is held against what trials then do.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from .spec import TrialSpec

MOVEMENT = 0.25
"""Share of its own norm that a layer must be able to move by within the budget."""
OVERSHOOT_WEIGHT = 2.0
"""An overshoot of a bounded loss hardly exceeds 1, however far off a step is: it counts twice."""
LARGEST = 0.1
"""Size of an update of a layer, over its weights, from which a net is thrown off its path."""
LARGEST_BOUNDED = 0.3
"""The same where activations are bounded, or normalised sample by sample."""
LARGEST_BATCH_NORM = 1.0
"""The same with batch norm, whose gradient shrinks as weights grow (Arora et al. 2019)."""
BOUNDED = ("tanh", "sigmoid")
ALIKE = 0.02
"""Share of the last hidden layer's mean square that should differ between samples, at least."""
ALIKE_WEIGHT = 0.2
"""Nats that each e-fold below it costs."""


class Score(NamedTuple):
    """The health score, and what it is made of; nats."""

    value: float
    terms: dict[str, float]


def score(trial: TrialSpec, numbers: Mapping[str, float]) -> Score | None:
    """The score of the untrained net; None where no first update was measured.

    Args:
        trial: its budget, activation and norm are looked at.
        numbers: columns of its recording at update 0.
    """
    sizes = [
        value
        for name, value in numbers.items()
        if name.startswith("gradients/first_update/") and math.isfinite(value)
    ]
    if not sizes:
        return None
    overshoot = numbers["gradients/overshoot"]
    terms = {
        # Both ends must move; the budget's updates, all in one direction, get no farther.
        "movement": _log(trial.budget_updates * min(sizes[0], sizes[-1]) / MOVEMENT),
        # Nothing is promised where no gradient arrives: then nothing is learned, either.
        "overshoot": -OVERSHOOT_WEIGHT * _log(math.inf if math.isnan(overshoot) else overshoot),
        "size": -_log(max(sizes) / _largest(trial)),
    }
    value = min(terms.values())
    layers = [v for n, v in numbers.items() if n.startswith("gradients/separation/")]
    if layers and math.isfinite(layers[-1]):
        terms["separation"] = ALIKE_WEIGHT * min(0.0, _log(layers[-1] / ALIKE))
        value += terms["separation"]
    return Score(value, terms)


def _largest(trial: TrialSpec) -> float:
    norm = getattr(trial.model, "norm", "none")
    if norm == "batch":
        return LARGEST_BATCH_NORM
    bounded = getattr(trial.model, "activation", None) in BOUNDED
    return LARGEST_BOUNDED if bounded or norm != "none" else LARGEST


def _log(value: float) -> float:
    """Natural logarithm within ±100; a number below e^−100, or below 0, is as good as 0."""
    return math.log(min(max(value, math.exp(-100)), math.exp(100)))
