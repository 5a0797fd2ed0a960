"""Embedding losses: samples of one label near each other, others apart.

K trials, B samples of a batch, A ≤ B of them anchors, D outputs (the embedding). Every sample of
a batch is an anchor once; pairs and triplets are those that the batch holds. Memory is a few
times K·A·B numbers: A = B, except that batches of more than a thousand samples are gone
through a part of the anchors at a time.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from .criterion import Values

PAIRS = 2**20
"""Pairs of one trial that are looked at together."""
LEAST = 1e-12
"""Squared distances and norms below this count as this: roots keep a finite gradient at 0."""


class Pairs(NamedTuple):
    """Some anchors and all samples.

    ``square``: squared distances. ``same``: whether it is another sample of the anchor's label.
    ``different``: whether it is one of another label. (K, A, B) each.
    ``positives``, ``negatives``: how many there are of these, (K, A).
    """

    square: torch.Tensor
    same: torch.Tensor
    different: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor

    def ascending(self, key_KAB: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Sorted keys of the others of every anchor, behind the anchor itself, with key −1.

        And which of them are positives, and negatives.
        """
        # The anchor first, where no negative is nearer: it has part in no triplet.
        itself_KAB = ~(self.same | self.different)
        sorted_KAB, order_KAB = torch.where(itself_KAB, -1, key_KAB).sort(-1)
        return (
            sorted_KAB,
            self.same.gather(-1, order_KAB),
            self.different.gather(-1, order_KAB),
        )


def contrastive(margin: float, *, normalize: bool) -> Values:
    """½d² of pairs of one label, ½ max(0, m − d)² of others, (K, B): an anchor's mean.

    Source: Hadsell et al. (2006), eq. 4, over all pairs of the batch. 0 in a batch of one.
    """

    def loss(output_KBD: torch.Tensor, label_KB: torch.Tensor) -> torch.Tensor:
        parts = []
        for pairs in _pairs(output_KBD, label_KB, normalize=normalize):
            near_KAB = torch.relu(margin - pairs.square.clamp(min=LEAST).sqrt()).square()
            # The anchor itself counts as one of its label, at no distance.
            parts.append(torch.where(pairs.different, near_KAB, pairs.square).sum(-1))
        half_mean_KB = torch.cat(parts, 1) / (2 * max(1, output_KBD.shape[1] - 1))
        return half_mean_KB.to(output_KBD.dtype)

    return loss


def triplet(margin: float, mining: str, *, normalize: bool) -> Values:
    """max(0, d²(a, p) − d²(a, n) + m) over triplets of anchor, positive and negative, (K, B).

    ``all``: every triplet. ``hard``: one for each anchor, its farthest positive and nearest
    negative (Hermans et al. 2017, eq. 5). ``semi_hard``: one for each positive pair, with the
    nearest negative that is no nearer than the positive, or where none is, the farthest one.
    The batch's mean is that over its triplets; without any it is 0.
    Source: Schroff et al. (2015), sections 3.1 (a sum there) and 3.2.
    """
    mine = MINING[mining]

    def loss(output_KBD: torch.Tensor, label_KB: torch.Tensor) -> torch.Tensor:
        batches = _pairs(output_KBD, label_KB, normalize=normalize)
        parts = [mine(pairs, margin) for pairs in batches]
        sum_KB, count_KB = (torch.cat(part, 1) for part in zip(*parts, strict=True))
        # Scaled so that the mean over the batch is the mean over its triplets.
        triplets_K1 = count_KB.sum(1, keepdim=True).clamp(min=1)
        return (sum_KB * (output_KBD.shape[1] / triplets_K1)).to(output_KBD.dtype)

    return loss


Mined = tuple[torch.Tensor, torch.Tensor]
"""The sum over the triplets of every anchor, and their number, (K, A) each."""


