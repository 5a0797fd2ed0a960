"""Fused equals alone: the whole product of models, norms, losses and optimizers, in float64.

Each combination is trained for three updates as one of three trials that differ in seed and rate,
and alone; parameters and test losses then agree to 1e-9. What may follow from an update is the
same for tapes (bit-equal, see test_loss_training, test_models and test_optimizers) and compiled
steps.
"""

from typing import Any

import pytest
import torch

from talweg.workloads import problems
from talweg.workloads.modelparts import Norm
from talweg.workloads.optimizers import RULES
from talweg.workloads.problems.data import Data
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack
from talweg.workloads.step import Split

from .trials import trial

CPU = torch.device("cpu")
UPDATES = 3
FEW = 12
"""Test samples whose loss is compared."""
Parts = dict[str, Any]
NORMS: tuple[Norm, ...] = ("none", "batch", "layer", "rms")

FIGURES: Parts = {"name": "shapes", "size": 8, "samples": 24, "test_samples": 8}
COPY: Parts = {"name": "copy", "symbols": 3, "length": 4, "delay": 1}
COPY |= {"samples": 20, "test_samples": 20}
ADDING: Parts = {"name": "adding", "steps": 6, "samples": 24, "test_samples": 8}
TRIPLETS: list[Any] = [{"name": "triplet", "mining": kind} for kind in ("all", "hard", "semi_hard")]
LABELS: list[Any] = [
    "cross_entropy",
    {"name": "cross_entropy", "label_smoothing": 0.1},
    "hinge",
    {"name": "hinge", "multiclass": "weston_watkins"},
    "squared_error",
    "focal",
]
NUMBERS: list[Any] = ["mse", "mae", "huber", "log_cosh", {"name": "quantile", "tau": 0.8}]
DIVERGENCES: list[Any] = ["kl_divergence", {"name": "kl_divergence", "direction": "reverse"}]
MASKS: list[Any] = ["binary_cross_entropy", "dice", "iou", "dice_cross_entropy"]
GAMES: list[Any] = ["gan_minimax", "gan_nonsaturating", "gan_hinge", "gan_wasserstein"]

TABLES: list[tuple[Any, list[Any]]] = [
    ("iris", [*LABELS, "contrastive", *TRIPLETS]),
    ("breast_cancer", ["binary_cross_entropy", "hinge", "squared_error"]),
    ("diabetes", NUMBERS),
    ("teacher", DIVERGENCES),
    (FIGURES, MASKS),
]
PICTURES: list[tuple[Any, list[Any]]] = [
    ("digits", [*LABELS, "contrastive", *TRIPLETS]),
    (FIGURES, MASKS),
]
SERIES: list[tuple[Any, list[Any]]] = [(COPY, LABELS), (ADDING, NUMBERS)]
IMAGES: Parts = {"name": "digit_images", "test_share": 0.95}
LOW_RANK: Parts = {"name": "low_rank_gaussian", "features": 5, "samples": 32, "test_samples": 16}
ELBOS: list[Any] = [
    {"name": "elbo", "likelihood": "gaussian"},
    {"name": "elbo", "likelihood": "gaussian", "beta": 3.0, "deviation": 1.5},
]
FUNCTIONS: list[Any] = ["rosenbrock", "saddle", "quadratic", "beale"]
FUNCTIONS += [{"name": "gaussian_fit", "direction": way} for way in ("forward", "reverse")]
RING: Parts = {"name": "ring", "samples": 32, "test_samples": 32}

MODELS: dict[str, tuple[Parts, list[tuple[Any, list[Any]]]]] = {
    **{f"mlp, {norm}": ({"depth": 2, "width": 6, "norm": norm}, TABLES) for norm in NORMS},
    **{
        f"convnet, {norm}": ({"name": "convnet", "channels": 3, "norm": norm}, PICTURES)
        for norm in NORMS
    },
    "encoder_decoder": (
        {"name": "encoder_decoder", "channels": 2, "levels": 1}, [(FIGURES, MASKS)]
    ),
    **{name: ({"name": name, "width": 4}, SERIES) for name in ("rnn", "lstm", "gru")},
    "module": ({"name": "module", "path": "tests.nets:Plain"}, [("iris", LABELS)]),
    "gan": ({"name": "gan", "depth": 1, "width": 4}, [(RING, GAMES)]),
    "vae": ({"name": "vae", "width": 4}, [(IMAGES, ["elbo"]), (LOW_RANK, ELBOS)]),
    "point": (
        {"name": "point", "start": "normal"},
        [(name, ["objective"]) for name in FUNCTIONS],
    ),
}  # fmt: skip


def three(problem: Any, model: Parts, loss: Any, optimizer: str) -> list[TrialSpec]:
    return [
        trial(
            problem=problem, model=model, loss=loss, seed=seed, descent={"batch_size": 8},
            optimizer={"name": optimizer, "lr": 0.01 * (1 + seed)}, budget={"updates": UPDATES},
        )
        for seed in range(3)
    ]  # fmt: skip


def trained(trials: list[TrialSpec], data: Data) -> Stack:
    stack = Stack(trials, data, CPU)
    stack.descend(UPDATES)
    return stack


@pytest.mark.parametrize("optimizer", RULES)
@pytest.mark.parametrize("name", MODELS)
def test_a_trial_among_others_is_what_it_is_alone(name: str, optimizer: str) -> None:
    model, fitting = MODELS[name]
    for problem, losses in fitting:
        data = problems.load(trial(problem=problem).problem)
        for loss in losses:
            pack = three(problem, model, loss, optimizer)
            fused, alone = trained(pack, data), trained(pack[1:2], data)
            for ours, theirs in zip(fused.params, alone.params, strict=True):
                assert torch.allclose(ours[1:2], theirs, rtol=1e-9, atol=1e-9), loss
            few = Split(fused.test.x[:FEW], fused.test.y[:FEW])
            ends = [s.step.evaluate(s.params, few).loss_K for s in (fused, alone)]
            assert torch.allclose(ends[0][1:2], ends[1], rtol=1e-9, atol=1e-12), loss
