"""The probe of convexity on losses that are known to be convex, and on some that are not."""

from typing import Any

import pytest

from talweg.workloads.spec import TrialSpec

from .trials import run, trial

RECORD = {"layers": 1, "probes": [{"name": "convexity", "steps": 3}]}
LOGISTIC = {"name": "logistic", "features": 16, "samples": 256}
LINEAR = {"name": "linear", "features": 16, "samples": 256, "outlier_share": 0.2}
DIRECT: dict[str, Any] = {"depth": 0}
HIDDEN: dict[str, Any] = {"depth": 1, "width": 16, "activation": "tanh"}


def measured(trials: list[TrialSpec]) -> dict[str, list[float]]:
    """Key -> its values of all trials and recordings."""
    _, collected = run(trials)
    found: dict[str, list[float]] = {"violated_share": [], "smallest": []}
    for spec in trials:
        for row in collected.rows("probes", spec.trial_id):
            if row["probe"] == "convexity":
                found[row["key"]].append(row["value"])
    return found


def seeds(**parts: Any) -> list[TrialSpec]:
    return [trial(**parts, record=RECORD, seed=seed) for seed in range(3)]


def objective(name: str, **problem: Any) -> dict[str, Any]:
    return {
        "problem": {"name": name, "gradient_noise": 0.1, "samples": 64} | problem,
        "model": {"name": "point", "start": "normal"},
        "loss": {"name": "objective"},
        "optimizer": {"lr": 0.05},
    }


CONVEX: dict[str, dict[str, Any]] = {
    "quadratic": objective("quadratic"),
    "cross_entropy": {"problem": LOGISTIC, "model": DIRECT},
    "binary_cross_entropy": {"problem": LOGISTIC, "model": DIRECT,
                             "loss": {"name": "binary_cross_entropy"}},
    "hinge": {"problem": LOGISTIC, "model": DIRECT, "loss": {"name": "hinge"}},
    "mse": {"problem": LINEAR, "model": DIRECT},
    "huber": {"problem": LINEAR, "model": DIRECT, "loss": {"name": "huber"}},
    "mae_in_float32": {"problem": LINEAR, "model": DIRECT, "loss": {"name": "mae"},
                       "dtype": "float32"},
}  # fmt: skip
NON_CONVEX: dict[str, dict[str, Any]] = {
    "beale": objective("beale"),
    "saddle": objective("saddle"),
    "cross_entropy": {"problem": LOGISTIC, "model": HIDDEN},
    "mse": {"problem": LINEAR, "model": HIDDEN},
    "relu": {"problem": LOGISTIC, "model": HIDDEN | {"activation": "relu"}},
}  # fmt: skip


@pytest.mark.parametrize("case", CONVEX)
def test_of_a_convex_loss_no_chord_is_violated_and_no_eigenvalue_negative(case: str) -> None:
    found = measured(seeds(**CONVEX[case]))
    assert found["violated_share"] == [0] * 9
    assert min(found["smallest"]) >= 0


@pytest.mark.parametrize("case", NON_CONVEX)
def test_of_others_chords_are_violated_and_eigenvalues_negative(case: str) -> None:
    found = measured(seeds(**NON_CONVEX[case]))
    assert max(found["violated_share"]) > 0.01
    assert min(found["smallest"]) < 0


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_a_hidden_layer_shows_at_every_seed_before_training(activation: str) -> None:
    model = HIDDEN | {"activation": activation}
    found = measured(seeds(problem=LOGISTIC, model=model, budget={"updates": 0}))
    assert len(found["smallest"]) == 3
    assert max(found["smallest"]) < 0
    assert min(found["violated_share"]) > 0


def test_the_smallest_eigenvalue_is_that_of_the_closed_form() -> None:
    quadratic = objective("quadratic", eigenvalues=[0.25, 1.0, 3.0])
    assert measured(seeds(**quadratic))["smallest"] == pytest.approx([0.25] * 9, rel=1e-9)
    # ½(x² − y²) + ¼y⁴ has the Hessian diag(1, 3y² − 1): −1 + 3·0.001² where it is given.
    saddle = objective("saddle") | {"model": {"name": "point"}, "budget": {"updates": 0}}
    assert measured(seeds(**saddle))["smallest"] == pytest.approx([3e-6 - 1] * 3, rel=1e-9)


def test_alone_and_in_a_pack_it_is_the_same_and_training_does_not_notice() -> None:
    trials = [trial(seed=seed, record=RECORD) for seed in range(3)]
    wild = trial(optimizer={"lr": 1e300}, record=RECORD)  # NaN from its second update on
    (_, alone), (_, together) = run(trials[:1]), run([wild, *trials])
    pairs = zip(*(c.rows("probes", trials[0].trial_id) for c in (alone, together)), strict=True)
    for one, other in pairs:
        assert one["key"] == other["key"]
        assert one["value"] == pytest.approx(other["value"], rel=1e-9)
    _, without = run([trial(record={"probes": []})])
    losses = [
        [value for c in (collected,) for value in c.tables["steps"]["train_loss"]]
        for collected in (alone, without)
    ]
    assert losses[0] == losses[1]