def _all(pairs: Pairs, margin: float) -> Mined:
    # Σ_n max(0, t − d_n) = c·t − Σ of the c smallest d_n, t = d_p + m, c = #{n: d_n < t}: with
    # all t and d_n of an anchor sorted, B log B operations, where triplets would be B².
    key_KAB = torch.where(pairs.same, pairs.square + margin, pairs.square)
    key_KAB, _, negative_KAB = pairs.ascending(key_KAB)
    nearer_KAB = torch.where(negative_KAB, key_KAB, 0).cumsum(-1)
    count_KAB = negative_KAB.to(key_KAB.dtype).cumsum(-1)
    sum_KAB = torch.where(negative_KAB, 0, count_KAB * key_KAB - nearer_KAB)
    return sum_KAB.sum(-1), pairs.positives * pairs.negatives


def _hard(pairs: Pairs, margin: float) -> Mined:
    farthest_KA = torch.where(pairs.same, pairs.square, -torch.inf).amax(-1)
    nearest_KA = torch.where(pairs.different, pairs.square, torch.inf).amin(-1)
    # Without positives or negatives: relu(−∞) = 0.
    loss_KA = torch.relu(farthest_KA - nearest_KA + margin)
    return loss_KA, (pairs.positives * pairs.negatives).clamp(max=1)


def _semi_hard(pairs: Pairs, margin: float) -> Mined:
    key_KAB, positive_KAB, negative_KAB = pairs.ascending(pairs.square)
    to_negative_KAB = torch.where(negative_KAB, key_KAB, torch.inf)
    next_KAB = to_negative_KAB.flip(-1).cummin(-1).values.flip(-1)
    last_KA1 = torch.where(negative_KAB, key_KAB, -torch.inf).amax(-1, keepdim=True)
    chosen_KAB = torch.where(next_KAB.isinf(), last_KA1, next_KAB)
    some_KA = pairs.negatives.clamp(max=1)
    valid_KAB = positive_KAB & (some_KA > 0).unsqueeze(-1)
    loss_KAB = torch.where(valid_KAB, torch.relu(key_KAB - chosen_KAB + margin), 0)
    return loss_KAB.sum(-1), pairs.positives * some_KA


MINING: dict[str, Callable[[Pairs, float], Mined]] = {
    "all": _all,
    "hard": _hard,
    "semi_hard": _semi_hard,
}
"""Which triplets an anchor's loss is made of."""


def _pairs(output_KBD: torch.Tensor, label_KB: torch.Tensor, *, normalize: bool) -> Iterator[Pairs]:
    """All pairs of a batch, in parts of at most about a million a trial."""
    x_KBD = embedded(output_KBD, normalize=normalize)
    samples = output_KBD.shape[1]
    place_B = torch.arange(samples, device=output_KBD.device)
    size = max(1, PAIRS // samples)
    for start in range(0, samples, size):
        part = slice(start, min(start + size, samples))
        square_KAB = squared_distances(x_KBD[:, part], x_KBD)
        alike_KAB = label_KB[:, part].unsqueeze(2) == label_KB.unsqueeze(1)
        alike_KA = alike_KAB.to(square_KAB.dtype).sum(-1)
        same_KAB = alike_KAB & (place_B[part].unsqueeze(1) != place_B)
        yield Pairs(square_KAB, same_KAB, ~alike_KAB, alike_KA - 1, samples - alike_KA)


def embedded(output_KBD: torch.Tensor, *, normalize: bool) -> torch.Tensor:
    """Embeddings, in float32 at least, and where asked for of length one."""
    x_KBD = output_KBD.float() if output_KBD.dtype == torch.bfloat16 else output_KBD
    if normalize:
        return x_KBD * x_KBD.square().sum(-1, keepdim=True).clamp(min=LEAST).rsqrt()
    # Distances stay what they are, and rounding becomes less, with the mean taken away.
    return x_KBD - x_KBD.mean(1, keepdim=True)


def squared_distances(x_KAD: torch.Tensor, y_KBD: torch.Tensor) -> torch.Tensor:
    """‖x − y‖² of all pairs, (K, A, B), by one matrix product; at least 0."""
    # ‖x‖² + ‖y‖² − 2xᵀy, without the (K, A, B, D) differences.
    norms_KA1, norms_KB1 = (t.square().sum(-1, keepdim=True) for t in (x_KAD, y_KBD))
    sum_KAB = norms_KA1 + norms_KB1.mT
    return torch.baddbmm(sum_KAB, x_KAD, y_KBD.mT, alpha=-2).clamp(min=0)
