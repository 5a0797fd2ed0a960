"""Theory against independent quadrature, closed forms, simulations, and what trials measure.

Seeds are fixed: a tolerance that holds once holds always.
"""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.linalg import solve_discrete_lyapunov
from torch.nn import functional

from talweg.workloads.activations import ACTIVATIONS
from talweg.workloads.initializers import INITIALIZERS
from talweg.workloads.initspecs import GaussianInit, NamedInit, ScaledInit
from talweg.workloads.models import blocks
from talweg.workloads.records import Prediction
from talweg.workloads.theory import batches, gates, layers, meanfield, nets, predictions, quadratics
from talweg.workloads.theory.gaussian import kinks, moments, normalised_chi_square
from talweg.workloads.theory.initial import VARIANCES, Variances, variances

from .trials import run, trial

GAUSSIAN = {"name": "gaussian_inputs", "features": 400}
HE = Variances(2.0, 0.0)


def phi(name: str, z: float) -> float:
    return float(ACTIVATIONS[name](torch.tensor(z, dtype=torch.float64)))


def expectation(function: Any) -> float:
    """E f(u), u ~ N(0, 1), adaptively on both half-lines."""

    def weighed(u: float) -> float:
        return float(function(u)) * math.exp(-u * u / 2) / math.sqrt(2 * math.pi)

    halves = [(-10.0, -1.0), (-1.0, 0.0), (0.0, 1.0), (1.0, 10.0)]
    return float(sum(quad(weighed, a, b, epsabs=1e-11, limit=200)[0] for a, b in halves))


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("variance", [0.04, 1.0, 9.0])
def test_moments_equal_adaptive_quadrature(name: str, variance: float) -> None:
    root = math.sqrt(variance)
    found = moments(name, np.array([variance]))
    assert found.square[0] == pytest.approx(
        expectation(lambda u: phi(name, root * u) ** 2), rel=1e-8
    )
    mean = expectation(lambda u: phi(name, root * u))
    assert found.mean[0] == pytest.approx(mean, rel=1e-8, abs=1e-10)

    def slope(u: float) -> float:  # by central differences that do not cross 0
        step = min(1e-5, abs(u) * root / 2)
        return (phi(name, root * u + step) - phi(name, root * u - step)) / (2 * step)

    assert found.slope[0] == pytest.approx(expectation(lambda u: slope(u) ** 2), rel=1e-6)


