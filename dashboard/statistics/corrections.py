"""p values of several comparisons, corrected for their number.

A comparison that could not be made (NaN) stays NaN, and does not count as one: nothing could
have been found there.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p of Holm's step-down method, which holds the chance of *any* false claim.

    Sorted, p₍ᵢ₎ becomes the largest (m − j + 1) · p₍ⱼ₎ of j ≤ i, at most 1. No assumption
    about how the tests hang together.

    Args:
        p: of the comparisons that one statement rests on, any shape; NaN where there is none.

    Returns:
        The adjusted values, same shape.

    Raises:
        ValueError: a p is not between 0 and 1.

    Source: Holm 1979.
    """
    given, made = _checked(p)
    adjusted = np.full(given.shape, np.nan)
    order = np.argsort(given[made], kind="stable")
    steps = np.arange(order.size, 0, -1) * given[made][order]
    back = np.argsort(order, kind="stable")
    adjusted[made] = np.maximum.accumulate(steps).clip(max=1.0)[back]
    return adjusted


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p that holds the expected share of false ones *among the claims* made.

    Sorted, p₍ᵢ₎ becomes the smallest m/j · p₍ⱼ₎ of j ≥ i. For tests that are independent, or
    positively dependent, as comparisons with one common baseline are.

    Args:
        p: as for :func:`holm`.

    Returns:
        The adjusted values, same shape.

    Raises:
        ValueError: a p is not between 0 and 1.

    Source: Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001.
    """
    given, made = _checked(p)
    adjusted = np.full(given.shape, np.nan)
    if made.any():
        adjusted[made] = stats.false_discovery_control(given[made], method="bh")
    return adjusted


def _checked(p: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    given = np.asarray(p, dtype=np.float64)
    made = ~np.isnan(given)
    wrong = given[made & ~((given >= 0) & (given <= 1))]
    if wrong.size:
        raise ValueError(f"p {wrong[0]} is no probability: it must be between 0 and 1, or NaN")
    return given, made
