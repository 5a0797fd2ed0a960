"""What larger batches buy: the steps-to-target curve and its critical batch size; torch-free."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Curve(NamedTuple):
    """S(B) = S_min (1 + B_crit/B) (McCandlish et al. 2018, eq. 2.11 with E = B·S)."""

    fewest: float
    """S_min: updates to the target with batches without noise."""
    critical: float
    """B_crit: the batch size with twice as many updates and twice as many samples as needed."""

    def updates(self, batch_size: float) -> float:
        """S(B), updates to the target."""
        return self.fewest * (1 + self.critical / batch_size)

    def samples(self, batch_size: float) -> float:
        """E(B) = B·S(B) = E_min (1 + B/B_crit), E_min = S_min·B_crit."""
        return batch_size * self.updates(batch_size)


def fit(batch_sizes: Sequence[float], updates: Sequence[float]) -> Curve:
    """The curve with the least sum of squared relative errors through (B, S) pairs.

    S_min + (S_min·B_crit)/B is linear in both; relative, because S spans decades.

    Raises:
        ValueError: there are fewer than two batch sizes, or no curve of this form falls with B.
    """
    if len(set(batch_sizes)) < 2:
        raise ValueError(f"a curve needs two batch sizes at least, not {sorted(set(batch_sizes))}")
    size, steps = np.asarray(batch_sizes, float), np.asarray(updates, float)
    terms = np.stack([1 / steps, 1 / (size * steps)], axis=1)
    (fewest, fewest_samples), *_ = np.linalg.lstsq(terms, np.ones(len(steps)), rcond=None)
    if fewest <= 0 or fewest_samples < 0:
        raise ValueError(
            f"updates {list(updates)} at batch sizes {list(batch_sizes)} do not follow "
            "S_min (1 + B_crit/B); leave out batch sizes far from the others"
        )
    return Curve(float(fewest), float(fewest_samples / fewest))


def noise_scale(trace: float, square: float) -> float:
    """B_simple = tr Σ/|G|² samples: as much noise as gradient (McCandlish 2018, eq. 2.9)."""
    return trace / square


def best_lr(batch_size: float, noise: float, largest: float) -> float:
    """η(B) = η_max/(1 + B_noise/B), the best step against the noise (McCandlish 2018, eq. 2.7)."""
    return largest / (1 + noise / batch_size)
