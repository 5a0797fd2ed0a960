"""The probe of curvature against exact Hessians, closed forms and the edge of stability."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from talweg.workloads import problems
from talweg.workloads.losses import criterion_of
from talweg.workloads.models import MODELS
from talweg.workloads.probes.lanczos import extremes
from talweg.workloads.spec import TrialSpec

from .trials import Collected, run, trial

CURVATURE = {"name": "curvature", "samples": 32}
UNTRAINED = {"updates": 0}


def measured(collected: Collected, spec: TrialSpec) -> dict[int, dict[str, float]]:
    """Update -> key -> value, sharpness among them."""
    steps = collected.rows("steps", spec.trial_id)
    found = {r["update"]: {"sharpness": r["sharpness"]} for r in steps if r["sharpness"]}
    for row in collected.rows("probes", spec.trial_id):
        if row["probe"] == "curvature":
            found.setdefault(row["update"], {})[row["key"]] = row["value"]
    return found


def exact(spec: TrialSpec) -> torch.Tensor:
    """All eigenvalues of the untrained net's Hessian over 32 samples, smallest first."""
    data = problems.load(spec.problem)
    model = MODELS[spec.model.name](spec, data)
    start = [p.unsqueeze(0) for p in model.start(spec)]
    x, y = (torch.as_tensor(t[:32]).unsqueeze(0) for t in (data.x_train, data.y_train))
    criterion = criterion_of(spec.loss, spec.problem.task)

    def loss(theta_P: torch.Tensor) -> torch.Tensor:
        parts = theta_P.split([p.numel() for p in start])
        params = [part.view(p.shape) for part, p in zip(parts, start, strict=True)]
        return criterion.loss(model.forward(params, x), y).mean()

    theta_P = torch.cat([p.flatten() for p in start])
    hessian: Any = torch.autograd.functional.hessian(loss, theta_P)
    values_P: torch.Tensor = torch.linalg.eigvalsh(hessian)
    return values_P


def net(**model: Any) -> dict[str, Any]:
    return {"model": {"depth": 2, "width": 8, "activation": "tanh"} | model}