@pytest.mark.parametrize("variance", [1e-8, 0.3, 1.0, 40.0, 1e6])
def test_closed_forms_also_of_an_activation_that_somebody_adds(
    variance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # E erf² and E erf'²: Williams 1997, eq. 11, at equal inputs.
    monkeypatch.setitem(ACTIVATIONS, "erf", torch.erf)
    found = moments("erf", np.array([variance]))
    square = 2 / math.pi * math.asin(2 * variance / (1 + 2 * variance))
    assert found.square[0] == pytest.approx(square, rel=1e-9)
    assert found.slope[0] == pytest.approx(4 / math.pi / math.sqrt(1 + 4 * variance), rel=1e-9)
    relu = moments("relu", np.array([variance]))
    assert relu.square[0] == pytest.approx(variance / 2, rel=1e-12)
    assert relu.mean[0] == pytest.approx(math.sqrt(variance / (2 * math.pi)), rel=1e-12)
    assert relu.slope[0] == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("variance", [0.01, 1.0, 30.0])
def test_kinks_away_from_0_are_found(variance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "hard_tanh", functional.hardtanh)
    assert kinks("hard_tanh") == pytest.approx([-1, 1], abs=1e-9)
    assert len(kinks("gelu")) == len(kinks("selu")) == 0
    found = moments("hard_tanh", np.array([0.3, variance]))  # each variance has its own panels
    inside = math.erf(1 / math.sqrt(2 * variance))
    assert found.slope[1] == pytest.approx(inside, rel=1e-9)
    edge = math.sqrt(2 / math.pi * variance) * math.exp(-1 / (2 * variance))
    assert found.square[1] == pytest.approx(variance * inside - edge + 1 - inside, rel=1e-9)


@pytest.mark.parametrize("degrees", [1, 4, 64, 3072])
def test_the_rule_for_chi_square_has_its_moments(degrees: int) -> None:
    s, share = normalised_chi_square(degrees)
    # E s^k of χ²_D/D: the product of (1 + 2j/D), j = 0 … k − 1
    for k in range(6):
        expected = math.prod(1 + 2 * j / degrees for j in range(k))
        assert share @ s**k == pytest.approx(expected, rel=1e-9)


def test_reference_values_of_mean_field() -> None:
    assert meanfield.critical_sigma_w("tanh", math.sqrt(0.05)) ** 2 == pytest.approx(
        1.76095, abs=5e-6
    )
    q = meanfield.q_star("sigmoid", Variances(1, 0), 1.0)
    assert q == pytest.approx(0.264687, abs=5e-7)
    assert meanfield.chi("sigmoid", Variances(1, 0), q) == pytest.approx(0.055721, abs=5e-7)
    assert meanfield.chi("relu", Variances(3, 0.2), 7.0) == pytest.approx(1.5, rel=1e-12)
    assert meanfield.depth_scale(math.exp(-0.25)) == pytest.approx(4)
    assert meanfield.depth_scale(1.0) == math.inf


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("sigma", [Variances(0.6, 0.1), Variances(1.4, 0.02), Variances(3.0, 0.5)])
def test_q_star_is_where_the_map_leads(name: str, sigma: Variances) -> None:
    for start in (0.01, 30.0):
        q = start
        for _ in range(150):
            q = meanfield.q_map(name, sigma, q)
        found = meanfield.q_star(name, sigma, start)
        if found == math.inf:
            assert meanfield.q_map(name, sigma, q) > q > start
        else:
            assert q == pytest.approx(found, rel=1e-6)


def test_fixed_points_at_the_edges() -> None:
    assert meanfield.q_star("relu", HE, 1.7) == 1.7  # each q is one
    assert meanfield.q_star("tanh", Variances(1, 0), 1.0) == 0  # reached as 1/(2l)
    assert meanfield.q_star("tanh", Variances(0, 0), 0.0) == 0
    assert meanfield.chi("tanh", Variances(1, 0), 0.0) == pytest.approx(1)
    assert meanfield.q_star("gelu", Variances(3, 0), 0.1) == 0  # below an unstable one
    assert meanfield.q_star("gelu", Variances(3, 0), 1e3) == math.inf


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "elu", "selu", "gelu", "silu", "leaky_relu"])
def test_on_the_critical_line_chi_is_1(name: str) -> None:
    for sigma_b in (0.9, 1.5):
        sigma = Variances(meanfield.critical_sigma_w(name, sigma_b) ** 2, sigma_b**2)
        found = meanfield.q_star(name, sigma, 1.0)
        assert meanfield.chi(name, sigma, found) == pytest.approx(1, abs=1e-6)


def test_an_activation_that_is_nowhere_critical_is_refused() -> None:
    for name, sigma_b in (("softplus", 0.5), ("gelu", 0.1)):
        with pytest.raises(ValueError, match="critical at no σ_w"):
            meanfield.critical_sigma_w(name, sigma_b)


INITS = [
    *(NamedInit.model_validate({"name": n}) for n in ("he", "xavier", "lecun", "orthogonal")),
    *(NamedInit.model_validate({"name": n}) for n in ("pytorch_default", "zeros")),
    GaussianInit(name="gaussian", sigma_w=1.3, sigma_b=0.4),
    ScaledInit(name="scaled", gain=1.7),
]


@pytest.mark.parametrize("init", INITS, ids=lambda init: init.name)
@pytest.mark.parametrize("fans", [(300, 700), (700, 300), (400, 400)])
def test_variances_are_those_of_what_is_drawn(init: Any, fans: tuple[int, int]) -> None:
    w_DH, b_H = INITIALIZERS[init.name](*fans, init, torch.Generator().manual_seed(0))
    found = variances(init, *fans)
    assert found
    assert fans[0] * float(w_DH.square().mean()) == pytest.approx(found.weight, rel=0.02)
    assert float(b_H.square().mean()) == pytest.approx(found.bias, rel=0.15)
    assert variances(init, *fans, bias=False) == (found.weight, 0)


def test_every_initialiser_has_variances_and_an_unknown_one_has_none() -> None:
    assert set(VARIANCES) == set(INITIALIZERS)
    assert variances(type("Init", (), {"name": "own"})(), 3, 4) is None
    assert layers.EPSILON == blocks.EPSILON


