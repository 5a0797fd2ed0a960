"""How well the verdicts of untrained nets tell which of them will learn: the area under the ROC.

Legend: M trials that learned, N that did not.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, rankdata

ROWS = """
select coalesce((v.evidence->>'$.score')::double, -1e9) as score,
       t.outcome = 'done' and s.last >= $learned as learned
from sweep_trials st
join trials t using (trial_id)
join verdicts v on v.trial_id = t.trial_id and v.update = 0 and v.verdict <> 'diverged'
join summaries s on s.trial_id = t.trial_id and s.metric = 'test_score'
where st.sweep_id = $sweep_id
"""
"""The score of every untrained net of a sweep, and whether it learned: it did not diverge, and
ended at a test accuracy of $learned at least."""


class Area(NamedTuple):
    """An area under a ROC curve with its interval."""

    value: float
    low: float
    high: float
    learned: int
    others: int

    def __str__(self) -> str:
        n = self.learned + self.others
        interval = f"95 % interval {self.low:.3f} to {self.high:.3f}"
        return f"ROC area {self.value:.3f}, {interval}, n = {n} ({self.learned} learned)"


def area(score: Sequence[float], learned: Sequence[bool], confidence: float = 0.95) -> Area:
    """P(score of one that learned > score of one that did not), ties counting one half.

    The interval is DeLong's (DeLong et al. 1988), on the logit scale so that it stays below 1. It
    takes trials as independent: of one grid they share seeds and data, so it is too narrow rather
    than too wide.

    Args:
        score: larger is healthier; finite.
        learned: whether each trial did.
        confidence: of the interval.

    Raises:
        ValueError: all trials learned, or none.
    """
    score_A, learned_A = np.asarray(score, np.float64), np.asarray(learned, bool)
    x_M, y_N = score_A[learned_A], score_A[~learned_A]
    m, n = len(x_M), len(y_N)
    if not m or not n:
        raise ValueError(f"{m} trials learned and {n} did not: both kinds are needed")
    # Placements by mid-ranks (Sun and Xu 2014): the share of the other kind that lies below.
    rank_A = rankdata(np.concatenate([x_M, y_N]))
    below_M = (rank_A[:m] - rankdata(x_M)) / n
    above_N = 1 - (rank_A[m:] - rankdata(y_N)) / m
    value = float(below_M.mean())
    variance = sum(float(np.var(p, ddof=1)) / len(p) for p in (below_M, above_N) if len(p) > 1)
    low, high = _interval(value, math.sqrt(variance), confidence)
    return Area(value, low, high, m, n)


def _interval(value: float, deviation: float, confidence: float) -> tuple[float, float]:
    if not 0 < value < 1:
        return value, value
    logit = math.log(value / (1 - value))
    reach = float(norm.ppf(0.5 + confidence / 2)) * deviation / (value * (1 - value))
    low, high = (1 / (1 + math.exp(-(logit + sign * reach))) for sign in (-1, 1))
    return low, high
