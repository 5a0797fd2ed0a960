"""Gradient noise against a loop over samples, closed forms, and the updates it must not touch."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from talweg.workloads import problems
from talweg.workloads.probes.noise import Noise
from talweg.workloads.probes.noise_batches import of_batches
from talweg.workloads.probespecs import Noise as Spec
from talweg.workloads.spec import Record, TrialSpec
from talweg.workloads.stack import Stack
from talweg.workloads.step import Split
from talweg.workloads.updaters import Taped

from .trials import run, trial

SAMPLES = 12
FIXED: dict[str, Any] = {"probes": [{"name": "noise", "samples": SAMPLES}]}
EVERY: dict[str, Any] = {"probes": [{"name": "noise", "every_update": True, "steps": 100}]}
DIGITS = {"name": "digits"}
NETS: dict[str, dict[str, Any]] = {
    "mlp": {"model": {"activation": "relu"}},
    "mlp without bias": {"model": {"bias": False}},
    "linear": {"model": {"depth": 0}},
    "layer norm": {"model": {"norm": "layer", "residual": "pre_norm", "depth": 3}},
    "rms norm": {"model": {"norm": "rms", "residual": "scaled", "depth": 3}},
    "regression": {"problem": {"name": "linear"}, "model": {"depth": 1}, "loss": "huber"},
    "convnet": {"problem": DIGITS, "model": {"name": "convnet", "channels": 3, "norm": "layer"}},
    "lstm": {"problem": DIGITS, "model": {"name": "lstm", "width": 5}},
    "masks": {
        "problem": {"name": "shapes", "samples": 40},
        "model": {"name": "encoder_decoder", "channels": 2},
        "loss": "dice",
    },
}


def untrained(**parts: Any) -> TrialSpec:
    return trial(budget={"updates": 0}, record=FIXED, **parts)


def numbers(spec: TrialSpec, update: int = 0) -> dict[str, Any]:
    """What the probe says of a trial after so many updates."""
    return recorded([spec], update)[0]


def recorded(pack: list[TrialSpec], update: int = 0) -> list[dict[str, Any]]:
    _, rows = run(pack)
    found = []
    for spec in pack:
        steps = [r for r in rows.rows("steps", spec.trial_id) if r["update"] == update]
        probes = rows.rows("probes", spec.trial_id)
        keys = {r["key"]: r["value"] for r in probes if r["update"] == update}
        found.append({"scale": steps[0]["noise_scale"]} | keys)
    return found


def stack_of(*pack: TrialSpec) -> Stack:
    return Stack(pack, problems.load(pack[0].problem), torch.device("cpu"))


def gradients(stack: Stack, samples: int) -> np.ndarray[Any, Any]:
    """One backward pass for each sample of a pack of one, (N, parameters)."""
    rows = []
    for x, y in zip(stack.train.x[:samples], stack.train.y[:samples], strict=True):
        leaves = [p.detach().requires_grad_() for p in stack.params]
        loss = stack.step.criterion.loss(stack.model.forward(leaves, x[None, None]), y[None, None])
        found = torch.autograd.grad(loss.sum(), leaves)
        rows.append(torch.cat([g.flatten() for g in found]).numpy())
    return np.array(rows)


def naive(g: np.ndarray[Any, Any], batch_size: int) -> dict[str, float]:
    """By the definitions, of gradients of (N, P)."""
    mean, n = g.mean(0), len(g)
    trace = float(((g - mean) ** 2).sum() / (n - 1))
    square = float((mean**2).sum() - trace / n)
    variance = g.var(0, ddof=1)
    varies = variance > 0
    snr = float((mean[varies] ** 2 / variance[varies]).mean())
    scale = trace / square
    norm_test = math.sqrt(scale / batch_size) if scale >= 0 else math.nan
    return {"trace": trace, "square": square, "snr": snr, "scale": scale, "norm_test": norm_test}


@pytest.mark.parametrize("parts", NETS.values(), ids=NETS.keys())
def test_every_quantity_equals_a_loop_over_samples(parts: dict[str, Any]) -> None:
    spec = untrained(**parts)
    found, twin = numbers(spec), naive(gradients(stack_of(spec), SAMPLES), spec.batch_size)
    for key in ("trace", "square", "snr"):
        assert found[key] == pytest.approx(twin[key], rel=1e-9), key
    if twin["square"] > 0:
        assert found["scale"] == pytest.approx(twin["scale"], rel=1e-9)
        assert found["norm_test"] == pytest.approx(twin["norm_test"], rel=1e-9)
    else:
        assert found["scale"] is found["norm_test"] is None


def test_both_estimators_average_to_the_closed_form_of_a_linear_regression() -> None:
    # y = w*ᵀx + σξ, x ~ N(0, I), squared error at w: G = 2(w − w*) = 2v, and by the moments of
    # normal numbers tr Σ = 4 ((D + 2)‖v‖² + Dσ²) − 4‖v‖².
    dimension, deviation, draws = 5, 0.5, 700
    g = torch.Generator().manual_seed(1)
    v = torch.linspace(0.2, 1, dimension, dtype=torch.float64)
    x = torch.randn(draws, SAMPLES, dimension, generator=g, dtype=torch.float64)
    noise = deviation * torch.randn(draws, SAMPLES, 1, generator=g, dtype=torch.float64)
    problem = {"name": "linear", "features": dimension, "samples": 40}
    stack = stack_of(trial(problem=problem, model={"depth": 0, "bias": False}))
    stack.params[0].copy_(v.view(1, dimension, 1))  # w* = 0
    found = []
    for pair in zip(x, noise, strict=True):
        stack.train = Split(*pair)
        alone = Noise(stack, Spec(name="noise")).measure()
        two = of_batches(stack, SAMPLES, SAMPLES // 4)
        found.append([float(t) for t in (alone["noise/trace"], alone["noise/square"], *two)])
    length = float(v.square().sum())
    trace = 4 * ((dimension + 2) * length + dimension * deviation**2) - 4 * length
    means, errors = np.mean(found, 0), np.std(found, 0) / math.sqrt(draws)
    expected = np.array([trace, 4 * length] * 2)
    assert (abs(means - expected) < 4 * errors).all(), (means, expected)
    assert (errors < 0.08 * expected).all()  # tr Σ/B, the bias of ‖G‖², is half of |G|² here


def test_a_quadratic_has_the_noise_that_it_was_given_and_no_scale_at_its_minimum() -> None:
    problem = {"name": "quadratic", "eigenvalues": [1.0, 4.0], "samples": 400}
    model = {"name": "point", "start": "normal"}
    record = {"probes": [{"name": "noise", "samples": 400}]}

    def at(scale: float, noise: float) -> TrialSpec:
        return trial(
            problem=problem | {"gradient_noise": noise},
            model=model | {"scale": scale},
            budget={"updates": 0},
            record=record,
        )

    away, there, silent = (numbers(at(*given)) for given in ((1.0, 0.3), (1e-9, 0.3), (1.0, 0.0)))
    for found in (away, there):
        assert found["trace"] == pytest.approx(2 * 0.3**2, rel=0.15)  # 400 draws of 2 numbers
    # ∇f = λθ, to which the noise adds nothing on average
    theta = stack_of(at(1.0, 0.3)).params[0][0]
    square = float(theta[0] ** 2 + (4 * theta[1]) ** 2)
    assert away["square"] == pytest.approx(square - away["trace"] / 400, rel=1e-9)
    assert away["scale"] == pytest.approx(away["trace"] / away["square"], rel=1e-9)
    assert there["square"] == pytest.approx(-there["trace"] / 400, rel=1e-9)
    assert there["scale"] is there["norm_test"] is None
    assert silent["scale"] == silent["trace"] == silent["norm_test"] == 0
    assert silent["snr"] is None


def batches(spec: TrialSpec, updates: int) -> Iterator[np.ndarray[Any, Any]]:
    """Gradients of the samples of each update, before it, of a trial that does not watch them."""
    stack = stack_of(spec)
    stack.updater = stack.eager()
    whole = stack.train
    for update in range(updates):
        x, y = stack._samples(1)
        stack.train = Split(x[0, 0], y[0, 0])
        yield gradients(stack, len(y[0, 0]))
        stack.train = whole
        stack.descend(update + 1)


@pytest.mark.parametrize("name", ["mlp", "mlp without bias", "linear", "layer norm", "rms norm"])
def test_numerator_and_denominator_are_averaged_over_the_updates(name: str) -> None:
    updates = 9  # 120 samples in batches of 32: two epochs end with a short one
    quiet = trial(**NETS[name], budget={"updates": updates}, record={"steps": 2})
    watched = quiet.model_copy(update={"record": Record.model_validate(EVERY | {"steps": 2})})
    found = numbers(watched, updates)
    twins = [naive(g, 32) for g in batches(quiet, updates)]
    assert found["updates"] == updates
    trace, square = (np.mean([t[key] for t in twins]) for key in ("trace", "square"))
    assert found["trace"] == pytest.approx(trace, rel=1e-9)
    assert found["square"] == pytest.approx(square, rel=1e-9)
    assert found["scale"] == pytest.approx(trace / square, rel=1e-9)
    assert found["norm_test"] == pytest.approx(math.sqrt(trace / square / 32), rel=1e-9)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"model": {"norm": "layer", "depth": 3, "residual": "plain"}},
        {"optimizer": {"name": "adam", "clip_norm": 0.5, "weight_decay": 0.1}},
    ],
    ids=["sgd", "layer norm", "clipped adam"],
)
def test_watching_every_update_changes_no_bit_of_them(parts: dict[str, Any]) -> None:
    quiet = [trial(**parts, budget={"updates": 60}, seed=seed) for seed in range(2)]
    watched = [t.model_copy(update={"record": Record.model_validate(EVERY)}) for t in quiet]
    plain, noisy = stack_of(*quiet), stack_of(*watched)
    assert isinstance(noisy.updater, Taped)
    for stack in (plain, noisy):
        stack.descend(60)
    assert noisy.noise_updates == 60
    assert not plain.noise_updates
    assert torch.equal(plain.clipped_K, noisy.clipped_K)
    pairs = zip(plain.params + plain.state, noisy.params + noisy.state, strict=True)
    for a, b in pairs:
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("parts", "record"),
    [
        ({"model": {"norm": "layer"}}, EVERY),
        ({"model": {"norm": "batch"}}, FIXED),
        ({"problem": DIGITS, "model": {"name": "gru", "width": 5}}, FIXED),
    ],
    ids=["every update", "batch norm", "gru"],
)
def test_a_trial_alone_has_the_numbers_it_has_in_a_pack(
    parts: dict[str, Any], record: dict[str, Any]
) -> None:
    pack = [trial(**parts, budget={"updates": 3}, record=record, seed=s) for s in range(3)]
    for together, spec in zip(recorded(pack, 3), pack, strict=True):
        alone = numbers(spec, 3)
        assert alone.keys() == together.keys()
        assert "trace" in alone
        for key, value in alone.items():
            assert together[key] == (value and pytest.approx(value, rel=1e-9)), key


def test_batch_norm_has_no_ratio_and_is_never_averaged_over_updates() -> None:
    spec = trial(model={"norm": "batch"}, budget={"updates": 3}, record=EVERY)
    found = numbers(spec, 3)
    assert found.keys() == {"scale", "trace", "square", "norm_test"}


@pytest.mark.parametrize(
    "parts",
    [
        {"problem": {"name": "ring"}},
        {"loss": {"name": "triplet", "mining": "hard"}},
    ],
    ids=["two players", "mined triplets"],
)
def test_there_is_nothing_where_nothing_is_defined(parts: dict[str, Any]) -> None:
    spec = TrialSpec.model_validate({**parts, "budget": {"updates": 0}, "record": FIXED})
    assert numbers(spec).get("trace") is None
    assert numbers(spec)["scale"] is None


def test_a_single_sample_an_update_is_measured_on_the_fixed_ones() -> None:
    spec = trial(descent="stochastic", budget={"updates": 2}, record=EVERY)
    assert "updates" not in numbers(spec, 2)
    assert numbers(spec, 2)["snr"] is not None


def test_sums_go_on_after_a_checkpoint_and_a_compaction() -> None:
    pack = [trial(budget={"updates": 9}, record=EVERY, seed=seed) for seed in range(3)]
    whole, first, second = stack_of(*pack), stack_of(*pack), stack_of(pack[2])
    first.descend(4)
    second.restore(first.snapshot([2]), 4, 0.0)
    first.keep([0, 2])
    for stack in (whole, first, second):
        stack.descend(9)
        assert stack.noise_updates == 9
    assert torch.allclose(first.noise_2K, whole.noise_2K[:, [0, 2]], rtol=1e-9)
    assert torch.allclose(second.noise_2K, whole.noise_2K[:, [2]], rtol=1e-9)
