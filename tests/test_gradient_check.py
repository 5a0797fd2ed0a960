"""Layer-wise equations against autograd, differences against both, and mistakes that they find."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from talweg.workloads import problems
from talweg.workloads.activations import ACTIVATIONS
from talweg.workloads.backpropagation import gradients_of
from talweg.workloads.backpropagation.losses import SLOPES
from talweg.workloads.derivatives import DERIVATIVES
from talweg.workloads.losses import CRITERIA, criterion_of
from talweg.workloads.models import MODELS
from talweg.workloads.probes import precise
from talweg.workloads.probes.differences import Differences, Place
from talweg.workloads.spec import TrialSpec

from .trials import probed, run, trial

Values = dict[tuple[str, int | None], float | None]
"""(key, layer) -> value."""
F64 = torch.float64


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# The equations, one by one and as whole nets, against autograd.


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_its_derivative(name: str) -> None:
    z = torch.linspace(-6, 6, 41, dtype=F64).requires_grad_()  # 0, a kink of some, among them
    (slope,) = torch.autograd.grad(ACTIVATIONS[name](z).sum(), z)
    torch.testing.assert_close(DERIVATIVES[name](z.detach()), slope, rtol=1e-12, atol=1e-15)


def worst(problem: str | dict[str, Any], model: Any, loss: Any) -> float:
    """The largest relative error of a parameter's gradient, of two trials on five samples.

    Gradients below 1e-6 of the largest are rounding: batch norm makes biases mean nothing.
    """
    trials = [trial(problem=problem, model=model, loss=loss, seed=seed) for seed in range(2)]
    spec = trials[0]
    data = problems.load(spec.problem)
    net = MODELS[spec.model.name](spec, data)
    draw = torch.Generator().manual_seed(0)
    starts = [torch.stack(p) for p in zip(*map(net.start, trials), strict=True)]
    noise = [torch.randn(p.shape, generator=draw, dtype=F64) / 10 for p in starts]
    params = [(p + n).requires_grad_() for p, n in zip(starts, noise, strict=True)]
    x, y = (torch.as_tensor(t[:5]) for t in (data.x_train, data.y_train))
    x, y = x.expand(2, *x.shape), y.expand(2, *y.shape)
    criterion = criterion_of(spec.loss, spec.problem.task)
    found = torch.autograd.grad(criterion.loss(net.forward(params, x), y).sum(), params)
    equations = gradients_of(spec)
    assert equations is not None
    written = equations([p.detach() for p in params], x, y)
    assert [w.shape for w in written] == [f.shape for f in found]
    floor = 1e-6 * max(float(f.norm()) for f in found)
    pairs = zip(found, written, strict=True)
    return max(float((f - w).norm()) / max(float(f.norm()), floor) for f, w in pairs)


LOSSES = [("breast_cancer", "binary_cross_entropy"), ("breast_cancer", "squared_error"),
          ("iris", "squared_error"), ("diabetes", "mse"),
          ("iris", {"name": "cross_entropy", "label_smoothing": 0.2})]  # fmt: skip


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize(("problem", "loss"), LOSSES)
def test_dense_layers_and_losses(problem: str, loss: Any, depth: int) -> None:
    assert worst(problem, {"depth": depth, "width": 6}, loss) < 1e-12


BETWEEN = [pair for pair in itertools.product(
    ["none", "batch", "layer", "rms"], [False, "plain", "scaled", "pre_norm"]
) if pair != ("none", "pre_norm")]  # fmt: skip


@pytest.mark.parametrize(("norm", "residual"), BETWEEN)
def test_norms_and_skips(norm: str, residual: Any) -> None:
    for bias in (True, False):
        model = {"depth": 3, "width": 6, "norm": norm, "residual": residual, "bias": bias}
        assert worst("iris", model, "cross_entropy") < 1e-9
    images = {"name": "convnet", "depth": 3, "channels": 3, "activation": "tanh"}
    assert worst("digits", images | {"norm": norm, "residual": residual}, "cross_entropy") < 1e-9


@pytest.mark.parametrize("pooling", ["none", "max", "average"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_convolutions(padding: str, kernel: int, stride: int, pooling: str) -> None:
    model = {
        "name": "convnet", "depth": 3, "channels": 3, "padding": padding, "kernel": kernel,
        "stride": stride, "pooling": pooling,
    }  # fmt: skip
    assert worst("digits", model, "cross_entropy") < 1e-12


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_cells_through_time(name: str) -> None:
    copy = {"name": "copy", "length": 3, "samples": 64, "test_samples": 64}
    for problem, loss in (("digits", "cross_entropy"), (copy, "cross_entropy")):
        assert worst(problem, {"name": name, "width": 5}, loss) < 1e-12
    adding = {"name": "adding", "steps": 9, "samples": 8, "test_samples": 8}
    assert worst(adding, {"name": name, "width": 5}, "mse") < 1e-12


@pytest.mark.parametrize(
    ("loss", "expected"), [("binary_cross_entropy", -0.9999546), ("squared_error", -4.5394e-5)]
)
def test_a_sigmoid_that_is_sure_and_wrong(loss: str, expected: float) -> None:
    # y = 1 at z = −10: σ(z) − y, and (σ(z) − y)σ(z)(1 − σ(z)) (Nielsen 2015, chapter 3).
    z, y = torch.full((1, 1, 1), -10.0, dtype=F64).requires_grad_(), torch.ones(1, 1).long()
    (slope,) = torch.autograd.grad(CRITERIA[loss](None).loss(z, y).sum(), z)
    assert slope.item() == pytest.approx(expected, rel=1e-5)
    assert SLOPES[loss](None)(z.detach(), y).item() == pytest.approx(slope.item(), rel=1e-12)


# Differences.


def checked(
    loss: Callable[[torch.Tensor], torch.Tensor], theta: list[float], gradient: list[float]
) -> tuple[float, float]:
    """(relative error, share left out) of a loss of one trial with one layer."""
    theta_KP, gradient_KP = (torch.tensor([t], dtype=F64) for t in (theta, gradient))
    place = Place(slice(0, len(theta)), torch.ones(len(theta), dtype=F64))
    differences = Differences(loss, theta_KP, [torch.Generator().manual_seed(1)], 4)
    error_K, left_out_K = differences.compare(place, gradient_KP)
    return error_K.item(), left_out_K.item()


def test_differences_of_a_smooth_loss() -> None:
    def cube(theta: torch.Tensor) -> torch.Tensor:
        return theta.pow(3).sum(1)

    error, left_out = checked(cube, [1.0, 2.0, -1.0], [3.0, 12.0, 3.0])
    assert error < 1e-9
    assert left_out == 0
    error, left_out = checked(cube, [1.0, 2.0, -1.0], [3.0, 12.0, 3.6])
    assert 1e-2 < error < 1
    assert left_out == 0


@pytest.mark.parametrize("off", [0.0, 1e-7, 1e-6, 2e-6, 3e-6])
def test_directions_across_a_kink_are_left_out(off: float) -> None:
    # |θ₁| has its kink within a step, 6e-6, of where it is measured; θ₂ is far from its own.
    error, left_out = checked(lambda theta: theta.abs().sum(1), [off, 0.5], [1.0, 1.0])
    assert left_out > 0
    assert error < 1e-9 or error != error  # NaN: all directions went across


def test_a_gradient_below_rounding_is_not_judged() -> None:
    error, _ = checked(lambda theta: 1 + 1e-9 * theta.sum(1), [1.0, 1.0], [1e-9, 1e-9])
    assert error != error


# The probe.


def checks(*trials: TrialSpec) -> list[Values]:
    """What the probe says of every trial of a pack at its last recording."""
    return probed("gradient_check", *trials)


def checking(**parts: Any) -> TrialSpec:
    """A trial with the probe alone, untrained where nothing else is said."""
    return trial(**({"budget": {"updates": 0}, "record": {"probes": ["gradient_check"]}} | parts))


def planted(wrong: int) -> dict[str, Any]:
    """A perceptron of three hidden layers of which one has a wrong derivative."""
    args = {"features": 4, "outputs": 3, "width": 8, "wrong": wrong}
    path = "talweg.workloads.studies.planted:Planted"
    return {"model": {"name": "module", "path": path, "args": args}}


DIGITS = {"problem": "digits", "budget": {"updates": 10}}
MODELS_CHECKED: dict[str, dict[str, Any]] = {
    "dense": {"model": {"activation": "relu", "width": 16}},
    "batch norm": {"model": {"norm": "batch", "activation": "relu", "width": 16}},
    "convolution": {
        **DIGITS,
        "model": {"name": "convnet", "channels": 4, "norm": "batch", "pooling": "max"},
    },
    "lstm": {**DIGITS, "model": {"name": "lstm", "width": 8}},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("parts", MODELS_CHECKED.values(), ids=MODELS_CHECKED)
def test_autograd_agrees_with_equations_and_differences(parts: dict[str, Any], dtype: str) -> None:
    spec = checking(**parts, dtype=dtype)
    (found,) = checks(spec)
    layers = len(MODELS[spec.model.name](spec, problems.load(spec.problem)).layers)
    for key, most in (("equations", 1e-12), ("differences", 1e-6)):
        errors = [found[key, layer] for layer in (*range(1, layers + 1), None)]
        assert all(error is not None and error < most for error in errors)
        assert errors[-1] == max(error for error in errors[:-1] if error is not None)
    assert found["wrong_layer", None] is None
    cost = found["backward_cost", None]
    assert cost is not None
    assert 0.05 < cost < 50


def test_units_that_stand_at_their_kink_leave_the_weights_to_be_checked() -> None:
    # digits have pixels that are always 0, and biases start at 0: so do these units of ReLU.
    (found,) = checks(checking(problem="digits", model={"name": "convnet", "channels": 4}))
    left_out = found["left_out", None]
    assert left_out is not None
    assert 0.3 < left_out < 0.6
    assert found["differences", None] == pytest.approx(0, abs=1e-6)
    assert found["wrong_layer", None] is None


def test_a_wrong_derivative_in_the_equations_is_found_and_located(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right, calls = DERIVATIVES["tanh"], []

    def wrong(z: torch.Tensor) -> torch.Tensor:
        calls.append(1)  # the layers are visited from the last to the first: 4, 3, 2, 1
        return 1 - torch.tanh(z) if len(calls) == 2 else right(z)

    monkeypatch.setitem(DERIVATIVES, "tanh", wrong)
    (found,) = checks(checking(model={"depth": 4, "width": 8}))
    assert len(calls) == 4
    for layer in range(1, 6):
        error = found["equations", layer]
        assert error is not None
        assert (error > 1e-2) == (layer <= 3)
    assert found["wrong_layer", None] is None  # autograd itself is right


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_a_wrong_backward_pass_of_a_users_own_module_is_found_and_located(wrong: int) -> None:
    trials = [checking(**planted(wrong), seed=seed) for seed in range(2)]
    for found in checks(*trials):
        assert found["wrong_layer", None] == wrong
        for layer in range(1, 5):
            error = found["differences", layer]
            assert error is not None
            assert (error > 1e-3) if layer <= wrong else (error < 1e-6)
        assert not any(key == "equations" for key, _ in found)


def test_where_something_does_not_exist_nothing_is_recorded() -> None:
    (other,) = checks(checking(loss="focal"))
    assert {key for key, _ in other} == {
        "differences", "inner_product", "left_out", "wrong_layer", "backward_cost"
    }  # fmt: skip
    ring = checking(problem="ring", model="gan", loss="gan_hinge")
    assert checks(ring) == [{}]
    # Both halves of a net of zeros, weights and biases, stand at a kink of ReLU or do nothing.
    (zero,) = checks(checking(model={"activation": "relu", "init": "zeros"}))
    assert zero["differences", 1] is None
    # A signal that vanishes cannot be told from the rounding of the loss; equations can.
    (deep,) = checks(checking(model={"depth": 30, "width": 8, "activation": "sigmoid"}))
    assert deep["differences", 1] is None
    assert deep["equations", 1] == pytest.approx(0, abs=1e-12)
    assert deep["wrong_layer", None] is None


def test_deep_nets_have_differences_of_some_layers() -> None:
    record = {"probes": [{"name": "gradient_check", "layers": 3}]}
    (found,) = checks(checking(model={"depth": 10, "width": 8}, record=record))
    assert [layer for key, layer in found if key == "differences"] == [1, 6, 11, None]
    assert len([layer for key, layer in found if key == "equations"]) == 12


def test_a_trial_alone_in_a_pack_and_in_parts_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Errors of a wrong derivative are large, and depend on the directions that a trial draws.
    def trials() -> list[TrialSpec]:
        return [checking(**planted(2), budget={"updates": 5}, seed=seed) for seed in range(3)]

    together = checks(*trials())
    assert len({found["differences", 1] for found in together}) == 3
    monkeypatch.setattr(precise, "ELEMENTS", 1)
    for found in (checks(*trials()), [checks(one)[0] for one in trials()]):
        for one, other in zip(found, together, strict=True):
            for layer in (1, 2):
                error = other["differences", layer]
                assert one["differences", layer] == pytest.approx(error, rel=1e-7)
            assert one["wrong_layer", None] == other["wrong_layer", None] == 2


@pytest.mark.parametrize("model", ["mlp", {"name": "module", "path": "tests.nets:Dropping"}])
def test_the_probe_leaves_training_as_it_is(model: Any) -> None:
    def losses(probes: list[str]) -> list[float]:
        torch.manual_seed(0)  # what a module with dropout draws from
        spec = checking(model=model, budget={"updates": 6}, record={"probes": probes})
        _, rows = run([spec])
        return [row["train_loss"] for row in rows.rows("steps", spec.trial_id)]

    assert losses(["gradient_check"]) == losses([])


def test_weights_times_gradients_are_the_same_in_every_layer_of_a_relu_net_without_biases() -> None:
    """Homogeneity, tolerance 1e-9 relative; a tanh net, which has none, must differ."""
    spread = {}
    for activation in ("relu", "tanh"):
        model = {"depth": 6, "width": 16, "activation": activation, "bias": False}
        spec = trial(model=model, budget={"updates": 0}, record={"probes": ["gradient_check"]})
        rows = run([spec])[1].rows("probes", spec.trial_id)
        found = [r["value"] for r in rows if r["key"] == "inner_product"]
        assert len(found) == 7
        spread[activation] = max(found) / min(found) - 1
    assert abs(spread["relu"]) < 1e-9
    assert abs(spread["tanh"]) > 1e-3
