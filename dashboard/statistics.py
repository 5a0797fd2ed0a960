"""Intervals over seeds; pure functions of n, mean and standard deviation."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Bounds = tuple[float, float]
UNBOUNDED: Bounds = (-np.inf, np.inf)

METHOD = "95 % t interval"
"""What every caption calls the interval of :func:`t_interval` at its default level."""


def t_interval(
    n: ArrayLike,
    mean: ArrayLike,
    stddev: ArrayLike,
    level: float = 0.95,
    bounds: Bounds = UNBOUNDED,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Student's interval for a mean: mean ± t(level, n − 1) · stddev / √n.

    Args:
        n: how many independent values, any shape.
        mean: their mean, same shape.
        stddev: their sample standard deviation (n − 1 in the denominator), same shape.
        level: confidence, between 0 and 1.
        bounds: range that the mean cannot leave (an accuracy: 0 to 1). Cutting an interval
            to the possible range does not change how often it covers the truth.

    Returns:
        Lower and upper ends, NaN where n < 2: one value says nothing about its spread.

    Raises:
        ValueError: the level is not between 0 and 1.

    Source: Student 1908, as in ``scipy.stats.t.interval``.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not a confidence between 0 and 1, such as 0.95")
    count, centre, spread = (np.asarray(x, dtype=np.float64) for x in (n, mean, stddev))
    enough = count >= 2
    freedom = np.where(enough, count - 1, 1.0)
    half = stats.t.ppf((1 + level) / 2, freedom) * spread / np.sqrt(freedom + 1)
    low, high = np.maximum(centre - half, bounds[0]), np.minimum(centre + half, bounds[1])
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def with_interval(frame: pd.DataFrame, bounds: Bounds = UNBOUNDED) -> pd.DataFrame:
    """The frame with columns ``low`` and ``high`` made of its ``n``, ``mean`` and ``stddev``."""
    low, high = t_interval(frame["n"], frame["mean"], frame["stddev"], bounds=bounds)
    return frame.assign(low=low, high=high)