def net(norm: Any, residual: Any, depth: int = 12) -> layers.Net:
    return layers.Net("relu", depth, norm, residual, HE, HE)


def test_factors_of_norms_and_skips() -> None:
    inputs = layers.normal_inputs(100_000)
    batch = layers.pass_through(net("batch", False), inputs).chi_L
    assert batch[1:] == pytest.approx(math.pi / (math.pi - 1), rel=1e-4)
    assert layers.pass_through(net("layer", False), inputs).chi_L[1:] == pytest.approx(1, rel=1e-4)
    plain = layers.pass_through(net("none", "plain"), inputs)
    assert plain.chi_L == pytest.approx(2)
    assert (plain.q_LN @ inputs.share)[1:] == pytest.approx(2.0 ** np.arange(1, 12))
    scaled = layers.pass_through(net("none", "scaled"), inputs)
    assert scaled.chi_L[1:] == pytest.approx(1 + 1 / 11)
    assert scaled.chi_L[0] == pytest.approx(11 + 1)  # the branch is divided by √11, layer 1 not
    late = layers.pass_through(net("rms", "pre_norm"), inputs)
    # the stream's second moment grows by 1 a block, from 2: χ_l = 1 + 1/(l + 1)
    assert late.chi_L == pytest.approx(1 + 1 / np.arange(2, 13), rel=1e-4)


def powers(lr: float, curvature: float, momentum: float, nesterov: bool) -> float:
    """The spectral radius of one update of (θ, v), column by column of its own code."""
    columns = []
    for theta, v in ((1.0, 0.0), (0.0, 1.0)):
        g = curvature * theta
        v = momentum * v + g
        theta -= lr * (g + momentum * v if nesterov else v)
        columns.append([theta, v])
    return float(np.abs(np.linalg.eigvals(np.array(columns).T)).max())


def test_contraction_is_the_spectral_radius_of_an_update() -> None:
    for lr, curvature, momentum, nesterov in itertools.product(
        (0.01, 0.5, 1.9, 3.1), (0.2, 1.0), (0.0, 0.5, 0.95), (False, True)
    ):
        found = quadratics.contraction(lr, curvature, momentum, nesterov=nesterov)
        expected = powers(lr, curvature, momentum, nesterov)
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_best_rates_and_the_largest_ones() -> None:
    best = quadratics.best_gradient_descent(0.01, 1.0)
    assert best.contraction == pytest.approx(0.980198, abs=5e-7)
    ball = quadratics.best_heavy_ball(0.01, 1.0)
    assert ball.contraction == pytest.approx(0.818182, abs=5e-7)
    for rate in (best, ball):
        each = [quadratics.contraction(rate.lr, c, rate.momentum) for c in (0.01, 0.3, 1.0)]
        assert max(each) == pytest.approx(rate.contraction, rel=1e-6)
    for momentum, nesterov in itertools.product((0.0, 0.9), (False, True)):
        lr = quadratics.largest_lr(5.0, momentum, nesterov=nesterov)
        assert (
            powers(0.999 * lr, 5.0, momentum, nesterov)
            < 1
            < powers(1.001 * lr, 5.0, momentum, nesterov)
        )
        assert quadratics.sharpness_limit(lr, momentum, nesterov=nesterov) == pytest.approx(5)


def test_adams_bound_is_where_averaged_gradients_become_unstable() -> None:
    assert quadratics.adam_sharpness_limit(0.01, 0.9) == pytest.approx(3800)
    for off, grows in ((0.999, False), (1.001, True)):
        curvature, theta, m = off * quadratics.adam_sharpness_limit(0.01, 0.9), 1.0, 0.0
        for _ in range(20_000):
            m = 0.9 * m + 0.1 * curvature * theta
            theta -= 0.01 * m
            if abs(theta) > 1e4:
                break
        assert (abs(theta) > 1e4) == grows


