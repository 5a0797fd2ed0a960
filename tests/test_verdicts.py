"""Verdicts: the cases they must get right, when they are written, and the score's arithmetic."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from talweg.workloads import health, problems
from talweg.workloads.models import MODELS
from talweg.workloads.spec import TrialSpec
from talweg.workloads.verdicts import Judge
from talweg.workloads.verdictwords import Health
from talweg.workloads.verification import roc

from .trials import run, trial

UNTRAINED = {"updates": 0}


def digits(**parts: Any) -> TrialSpec:
    """A trial on digits; a 20-layer ReLU net of 64 units where nothing else is said."""
    model = {"depth": 20, "width": 64, "activation": "relu", **parts.pop("model", {})}
    return trial(problem="digits", model=model, **({"budget": UNTRAINED} | parts))


def verdicts(spec: TrialSpec) -> list[dict[str, Any]]:
    """The verdicts of a trial in order, with the evidence as numbers."""
    _, rows = run([spec])
    found = rows.rows("verdicts", spec.trial_id)
    return [row | {"evidence": json.loads(row["evidence"])} for row in found]


def first(spec: TrialSpec) -> dict[str, Any]:
    return verdicts(spec)[0]


@pytest.mark.parametrize("bias", [True, False])
def test_a_default_initialised_relu_net_vanishes_although_its_weight_gradients_are_flat(
    bias: bool,
) -> None:
    found = first(digits(model={"init": "pytorch_default", "bias": bias}))
    assert found["verdict"] == "vanishing"
    # χ = 1/6 (Schoenholz et al. 2017): after four layers 1e-3 is left, on the way to the input.
    assert 14 <= found["layer"] <= 18
    evidence = found["evidence"]
    assert evidence["backward_share"] < 1e-12
    assert evidence["chi"] == pytest.approx(1 / 6, rel=0.15)
    assert evidence["chi_predicted"] == pytest.approx(1 / 6, rel=1e-5)
    assert "theory: 0.167" in found["reason"]
    if not bias:  # ⟨W_l, ∂L/∂W_l⟩ is the same for every layer
        assert 0.2 < evidence["weight_gradient_ratio"] < 5
        assert "would look healthy" in found["reason"]


def test_batch_norm_without_skips_explodes_at_the_start() -> None:
    found = first(digits(model={"depth": 50, "init": "he", "norm": "batch"}))
    assert (found["verdict"], found["layer"]) == ("exploding", 1)
    # π/(π − 1) for each layer (Yang et al. 2019): 1.467^49 = 1.4e8; batches are finite.
    assert 1e7 < found["evidence"]["backward_share"] < 1e10


@pytest.mark.parametrize("depth", [10, 20, 50])
@pytest.mark.parametrize("residual", ["plain", "scaled", "pre_norm"])
def test_a_he_initialised_residual_net_is_healthy(residual: str, depth: int) -> None:
    norm = "batch" if residual == "pre_norm" else "none"
    model = {"depth": depth, "init": "he", "residual": residual, "norm": norm}
    found = first(digits(model=model))
    assert (found["verdict"], found["layer"]) == ("healthy", None)
    assert "would look healthy" not in found["reason"]


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ({"activation": "sigmoid", "init": "xavier"}, "vanishing"),
        ({"init": "zeros", "depth": 3}, "dead"),
        (
            {"activation": "tanh", "depth": 10, "init": {"name": "gaussian", "sigma_w": 10}},
            "saturated",
        ),
        ({"init": {"name": "gaussian", "sigma_w": 4}}, "exploding"),
        ({"init": "he", "depth": 3}, "healthy"),
    ],
)
def test_untrained_nets_are_called_by_their_names(model: dict[str, Any], word: str) -> None:
    assert first(digits(model=model))["verdict"] == word


def test_a_rate_that_is_far_too_large_is_unstable_and_then_diverges() -> None:
    spec = digits(model={"depth": 3, "init": "he"}, budget={"updates": 30}, optimizer={"lr": 100.0})
    outcomes, rows = run([spec])
    found = rows.rows("verdicts", spec.trial_id)
    assert outcomes == ["diverged"]
    assert [row["verdict"] for row in found] == ["unstable", "diverged"]
    assert found[0]["update"] == 0
    assert json.loads(found[0]["evidence"])["score"] < 0
    assert "called unstable" in found[1]["reason"]


def test_thresholds_are_configuration_and_defaults_leave_ids_alone() -> None:
    model = {"init": "pytorch_default", "depth": 4}
    plain = digits(model=model)
    assert first(plain)["verdict"] == "healthy"
    strict = digits(model=model, record={"verdict": {"vanishing": 0.1}})
    assert first(strict)["verdict"] == "vanishing"
    spelled_out = digits(model=model, record={"verdict": {"vanishing": 1e-3}})
    assert spelled_out.trial_id == plain.trial_id
    with pytest.raises(ValueError, match="dead"):
        digits(record={"verdict": {"dead": 1.5}})


def test_a_verdict_is_written_at_the_start_where_it_changes_and_at_the_end() -> None:
    spec = trial(budget={"updates": 40})
    assert [(v["update"], v["verdict"]) for v in verdicts(spec)] == [
        (0, "healthy"),
        (40, "healthy"),
    ]
    silent = trial(record={"probes": []})
    assert verdicts(silent) == []


def columns(k: int, **given: Any) -> dict[str, np.ndarray[Any, Any]]:
    """A recording of two hidden layers and an output, healthy where nothing is given."""
    names = {"1.backward_signal": 1.0, "2.backward_signal": 1.0, "1.q": 1.0, "2.q": 1.0}
    return {n: np.full(k, v) for n, v in (names | {"train_loss": 1.0} | given).items()}


def test_later_verdicts_follow_the_recordings_and_survive_a_checkpoint() -> None:
    trials = [trial(seed=s) for s in range(2)]
    names = ["hidden1", "hidden2", "output"]
    judge, places = Judge(trials, names), np.arange(2)
    assert len(judge.look(places, 0, columns(2), last=False)) == 2
    assert judge.look(places, 1, columns(2), last=False) == []
    jumped = columns(2)
    jumped["train_loss"] = np.array([1.0, 9.0])
    (changed,) = judge.look(places, 2, jumped, last=False)
    assert (changed.trial_id, changed.verdict) == (trials[1].trial_id, "unstable")
    again = Judge(trials, names)
    again.restore(judge.state(places))
    assert again.look(places, 3, jumped, last=False) == []
    dead = columns(2) | {"1.dead_share": np.array([0.2, 0.95])}
    assert [(v.verdict, v.layer) for v in again.look(places, 4, dead, last=False)] == [("dead", 1)]
    sharp = columns(2) | {"curvature/stability": np.array([1.0, 2.0])}
    assert [v.verdict for v in again.look(places, 5, sharp, last=False)] == ["unstable"]
    assert len(again.look(places, 6, sharp, last=True)) == 2


def test_a_vanishing_layer_is_the_first_on_the_way_back_where_the_signal_is_lost() -> None:
    judge = Judge([trial()], ["a", "b", "c", "d", "output"])
    signal = {f"{n}.backward_signal": v for n, v in enumerate([1e-9, 1e-6, 1e-2, 1.0], 1)}
    (found,) = judge.look(np.arange(1), 0, columns(1, **signal), last=False)
    assert (found.verdict, found.layer) == ("vanishing", 2)


def untaught(spec: TrialSpec) -> dict[str, float]:
    """The numbers of the first update, with plain tensors and one trial."""
    data = problems.load(spec.problem)
    x, y = torch.as_tensor(data.x_train[:128]), torch.as_tensor(data.y_train[:128])
    params = [p.requires_grad_() for p in MODELS["mlp"](spec, data).start(spec)]
    lr = spec.optimizer.lr

    def loss(tensors: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        h = x
        for w, b in zip(tensors[:-2:2], tensors[1:-2:2], strict=True):
            h = torch.tanh(h @ w + b)
        return torch.nn.functional.cross_entropy(h @ tensors[-2] + tensors[-1], y), h

    before, h = loss(params)
    grads = torch.autograd.grad(before, params)
    with torch.no_grad():
        after, _ = loss([p - lr * g for p, g in zip(params, grads, strict=True)])
    promised = lr * sum(float((g**2).sum()) for g in grads)
    pairs = zip(grads[::2], params[::2], strict=True)
    sizes = [lr * float(g.norm() / p.detach().norm()) for g, p in pairs]
    h = h.detach()
    off = h - h.mean(0)
    return {
        "overshoot": 1 - (before.item() - after.item()) / promised,
        "separation": float((off**2).sum() / (h**2).sum()),
        **{f"first_update {n}": size for n, size in enumerate(sizes, 1)},
    }


def test_the_first_update_equals_a_naive_one_alone_and_in_a_pack() -> None:
    spec = trial(optimizer={"lr": 0.7}, budget={"updates": 1})
    others = [trial(seed=s, optimizer={"lr": 3.0}, budget={"updates": 1}) for s in (1, 2)]
    naive = untaught(spec)
    for pack in ([spec], [*others, spec]):
        _, rows = run(pack)
        found = {
            (row["key"], row["layer"]): row["value"]
            for row in rows.rows("probes", spec.trial_id)
            if row["update"] == 0
        }
        assert found["overshoot", None] == pytest.approx(naive["overshoot"], rel=1e-9)
        assert found["separation", 2] == pytest.approx(naive["separation"], rel=1e-9)
        for layer in (1, 2, 3):
            expected = naive[f"first_update {layer}"]
            assert found["first_update", layer] == pytest.approx(expected, rel=1e-9)


def test_an_update_by_a_quarter_of_the_first_layer_within_the_budget_is_just_enough() -> None:
    spec = trial(budget={"updates": 100})
    numbers = {
        "gradients/first_update/1": 0.0025,
        "gradients/first_update/2": 0.03,
        "gradients/first_update/3": 0.005,
        "gradients/overshoot": math.exp(-1),
        "gradients/separation/2": 0.5,
    }
    found = health.score(spec, numbers)
    assert found is not None
    # tanh: updates of 0.3 of a layer's weights are the limit, ten times the largest here.
    assert found.terms == pytest.approx(
        {"movement": 0, "overshoot": 2, "size": math.log(10), "separation": 0}, abs=1e-12
    )
    assert found.value == pytest.approx(0, abs=1e-12)
    alike = health.score(spec, numbers | {"gradients/separation/2": 0.02 * math.exp(-5)})
    assert alike is not None
    assert alike.value == pytest.approx(-1, abs=1e-12)
    assert health.score(spec, {"train_loss": 1.0}) is None


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    generator = np.random.default_rng(0)
    learned = generator.random(300) < 0.4
    score = np.round(generator.normal(size=300) + 1.5 * learned, 1)  # rounded: with ties
    found = roc.area(list(score), list(learned))
    assert found.value == pytest.approx(roc_auc_score(learned, score), abs=1e-12)
    # DeLong's variance by its definition, one pair after the other.
    wins = (score[learned][:, None] > score[~learned]) + 0.5 * (
        score[learned][:, None] == score[~learned]
    )
    m, n = wins.shape
    deviation = math.sqrt(wins.mean(1).var(ddof=1) / m + wins.mean(0).var(ddof=1) / n)
    logit = math.log(found.value / (1 - found.value))
    low = logit - 1.959964 * deviation / (found.value * (1 - found.value))
    assert found.low == pytest.approx(1 / (1 + math.exp(-low)), abs=1e-9)
    assert found.low < found.value < found.high < 1
    with pytest.raises(ValueError, match="both kinds"):
        roc.area([1.0, 2.0], [True, True])


def test_words_are_those_of_the_docs() -> None:
    page = (Path(__file__).parents[1] / "docs" / "verdicts.md").read_text()
    assert not [word for word in Health if f"`{word}`" not in page]
