"""Layer measurements against naive per-sample twins and against theory."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from talweg.workloads import problems
from talweg.workloads.models import MODELS
from talweg.workloads.spec import TrialSpec
from talweg.workloads.theory import predictions

from .trials import run, trial


def first_layers(spec: TrialSpec) -> list[dict[str, Any]]:
    """The layer rows of the untrained net, input side first."""
    _, rows = run([spec])
    return [r for r in rows.rows("layers", spec.trial_id) if r["update"] == 0]


def per_sample(z: torch.Tensor, delta: torch.Tensor, h: torch.Tensor) -> dict[str, float]:
    """One layer of one sample, by the definitions."""
    return {
        "q": float((z**2).mean()),
        "backward_signal": float((delta**2).mean()),
        "saturated_share": float((h.abs() > 0.97).double().mean()),
    }


def naive(spec: TrialSpec) -> list[dict[str, float]]:
    """The same quantities by one backward pass per sample on a plain net."""
    data = problems.load(spec.problem)
    samples = spec.record.layer_samples
    x, y = torch.as_tensor(data.x_train[:samples]), torch.as_tensor(data.y_train[:samples])
    params = [p.requires_grad_() for p in MODELS["mlp"](spec, data).start(spec)]
    weights = params[0::2]
    found = []
    total = [torch.zeros_like(w) for w in weights]
    for one_x, one_y in zip(x, y, strict=True):
        h, zs, hs = one_x, [], []
        for i, (w, b) in enumerate(zip(weights, params[1::2], strict=True)):
            z = h @ w + b[0]
            h = torch.tanh(z) if i < len(weights) - 1 else z
            zs.append(z)
            hs.append(h)
        loss = torch.logsumexp(h, 0) - h[one_y]
        grads = torch.autograd.grad(loss, [*zs, *weights])
        for i, grad in enumerate(grads[len(zs) :]):
            total[i] += grad / len(x)
        parts = zip(zs, grads, hs, strict=False)
        found.append([per_sample(z.detach(), d, out.detach()) for z, d, out in parts])
    layers = [
        {key: float(np.mean([sample[i][key] for sample in found])) for key in found[0][i]}
        for i in range(len(weights))
    ]
    for layer, grad, w in zip(layers, total, weights, strict=True):
        layer["grad_norm"] = float(grad.norm())
        layer["grad_rms"] = float(grad.norm()) / math.sqrt(grad.numel())
        layer["weight_norm"] = float(w.detach().norm())
    return layers


def test_layer_rows_equal_one_backward_pass_per_sample() -> None:
    spec = trial(
        model={"depth": 3, "width": 12, "init": {"name": "gaussian", "sigma_w": 3, "sigma_b": 1}},
        budget={"updates": 0},
        record={"layer_samples": 50},
    )
    rows, twins = first_layers(spec), naive(spec)
    assert [r["layer"] for r in rows] == [1, 2, 3, 4]
    assert [r["name"] for r in rows] == ["hidden1", "hidden2", "hidden3", "output"]
    for row, twin in zip(rows, twins, strict=True):
        for key, value in twin.items():
            if key == "saturated_share" and row["name"] == "output":
                assert row[key] is None
            else:
                assert row[key] == pytest.approx(value, rel=1e-10), (row["layer"], key)


def wide(activation: str, sigma_w: float, *, bias: bool = True, depth: int = 10) -> TrialSpec:
    return trial(
        problem={"name": "gaussian_inputs", "features": 400, "samples": 200, "classes": 10},
        model={
            "depth": depth,
            "width": 400,
            "activation": activation,
            "init": {"name": "gaussian", "sigma_w": sigma_w},
            "bias": bias,
        },
        budget={"updates": 0},
    )


def slope(rows: list[dict[str, Any]]) -> float:
    """exp of the least-squares slope of ln D_l per layer towards the input, output left out."""
    signal = [math.log(r["backward_signal"]) for r in rows[:-1]]
    return math.exp(-np.polyfit(range(len(signal)), signal, 1)[0])


@pytest.mark.parametrize("sigma_w2", [1 / 3, 1.0, 2.0, 3.0])
def test_the_backward_signal_of_a_relu_net_changes_by_half_sigma_w_squared(
    sigma_w2: float,
) -> None:
    # χ = σ_w² E[φ'²] = σ_w²/2 (Schoenholz 2017); 1/3 is PyTorch's default initialisation.
    rows = first_layers(wide("relu", math.sqrt(sigma_w2)))
    assert slope(rows) == pytest.approx(sigma_w2 / 2, rel=0.04)


def test_relu_weight_gradients_look_flat_while_the_signal_vanishes() -> None:
    # Homogeneity: ⟨W_l, ∂L/∂W_l⟩ is the same for every l, so a gauge on weights is blind.
    rows = first_layers(wide("relu", math.sqrt(1 / 3), bias=False))
    norms = [r["grad_norm"] for r in rows[1:-1]]
    assert max(norms) / min(norms) < 1.6
    assert rows[0]["backward_signal"] < 1e-5 * rows[-2]["backward_signal"]


def test_identity_nets_keep_q_times_sigma_w_squared() -> None:
    rows = first_layers(wide("identity", 1.5, depth=4))
    qs = [r["q"] for r in rows]
    for before, after in itertools.pairwise(qs):
        assert after / before == pytest.approx(2.25, rel=0.15)


def test_dead_and_zero_shares_are_different_things() -> None:
    rows = first_layers(wide("relu", 1.4, depth=3))
    assert rows[0]["zero_share"] == pytest.approx(0.5, abs=0.02)
    assert rows[0]["dead_share"] == 0
    dead = trial(model={"activation": "relu", "init": "zeros", "depth": 1}, budget={"updates": 0})
    row, output = first_layers(dead)
    assert (row["dead_share"], row["zero_share"]) == (1.0, 1.0)
    assert output["dead_share"] is None
    assert row["saturated_share"] is None


def test_no_layer_rows_without_the_probe_and_fewer_than_step_rows() -> None:
    silent = trial(record={"probes": []})
    _, rows = run([silent])
    assert rows.tables["layers"] == {}
    few = trial(budget={"updates": 200}, record={"steps": 20, "layers": 4})
    _, rows = run([few])
    steps = [r["update"] for r in rows.rows("steps", few.trial_id)]
    layers = sorted({r["update"] for r in rows.rows("layers", few.trial_id)})
    assert len(steps) <= 20
    assert len(layers) == 4
    assert set(layers) <= set(steps)
    assert (layers[0], layers[-1]) == (0, 200)


def test_update_ratio_is_the_relative_change_of_the_weights() -> None:
    spec = trial(descent="batch", budget={"updates": 1}, optimizer={"lr": 0.25})
    _, rows = run([spec])
    before = [r for r in rows.rows("layers", spec.trial_id) if r["update"] == 0]
    after = [r for r in rows.rows("layers", spec.trial_id) if r["update"] == 1]
    for old, new in zip(before, after, strict=True):
        assert old["update_ratio"] is None
        ratio = 0.25 * old["grad_norm"] / old["weight_norm"]
        assert new["update_ratio"] == pytest.approx(ratio, rel=1e-12)


def probed(spec: TrialSpec, among: list[TrialSpec] | None = None) -> dict[int | None, Any]:
    """What the probe measured of χ in the untrained net: layer -> value."""
    _, rows = run(among or [spec])
    return {r["layer"]: r["value"] for r in rows.rows("probes", spec.trial_id) if r["key"] == "chi"}


def mean_factor(spec: TrialSpec, seeds: int) -> float:
    """The geometric mean of χ̂ over nets of different seeds."""
    pack = [spec.model_copy(update={"seed": seed}) for seed in range(seeds)]
    _, rows = run(pack)
    probes = [row for trial_ in pack for row in rows.rows("probes", trial_.trial_id)]
    logs = [math.log(r["value"]) for r in probes if r["key"] == "chi" and r["layer"] is None]
    assert len(logs) == seeds
    return math.exp(np.mean(logs))


def told(spec: TrialSpec) -> dict[tuple[str, int | None], float]:
    return {(r.key, r.layer): r.value for r in predictions(spec) if r.value is not None}


def initialised(activation: str, sigma_w2: float, sigma_b2: float, **model: Any) -> TrialSpec:
    """A net of width 400 on 400 normal inputs, 96 samples, seed 0."""
    init = {"name": "gaussian", "sigma_w": sigma_w2**0.5, "sigma_b": sigma_b2**0.5}
    given = {"width": 400, "depth": 12, "activation": activation, "init": init}
    problem = {"name": "gaussian_inputs", "features": 400, "samples": 96}
    return trial(problem=problem, model=given | model, budget={"updates": 0}, seed=0)


def test_factors_are_those_of_the_layer_rows() -> None:
    for norm, first in (("none", 0), ("layer", 1)):
        spec = initialised("tanh", 1.5, 0.1, width=20, norm=norm)
        found = probed(spec)
        signal = [r["backward_signal"] for r in first_layers(spec)[:-1]]
        assert found.pop(None) == pytest.approx(slope_of(signal[first:]), rel=1e-10)
        pairs = enumerate(itertools.pairwise(signal), 1)
        assert found == pytest.approx({n: own / after for n, (own, after) in pairs}, rel=1e-10)


def slope_of(signal: list[float]) -> float:
    return math.exp(-np.polyfit(range(len(signal)), np.log(signal), 1)[0])


CASES = [
    *(("tanh", 1.76095, 0.05), ("tanh", 3.0, 0.0), ("tanh", 0.8, 0.3), ("sigmoid", 1.0, 0.0)),
    *(("sigmoid", 20.0, 1.0), ("relu", 1.4, 0.2), ("leaky_relu", 2.2, 0.0), ("elu", 1.5, 0.1)),
    *(("gelu", 1.8, 0.5), ("silu", 1.0, 0.3), ("selu", 1.0, 0.0), ("softplus", 0.8, 0.1)),
]


@pytest.mark.parametrize(("activation", "sigma_w2", "sigma_b2"), CASES)
def test_measured_factors_are_those_of_mean_field(
    activation: str, sigma_w2: float, sigma_b2: float
) -> None:
    # One net of this width scatters by 0.2 to 3 % (standard deviation over seeds), four by half.
    spec = initialised(activation, sigma_w2, sigma_b2)
    expected = told(spec)
    assert mean_factor(spec, 4) == pytest.approx(expected["chi_net", None], rel=0.04)
    # far from the inputs every layer has the χ of q*
    assert expected["chi", 11] == pytest.approx(expected["chi", None], rel=0.02)


def test_factors_of_batch_norm_and_of_skips() -> None:
    batch = initialised("relu", 2.0, 0.0, norm="batch", depth=20)
    assert probed(batch)[None] == pytest.approx(math.pi / (math.pi - 1), rel=0.03)
    assert told(batch)["chi", None] == pytest.approx(math.pi / (math.pi - 1), rel=1e-4)
    for residual, factor in (("plain", 2.0), ("scaled", 1 + 1 / 11)):
        spec = initialised("relu", 2.0, 0.0, residual=residual)
        assert told(spec)["chi", None] == pytest.approx(factor)
        assert probed(spec)[None] == pytest.approx(factor, rel=0.04)
        # z_{l+1} = W φ(s_l): its q grows as E‖φ(s_l)‖² does
        qs = [r["q"] for r in first_layers(spec)[1:-1]]
        growth = (qs[-1] / qs[0]) ** (1 / (len(qs) - 1))
        assert growth == pytest.approx(factor, rel=0.04)


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "rms"])
@pytest.mark.parametrize("residual", [False, "plain", "scaled", "pre_norm"])
def test_every_layer_is_predicted_through_norms_and_skips(norm: str, residual: Any) -> None:
    if (norm, residual) == ("none", "pre_norm"):
        pytest.skip("pre_norm needs a norm")
    spec = initialised("tanh", 2.0, 0.1, norm=norm, residual=residual, depth=5)
    found, expected = probed(spec), told(spec)
    for row in first_layers(spec)[:-1]:
        assert row["q"] == pytest.approx(expected["q", row["layer"]], rel=0.1)
    for layer in range(1, 5):
        assert found[layer] == pytest.approx(expected["chi", layer], rel=0.1)


def test_circular_convolutions_have_the_factor_of_mean_field() -> None:
    # 48 channels scatter by 6 % from net to net, the mean of eight nets by 2 %.
    model = {"name": "convnet", "channels": 48, "depth": 10, "padding": "circular"}
    spec = trial(
        problem={"name": "digits", "test_share": 0.01},
        model=model | {"init": {"name": "gaussian", "sigma_w": 1.2}},
        budget={"updates": 0},
        record={"samples": 2, "layer_samples": 2},
    )
    assert told(spec)["chi", None] == pytest.approx(0.72)
    assert mean_factor(spec, 8) == pytest.approx(0.72, rel=0.06)


def test_no_factor_where_there_is_none() -> None:
    assert probed(initialised("tanh", 1.0, 0.0, depth=1, width=8)) == {}
    assert set(probed(initialised("tanh", 1.0, 0.0, depth=2, width=8, norm="rms"))) == {1}
    zeros = initialised("tanh", 0.0, 0.0, depth=3, width=8)
    assert probed(zeros) == {None: None, 1: None, 2: None}
    assert probed(trial(problem="digits", model="lstm", budget={"updates": 0})) == {}


def test_faint_signals_of_float32_are_not_taken_for_zero() -> None:
    deep = initialised("sigmoid", 1.0, 0.0, depth=40, width=64)
    single = deep.model_copy(update={"dtype": "float32"})
    precise, found = probed(deep), probed(single)
    signal = first_layers(single)[0]["backward_signal"]
    assert 0 < signal < 1e-45
    assert found == pytest.approx(precise, rel=1e-3)


def test_a_factor_does_not_depend_on_neighbours() -> None:
    healthy, faint = (initialised("tanh", w2, 0.1, width=16, depth=30) for w2 in (1.5, 1e-2))
    for dtype in ("float64", "float32"):
        pack = [spec.model_copy(update={"dtype": dtype}) for spec in (healthy, faint)]
        for spec in pack:
            rel = 1e-9 if dtype == "float64" else 1e-4
            assert probed(spec, pack) == pytest.approx(probed(spec), rel=rel)
