"""Statistics over seeds and tasks; pure functions on arrays, over SciPy.

What pages use everywhere is here by name. Tests are in :mod:`.paired` and :mod:`.unpaired`,
effect sizes in :mod:`.effects`, corrections for several comparisons in :mod:`.corrections`,
aggregates over tasks in :mod:`.aggregates`, times to a target in :mod:`.survival`, and how
learning rates are chosen in :mod:`.tuning`. docs/statistics.md says when which one is right.
"""

from .bootstrap import (
    RESAMPLES,
    Statistic,
    bootstrap_interval,
    interquartile_mean,
    paired_bootstrap_interval,
)
from .intervals import (
    METHOD,
    UNBOUNDED,
    Bounds,
    Ends,
    area_interval,
    paired_interval,
    t_interval,
    welch_interval,
    with_interval,
)
from .profiles import RATIO, performance_profile, performance_score, ratios_to_best

__all__ = [
    "METHOD",
    "RATIO",
    "RESAMPLES",
    "UNBOUNDED",
    "Bounds",
    "Ends",
    "Statistic",
    "area_interval",
    "bootstrap_interval",
    "interquartile_mean",
    "paired_bootstrap_interval",
    "paired_interval",
    "performance_profile",
    "performance_score",
    "ratios_to_best",
    "t_interval",
    "welch_interval",
    "with_interval",
]
