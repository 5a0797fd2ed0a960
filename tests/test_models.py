"""Every built-in model against a naive torch.nn twin in float64, and against theory.

Seeds are fixed: a tolerance that holds once holds always.
"""

import itertools
import math
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from talweg.workloads import problems
from talweg.workloads.activations import ACTIVATIONS
from talweg.workloads.imagespecs import ConvNet, EncoderDecoder
from talweg.workloads.modelparts import Activation, Norm, Residual
from talweg.workloads.models import MODELS, Trace
from talweg.workloads.modelspecs import Mlp, Recurrent
from talweg.workloads.options import Compile
from talweg.workloads.spec import TrialSpec, misfits
from talweg.workloads.stack import Stack

from .trials import run, trial

CPU = torch.device("cpu")
SAMPLES = 12
NORMS = typing.get_args(Norm)
RESIDUALS = typing.get_args(Residual)
BLOCKS = [
    (norm, residual)
    for norm, residual in itertools.product(NORMS, RESIDUALS)
    if (norm, residual) != ("none", "pre_norm")
]
INITS = [
    *("he", "xavier", "lecun", "orthogonal", "pytorch_default", "zeros"),
    *("gaussian", "scaled"),
]


class Channelwise(nn.Module):
    """x / √(mean of x² over a sample + ε), a scale for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = (x**2).flatten(1).mean(1).view(-1, 1, 1, 1)
        out: torch.Tensor = x / torch.sqrt(mean + 1e-5) * self.weight.view(1, -1, 1, 1)
        return out


def normaliser(norm: str, size: int, *, image: bool) -> nn.Module:
    if norm == "batch":
        batch = nn.BatchNorm2d if image else nn.BatchNorm1d
        return batch(size, track_running_stats=False)
    if norm == "layer":
        return nn.GroupNorm(1, size) if image else nn.LayerNorm(size)
    if norm == "rms":
        return Channelwise(size) if image else nn.RMSNorm(size, eps=1e-5)
    return nn.Identity()


class Blocks(nn.Module):
    """Hidden layers with norms and skips, spelled out; a twin says what its layers are."""

    def __init__(self, spec: Mlp | ConvNet, weights: list[nn.Module], size: int) -> None:
        super().__init__()
        self.spec = spec
        image = isinstance(spec, ConvNet)
        norms = [normaliser(spec.norm, size, image=image) for _ in weights]
        self.hidden = nn.ModuleList(m for pair in zip(weights, norms, strict=True) for m in pair)

    def run(self, h: torch.Tensor, pooled: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        phi = ACTIVATIONS[self.spec.activation]
        stream = torch.zeros(())
        for i, (weight, norm) in enumerate(zip(self.hidden[0::2], self.hidden[1::2], strict=True)):
            z = weight(h)
            branch = z if self.spec.residual == "pre_norm" else norm(z)
            if self.spec.residual == "scaled" and i:
                branch = branch / math.sqrt(self.spec.depth - 1)
            stream = stream + branch if self.spec.residual and i else branch
            h = phi(norm(stream) if self.spec.residual == "pre_norm" else stream)
            h = pooled(h)
        return h


class MlpTwin(Blocks):
    def __init__(self, trial: TrialSpec) -> None:
        spec = trial.model
        assert isinstance(spec, Mlp)
        sizes = [trial.problem.shape.features, *[spec.width] * spec.depth]
        linears: list[nn.Module] = [
            nn.Linear(a, b, spec.bias) for a, b in itertools.pairwise(sizes)
        ]
        super().__init__(spec, linears, spec.width)
        self.out = nn.Linear(sizes[-1], trial.shape.outputs, spec.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.out(self.run(x, lambda h: h))
        return out


class ConvTwin(Blocks):
    def __init__(self, trial: TrialSpec) -> None:
        spec, image = trial.model, trial.problem.shape.image
        assert isinstance(spec, ConvNet)
        assert image
        self.image = image
        convolutions: list[nn.Module] = [
            nn.Conv2d(
                c, spec.channels, spec.kernel, spec.stride, spec.kernel // 2,
                padding_mode=spec.padding,
            )
            for c in [image[0], *[spec.channels] * (spec.depth - 1)]
        ]  # fmt: skip
        super().__init__(spec, convolutions, spec.channels)
        self.out = nn.Linear(spec.channels, trial.shape.outputs)
        pools = {"none": nn.Identity(), "max": nn.MaxPool2d(2), "average": nn.AvgPool2d(2)}
        self.pool = pools[spec.pooling]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.run(
            x.unflatten(1, self.image), lambda h: self.pool(h) if min(h.shape[2:]) > 1 else h
        )
        out: torch.Tensor = self.out(h.mean((2, 3)))
        return out


class EncoderDecoderTwin(nn.Module):
    """Two levels, written out."""

    def __init__(self, trial: TrialSpec) -> None:
        super().__init__()
        spec, image = trial.model, trial.problem.shape.image
        assert isinstance(spec, EncoderDecoder)
        assert image
        self.image, self.phi, c = image, ACTIVATIONS[spec.activation], spec.channels
        pairs = [(image[0], c), (c, 2 * c), (2 * c, 4 * c), (6 * c, 2 * c), (3 * c, c)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, padding_mode=spec.padding) for a, b in pairs
        )
        self.out = nn.Conv2d(c, 1, 1)
        self.down, self.up = nn.AvgPool2d(2), nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one, two, bottom, late, last = self.convolutions
        first = self.phi(one(x.unflatten(1, self.image)))
        second = self.phi(two(self.down(first)))
        h = self.phi(bottom(self.down(second)))
        h = self.phi(late(torch.cat([self.up(h), second], 1)))
        h = self.phi(last(torch.cat([self.up(h), first], 1)))
        out: torch.Tensor = self.out(h).flatten(1)
        return out


class RecurrentTwin(nn.Module):
    """The last S outputs of PyTorch's own layer, each through the same linear map."""

    def __init__(self, trial: TrialSpec) -> None:
        super().__init__()
        spec, shape = trial.model, trial.shape
        assert isinstance(spec, Recurrent)
        kinds: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
        self.sequence, self.labels = shape.sequence, shape.labels
        self.cell = kinds[spec.name](shape.sequence[1], spec.width, batch_first=True)
        self.out = nn.Linear(spec.width, shape.outputs // shape.labels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.cell(x.unflatten(1, self.sequence))
        return torch.cat([self.out(h) for h in states[:, -self.labels :].unbind(1)], 1)


IRIS: dict[str, Any] = {"problem": "iris"}
DIGITS: dict[str, Any] = {"problem": "digits"}
FIGURES: dict[str, Any] = {"problem": {"name": "shapes", "size": 8, "samples": 40}}
COPY: dict[str, Any] = {"problem": {"name": "copy", "symbols": 3, "length": 4, "delay": 2,
                                    "samples": 20, "test_samples": 20}}  # fmt: skip

Case = tuple[dict[str, Any], dict[str, Any], Callable[[TrialSpec], nn.Module]]
CASES: dict[str, Case] = {
    **{
        f"mlp, {norm}, {residual}": (
            IRIS,
            {"depth": 4, "width": 7, "activation": "tanh", "norm": norm, "residual": residual},
            MlpTwin,
        )
        for norm, residual in BLOCKS
    },
    "mlp, linear": (IRIS, {"depth": 0, "residual": "scaled", "norm": "batch"}, MlpTwin),
    "mlp, one layer": (IRIS, {"depth": 1, "residual": "scaled", "norm": "rms"}, MlpTwin),
    "mlp, no bias": (
        IRIS,
        {"depth": 3, "width": 5, "bias": False, "norm": "batch", "residual": "plain"},
        MlpTwin,
    ),
    **{
        f"convnet, {norm}, {residual}": (
            DIGITS,
            {"name": "convnet", "depth": 3, "channels": 5, "activation": "silu", "norm": norm}
            | {"residual": residual, "padding": "circular"},
            ConvTwin,
        )
        for norm, residual in [
            *(("none", "plain"), ("batch", "scaled"), ("layer", "pre_norm")),
            *(("rms", False), ("batch", "pre_norm")),
        ]
    },
    **{
        f"convnet, {pooling} pooling, stride {stride}": (
            DIGITS,
            {"name": "convnet", "depth": depth, "channels": 4, "pooling": pooling}
            | {"stride": stride, "kernel": kernel},
            ConvTwin,
        )
        for pooling, stride, depth, kernel in [
            *(("max", 1, 5, 3), ("average", 1, 2, 5), ("none", 2, 5, 3), ("max", 2, 3, 1))
        ]
    },
    **{
        f"encoder_decoder, {padding}": (
            FIGURES,
            {"name": "encoder_decoder", "channels": 3, "padding": padding, "activation": "elu"},
            EncoderDecoderTwin,
        )
        for padding in ("zeros", "circular")
    },
    **{
        f"{name}, four labels": (COPY, {"name": name, "width": 6}, RecurrentTwin)
        for name in ("rnn", "lstm", "gru")
    },
}


def as_torch(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A parameter of ours in the shape that torch.nn has for it."""
    if value.ndim == parameter.ndim == 2:
        return value.T
    return value.reshape(parameter.shape)


def started(specs: list[TrialSpec]) -> tuple[Any, list[list[torch.Tensor]]]:
    """The model, and parameters of each trial away from where norms and biases start."""
    model = MODELS[specs[0].model.name](specs[0], problems.load(specs[0].problem))
    g = torch.Generator().manual_seed(1)
    starts = [model.start(spec) for spec in specs]
    return model, [
        [p + 0.1 * torch.randn(p.shape, generator=g, dtype=p.dtype) for p in start]
        for start in starts
    ]


def stacked(starts: list[list[torch.Tensor]]) -> list[torch.Tensor]:
    """The parameters of several trials, (K, …) each."""
    return [torch.stack(p).requires_grad_() for p in zip(*starts, strict=True)]


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_alone_and_stacked_equal_the_twin(name: str) -> None:
    parts, model_part, twin_of = CASES[name]
    specs = [trial(**parts, model=model_part, seed=seed) for seed in range(3)]
    model, starts = started(specs)
    x = torch.as_tensor(problems.load(specs[0].problem).x_train[:SAMPLES])
    g = torch.Generator().manual_seed(2)
    weight = torch.randn(SAMPLES, specs[0].shape.outputs, generator=g, dtype=torch.float64)
    for pack in ([0, 1, 2], [1]):
        params = stacked([starts[i] for i in pack])
        out = model.forward(params, x.expand(len(pack), *x.shape))
        grads = torch.autograd.grad((out * weight).sum(), params)
        for place, i in enumerate(pack):
            twin = twin_of(specs[i]).double()
            own = list(twin.parameters())
            for parameter, value in zip(own, starts[i], strict=True):
                parameter.data = as_torch(value, parameter).clone().contiguous()
            expected = twin(x)
            torch.testing.assert_close(out[place], expected, rtol=1e-9, atol=1e-9)
            found = [as_torch(p[place], q) for p, q in zip(grads, own, strict=True)]
            wanted = torch.autograd.grad((expected * weight).sum(), own)
            torch.testing.assert_close(found, list(wanted), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_a_trace_has_a_row_for_each_layer_and_changes_no_output(name: str) -> None:
    parts, model_part, _ = CASES[name]
    specs = [trial(**parts, model=model_part, seed=seed) for seed in range(2)]
    model, starts = started(specs)
    params = stacked(starts)
    x = torch.as_tensor(problems.load(specs[0].problem).x_train[:SAMPLES]).expand(2, -1, -1)
    trace = Trace()
    out = model.forward(params, x, trace)
    assert torch.equal(out, model.forward(params, x))
    assert len(trace.z) == len(trace.h) == len(trace.at) == len(model.layers)
    deltas = torch.autograd.grad(out.square().sum(), trace.at)
    assert all(d.shape == z.shape for d, z in zip(deltas, trace.at, strict=True))
    assert trace.z[-1].flatten(2).shape == out.shape


@pytest.mark.parametrize("activation", typing.get_args(Activation))
def test_a_hundred_layers_stay_finite_whatever_they_are_made_of(activation: str) -> None:
    assert sorted(ACTIVATIONS) == sorted(typing.get_args(Activation))
    base = {"depth": 100, "width": 8, "activation": activation}
    specs = [trial(model={**base, "init": init}) for init in INITS]
    data = problems.load(specs[0].problem)
    starts = [MODELS["mlp"](spec, data).start(spec) for spec in specs]
    drawn = [torch.stack(p) for p in zip(*starts, strict=True)]
    x = torch.as_tensor(data.x_train[:5]).expand(len(INITS), -1, -1)
    for norm, residual in BLOCKS:
        deep = trial(model={**base, "norm": norm, "residual": residual})
        model = MODELS["mlp"](deep, data)
        # The same weights for all: only what the norms learn comes between them.
        left = iter(drawn)
        params = [
            p.expand(len(INITS), *p.shape) if p.shape[0] == 1 and i % model.per_layer > 1  # type: ignore[attr-defined]
            else next(left)
            for i, p in enumerate(model.start(deep))
        ]  # fmt: skip
        assert model.forward(params, x).isfinite().all(), (norm, residual)


def test_a_deep_normalised_residual_net_trains() -> None:
    model = {"depth": 100, "width": 8, "activation": "relu", "init": "he"}
    plain, remedied = (
        trial(
            model=model | more,
            optimizer={"lr": 0.05},
            budget={"updates": 15},
            record={"steps": 2, "layers": 0},
        )
        for more in ({}, {"norm": "layer", "residual": "pre_norm"})
    )
    losses = []
    for one in (plain, remedied):
        _, rows = run([one])
        losses.append(rows.rows("steps", one.trial_id)[-1]["train_loss"])
    assert losses[1] < 0.8 * losses[0]


PACKED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mlp": (IRIS, {"depth": 3, "width": 8, "norm": "batch", "residual": "scaled"}),
    "mlp, rms": (IRIS, {"depth": 3, "width": 8, "norm": "rms", "residual": "pre_norm"}),
    "convnet": (
        DIGITS,
        {"name": "convnet", "channels": 4, "norm": "batch", "pooling": "max"},
    ),
    "encoder_decoder": (FIGURES, {"name": "encoder_decoder", "channels": 2}),
    "gru": (COPY, {"name": "gru", "width": 6}),
}


@pytest.mark.parametrize("name", PACKED)
def test_the_tape_and_the_eager_path_make_the_same_updates(name: str) -> None:
    parts, model = PACKED[name]
    loss = {"loss": "binary_cross_entropy"} if name == "encoder_decoder" else {}
    pack = [
        trial(
            **parts, **loss, model=model, seed=seed,
            budget={"updates": 60}, descent={"name": "mini_batch", "batch_size": 8},
        )
        for seed in range(2)
    ]  # fmt: skip
    data = problems.load(pack[0].problem)
    taped, eager = Stack(pack, data, CPU), Stack(pack, data, CPU)
    eager.updater = eager.eager()
    for stack in (taped, eager):
        stack.descend(12)
    assert all(torch.equal(a, b) for a, b in zip(taped.params, eager.params, strict=True))


def test_convolutions_are_not_compiled_but_taped(tmp_path: Path) -> None:
    # Inductor would fix the number of trials, the groups of the convolution, in the artefact.
    model = {"name": "convnet", "channels": 2}
    pack = [trial(**DIGITS, model=model, seed=s, budget={"updates": 3}) for s in range(2)]
    outcomes, _ = run(pack, compile=Compile.ALWAYS, steps_folder=tmp_path)
    assert [str(outcome) for outcome in outcomes] == ["done", "done"]
    assert not list(tmp_path.glob("*.pt2"))


def signals(depth: int, width: int, samples: int, **model: Any) -> list[dict[str, float]]:
    """Per layer of an untrained ReLU net: mean squares of δ and of z, and ⟨W, ∂L/∂W⟩."""
    spec = trial(
        problem={"name": "gaussian_inputs", "features": width, "samples": samples},
        model={"depth": depth, "width": width, "activation": "relu", "init": "he", **model},
    )
    data = problems.load(spec.problem)
    net = MODELS["mlp"](spec, data)
    params = [p.unsqueeze(0).requires_grad_() for p in net.start(spec)]
    trace = Trace()
    out = net.forward(params, torch.as_tensor(data.x_train).unsqueeze(0), trace)
    loss = nn.functional.cross_entropy(out[0], torch.as_tensor(data.y_train), reduction="sum")
    weights = [params[layer.weights[0]] for layer in net.layers]
    found = torch.autograd.grad(loss, [*trace.at, *weights])
    return [
        {
            "delta": float(delta.square().mean()),
            "z": float(z.detach().square().mean()),
            "homogeneity": float((w.detach() * g).sum()),
        }
        for z, w, delta, g in zip(
            trace.z, weights, found[: len(weights)], found[len(weights) :], strict=True
        )
    ]


def growth(values: list[float]) -> float:
    """The factor from one value to the next, by least squares on logarithms."""
    return float(np.exp(np.polyfit(range(len(values)), np.log(values), 1)[0]))


def test_batch_norm_with_relu_makes_gradients_explode_towards_the_input() -> None:
    # π/(π − 1) = 1.46694 for each layer (Yang et al. 2019); the first layer sees inputs of mean
    # 0, and the last δ comes from the output.
    rows = signals(12, 400, 800, norm="batch")
    rate = 1 / growth([row["delta"] for row in rows[1:-1]])
    assert rate == pytest.approx(math.pi / (math.pi - 1), rel=0.03)
    normless = signals(12, 400, 800)
    assert 1 / growth([row["delta"] for row in normless[1:-1]]) == pytest.approx(1, rel=0.04)


def test_a_residual_block_doubles_the_signal_and_a_scaled_one_adds_an_lth() -> None:
    # z_{l+1} = W φ(s_l), E‖z_{l+1}‖² = E‖s_l‖²: that of the stream.
    blocks = 10
    for residual, factor in (("plain", 2.0), ("scaled", 1 + 1 / blocks)):
        rows = signals(blocks + 1, 400, 200, residual=residual)
        assert growth([row["z"] for row in rows[1:-1]]) == pytest.approx(factor, rel=0.15)
        backward = 1 / growth([row["delta"] for row in rows[1:-1]])
        assert backward == pytest.approx(factor, rel=0.15)
    # Closer to 1 + 1/L than to no growth at all, which 15 % would not tell from it.
    assert growth([row["z"] for row in rows[1:-1]]) == pytest.approx(1.1, abs=0.04)


def test_every_layer_of_a_relu_net_without_biases_has_the_same_weight_gradient_product() -> None:
    products = [row["homogeneity"] for row in signals(10, 50, 40, bias=False)]
    assert products == pytest.approx([products[0]] * 11, rel=1e-5)


def test_gradients_of_a_batch_normalised_layer_do_not_depend_on_its_weights_scale() -> None:
    # BN(aWx) = BN(Wx): ⟨W, ∂L/∂W⟩ = 0 but for ε.
    rows = signals(4, 50, 40, norm="batch")
    assert all(abs(row["homogeneity"]) < 1e-3 for row in rows[:-1])
    assert abs(rows[-1]["homogeneity"]) > 1


def test_the_forget_gate_starts_where_it_is_told_to() -> None:
    data = problems.load(trial(**DIGITS).problem)
    plain, open_gate = (
        trial(**DIGITS, model={"name": "lstm", "width": 5, "forget_bias": bias})
        for bias in (0.0, 1.5)
    )
    before, after = (MODELS["lstm"](one, data).start(one) for one in (plain, open_gate))
    assert (after[2] - before[2]).tolist() == [[0.0] * 5 + [1.5] * 5 + [0.0] * 10]
    rest = zip(before[:2] + before[3:], after[:2] + after[3:], strict=True)
    assert all(torch.equal(a, b) for a, b in rest)
    assert plain.trial_id == trial(**DIGITS, model={"name": "lstm", "width": 5}).trial_id


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": {"residual": "pre_norm"}}, "norm is none"),
    ({"model": {"name": "gru", "forget_bias": 1.0}}, "is for lstm"),
    ({"model": {"name": "convnet", "residual": "plain", "stride": 2}}, "use stride 1"),
    ({"model": {"name": "convnet", "residual": "plain", "pooling": "max"}}, "pooling none"),
    ({"model": {"residual": True}}, "plain"),
]


@pytest.mark.parametrize(("parts", "said"), REFUSED)
def test_what_a_model_cannot_be_is_said_before_anything_runs(
    parts: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        trial(**parts)


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"model": {"norm": "batch"}, "descent": "stochastic"}, "no variance"),
    ({"model": "encoder_decoder"}, "needs images"),
    ({"model": "encoder_decoder", "problem": "digits"}, "asks for 10"),
    (FIGURES | {"model": {"name": "encoder_decoder", "levels": 4}}, "multiple of 16"),
    ({"model": "convnet"}, "needs images"),
]


@pytest.mark.parametrize(("parts", "said"), UNFIT)
def test_what_does_not_go_together_is_said_before_anything_runs(
    parts: dict[str, Any], said: str
) -> None:
    assert any(said in reason for _, _, reason in misfits(trial(**parts)))


def test_columns_say_which_norm_and_whether_there_are_skips() -> None:
    found = trial(model={"norm": "rms", "residual": "scaled"}).row()
    assert (found["norm"], found["residual"]) == ("rms", True)
    assert (trial().row()["norm"], trial().row()["residual"]) == ("none", False)
    assert trial(model="lstm").row()["residual"] is None


@pytest.mark.parametrize("name", CASES)
def test_the_planned_sizes_are_those_of_the_net(name: str) -> None:
    parts, model_part, twin_of = CASES[name]
    one = trial(**parts, model=model_part)
    net = twin_of(one)
    made = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.RNNBase)]
    # Matrices and kernels only: biases, γ and β are left out.
    weights = sum(p.numel() for m in made for p in m.parameters() if p.ndim > 1)
    assert one.model.parameters(one.shape) == weights
    counted: list[int] = []

    def count(module: nn.Module, _: Any, out: torch.Tensor) -> None:
        weight = next(module.parameters())
        counted.append(weight.numel() * (out[0].numel() // out.shape[1]))

    for module in made:
        if not isinstance(module, nn.RNNBase):
            module.register_forward_hook(count)
    if not isinstance(net, RecurrentTwin):
        net(torch.zeros(2, one.problem.shape.features))
        assert one.model.products(one.shape) == sum(counted)
    assert one.model.units(one.shape) > one.shape.outputs
