"""How often a competitor is within τ times the best: performance profiles and AlgoPerf's score."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

RATIO = 4.0
"""How many times the best time a profile reaches, τ's upper end in AlgoPerf."""


def ratios_to_best(times_SW: ArrayLike) -> NDArray[np.float64]:
    """t / min t over the S competitors of each of W workloads; ∞ where the target was not met.

    Args:
        times_SW: time to target, any unit, ∞ where it never was met.

    Raises:
        ValueError: a time is not positive, or not a number.
    """
    times = np.asarray(times_SW, dtype=np.float64)
    if not (times > 0).all():
        raise ValueError(f"times to target must be above 0 (never: ∞), and one is {times.min()}")
    best = times.min(axis=0)
    ratios: NDArray[np.float64] = np.full_like(times, np.inf)
    np.divide(times, best, out=ratios, where=np.isfinite(best))
    return ratios


def performance_profile(times_SW: ArrayLike, taus: ArrayLike) -> NDArray[np.float64]:
    """ρ_s(τ): the share of workloads that a competitor finishes within τ times the best, (S, τ).

    Source: Dolan and Moré 2002; Dahl et al. 2023 (AlgoPerf), section 4.2.
    """
    ratio_SW1 = ratios_to_best(times_SW)[..., np.newaxis]
    shares: NDArray[np.float64] = (ratio_SW1 <= np.asarray(taus, dtype=np.float64)).mean(axis=1)
    return shares


def performance_score(times_SW: ArrayLike, ratio: float = RATIO) -> NDArray[np.float64]:
    """B_s = 1 / (r − 1) · ∫₁^r ρ_s(τ) dτ of each competitor, (S,), 1 for who is always best.

    Integrated exactly: a workload finished at a ratio of q ≤ r adds (r − q) / (r − 1).

    Raises:
        ValueError: the largest ratio is not above 1, or a time is not positive.

    Source: Dahl et al. 2023 (AlgoPerf), section 4.2.
    """
    if not ratio > 1:
        raise ValueError(f"ratio {ratio} must be above 1, where the profile starts")
    share_SW = (ratio - ratios_to_best(times_SW).clip(max=ratio)) / (ratio - 1)
    scores: NDArray[np.float64] = share_SW.mean(axis=1)
    return scores
