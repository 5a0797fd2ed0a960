"""Losses and scores of embeddings against pairs and triplets written out one by one."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import nn

from talweg.workloads import packs
from talweg.workloads.losses import Criterion, embedding, retrieval
from tests.loss_cases import (
    CASES,
    B,
    K,
    criterion,
    made,
    normal,
    points,
)
from tests.trials import trial


def naive_pairs(x: torch.Tensor, y: torch.Tensor, margin: float) -> torch.Tensor:
    terms = []
    for i in range(len(x)):
        for j in set(range(len(x))) - {i}:
            d = (x[i] - x[j]).norm()
            terms.append(d**2 / 2 if y[i] == y[j] else torch.relu(margin - d) ** 2 / 2)
    return torch.stack(terms).mean()


def triplets(
    d: torch.Tensor, y: torch.Tensor, mining: str
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The squared distances (to the positive, to the negative) of every mined triplet."""
    for a in range(len(y)):
        positives = [d[a, p] for p in range(len(y)) if p != a and y[p] == y[a]]
        negatives = [d[a, n] for n in range(len(y)) if y[n] != y[a]]
        if not positives or not negatives:
            continue
        if mining == "hard":
            yield max(positives), min(negatives)
            continue
        for p in positives:
            farther = [n for n in negatives if n > p]
            semi_hard = [min(farther) if farther else max(negatives)]
            yield from ((p, n) for n in (negatives if mining == "all" else semi_hard))


def naive_triplets(x: torch.Tensor, y: torch.Tensor, margin: float, mining: str) -> torch.Tensor:
    d = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").square()
    terms = [torch.relu(p - n + margin) for p, n in triplets(d, y, mining)]
    return torch.stack(terms).mean()


def agree(judge: Criterion, naive: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
    """Batch means and their gradients, normalised and not, to 1e-10."""
    output, target = points()
    ours, theirs = output.clone().requires_grad_(), output.clone().requires_grad_()
    found_K = judge.loss(ours, target).mean(1)
    expected_K = torch.stack([naive(x, y) for x, y in zip(theirs, target, strict=True)])
    assert (expected_K > 0).all()
    torch.testing.assert_close(found_K, expected_K, rtol=1e-10, atol=1e-10)
    grads = (torch.autograd.grad(t.sum(), x) for t, x in ((found_K, ours), (expected_K, theirs)))
    torch.testing.assert_close(*grads, rtol=1e-10, atol=1e-10)


def test_contrastive_is_the_mean_over_all_pairs() -> None:
    agree(criterion("contrastive", margin=2.0), lambda x, y: naive_pairs(x, y, 2.0))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("mining", ["all", "hard", "semi_hard"])
def test_triplet_is_the_mean_over_mined_triplets(mining: str, *, normalize: bool) -> None:
    def naive(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return naive_triplets(nn.functional.normalize(x) if normalize else x, y, 0.5, mining)

    agree(criterion("triplet", margin=0.5, mining=mining, normalize=normalize), naive)


def test_one_triplet_is_torchs_with_squared_distances() -> None:
    anchor, positive, negative = normal(3, 4)
    judge = criterion("triplet", margin=5.0, normalize=False)
    # The positive is an anchor of the same triplet, too.
    pairs = ((anchor, positive), (positive, anchor))
    expected = [
        nn.functional.triplet_margin_with_distance_loss(
            a, p, negative, distance_function=lambda s, t: (s - t).square().sum(), margin=5.0
        )
        for a, p in pairs
    ]
    found = judge.loss(
        torch.stack([anchor, positive, negative]).unsqueeze(0), torch.tensor([[1, 1, 0]])
    )
    assert float(found.mean()) == pytest.approx(float(sum(expected)) / 2, rel=1e-12)


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("mining", [None, "all", "hard", "semi_hard"])
def test_batches_without_pairs_cost_nothing(mining: str | None, size: int) -> None:
    judge = criterion("triplet", mining=mining) if mining else criterion("contrastive")
    # Four samples of four labels, farther apart than the margin: neither pairs nor triplets.
    x = (10 * torch.eye(4, dtype=torch.float64))[None, :size].requires_grad_()
    loss = judge.loss(x, torch.arange(size).unsqueeze(0))
    assert loss.tolist() == [[0.0] * size]
    assert torch.autograd.grad(loss.sum(), x)[0].abs().sum() == 0


@pytest.mark.parametrize("mining", ["all", "hard", "semi_hard"])
def test_anchors_of_one_label_have_no_triplet(mining: str) -> None:
    x = normal(1, 4, 3).requires_grad_()
    loss = criterion("triplet", mining=mining).loss(x, torch.ones(1, 4, dtype=torch.long))
    assert loss.tolist() == [[0.0] * 4]
    assert torch.autograd.grad(loss.sum(), x)[0].abs().sum() == 0


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][3] is points])
def test_a_large_batch_in_parts_is_the_batch(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    judge, output, target = made(case)
    everything = (judge.loss, judge.score, *judge.measures.values())
    whole = [values(output, target) for values in everything]
    monkeypatch.setattr(embedding, "PAIRS", 5 * B)
    monkeypatch.setattr(retrieval, "DISTANCES", 5 * B)
    for values, expected in zip(everything, whole, strict=True):
        torch.testing.assert_close(values(output, target), expected, rtol=1e-12, atol=1e-12)


def test_retrieval_scores_are_scikit_learns() -> None:
    judge, output, target = made("contrastive")
    for k in range(K):
        d = torch.cdist(output[k], output[k]).fill_diagonal_(math.inf)
        recall = float((target[k][d.argmin(1)] == target[k]).double().mean())
        others = ~np.eye(B, dtype=bool)
        same = (target[k].unsqueeze(1) == target[k]).numpy()
        precisions = [
            metrics.average_precision_score(same[i][others[i]], -d[i].numpy()[others[i]])
            for i in range(B)
            if same[i][others[i]].any()
        ]
        one = (output[k : k + 1], target[k : k + 1])
        assert float(judge.score(*one)) == pytest.approx(recall, rel=1e-12)
        assert float(judge.measures["recall_at_1"](*one)) == pytest.approx(recall)
        found = float(judge.measures["mean_average_precision"](*one))
        assert found == pytest.approx(np.mean(precisions), rel=1e-12)


def test_nan_is_never_near() -> None:
    judge, output, target = made("triplet")
    for values in (judge.score, *judge.measures.values()):
        assert values(output * math.nan, target).tolist() == [0] * K


def test_a_pack_of_embeddings_counts_the_pairs_of_a_batch() -> None:
    plain = trial(problem={"name": "digits"}, descent={"name": "batch"})
    pairs = trial(problem={"name": "digits"}, descent={"name": "batch"}, loss={"name": "triplet"})
    assert packs.trial_bytes(pairs) - packs.trial_bytes(plain) > 8 * 8 * 1437**2