def test_updates_to_a_tolerance() -> None:
    assert quadratics.updates_to(1e-3, 0.9) == 66
    assert quadratics.updates_to(1e-3, 1.0) is None
    assert quadratics.updates_to(2.0, 0.9) == 0
    spectrum, lr, decay = [0.02, 0.7, 1.3], 0.4, 0.1
    theta, updates = np.ones(3), 0
    while (np.array(spectrum) * theta**2).sum() / 2 > 1e-3:
        theta -= lr * (np.array(spectrum) + decay) * theta
        updates += 1
    assert quadratics.updates_to_loss(1e-3, lr, spectrum, decay) == updates
    assert quadratics.updates_to_loss(1e-3, 2.0, spectrum) is None


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_stationary_variance_solves_the_lyapunov_equation(momentum: float) -> None:
    lr, curvature, noise = 0.1, 1.5, 0.7
    # (θ, v) ← A (θ, v) + b ξ
    a = np.array([[1 - lr * curvature, -lr * momentum], [curvature, momentum]])
    b = np.array([[-lr], [1.0]])
    solved = solve_discrete_lyapunov(a, noise * b @ b.T)[0, 0]
    found = quadratics.stationary_variance(lr, curvature, noise, momentum)
    assert found == pytest.approx(solved, rel=1e-9)
    assert quadratics.stationary_variance(0.1, 1.0, 1.0) == pytest.approx(0.052632, abs=5e-7)
    assert quadratics.stationary_variance(2.1, 1.0, 1.0) == math.inf


def test_shuffled_batches_leave_less_variance() -> None:
    # 60,000 chains: an epoch's N draws are normal, less their mean; seed 0, 1.5 %.
    lr, curvature, n = 0.3, 1.0, 6
    draw = np.random.default_rng(0)
    theta, squares = np.zeros(60_000), []
    for epoch in range(12):
        noise = draw.standard_normal((n, len(theta))) * math.sqrt(n / (n - 1))
        for xi in noise - noise.mean(0):
            theta = theta - lr * (curvature * theta + xi)
            squares += [float((theta**2).mean())] * (epoch > 3)
    found = quadratics.shuffled_variance(lr, curvature, 1.0, n)
    assert found == pytest.approx(float(np.mean(squares)), rel=0.015)
    assert found < 0.6 * quadratics.stationary_variance(lr, curvature, 1.0)
    limit = quadratics.shuffled_variance(lr, curvature, 1.0, 10**7)
    assert limit == pytest.approx(quadratics.stationary_variance(lr, curvature, 1.0), rel=1e-5)


def test_batch_curve_and_gates() -> None:
    curve = batches.Curve(200.0, 48.0)
    sizes = [4.0, 16.0, 64.0, 512.0]
    found = batches.fit(sizes, [curve.updates(size) for size in sizes])
    assert found == pytest.approx(curve)
    assert found.updates(48) == pytest.approx(2 * 200)
    assert found.samples(48) == pytest.approx(2 * 200 * 48)
    # (S/S_min − 1)(E/E_min − 1) = 1, E_min = S_min·B_crit
    product = (curve.updates(7) / 200 - 1) * (curve.samples(7) / (200 * 48) - 1)
    assert product == pytest.approx(1)
    with pytest.raises(ValueError, match="two batch sizes"):
        batches.fit([8, 8], [10, 11])
    with pytest.raises(ValueError, match="do not follow"):
        batches.fit([1, 10, 100], [1, 10, 100])
    assert batches.noise_scale(6.0, 2.0) == 3
    assert batches.best_lr(48, 48, 1.0) == 0.5
    assert gates.kept(0.9, 100) == pytest.approx(2.656e-5, abs=5e-9)
    assert gates.kept(math.exp(-1 / gates.time_scale(0.9)), 3) == pytest.approx(0.9**3)
    assert 1 / (1 + math.exp(-gates.forget_bias(20))) == pytest.approx(1 - 1 / 20)


def said(**parts: Any) -> dict[tuple[str, int | None], float]:
    """Predictions of a trial by key and layer."""
    rows = predictions(trial(**parts))
    found = {(row.key, row.layer): row.value for row in rows if row.value is not None}
    assert len(found) == len(rows)
    assert all(type(row.layer) is int or row.layer is None for row in rows)
    assert all(
        math.isfinite(value) and row.source for value, row in zip(found.values(), rows, strict=True)
    )
    return found


def model(
    activation: str = "relu", init: Any = "he", depth: int = 8, **more: Any
) -> dict[str, Any]:
    return {"depth": depth, "width": 400, "activation": activation, "init": init, **more}