ADDING = {"problem": {"name": "adding", "steps": 4}}
CASES: dict[str, dict[str, Any]] = {
    "mlp": net(),
    "relu": net(activation="relu"),
    "batch_norm_plain": net(norm="batch", residual="plain"),
    "layer_norm_scaled": net(norm="layer", residual="scaled"),
    "rms_norm_pre_norm": net(norm="rms", residual="pre_norm"),
    "convnet": {"problem": {"name": "digits"},
                "model": {"name": "convnet", "depth": 1, "channels": 3, "pooling": "max"}},
    "rnn": ADDING | {"model": {"name": "rnn", "width": 5}},
    "lstm": ADDING | {"model": {"name": "lstm", "width": 5}},
    "gru": ADDING | {"model": {"name": "gru", "width": 5}},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_extremes_are_those_of_the_whole_hessian(case: str) -> None:
    # The default of 64 products; a tolerance of 1e-3 is what it was chosen for, it does better.
    spec = trial(**CASES[case], budget=UNTRAINED, record={"probes": [CURVATURE]})
    _, collected = run([spec, spec.model_copy(update={"seed": 1})])
    found, values = measured(collected, spec)[0], exact(spec)
    assert found["sharpness"] == pytest.approx(float(values[-1]), rel=1e-3)
    assert found["smallest"] == pytest.approx(float(values[0]), rel=1e-3)
    assert abs(found["residual"]) < 1e-3 * found["sharpness"]


def point(optimizer: dict[str, Any], eigenvalues: list[float], **parts: Any) -> TrialSpec:
    return trial(
        problem={"name": "quadratic", "eigenvalues": eigenvalues, "samples": 4},
        model={"name": "point"},
        loss={"name": "objective"},
        descent={"name": "batch"},
        optimizer=optimizer,
        **{"record": {"probes": [CURVATURE]}} | parts,
    )


LIMITS: dict[str, tuple[dict[str, Any], float]] = {
    "sgd": ({"name": "sgd"}, 2),
    "heavy_ball": ({"name": "momentum", "momentum": 0.8}, 3.6),
    "nesterov": ({"name": "nesterov", "momentum": 0.8}, 3.6 / 2.6),
}


@pytest.mark.parametrize("name", LIMITS)
def test_on_a_quadratic_stability_is_one_where_descent_begins_to_grow(name: str) -> None:
    optimizer, limit = LIMITS[name]
    trials = [
        point(optimizer | {"lr": share * limit / 7}, [0.5, 2.0, 7.0], budget={"updates": 1000})
        for share in (0.99, 1.01)
    ]
    _, collected = run(trials)
    for spec, share in zip(trials, (0.99, 1.01), strict=True):
        first = measured(collected, spec)[0]
        assert first["sharpness"] == pytest.approx(7, rel=1e-9)
        assert first["smallest"] == pytest.approx(0.5, rel=1e-9)
        assert first["stability"] == pytest.approx(share, rel=1e-9)
        losses = [r["train_loss"] for r in collected.rows("steps", spec.trial_id)]
        assert (losses[-1] > losses[0]) == (share > 1)


def test_stability_follows_the_schedule_and_each_trial_its_own_rate() -> None:
    schedule = {"name": "step", "every": 5, "gamma": 0.5}
    trials = [point({"lr": lr, "schedule": schedule}, [0.5, 2.0]) for lr in (0.1, 0.3)]
    _, collected = run(trials)
    for spec in trials:
        found = measured(collected, spec)
        rates = {r["update"]: r["lr"] for r in collected.rows("steps", spec.trial_id)}
        assert len({rates[update] for update in found}) > 2
        for update, values in found.items():
            assert values["stability"] == pytest.approx(rates[update], rel=1e-6)  # λ/2 = 1


DIABETES = {"problem": {"name": "diabetes"}, "model": net(width=32)["model"]}


@pytest.mark.parametrize(
    ("optimizer", "settles"),
    [
        ({"name": "sgd", "lr": 0.2}, "sharpness"),
        ({"name": "rmsprop", "lr": 0.001}, "preconditioned"),
    ],
    ids=["sgd", "rmsprop"],
)
def test_full_batch_descent_settles_at_the_edge_of_stability(
    optimizer: dict[str, Any], settles: str
) -> None:
    # Cohen et al. 2021 and 2022: the (preconditioned) sharpness rises to 2/η and hovers there:
    # at seeds 0 to 3 its mean from update 1000 on is 0.98 to 1.05 times that.
    probe = {"name": "curvature", "samples": 353, "steps": 24, "iterations": 16}
    spec = trial(
        **DIABETES, loss={"name": "mse"}, descent={"name": "batch"}, optimizer=optimizer,
        dtype="float32", budget={"updates": 2000},
        record={"steps": 60, "layers": 1, "probes": [probe]},
    )  # fmt: skip
    _, collected = run([spec])
    found = measured(collected, spec)
    late = [values for update, values in found.items() if update >= 1000]
    assert len(late) >= 3
    share = sum(values[settles] for values in late) / len(late) * optimizer["lr"] / 2
    assert share == pytest.approx(1, rel=0.1)
    assert late[-1]["stability"] == pytest.approx(1, rel=0.1)


def test_what_adam_divides_by_is_in_its_stability() -> None:
    # One update by g = λθ: v̂ = g², so D = (1 − β₁)(|g| + ε), at θ₀ = 1 with λ = 2 and 8.
    rate, spectrum = 1e-6, torch.tensor([2.0, 8.0], dtype=torch.float64)
    spec = point({"name": "adam", "lr": rate, "eps": 0.5}, spectrum.tolist(), budget={"updates": 1})
    _, collected = run([spec])
    found = measured(collected, spec)
    assert found[0]["stability"] is None
    preconditioned = float((spectrum / (0.1 * (spectrum + 0.5))).amax())
    assert found[1]["preconditioned"] == pytest.approx(preconditioned, rel=1e-6)
    assert found[1]["stability"] == pytest.approx(preconditioned * rate * 0.1 / 3.8, rel=1e-6)


def test_a_loss_without_curvature_has_none_and_a_game_has_no_hessian() -> None:
    record = {"probes": [CURVATURE]}
    flat = trial(
        problem={"name": "linear", "features": 5},
        model={"depth": 0},
        loss={"name": "mae"},
        budget=UNTRAINED,
        record=record,
    )
    _, collected = run([flat])
    (step,) = collected.rows("steps", flat.trial_id)
    assert step["sharpness"] == 0
    game = trial(
        problem={"name": "ring", "samples": 64},
        model={"name": "gan", "width": 8},
        loss={"name": "gan_hinge"},
        budget=UNTRAINED,
        record=record,
    )
    _, collected = run([game])
    assert measured(collected, game) == {}


def test_alone_and_in_a_pack_it_is_the_same_and_training_does_not_notice() -> None:
    record = {"probes": [CURVATURE]}
    trials = [trial(seed=seed, record=record) for seed in range(3)]
    wild = trial(optimizer={"lr": 1e300}, record=record)  # NaN from its second update on
    (_, alone), (_, together) = run(trials[:1]), run([wild, *trials])
    first, second = (measured(c, trials[0]) for c in (alone, together))
    assert first.keys() == second.keys()
    for update, values in first.items():
        assert second[update].pop("residual") == pytest.approx(values.pop("residual"), abs=1e-9)
        assert second[update] == pytest.approx(values, rel=1e-9)
    plain = trial(record={"probes": []})
    _, without = run([plain])
    losses = [
        [r["train_loss"] for r in collected.rows("steps", spec.trial_id)]
        for collected, spec in ((alone, trials[0]), (without, plain))
    ]
    assert losses[0] == losses[1]


def times(matrices: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda v_KP: torch.einsum("kij,kj->ki", matrices, v_KP)


def test_lanczos_knows_when_a_subspace_is_exhausted() -> None:
    # Few different eigenvalues, all above 0: were the rest of the steps zeros, 0 would be smallest.
    diagonals = torch.tensor([[3.0, 3, 3, 5, 5, 5], [-2.0, 1, 1, 1, 1, 1]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    found = extremes(times(torch.diag_embed(diagonals)), start, 50)
    assert found.smallest_K.tolist() == pytest.approx([3, -2], rel=1e-12)
    assert found.largest_K.tolist() == pytest.approx([5, 1], rel=1e-12)
    assert found.residual_K.tolist() == [0, 0]


def test_the_residual_bounds_the_error_of_few_products() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(1, 80, 80, generator=generator, dtype=torch.float64)
    matrix = matrix + matrix.mT
    start = torch.randn(1, 80, generator=generator, dtype=torch.float64)
    values = torch.linalg.eigvalsh(matrix[0])
    found = extremes(times(matrix), start, 12)
    error = float((values - found.largest_K).abs().min())
    assert 1e-6 < error <= float(found.residual_K)
