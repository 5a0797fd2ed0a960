"""Objectives of a bare parameter vector: formulas, known minima, and descent on them."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from talweg.workloads import problems
from talweg.workloads.convexspecs import Logistic
from talweg.workloads.grid import load
from talweg.workloads.gridfile import GridError
from talweg.workloads.models.point import OBJECTIVES, Point
from talweg.workloads.objectivespecs import Quadratic
from talweg.workloads.seeds import Stream, generator
from talweg.workloads.spec import TrialSpec

from .trials import Collected, run

SPREAD = {"name": "point", "start": "normal"}


def objective(problem: Any, **parts: Any) -> TrialSpec:
    """A trial on an objective in float64, by batch descent, recorded at few updates."""
    defaults: dict[str, Any] = {
        "problem": problem,
        "dtype": "float64",
        "descent": "batch",
        "record": {"steps": 12, "layers": 12},
    }
    return TrialSpec.model_validate(defaults | parts)


def distance(rows: Collected, trial: TrialSpec) -> float:
    """The last distance to the minimum."""
    found = rows.rows("probes", trial.trial_id)
    return float(next(r["value"] for r in reversed(found) if r["key"] == "distance_to_minimum"))


def steps(rows: Collected, trial: TrialSpec) -> list[dict[str, Any]]:
    return rows.rows("steps", trial.trial_id)


# Value and gradient at θ = (x, y) = (0.7, −0.4), worked out by hand from the formulas.
X, Y = 0.7, -0.4
BEALE = [(c - X * (1 - Y**i), float(i)) for c, i in ((1.5, 1), (2.25, 2), (2.625, 3))]
CLOSED: dict[str, tuple[dict[str, Any], float, tuple[float, float]]] = {
    "quadratic": (
        {"eigenvalues": [0.25, 2.0]},
        0.5 * (0.25 * X**2 + 2 * Y**2),
        (0.25 * X, 2 * Y),
    ),
    "saddle": (
        {"tilt": 0.2},
        0.5 * (X**2 - Y**2) + 0.25 * Y**4 + 0.2 * Y,
        (X, -Y + Y**3 + 0.2),
    ),
    "rosenbrock": (
        {"a": 1.5, "b": 20.0},
        (1.5 - X) ** 2 + 20 * (Y - X**2) ** 2,
        (-2 * (1.5 - X) - 80 * X * (Y - X**2), 40 * (Y - X**2)),
    ),
    "beale": (
        {},
        sum(t**2 for t, _ in BEALE),
        (
            sum(-2 * t * (1 - Y**i) for t, i in BEALE),
            sum(2 * t * X * i * Y ** (i - 1) for t, i in BEALE),
        ),
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_values_and_gradients_are_those_of_the_formulas(name: str) -> None:
    fields, value, gradient = CLOSED[name]
    spec = objective({"name": name, **fields}).problem
    theta = torch.tensor([[[X, Y]]], dtype=torch.float64, requires_grad=True)
    found = OBJECTIVES[name](spec)(theta)
    (slope,) = torch.autograd.grad(found.sum(), theta)
    assert found.item() == pytest.approx(value, rel=1e-12)
    assert slope.flatten().tolist() == pytest.approx(gradient, rel=1e-12)


@pytest.mark.parametrize(
    "problem",
    [*({"name": name, **fields} for name, (fields, _, _) in CLOSED.items()), "quadratic_deep"],
    ids=[*CLOSED, "quadratic_deep"],
)
def test_the_gradient_vanishes_at_the_stated_minima_and_no_point_around_is_lower(
    problem: Any,
) -> None:
    trial = objective(problem)
    data = problems.load(trial.problem)
    model = Point(trial, data)
    x_1ND = torch.as_tensor(data.x_train).unsqueeze(0)
    draw = torch.Generator().manual_seed(0)
    for minimum in torch.as_tensor(data.truth["minimum"]):
        theta = minimum.unsqueeze(0).requires_grad_()
        least = model.forward([theta], x_1ND).mean()
        (slope,) = torch.autograd.grad(least, theta)
        assert slope.norm() < 1e-9
        for _ in range(50):
            near = minimum + 1e-2 * torch.randn(minimum.shape, generator=draw, dtype=torch.float64)
            assert model.forward([near.unsqueeze(0)], x_1ND).mean() > least


def test_gradient_descent_on_a_quadratic_contracts_at_the_optimal_rate() -> None:
    # η = 2/(λ₁ + λₙ): the error shrinks by (κ − 1)/(κ + 1) = 0.980198 an update (Polyak 1964).
    rate = (100 - 1) / (100 + 1)
    one = objective(
        {"name": "quadratic", "dimension": 2},
        optimizer={"lr": 2 / (1 + 1 / 100)},
        budget={"updates": 200},
        record={"steps": 1000},
    )
    _, rows = run([one])
    norms = [row["param_norm"] for row in steps(rows, one)]
    assert len(norms) == 201
    assert norms[0] == pytest.approx(math.sqrt(2), rel=1e-12)
    for before, after in itertools.pairwise(norms):
        assert after / before == pytest.approx(rate, rel=1e-9)
    assert rate == pytest.approx(0.980198, abs=5e-7)
    assert distance(rows, one) == pytest.approx(math.sqrt(2) * rate**200, rel=1e-9)


def test_eigenvalues_are_log_spaced_or_as_given() -> None:
    spaced = Quadratic(name="quadratic", dimension=5, condition=1e4)
    assert spaced.spectrum == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    given = objective({"name": "quadratic", "eigenvalues": [3.0, 0.5]})
    assert isinstance(given.problem, Quadratic)
    assert (given.problem.dimension, given.problem.condition) == (2, 6.0)
    again = TrialSpec.model_validate_json(given.model_dump_json())
    assert again.trial_id == given.trial_id
    with pytest.raises(ValidationError, match="2 eigenvalues do not go with dimension 3"):
        objective({"name": "quadratic", "eigenvalues": [3.0, 0.5], "dimension": 3})
    with pytest.raises(ValidationError, match="do not go with condition 7"):
        objective({"name": "quadratic", "eigenvalues": [3.0, 0.5], "condition": 7.0})


def test_samples_are_gradient_noise_that_leaves_the_mean_gradient_alone() -> None:
    trial = objective({"name": "quadratic", "dimension": 3, "gradient_noise": 0.5})
    data = problems.load(trial.problem)
    assert np.abs(data.x_train.mean(0)).max() < 1e-12
    assert data.x_train.std() == pytest.approx(0.5, rel=0.05)
    theta = torch.ones(1, 3, dtype=torch.float64, requires_grad=True)
    values = Point(trial, data).forward([theta], torch.as_tensor(data.x_train).unsqueeze(0))
    (slope,) = torch.autograd.grad(values[0, 7, 0], theta)
    assert isinstance(trial.problem, Quadratic)
    expected = np.array(trial.problem.spectrum) + data.x_train[7]
    assert slope[0].tolist() == pytest.approx(expected.tolist(), rel=1e-12)


def deepobs() -> tuple[Any, Any, Any]:
    """Hessian, training and test samples as DeepOBS v1.1 describes them, another way."""
    stream = np.random.RandomState(42)
    eigenvalues = [*stream.uniform(0.0, 1.0, 90), *stream.uniform(30.0, 60.0, 10)]
    angle = 2 * np.pi * stream.uniform()
    # The rotation is a product of reflections: −H₁₀₀ ⊕ … H₃ ⊕ R₂, each in the last axes.
    turn = np.eye(100)
    turn[98:, 98:] = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    for size in range(3, 101):
        direction = stream.normal(size=(size, 1))
        direction /= np.sqrt((direction**2).sum())
        normal = -direction
        normal[0] += 1
        reflection = np.eye(100)
        reflection[-size:, -size:] -= 2 * (normal @ normal.T) / (normal**2).sum()
        turn = reflection @ turn
    turn = -turn
    hessian = sum(value * np.outer(row, row) for value, row in zip(eigenvalues, turn, strict=True))
    train, test = (
        np.random.RandomState(seed).normal(0.0, 0.6, (1000, 100)).astype(np.float32)
        for seed in (42, 43)
    )
    return hessian, train.astype(np.float64), test.astype(np.float64)[:896]


def test_quadratic_deep_begins_as_deepobs_does() -> None:
    hessian, train, test = deepobs()
    spectrum = np.linalg.eigvalsh(hessian)
    assert ((spectrum > 0) & (spectrum < 1)).sum() == 90
    assert ((spectrum > 30) & (spectrum < 60)).sum() == 10

    def loss(theta: Any, x: Any) -> float:
        off = theta - x
        return float(0.5 * np.einsum("nd,de,ne->n", off, hessian, off).mean())

    one = objective(
        "quadratic_deep",
        optimizer={"lr": 0.01},
        budget={"updates": 2},
        record={"steps": 10, "samples": None},
    )
    _, rows = run([one])
    theta = np.ones(100)
    for row in steps(rows, one):
        assert row["train_loss"] == pytest.approx(loss(theta, train), rel=1e-10)
        assert row["test_loss"] == pytest.approx(loss(theta, test), rel=1e-10)
        assert row["test_score"] == -row["test_loss"]
        theta = theta - 0.01 * hessian @ (theta - train.mean(0))
    assert steps(rows, one)[0]["test_loss"] == pytest.approx(353.4467, abs=1e-3)


def test_an_epoch_of_quadratic_deep_is_seven_whole_batches_of_all_samples() -> None:
    one = objective(
        "quadratic_deep",
        descent={"batch_size": 128},
        optimizer={"lr": 0.01},
        budget={"epochs": 4},
        record={"steps": 100},
    )
    assert one.budget_updates == 28
    _, rows = run([one])
    last = steps(rows, one)[-1]
    assert (last["update"], last["epoch"], last["samples"]) == (28, 4.0, 28 * 128)

    # The same updates, from the samples that the trial's own generator picks.
    hessian, train, test = deepobs()
    order, theta = generator(0, Stream.ORDER), np.ones(100)
    for _ in range(4):
        samples = torch.randperm(1000, generator=order).numpy()
        for batch in samples[:896].reshape(7, 128):
            theta = theta - 0.01 * hessian @ (theta - train[batch].mean(0))
    off = theta - test
    expected = 0.5 * np.einsum("nd,de,ne->n", off, hessian, off).mean()
    assert last["test_loss"] == pytest.approx(expected, rel=1e-10)


def endings(problem: Any, lr: float, updates: int) -> list[float]:
    """Distances to the global minimum where descent from eight normal starts ends."""
    pack = [
        objective(problem, model=SPREAD, optimizer={"lr": lr}, budget={"updates": updates}, seed=s)
        for s in range(8)
    ]
    _, rows = run(pack)
    starts = [steps(rows, trial)[0]["param_norm"] for trial in pack]
    assert len(set(starts)) == 8
    return [distance(rows, trial) for trial in pack]


def test_convex_losses_reach_their_minimum_from_every_start_and_others_do_not() -> None:
    assert max(endings({"name": "quadratic", "condition": 10, "samples": 8}, 0.5, 400)) < 1e-6
    uneven = endings({"name": "saddle", "tilt": 0.1, "samples": 8}, 0.2, 400)
    right, wrong = ([d < 1e-6 for d in uneven], [d > 1.5 for d in uneven])
    assert any(right)
    assert any(wrong)
    assert all(a or b for a, b in zip(right, wrong, strict=True))
    # Two minima of equal depth: both count.
    assert max(endings({"name": "saddle", "samples": 8}, 0.2, 400)) < 1e-6


def test_a_start_near_the_ridge_is_slow_at_the_saddle() -> None:
    ridge = {"name": "saddle", "samples": 8}
    given = objective(ridge, optimizer={"lr": 0.1}, budget={"updates": 40})
    _, rows = run([given])
    # y grows by 1.1 an update from 0.001, x shrinks by 0.9: still between the minima.
    assert distance(rows, given) == pytest.approx(1, abs=0.1)
    assert steps(rows, given)[-1]["grad_norm"] < 0.1


@pytest.mark.parametrize(("problem", "lr"), [("rosenbrock", 5e-4), ("beale", 0.01)])
def test_descent_ends_in_the_minimum_of_the_classics(problem: str, lr: float) -> None:
    one = objective(
        {"name": problem, "samples": 1},
        optimizer={"lr": lr, "momentum": 0.9},
        budget={"updates": 4000},
    )
    _, rows = run([one])
    assert distance(rows, one) < 1e-2


def test_layer_rows_hold_the_gradient_of_every_sample() -> None:
    one = objective(
        {"name": "quadratic", "dimension": 4, "gradient_noise": 1.0, "samples": 64},
        record={"steps": 3, "layer_samples": None},
        budget={"updates": 2},
    )
    _, rows = run([one])
    first = rows.rows("layers", one.trial_id)[0]
    assert isinstance(one.problem, Quadratic)
    gradients = np.array(one.problem.spectrum) + problems.load(one.problem).x_train
    assert first["name"] == "theta"
    assert first["q"] == pytest.approx(1.0)
    assert first["backward_signal"] == pytest.approx(float((gradients**2).mean()), rel=1e-12)
    assert first["grad_norm"] == pytest.approx(float(np.linalg.norm(gradients.mean(0))), rel=1e-12)


def test_a_pack_gives_each_trial_what_it_gets_alone() -> None:
    pack = [
        objective(
            "quadratic_deep",
            model=SPREAD,
            descent={"batch_size": 128},
            optimizer={"lr": 0.005 * (seed + 1)},
            budget={"updates": 60},
            seed=seed,
        )
        for seed in range(3)
    ]
    _, packed = run(pack)
    _, alone = run([pack[1]])
    expected = steps(alone, pack[1])[-1]["test_loss"]
    assert steps(packed, pack[1])[-1]["test_loss"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_logistic_regression_reaches_its_known_minimum_from_every_start(loss: str) -> None:
    pack = [
        TrialSpec.model_validate(
            {
                "problem": {"name": "logistic", "features": 4, "samples": 200, "test_samples": 50},
                "model": {"depth": 0, "init": {"name": "gaussian", "sigma_w": 3.0}},
                "loss": loss,
                "dtype": "float64",
                "descent": "batch",
                "optimizer": {"lr": 1.0},
                "budget": {"updates": 3000},
                "record": {"steps": 3, "layers": 3, "layer_samples": None},
                "seed": seed,
            }
        )
        for seed in range(4)
    ]
    _, rows = run(pack)
    assert max(distance(rows, trial) for trial in pack) < 1e-8
    assert steps(rows, pack[0])[-1]["grad_norm"] < 1e-8


def test_other_models_and_losses_have_no_distance_to_logistic_weights() -> None:
    problem = {"name": "logistic", "features": 4, "samples": 200, "test_samples": 50}
    for parts in ({"model": {"depth": 1}}, {"loss": "hinge", "model": {"depth": 0}}):
        one = TrialSpec.model_validate({"problem": problem, "budget": {"updates": 0}} | parts)
        _, rows = run([one])
        assert {r["probe"] for r in rows.rows("probes", one.trial_id)} <= {"gradients"}


def test_separable_logistic_data_is_refused() -> None:
    spec = Logistic(name="logistic", features=8, samples=8)
    with pytest.raises(ValueError, match=r"8 training samples of 8 features.*use more samples"):
        problems.load(spec)


GRID = """
name: misfit
base: {{problem: {problem}, model: {{name: {model}}}, loss: {loss}, descent: batch}}
"""


@pytest.mark.parametrize(
    ("problem", "model", "loss", "complaint"),
    [
        ("beale", "mlp", "objective", "beale is a problem of objective; use model point"),
        (
            "digits",
            "point",
            "cross_entropy",
            "digits is a problem of .*; use model any",
        ),
        (
            "digits",
            "mlp",
            "objective",
            "digits is a problem of .*; use .*cross_entropy",
        ),
        ("beale", "point", "cross_entropy", "beale is a problem of objective; use objective"),
    ],
)
def test_what_does_not_go_together_is_said_at_planning(
    problem: str, model: str, loss: str, complaint: str, tmp_path: Any
) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text(GRID.format(problem=problem, model=model, loss=loss))
    with pytest.raises(GridError, match=complaint):
        load(file)


def test_objectives_bring_their_model_and_loss_along(tmp_path: Any) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text("name: hills\ngrid:\n  problem.name: [quadratic, beale, quadratic_deep]\n")
    trials = load(file).trials
    assert [(t.trial.model.name, t.trial.loss.name) for t in trials] == [("point", "objective")] * 3
