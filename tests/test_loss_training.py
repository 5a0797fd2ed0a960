"""Which losses fit which problems, and that every loss trains on one that it fits."""

from typing import Any

import pytest
import torch

from talweg.workloads import grid, gridfile, problems
from talweg.workloads.problems.shapes import Shape
from talweg.workloads.records import Outcome
from talweg.workloads.spec import TrialSpec, misfits
from talweg.workloads.stack import Stack
from talweg.workloads.updaters import Taped
from tests.loss_cases import spec
from tests.trials import run, trial

DIGITS, CANCER = Shape(1797, 64, 10), Shape(569, 30, 2)
COPY = Shape(2048, 200, 8, labels=5)


@pytest.mark.parametrize(
    ("name", "shape", "outputs"),
    [
        ("cross_entropy", CANCER, 2),
        ("cross_entropy", COPY, 40),
        ("binary_cross_entropy", CANCER, 1),
        ("binary_cross_entropy", CANCER._replace(labels=3), 3),
        ("binary_cross_entropy", Shape(100, 256, 256), 256),
        ("hinge", CANCER, 1),
        ("hinge", DIGITS, 10),
        ("hinge", COPY, 40),
        ("squared_error", CANCER, 1),
        ("focal", CANCER, 2),
        ("mse", Shape(442, 10, 1), 1),
        ("triplet", DIGITS, 16),
    ],
)
def test_a_loss_says_how_many_outputs_it_wants(name: str, shape: Shape, outputs: int) -> None:
    assert spec(name).outputs(shape) == outputs


def problems_of(**parts: Any) -> list[tuple[tuple[str, str], object, str]]:
    return list(misfits(TrialSpec.model_validate(parts)))


def test_what_does_not_fit_is_said_at_planning() -> None:
    ((key, wrong, reason),) = problems_of(loss="binary_cross_entropy")
    assert (key, wrong) == (("loss", "name"), "binary_cross_entropy")
    assert "for two classes, and there are 10" in reason
    for descent in ("stochastic", {"name": "mini_batch", "batch_size": 1}):
        ((key, wrong, reason),) = problems_of(loss="triplet", descent=descent)
        assert (key, wrong) == (("descent", "batch_size"), 1)
        assert "2 at least" in reason
    ((key, _, reason),) = problems_of(loss="mse")
    assert key == ("loss", "name")
    assert "digits is a problem of classification" in reason
    copy = {"name": "copy", "samples": 64, "test_samples": 64}
    assert problems_of(problem=copy, loss="contrastive", model="rnn")
    assert not problems_of(problem=copy, loss="hinge", model="rnn")
    assert not problems_of(problem="breast_cancer", loss="binary_cross_entropy")


def test_a_grid_says_it_with_the_key() -> None:
    text = "name: any\nbase: {loss: triplet}\ngrid:\n  descent: [batch, stochastic]\n"
    with pytest.raises(gridfile.GridError, match=r":4: descent.*compares samples of a batch"):
        grid.expand(gridfile.parse(text, "grid.yaml"))


# --- In training -----------------------------------------------------------------------------

TRAINED: dict[str, dict[str, Any]] = {
    "regression": {
        "problem": "diabetes",
        "grid": ["mse", "mae", "huber", "log_cosh", "quantile"],
        "learns": 0.3,
    },
    "classification": {
        "problem": "breast_cancer",
        "grid": ["cross_entropy", "binary_cross_entropy", "hinge", "squared_error", "focal"],
        "learns": 0.9,
    },
    "classes": {
        "problem": "digits",
        "grid": [
            {"name": "cross_entropy", "label_smoothing": 0.1},
            "hinge",
            {"name": "hinge", "multiclass": "weston_watkins"},
            "squared_error",
            "focal",
        ],
        "learns": 0.6,
    },
    "embedding": {
        "problem": "digits",
        "grid": [
            "contrastive",
            "triplet",
            # On the sphere the hardest triplets draw everything into one point (loss = margin).
            {"name": "triplet", "mining": "hard", "normalize": False},
            {"name": "triplet", "mining": "semi_hard"},
        ],
        "learns": 0.9,
    },
    "distribution": {
        "problem": "teacher",
        "grid": ["kl_divergence", {"name": "kl_divergence", "direction": "reverse"}],
        "learns": 0.6,
    },
    "segmentation": {
        "problem": {"name": "shapes", "samples": 256, "test_samples": 64, "size": 8},
        "grid": ["binary_cross_entropy", "dice", "iou", "dice_cross_entropy"],
        "learns": 0.3,
    },
}
"""Problems, the losses for them, and a score that each must reach in 100 updates."""


every_training = pytest.mark.parametrize(
    ("problem", "loss", "learns"),
    [
        pytest.param(rows["problem"], loss, rows["learns"], id=f"{kind} {loss}")
        for kind, rows in TRAINED.items()
        for loss in rows["grid"]
    ],
)


@every_training
def test_every_loss_trains(problem: Any, loss: Any, learns: float) -> None:
    trials = [
        trial(
            problem=problem, loss=loss, seed=seed, budget={"updates": 100},
            dtype="float32", optimizer={"name": "adam", "lr": 0.01},
            model={"depth": 1, "width": 32}, record={"steps": 2, "layers": 2},
        )
        for seed in range(2)
    ]  # fmt: skip
    outcomes, rows = run(trials)
    assert outcomes == [Outcome.DONE] * 2
    for one in trials:
        before, *_, after = rows.rows("steps", one.trial_id)
        assert after["test_loss"] < before["test_loss"]
        assert after["test_score"] > max(before["test_score"], learns)


@every_training
def test_updates_of_every_loss_are_replayed_from_a_tape(
    problem: Any, loss: Any, learns: float
) -> None:
    trials = [
        trial(
            problem=problem, loss=loss, seed=seed, budget={"updates": 60},
            model={"depth": 1, "width": 8},
        )
        for seed in range(2)
    ]  # fmt: skip
    data = problems.load(trials[0].problem)
    taped, eager = (Stack(trials, data, torch.device("cpu")) for _ in range(2))
    eager.updater = eager.eager()
    for stack in (taped, eager):
        stack.descend(4)  # recorded, proved, replayed, and the last one on its own
    assert isinstance(taped.updater, Taped)
    assert taped.updater.one.proved
    assert None not in taped.updater.one.tapes.values()
    for ours, reference in zip(taped.params, eager.params, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-12, atol=1e-12)
