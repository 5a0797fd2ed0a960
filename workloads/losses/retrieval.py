"""Scores of embeddings: who is near whom. K trials, N samples of a split, A of them queries."""

from collections.abc import Callable, Iterator

import torch

from .criterion import Values
from .embedding import embedded, squared_distances

DISTANCES = 2**22
"""Distances held at once, of all trials that are looked at together."""


def recall_at_1(*, normalize: bool) -> Values:
    """Share of the samples whose nearest other sample has their label, (K,).

    Source: Jégou et al. (2011), recall@R with R = 1.
    """

    def score(output_KND: torch.Tensor, label_KN: torch.Tensor) -> torch.Tensor:
        return _mean_over_queries(_nearest_is_right, output_KND, label_KN, normalize=normalize)

    return score


def mean_average_precision(*, normalize: bool) -> Values:
    """Mean over the samples of their average precision, (K,).

    The others, nearest first, are a sample's answers, those of its label the right ones. Average
    precision is the mean, over the right answers, of the share of right ones up to each. A
    sample that is alone of its label has none. Source: Manning et al. (2008), eq. 8.8.
    """

    def score(output_KND: torch.Tensor, label_KN: torch.Tensor) -> torch.Tensor:
        return _mean_over_queries(_average_precision, output_KND, label_KN, normalize=normalize)

    return score


Judged = tuple[torch.Tensor, torch.Tensor]
"""A number for every query, and whether it counts, (K, A) each."""


def _nearest_is_right(square_KAN: torch.Tensor, same_KAN: torch.Tensor) -> Judged:
    least_KA, nearest_KA = square_KAN.min(-1)
    right_KA = same_KAN.gather(-1, nearest_KA.unsqueeze(-1)).squeeze(-1)
    right_KA &= least_KA.isfinite()  # neither oneself, of one sample, nor NaN
    return right_KA, torch.ones_like(right_KA)


def _average_precision(square_KAN: torch.Tensor, same_KAN: torch.Tensor) -> Judged:
    ascending_KAN, order_KAN = square_KAN.sort(-1)
    right_KAN = same_KAN.gather(-1, order_KAN) & ascending_KAN.isfinite()
    rank_N = torch.arange(1, square_KAN.shape[-1] + 1, device=square_KAN.device)
    precision_KAN = right_KAN.to(square_KAN.dtype).cumsum(-1) / rank_N
    rights_KA = same_KAN.sum(-1)
    sum_KA = torch.where(right_KAN, precision_KAN, 0).sum(-1)
    return sum_KA / rights_KA.clamp(min=1), rights_KA > 0


def _mean_over_queries(
    judge: Callable[[torch.Tensor, torch.Tensor], Judged],
    output_KND: torch.Tensor,
    label_KN: torch.Tensor,
    *,
    normalize: bool,
) -> torch.Tensor:
    """The mean of what ``judge`` says of every sample among the others, (K,)."""
    trials, samples = label_KN.shape
    means = []
    for some in _slices(trials, samples**2):
        x_KND = embedded(output_KND[some], normalize=normalize)
        judged = [
            judge(*_others(x_KND, label_KN[some], queries))
            for queries in _slices(samples, samples * x_KND.shape[0])
        ]
        value_KN, counts_KN = (torch.cat(part, 1) for part in zip(*judged, strict=True))
        sum_K = (value_KN * counts_KN).to(x_KND.dtype).sum(1)
        means.append(sum_K / counts_KN.sum(1).clamp(min=1))
    return torch.cat(means).to(output_KND.dtype)


def _others(
    x_KND: torch.Tensor, label_KN: torch.Tensor, queries: slice
) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared distances, of a sample to itself ∞, and which are others of its label, (K, A, N)."""
    place_N = torch.arange(label_KN.shape[1], device=label_KN.device)
    self_AN = place_N[queries].unsqueeze(1) == place_N
    square_KAN = squared_distances(x_KND[:, queries], x_KND)
    square_KAN = torch.where(self_AN, torch.inf, square_KAN)
    same_KAN = label_KN[:, queries].unsqueeze(2) == label_KN.unsqueeze(1)
    return square_KAN, same_KAN & ~self_AN


def _slices(count: int, elements: int) -> Iterator[slice]:
    """Parts of an axis of ``count`` places with ``elements`` distances each."""
    size = max(1, DISTANCES // elements)
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
