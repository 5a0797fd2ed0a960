"""How a learning rate was chosen, said in full: which rates, on what, on which seeds.

The best of many rates looks good partly by luck. Judged on the seeds that chose it, the luck is
counted as merit; on fresh seeds it is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

TEST = "test_"
"""How the names of measures begin that no fair choice looks at."""


@dataclass(frozen=True)
class Protocol:
    """A rule for choosing one of a grid of learning rates, made by one of the two functions."""

    metric: str
    rates: int
    tuning: tuple[int, ...]
    """Seeds on which the rate is chosen."""
    judging: tuple[int, ...]
    """Seeds on which it is then judged."""

    @property
    def fresh(self) -> bool:
        """Whether the seeds that judge had no part in the choice."""
        return not set(self.tuning) & set(self.judging)

    @property
    def sentence(self) -> str:
        """What every caption of the result has to say."""
        metric = self.metric.replace("_", " ")
        tuning = _seeds(len(self.tuning), "tuning " if self.fresh else "")
        said = f"Learning rate: the best of {self.rates} by the mean of {metric} over {tuning}"
        if self.fresh:
            other = _seeds(len(self.judging), "other ")
            return f"{said}; judged on {other}, which had no part in the choice."
        seen = ", and on the test set at that" if self.metric.startswith(TEST) else ""
        return f"{said}; judged on the same seeds{seen}: values are optimistic."


@dataclass(frozen=True)
class Choice:
    """The rate that a protocol chose, and what it is judged by."""

    rate: float
    values: NDArray[np.float64]
    """Of the judging seeds, in the protocol's order; not finite where a trial diverged."""
    protocol: Protocol


def split_seeds(seeds: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The seeds to tune on, and the seeds to judge on: the first half, in order, and the rest.

    Of an odd number the larger part judges: 0 to 4 become (0, 1) and (2, 3, 4).

    Raises:
        ValueError: there are fewer than two different seeds.
    """
    ordered = sorted(set(seeds))
    if len(ordered) < 2:
        raise ValueError(
            f"{_seeds(len(ordered))} cannot be split in those that tune and those that judge: "
            "run 2 at least, better 10"
        )
    half = len(ordered) // 2
    return tuple(ordered[:half]), tuple(ordered[half:])


def fresh_seeds(metric: str, rates: int, seeds: Sequence[int]) -> Protocol:
    """Choose by the first half of the seeds, judge by the rest: no choice by what is judged.

    Args:
        metric: what rates are compared by, ``train_loss`` for example.
        rates: how many are tried.
        seeds: all seeds that were run with every rate.

    Raises:
        ValueError: the metric is a test score or loss, or there are fewer than two seeds.
    """
    if metric.startswith(TEST):
        raise ValueError(
            f"a learning rate must not be chosen by {metric}: what is judged would have chosen. "
            "Choose by train_loss, or a validation score"
        )
    return Protocol(metric, rates, *split_seeds(seeds))


def same_seeds(metric: str, rates: int, seeds: Sequence[int]) -> Protocol:
    """Choose and judge by the same seeds: optimistic, and the sentence says so."""
    ordered = tuple(sorted(set(seeds)))
    return Protocol(metric, rates, ordered, ordered)


def choose(
    protocol: Protocol,
    rates: ArrayLike,
    seeds: Sequence[int],
    chosen_by: ArrayLike,
    judged_by: ArrayLike,
    falling: bool,
) -> Choice:
    """Follow a protocol: fewest diverged tuning trials, then the best mean, then the lower rate.

    Args:
        protocol: of :func:`fresh_seeds` or :func:`same_seeds`.
        rates: R learning rates.
        seeds: S seeds, in the order of the columns below.
        chosen_by: the protocol's metric, (R, S); not finite where a trial diverged.
        judged_by: what is reported, (R, S), likewise.
        falling: whether smaller values of the protocol's metric are better.

    Raises:
        ValueError: shapes do not match, a seed of the protocol is missing, the number of rates
            is not the protocol's, or every tuning trial diverged.
    """
    rate_R = np.asarray(rates, dtype=np.float64)
    chosen_RS, judged_RS = (np.asarray(x, dtype=np.float64) for x in (chosen_by, judged_by))
    expected = (protocol.rates, len(seeds))
    if not (chosen_RS.shape == judged_RS.shape == expected and rate_R.shape == expected[:1]):
        raise ValueError(
            f"{protocol.rates} rates and {len(seeds)} seeds need values of shape {expected}; there "
            f"are {rate_R.size} rates and values of {chosen_RS.shape} and {judged_RS.shape}"
        )
    if missing := set(protocol.tuning + protocol.judging) - set(seeds):
        raise ValueError(f"the protocol asks for seeds that were not run: {sorted(missing)}")
    places = {seed: place for place, seed in enumerate(seeds)}
    tuning = chosen_RS[:, [places[seed] for seed in protocol.tuning]]
    best = _best(rate_R, tuning, falling)
    judging = [places[seed] for seed in protocol.judging]
    return Choice(float(rate_R[best]), judged_RS[best, judging], protocol)


def _best(rate_R: NDArray[np.float64], tuning_RS: NDArray[np.float64], falling: bool) -> int:
    kept_RS = np.isfinite(tuning_RS)
    if not kept_RS.any():
        raise ValueError("every tuning trial diverged: no rate can be chosen, try lower ones")
    count_R = kept_RS.sum(axis=1)
    total_R = np.where(kept_RS, tuning_RS, 0.0).sum(axis=1)
    mean_R = np.where(count_R > 0, total_R / count_R.clip(min=1), np.inf if falling else -np.inf)
    return int(np.lexsort((rate_R, mean_R if falling else -mean_R, -count_R))[0])


def _seeds(count: int, kind: str = "") -> str:
    return f"{count} {kind}seed{'' if count == 1 else 's'}"
