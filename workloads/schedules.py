"""Learning-rate schedules: the factor on the base rate that each update uses; torch-free."""

import math

from .optimizerspecs import (
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    Schedule,
    StepDecay,
    Warmup,
)


def factor(schedule: Schedule, update: int, budget_updates: int) -> float:
    """The factor, from 0 to 1, on the base learning rate.

    Args:
        schedule: which one, see its class for formula and source.
        update: t, the updates made before the one that uses the factor; the first has 0.
        budget_updates: T, the updates planned. Only ``cosine`` looks at it.
    """
    match schedule:
        case Constant():
            return 1.0
        case StepDecay(every=every, gamma=gamma):
            return float(gamma ** (update // every))
        case Exponential(every=every, gamma=gamma):
            return float(gamma ** (update / every))
        case Cosine(final=final):
            turn = math.pi * update / max(1, budget_updates)
            return final + (1 - final) * (1 + math.cos(turn)) / 2
        case Warmup(warmup=warmup):
            return min(1.0, (update + 1) / warmup)
        case InverseSqrt(warmup=warmup):
            return min((update + 1) / warmup, math.sqrt(warmup / (update + 1)))