def test_predictions_of_nets() -> None:
    found = said(problem=GAUSSIAN, model=model("sigmoid", {"name": "gaussian", "sigma_w": 1}))
    assert found["q_star", None] == pytest.approx(0.264687, abs=1e-6)
    assert found["chi", None] == pytest.approx(0.055721, abs=1e-6)
    assert found["depth_scale", None] == pytest.approx(-1 / math.log(0.055721), rel=1e-5)
    assert [layer for key, layer in found if key == "q"] == list(range(1, 9))
    assert [layer for key, layer in found if key == "chi"] == [None, *range(1, 8)]
    assert found["q", 1] == pytest.approx(1)
    assert found["chi", 1] < found["chi_net", None] < found["chi", None] < found["chi", 1] * 1.3
    bias = 1 / (3 * 400)
    default = said(problem=GAUSSIAN, model=model(init="pytorch_default"))
    assert default["chi", None] == pytest.approx(1 / 6)
    assert default["q_star", None] == pytest.approx(bias / (1 - 1 / 6))
    assert default["q", 2] == pytest.approx((1 / 3 + bias) / 6 + bias)
    unbiased = said(problem=GAUSSIAN, model=model(init="pytorch_default", bias=False))
    assert unbiased["q", 2] == pytest.approx(1 / 18)


def test_predictions_where_nothing_is_known_of_the_inputs() -> None:
    relu = said(problem="digits", model=model())
    assert {key for key, _ in relu} == {"chi", "chi_net"}
    assert list(relu.values()) == pytest.approx([1.0] * 9)
    layer = said(problem="digits", model=model(norm="layer"))
    assert layer["q", 2] == pytest.approx(1, rel=1e-3)
    assert ("q", 1) not in layer
    batch = said(problem="digits", model=model(norm="batch"))
    assert {key for key, _ in batch} == {"chi", "q_star", "depth_scale"}
    assert batch["chi", None] == pytest.approx(math.pi / (math.pi - 1), rel=1e-4)
    skips = said(problem="digits", model=model(residual="scaled"))
    assert skips["chi", None] == skips["chi", 5] == pytest.approx(1 + 1 / 7)
    # three fixed points: which one is reached depends on the inputs
    several = said(problem="digits", model=model("gelu", {"name": "gaussian", "sigma_w": 3**0.5}))
    assert not several


def test_nothing_is_said_where_theory_does_not_hold() -> None:
    images = {"name": "convnet", "depth": 6, "activation": "tanh"}
    around = said(problem="digits", model=images | {"padding": "circular"})
    assert around["chi", None] > 1
    for more in ({}, {"stride": 2}, {"pooling": "max"}, {"norm": "batch"}):
        given = {"padding": "circular"} | more if more else {"padding": "zeros"}
        assert not said(problem="digits", model=images | given)
    few = {"layer_samples": 32}
    assert not said(problem=GAUSSIAN, model=model(norm="batch"), record=few)
    assert said(problem=GAUSSIAN, model=model(norm="layer"), record=few)
    assert not said(problem="sequential_digits", model="lstm")
    assert not said(model=model(depth=0))
    zeros = said(problem=GAUSSIAN, model=model(init="zeros"))
    assert zeros == {("q_star", None): 0, ("chi", None): 0, ("depth_scale", None): 0}
    assert not said(problem=GAUSSIAN, model=model(init="zeros", norm="batch"))


def test_a_sigmoid_net_of_a_thousand_layers_and_one_that_explodes() -> None:
    deep = said(problem=GAUSSIAN, model=model("sigmoid", depth=1000))
    assert deep["chi", 900] == pytest.approx(deep["chi", None], rel=1e-9)
    grown = said(problem=GAUSSIAN, model=model(init={"name": "gaussian", "sigma_w": 3}, depth=1000))
    assert ("q_star", None) not in grown
    assert grown["chi", 999] == pytest.approx(4.5)
    assert grown["q", 200] == pytest.approx(9 * 4.5**199, rel=1e-9)
    assert ("q", 1000) not in grown


QUADRATIC = {"name": "quadratic", "eigenvalues": [0.25, 1.0]}
POINT = {"model": "point", "loss": "objective"}


