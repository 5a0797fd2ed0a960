"""Every loss against torch, against closed forms, one by one, and at its limits.

Where torch has a loss, both are float64 and agree to 1e-12.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch.autograd import gradcheck
from torch.nn import functional

from talweg.workloads import lossspecs
from talweg.workloads.losses import Criterion
from tests.loss_cases import (
    CASES,
    B,
    C,
    K,
    P,
    S,
    classes,
    criterion,
    every_case,
    made,
)


def test_every_loss_has_a_case_but_those_of_games_and_objectives() -> None:
    covered = {name for name, *_ in CASES.values()}
    others = {n for n in lossspecs.LOSS_TASKS if n == "objective" or n.startswith("gan_")}
    assert covered | others == set(lossspecs.LOSS_TASKS)


# --- Against torch ---------------------------------------------------------------------------


def mean_of(values: Callable[..., torch.Tensor], **fields: Any) -> Callable[..., torch.Tensor]:
    return lambda out, y: values(out, y, reduction="none", **fields).mean(-1)


def by_label(values: Callable[..., torch.Tensor], **fields: Any) -> Callable[..., torch.Tensor]:
    def loss(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        out = out.unflatten(-1, (S, -1)) if y.ndim == 3 else out
        found = values(out.flatten(0, -2), y.flatten(), reduction="none", **fields).view(y.shape)
        return found if y.ndim == 2 else found.mean(-1)

    return loss


def with_logits(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    found = functional.binary_cross_entropy_with_logits(
        out, y.double().reshape(out.shape), reduction="none"
    )
    return found.mean(-1)


def torch_quantile(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    error = (y - out).numpy()
    return torch.from_numpy(np.where(error > 0, 0.9 * error, -0.1 * error)).mean(-1)


def torch_hinge(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return functional.hinge_embedding_loss(
        (2 * y - 1) * out.squeeze(-1), -torch.ones(y.shape), reduction="none"
    )  # max(0, 1 − its input)


def torch_divergence(temperature: float, *, reverse: bool) -> Callable[..., torch.Tensor]:
    def loss(out: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        log_q = functional.log_softmax(out / temperature, -1)
        given, target = (p.log(), log_q.exp()) if reverse else (log_q, p)
        return functional.kl_div(given, target, reduction="none").sum(-1)

    return loss


smoothed = by_label(functional.cross_entropy, label_smoothing=0.1)
TORCH: dict[str, Callable[..., torch.Tensor]] = {
    "mse": mean_of(functional.mse_loss),
    "mae": mean_of(functional.l1_loss),
    "huber": mean_of(functional.huber_loss, delta=0.7),
    "log_cosh": lambda out, y: (out - y).cosh().log().mean(-1),
    "quantile": torch_quantile,
    "cross_entropy": by_label(functional.cross_entropy),
    "cross_entropy of labels": by_label(functional.cross_entropy),
    "smoothed": smoothed,
    "smoothed of labels": smoothed,
    "binary": with_logits,
    "binary of labels": with_logits,
    "binary of pixels": with_logits,
    "hinge of two": torch_hinge,
    "hinge, sum": lambda out, y: C * by_label(functional.multi_margin_loss)(out, y),
    "squared_error": lambda out, y: (
        functional.mse_loss(out.softmax(-1), functional.one_hot(y, C).double(), reduction="none")
        .sum(-1)
        .div(2)
    ),
    "forward": torch_divergence(2.0, reverse=False),
    "reverse": torch_divergence(1.0, reverse=True),
}


@pytest.mark.parametrize("case", TORCH)
def test_a_loss_is_what_torch_says(case: str) -> None:
    judge, output, target = made(case)
    torch.testing.assert_close(
        judge.loss(output, target), TORCH[case](output, target), rtol=1e-12, atol=1e-12
    )


def test_the_hinge_of_the_largest_violation_is_written_out_sample_by_sample() -> None:
    judge, output, target = made("hinge, largest")
    for logits, y, found in zip(
        output.flatten(0, 1), target.flatten(), judge.loss(output, target).flatten(), strict=True
    ):
        others = max(z for j, z in enumerate(logits) if j != y)
        assert float(found) == pytest.approx(max(0.0, float(1 + others - logits[y])), abs=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_the_focal_loss_is_its_formula(gamma: float) -> None:
    output, target = classes()
    p = output.softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
    found = criterion("focal", gamma=gamma).loss(output, target)
    torch.testing.assert_close(found, -((1 - p) ** gamma) * p.log(), rtol=1e-12, atol=1e-12)


# --- Reference values ------------------------------------------------------------------------


def value(case: Criterion, output: list[float], target: Any, dtype: Any = None) -> float:
    """The loss of one sample of one trial."""
    y = torch.tensor([[target]], dtype=dtype)
    return float(case.loss(torch.tensor([[output]], dtype=torch.float64), y))


def numbers_of(name: str, error: float, **fields: Any) -> float:
    return value(criterion(name, **fields), [error], [0.0], torch.float64)


def test_reference_values() -> None:
    assert value(criterion("cross_entropy"), [0.0] * 10, 3) == pytest.approx(2.302585, abs=5e-7)
    assert value(criterion("binary_cross_entropy"), [0.0], 1) == pytest.approx(0.693147, abs=5e-7)
    assert numbers_of("huber", 0.5) == 0.125
    assert numbers_of("huber", -2.0) == 1.5
    assert numbers_of("mse", 3.0) == 9
    assert numbers_of("mae", -3.0) == 3
    assert numbers_of("quantile", -2.0, tau=0.9) == pytest.approx(1.8)  # below the target
    assert numbers_of("quantile", 2.0, tau=0.9) == pytest.approx(0.2)
    assert numbers_of("log_cosh", 1.0) == pytest.approx(math.log(math.cosh(1)))
    z = [math.log(0.9), math.log(0.1)]
    forward = value(criterion("kl_divergence"), z, [0.5, 0.5], torch.float64)
    assert forward == pytest.approx(0.510826, abs=5e-7)
    reverse = criterion("kl_divergence", direction="reverse")
    assert value(reverse, [0.0, 0.0], [0.9, 0.1], torch.float64) == pytest.approx(forward)


@pytest.mark.parametrize(
    ("name", "slope"), [("binary_cross_entropy", -0.99995), ("squared_error", -4.5394e-5)]
)
def test_a_sure_and_wrong_logit_learns_from_cross_entropy_only(name: str, slope: float) -> None:
    z = torch.full((1, 1, 1), -10.0, dtype=torch.float64, requires_grad=True)
    criterion(name).loss(z, torch.ones(1, 1, dtype=torch.long)).sum().backward()
    assert float(z.grad) == pytest.approx(slope, rel=1e-5)  # type: ignore[arg-type]


def test_masks_of_four_pixels_that_share_two() -> None:
    a, b = (
        torch.tensor([1.0, 1, 1, 1, 0, 0, 0]),
        torch.tensor([0.0, 0, 1, 1, 1, 1, 0]),
    )
    logits, y = ((2 * a - 1) * 1e4).view(1, 1, -1), b.view(1, 1, -1)
    for name, overlap in (("dice", 0.5), ("iou", 1 / 3)):
        judge = criterion(name, smooth=1e-9)
        assert float(judge.loss(logits, y)) == pytest.approx(1 - overlap)
        assert float(judge.measures[name](logits, y)) == pytest.approx(overlap)
        assert float(judge.score(logits, y)) == pytest.approx(1 / 3)


def test_nothing_found_where_nothing_is_is_perfect() -> None:
    logits, y = torch.full((2, 3, P), -5.0), torch.zeros(2, 3, P)
    judge = criterion("dice")
    assert judge.score(logits, y).tolist() == [1, 1]
    assert judge.measures["dice"](-logits, y).tolist() == [0, 0]


# --- Gradients, stacking, limits -------------------------------------------------------------


@every_case
def test_gradients_are_differences_of_the_loss(case: str) -> None:
    judge, output, target = made(case)
    few = output[:2, :6].clone().requires_grad_()
    assert gradcheck(lambda out: judge.loss(out, target[:2, :6]), few)


@every_case
def test_a_stack_is_what_its_trials_are_one_by_one(case: str) -> None:
    judge, output, target = made(case)
    for values in (judge.loss, judge.score, *judge.measures.values()):
        alone = [values(output[k : k + 1], target[k : k + 1]) for k in range(K)]
        assert values(output, target).shape == torch.cat(alone).shape
        torch.testing.assert_close(values(output, target), torch.cat(alone), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [1e4, 0.0])
@every_case
def test_huge_and_equal_outputs_have_finite_losses_and_gradients(
    case: str, size: float, dtype: torch.dtype
) -> None:
    judge, output, target = made(case)
    output = (size * output.sign()).to(dtype).requires_grad_()
    target = target.to(dtype) if target.is_floating_point() else target
    loss = judge.loss(output, target)
    (grad,) = torch.autograd.grad(loss.sum(), output)
    assert loss.dtype == dtype
    assert loss.shape == (K, B)
    assert loss.isfinite().all()
    assert grad.isfinite().all()


@pytest.mark.parametrize("name", ["kl_divergence", "cross_entropy", "focal"])
def test_soft_targets_and_probabilities_of_zero_are_finite(name: str) -> None:
    z = torch.tensor([[[1e4, -1e4], [-1e4, 1e4]]], requires_grad=True)
    hard = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    y = hard if name == "kl_divergence" else hard.argmax(-1)
    soft_ways = [{"direction": "forward"}, {"direction": "reverse"}]
    ways: list[dict[str, Any]] = soft_ways if name == "kl_divergence" else [{}]
    for fields in ways:
        loss = criterion(name, **fields).loss(z, y)
        assert loss[0, 0].abs() < 1e-3
        assert loss.isfinite().all()
        assert torch.autograd.grad(loss.sum(), z)[0].isfinite().all()


# --- Scores ----------------------------------------------------------------------------------


def test_r_squared_is_scikit_learns() -> None:
    judge, output, target = made("mse")
    expected = [
        metrics.r2_score(y, out, multioutput="variance_weighted")
        for out, y in zip(output.numpy(), target.numpy(), strict=True)
    ]
    assert judge.score(output, target).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("case", ["cross_entropy", "cross_entropy of labels", "hinge, sum"])
def test_accuracy_is_the_share_of_largest_logits(case: str) -> None:
    judge, output, target = made(case)
    guess = output.unflatten(-1, (-1, C)).argmax(-1).view_as(target)
    expected = (guess == target).double().flatten(1).mean(1)
    torch.testing.assert_close(judge.score(output, target), expected)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "hinge", "squared_error"])
def test_one_logit_means_class_one_above_zero(name: str) -> None:
    z = torch.tensor([[[3.0], [-3.0], [0.0], [0.0], [math.nan], [math.nan]]])
    y = torch.tensor([[1, 0, 0, 1, 0, 1]])
    assert criterion(name).score(z, y).tolist() == [0.5]


def test_the_score_of_a_divergence_is_the_share_of_agreeing_classes() -> None:
    judge, output, target = made("forward")
    expected = (output.argmax(-1) == target.argmax(-1)).double().mean(1)
    torch.testing.assert_close(judge.score(output, target), expected)