def test_predictions_of_descent() -> None:
    still = said(**POINT, problem=QUADRATIC, descent="batch", optimizer={"lr": 0.5})
    assert still == pytest.approx({
        ("sharpness", None): 1.0, ("smallest", None): 0.25, ("largest_lr", None): 2.0,
        ("stability", None): 0.25, ("contraction", None): 0.875, ("sharpness_limit", None): 4.0,
    })  # fmt: skip
    ball = said(**POINT, problem=QUADRATIC, optimizer={"name": "momentum", "lr": 0.5})
    assert ball["largest_lr", None] == pytest.approx(3.8)
    assert ball["contraction", None] == pytest.approx(0.9**0.5)
    adam = said(**POINT, problem=QUADRATIC, optimizer="adam", descent="batch")
    assert {key for key, _ in adam} == {"sharpness", "smallest"}
    clipped = said(**POINT, problem=QUADRATIC, optimizer={"clip_norm": 1.0})
    assert {key for key, _ in clipped} == {"sharpness", "smallest"}
    assert not said(**POINT, problem="rosenbrock")
    deep = said(**POINT, problem="quadratic_deep")
    assert 30 < deep["sharpness", None] < 60
    noisy = QUADRATIC | {"gradient_noise": 2.0}
    found = said(**POINT, problem=noisy, descent="stochastic", optimizer={"lr": 0.01})
    assert ("contraction", None) not in found
    assert ("stationary_variance", None) not in found  # an epoch is too short for λ = 0.25
    assert found["shuffled_variance", None] > 0
    long = said(
        **POINT, problem=noisy | {"samples": 100_000}, descent="stochastic", optimizer={"lr": 0.01}
    )
    both = sum(quadratics.stationary_variance(0.01, c, 4.0) for c in (0.25, 1.0))
    assert long["stationary_variance", None] == pytest.approx(both)
    assert long["shuffled_variance", None] == pytest.approx(both, rel=0.01)
    mlp = said(descent="batch", optimizer={"name": "nesterov", "lr": 0.1, "weight_decay": 1.0})
    assert mlp["sharpness_limit", None] == pytest.approx(2 * 1.9 / 2.8 / 0.1 - 1)


def test_a_trial_meets_its_target_when_it_should() -> None:
    spec = trial(
        **POINT,
        problem={"name": "quadratic", "eigenvalues": [1.0]},
        descent="batch",
        optimizer={"lr": 0.1},
        target={"metric": "train_loss", "value": 0.5e-6},
        budget={"updates": 98},
    )
    _, rows = run([spec])
    told = {row["key"]: row["value"] for row in rows.rows("predictions", spec.trial_id)}
    assert told["target_update"] == 66
    summary = [r for r in rows.rows("summaries", spec.trial_id) if r["metric"] == "train_loss"]
    assert summary[-1]["target_update"] == 66


def test_sgd_settles_at_the_variance_of_shuffled_draws() -> None:
    # 1000 copies of one parabola, 64 samples each; all 256 updates of 4 epochs; 3 %.
    noise = {"gradient_noise": 1.0, "samples": 64}
    spec = trial(
        **POINT,
        problem={"name": "quadratic", "dimension": 1000, "condition": 1.0} | noise,
        descent="stochastic",
        optimizer={"lr": 0.2},
        budget={"updates": 384},
        record={"steps": 400, "layers": 400, "probes": []},
    )  # fmt: skip
    _, rows = run([spec])
    off = [
        row["value"] ** 2
        for row in rows.rows("probes", spec.trial_id)
        if row["key"] == "distance_to_minimum" and row["update"] > 128
    ]
    told = {row.key: row.value for row in predictions(spec)}
    assert len(off) == 256
    assert np.mean(off) == pytest.approx(told["shuffled_variance"], rel=0.03)
    assert "stationary_variance" not in told  # 14 % more


def test_trials_of_one_net_share_its_prediction() -> None:
    specs = [
        trial(problem=GAUSSIAN, seed=seed, model=model("tanh", {"name": "gaussian", "sigma_w": w}))
        for seed, w in itertools.product(range(50), np.linspace(0.5, 2, 20).tolist())
    ]
    ids = [spec.trial_id for spec in specs]
    nets.rows.cache_clear()
    found = [predictions(spec) for spec in specs]
    # Quadrature once a net, not once a trial: what makes sweeps of 10,000 trials cheap.
    assert nets.rows.cache_info().misses == 20
    assert [rows[0].trial_id for rows in found] == ids
    assert isinstance(found[0][0], Prediction)
