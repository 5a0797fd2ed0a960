"""Symmetry: closed forms through whole runs, and a naive twin that sees one sample at a time.

Everything is float64 where nothing else is said; seeds are fixed.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch.nn import functional

from talweg.workloads import problems
from talweg.workloads.imagespecs import ConvNet
from talweg.workloads.models import MODELS, Trace
from talweg.workloads.models.convolution import POOLINGS
from talweg.workloads.probes.symmetry import Symmetry
from talweg.workloads.probes.transforms import Affine, Growth, Shift, Turn
from talweg.workloads.probespecs import Symmetry as Spec
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack

from .trials import run, trial

Image = NDArray[np.float64]
PROBE = {"name": "symmetry", "samples": 6}
EXACT = 1e-10
"""Of squared errors in float32, whose rounding is some 1e-7 of a value."""
CPU = torch.device("cpu")


def images(net: dict[str, Any], probe: dict[str, Any] | None = None, **parts: Any) -> TrialSpec:
    """An untrained net on digits, measured by the probe alone."""
    defaults: dict[str, Any] = {
        "problem": {"name": "digits"},
        "model": {"name": "convnet", "channels": 4, "init": "pytorch_default"} | net,
        "budget": {"updates": 0},
        "record": {"probes": [PROBE | (probe or {})], "steps": 5},
    }
    return trial(**defaults | parts)


def measured(spec: TrialSpec) -> dict[tuple[str, int | None], Any]:
    """(key, layer) -> the last value that a run recorded of it."""
    _, found = run([spec])
    rows = found.rows("probes", spec.trial_id)
    return {(r["key"], r["layer"]): r["value"] for r in rows if r["probe"] == "symmetry"}


def predicted(spec: TrialSpec) -> dict[tuple[str, int | None], Any]:
    _, found = run([spec])
    rows = found.rows("predictions", spec.trial_id)
    kinds = ("equivariance", "invariance", "consistency")
    return {(r["key"], r["layer"]): r["value"] for r in rows if r["key"].startswith(kinds)}


# Closed forms.


@pytest.mark.parametrize(
    "model",
    [
        {"norm": "none"},
        {"norm": "batch", "activation": "tanh"},
        {"norm": "layer", "activation": "gelu", "residual": "pre_norm"},
        {"norm": "rms", "kernel": 5, "residual": "scaled"},
    ],
    ids=lambda model: model["norm"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_circular_convolutions_of_stride_one_commute_with_shifts_by_whole_pixels(
    model: dict[str, Any], dtype: str
) -> None:
    spec = images({"padding": "circular", "depth": 3, **model}, {"shifts": [1, -3]}, dtype=dtype)
    found = measured(spec)
    for shift, layer in itertools.product(("1", "-3"), (1, 2, 3)):
        assert found[f"equivariance_shift_{shift}", layer] == pytest.approx(0, abs=EXACT)
        assert found[f"invariance_shift_{shift}", layer] > 1e-3
        assert found[f"invariance_shift_{shift}", None] == pytest.approx(0, abs=EXACT)
        assert found[f"consistency_shift_{shift}", None] == 1


HALVED: dict[str, dict[str, Any]] = {
    "stride": {"stride": 2},
    **{name: {"pooling": name} for name in POOLINGS if name != "none"},
}


@pytest.mark.parametrize("name", HALVED)
def test_halving_keeps_even_shifts_and_no_others(name: str) -> None:
    model = {"padding": "circular", "depth": 2, **HALVED[name]}
    spec = images(model, {"shifts": [1, 2, 4], "samples": 16}, dtype="float32")
    found = measured(spec)
    # One pixel of layer 1 stands for 2 of the input, one of layer 2 for 4.
    for shift, layer in itertools.product((1, 2, 4), (1, 2)):
        value = found[f"equivariance_shift_{shift}", layer]
        exact = shift % 2**layer == 0
        assert value == pytest.approx(0, abs=EXACT) if exact else value > 1e-3, (shift, layer)
    assert found["invariance_shift_4", None] == pytest.approx(0, abs=EXACT)
    assert found["invariance_shift_1", None] > 1e-7
    for place, value in predicted(spec).items():
        assert found[place] == pytest.approx(value, abs=EXACT)
    expected: set[tuple[str, int | None]] = {
        ("equivariance_shift_2", 1),
        ("equivariance_shift_4", 1),
    }
    expected |= {("equivariance_shift_4", 2)}
    expected |= {("invariance_shift_4", None), ("consistency_shift_4", None)}
    assert predicted(spec).keys() == expected


def test_a_blur_before_halving_comes_nearest_to_equivariance() -> None:
    errors = {
        name: measured(images({"padding": "circular", "depth": 1, **model}))
        for name, model in HALVED.items()
    }
    of_one = {name: found["equivariance_shift_1", 1] for name, found in errors.items()}
    assert of_one["blur"] < of_one["average"] < of_one["max"]
    assert of_one["max_blur"] < 0.5 * of_one["max"]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_zeros_around_the_image_tell_places_apart(pooling: str) -> None:
    found = measured(images({"padding": "zeros", "pooling": pooling}, {"shifts": [1, 2, 4]}))
    errors = {key: value for key, value in found.items() if key[0].startswith("equi")}
    assert errors
    assert min(errors.values()) > 1e-4
    assert predicted(images({"padding": "zeros", "pooling": pooling})) == {}


def test_linear_circular_nets_commute_with_every_shift_and_others_do_not() -> None:
    model = {"padding": "circular", "activation": "identity", "depth": 2}
    found = measured(images(model, {"shifts": [0.5, 1.25]}))
    bent = measured(images(model | {"activation": "relu"}, {"shifts": [0.5, 1.25]}))
    for key in ("equivariance_shift_0.5", "equivariance_shift_1.25", "lie_translation"):
        assert found[key, 2] == pytest.approx(0, abs=1e-25)
        assert bent[key, 2] > 1e-5
    # The mean over all pixels does not see how a wave is shifted.
    assert found["lie_translation", None] == pytest.approx(0, abs=1e-25)


def test_a_linear_map_of_each_pixel_commutes_with_whatever_is_done_to_places() -> None:
    model = {"kernel": 1, "activation": "identity", "depth": 2, "init": "he"}
    found = measured(images(model, {"rotations": [15, 90], "scales": [1.1, 0.7]}))
    named = ("rotation_15", "rotation_90", "scale_1.1", "scale_0.7")
    for key in (*(f"equivariance_{n}" for n in named), "lie_rotation", "lie_scale"):
        assert found[key, 2] == pytest.approx(0, abs=1e-25), key
    bent = measured(images({"kernel": 1, "depth": 2}, {"rotations": [15, 90]}))
    assert bent["equivariance_rotation_90", 2] == pytest.approx(0, abs=1e-20)
    assert bent["equivariance_rotation_15", 2] > 1e-6


# A naive twin, from the definitions: one sample at a time, shifts as sums over all waves.


def waves(n: int, distance: float) -> Image:
    """The matrix of a shift: wave by wave, of the fastest one of an even size the real part."""
    places = np.arange(n)
    found = np.zeros((n, n))
    for wave in range(-(n // 2), n - n // 2):
        turned = np.exp(2j * np.pi * wave * (places[:, None] - places[None] - distance) / n)
        found += turned.real / n
    return found


def shifted(x: Image, down: float, right: float) -> Image:
    """(C, H, W), cyclically."""
    rows, columns = waves(x.shape[1], down), waves(x.shape[2], right)
    found: Image = np.einsum("ij,cjk,lk->cil", rows, x, columns)
    return found


def turned(x: Image, degrees: float, factor: float) -> Image:
    """Bilinear, pixel by pixel; beyond the border lies the nearest pixel of the border."""
    _, height, width = x.shape
    angle = math.radians(degrees)
    found = np.zeros_like(x)
    for i, j in itertools.product(range(height), range(width)):
        up, right = (height - 1) / 2 - i, j - (width - 1) / 2
        right, up = (
            (math.cos(angle) * right + math.sin(angle) * up) / factor,
            (-math.sin(angle) * right + math.cos(angle) * up) / factor,
        )
        row = min(max((height - 1) / 2 - up, 0), height - 1)
        column = min(max(right + (width - 1) / 2, 0), width - 1)
        for r, c in itertools.product(range(height), range(width)):
            weight = max(0, 1 - abs(row - r)) * max(0, 1 - abs(column - c))
            found[:, i, j] += weight * x[:, r, c]
    return found


def net(spec: TrialSpec) -> Callable[[Image], list[Image]]:
    """What the two layers and the output of a net with zeros around make of one image."""
    assert isinstance(spec.model, ConvNet)
    pools = {"max": torch.nn.MaxPool2d(2), "average": torch.nn.AvgPool2d(2)}
    pooled = pools[spec.model.pooling]
    w1, b1, w2, b2, w, b = MODELS["convnet"](spec, problems.load(spec.problem)).start(spec)

    def run_one(x: Image) -> list[Image]:
        h = torch.as_tensor(x)[None]
        first = pooled(functional.conv2d(h, w1, b1, padding=1).tanh())
        second = pooled(functional.conv2d(first, w2, b2, padding=1).tanh())
        out = second.mean((2, 3)) @ w + b[0]
        return [t[0].numpy() for t in (first, second, out)]

    return run_one


STEP = 1e-4
"""Of the central differences."""


def differences(f: Callable[[Image], list[Image]], x: Image, pixels: list[int]) -> list[float]:
    """‖d/dt T₋ₜ f(Tₜx)‖² of two layers and the output, the mean over down and right."""
    found = np.zeros(3)
    for axis in ((1.0, 0.0), (0.0, 1.0)):
        both = []
        for t in (STEP, -STEP):
            *hidden, out = f(shifted(x, t * axis[0], t * axis[1]))
            back = [-t / k for k in pixels]
            seen = [shifted(h, b * axis[0], b * axis[1]) for h, b in zip(hidden, back, strict=True)]
            both.append([*seen, out])
        found += [((a - b) ** 2).mean() / (2 * STEP) ** 2 / 2 for a, b in zip(*both, strict=True)]
    return [float(value) for value in found]


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_every_number_equals_a_twin_that_sees_one_sample_at_a_time(pooling: str) -> None:
    model = {"pooling": pooling, "activation": "tanh", "channels": 3}
    probe = {"shifts": [1, 0.5], "rotations": [15], "scales": [1.1]}
    spec = images(model, probe)
    found, f, pixels = measured(spec), net(spec), [2, 4]
    xs = problems.load(spec.problem).x_test[: PROBE["samples"]].reshape(-1, 1, 8, 8)
    plain = [f(x) for x in xs]
    size = [np.mean([(seen[i] ** 2).sum() for seen in plain]) for i in range(3)]
    transforms: dict[str, list[Callable[[Image, int], Image]]] = {
        "shift_1": [lambda x, k: shifted(x, 1 / k, 0), lambda x, k: shifted(x, 0, 1 / k)],
        "shift_0.5": [lambda x, k: shifted(x, 0.5 / k, 0), lambda x, k: shifted(x, 0, 0.5 / k)],
        "rotation_15": [lambda x, k: turned(x, 15, 1)],
        "scale_1.1": [lambda x, k: turned(x, 0, 1.1)],
    }
    for name, each in transforms.items():
        off, changed, same = np.zeros(2), np.zeros(3), []
        for (x, before), t in itertools.product(zip(xs, plain, strict=True), each):
            after, count = f(t(x, 1)), len(xs) * len(each)
            off += [((after[i] - t(before[i], pixels[i])) ** 2).sum() / count for i in range(2)]
            changed += [((after[i] - before[i]) ** 2).sum() / count for i in range(3)]
            same.append(after[2].argmax() == before[2].argmax())
        for i, layer in enumerate((1, 2, None)):
            near = pytest.approx(changed[i] / size[i], rel=1e-9)
            assert found[f"invariance_{name}", layer] == near
            if layer:
                near = pytest.approx(off[i] / size[i], rel=1e-9)
                assert found[f"equivariance_{name}", layer] == near, (name, layer)
        assert found[f"consistency_{name}", None] == pytest.approx(np.mean(same))
    if pooling == "max":
        return  # not differentiable on the even background of a digit
    slopes = np.mean([differences(f, x, pixels) for x in xs], 0)
    for i, layer in enumerate((1, 2, None)):
        assert found["lie_translation", layer] == pytest.approx(slopes[i], rel=1e-4)


@pytest.mark.parametrize(
    ("generator", "flow"),
    [
        (Turn(), lambda t: Affine(degrees=math.degrees(t))),
        (Growth(), lambda t: Affine(factor=1 + t)),
    ],
    ids=["turn", "growth"],
)
def test_a_generator_is_the_derivative_of_what_it_generates(
    generator: Any, flow: Callable[[float], Affine]
) -> None:
    # On a smooth image bilinear sampling is near enough; its border is left out.
    place = torch.arange(64, dtype=torch.float64) * 2 * math.pi / 64
    image = (place.sin().unsqueeze(1) + (place.cos() * 0.5)).view(1, 64, 64)
    moved = (flow(1e-3)(image) - flow(-1e-3)(image)) / 2e-3
    inside = (slice(None), slice(8, -8), slice(8, -8))
    off = (moved - generator(image))[inside].abs().max()
    assert off < 0.02 * generator(image)[inside].abs().max()


def test_whole_shifts_are_those_of_the_interpolation() -> None:
    x = torch.randn(2, 1, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for axis in (-2, -1):
        once = Shift(0.25, axis)(Shift(0.75, axis)(x))
        odd = axis == -2  # an even size loses its fastest wave on the way
        assert torch.allclose(once, Shift(1.0, axis)(x)) == odd
        assert torch.allclose(Shift(3.0, axis)(x, 1), x.roll(3, axis))
        assert torch.allclose(Shift(6.0, axis)(x, 2), x.roll(3, axis))


# What it is measured of, and what it must leave alone.


def test_a_trial_alone_and_in_a_pack_has_the_same_numbers_and_trains_on_undisturbed() -> None:
    parts: dict[str, Any] = {"budget": {"updates": 8}}
    pack = [images({"norm": "batch"}, seed=seed, **parts) for seed in range(3)]
    silent = images({"norm": "batch"}, seed=1, **parts, record={"probes": [], "steps": 5})
    _, together = run(pack)
    _, alone = run([pack[1]])
    _, without = run([silent])
    rows = together.rows("probes", pack[1].trial_id)
    assert len({r["update"] for r in rows}) == 5
    for one, other in zip(rows, alone.rows("probes", pack[1].trial_id), strict=True):
        assert one["value"] == pytest.approx(other["value"], rel=1e-9, abs=1e-25), one
    losses = [r["train_loss"] for r in alone.rows("steps", pack[1].trial_id)]
    assert losses == [r["train_loss"] for r in without.rows("steps", silent.trial_id)]


def test_trials_are_measured_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pack = [images({}, seed=seed) for seed in range(3)]
    stack = Stack(pack, problems.load(pack[0].problem), CPU)
    whole = Symmetry(stack, Spec(name="symmetry")).measure()
    monkeypatch.setattr("talweg.workloads.probes.symmetry.AT_ONCE", 1)
    parts = Symmetry(stack, Spec(name="symmetry")).measure()
    assert parts.keys() == whole.keys()
    assert all(torch.allclose(parts[name], whole[name], rtol=1e-9) for name in whole)


def test_masks_move_along_with_their_images() -> None:
    spec = images(
        {},
        {"shifts": [1, 4], "rotations": [], "scales": [], "lie": False},
        problem={"name": "shapes", "samples": 32, "test_samples": 32},
        model={"name": "encoder_decoder", "channels": 2, "padding": "circular"},
        loss="dice",
    )
    found = measured(spec)
    # Two halvings: shifts by multiples of 4 are exact, in every layer and in the mask.
    for layer in (1, 2, 3, 4, 5, 6, None):
        assert found["equivariance_shift_4", layer] == pytest.approx(0, abs=1e-20), layer
    assert found["equivariance_shift_1", 1] > 1e-4
    assert found["equivariance_shift_1", None] > 1e-6
    assert ("consistency_shift_1", None) not in found
    assert predicted(spec)["equivariance_shift_4", None] == 0


def test_other_nets_have_outputs_only_and_other_problems_nothing() -> None:
    found = measured(images({}, model={"name": "mlp"}))
    assert {layer for _, layer in found} == {None}
    assert {key.partition("_")[0] for key, _ in found} == {"invariance", "consistency", "lie"}
    own = measured(images({}, model={"name": "module", "path": "tests.nets:Convolving"}))
    assert own.keys() == found.keys()
    assert all(value is not None for value in own.values())
    assert measured(images({}, problem="iris", model={"name": "mlp"})) == {}
    embedded = measured(images({}, loss={"name": "triplet"}))
    assert not any(key.startswith("consistency") for key, _ in embedded)


def test_a_dead_layer_has_no_relative_error() -> None:
    found = measured(images({"init": "zeros"}))
    assert found["equivariance_shift_1", 1] is None
    assert found["lie_translation", 1] == 0
    assert found["consistency_shift_1", None] == 1


def test_bfloat16_is_measured_in_float32() -> None:
    found = measured(images({"padding": "circular"}, dtype="bfloat16"))
    assert found["equivariance_shift_1", 1] == pytest.approx(0, abs=1e-3)
    assert found["equivariance_shift_0.5", 1] > 1e-3


def test_transforms_that_would_share_a_key_are_refused() -> None:
    with pytest.raises(ValidationError, match="equal in six digits"):
        Spec(name="symmetry", shifts=[1, 1.0000001])
    with pytest.raises(ValidationError):
        Spec(name="symmetry", scales=[0])


# Pooling with a blur.


def blurred(x: Image, around: str) -> Image:
    """Every second pixel of (H, W) under the weights (1, 2, 1) ⊗ (1, 2, 1) / 16, one by one."""
    height, width = x.shape
    found = np.zeros((-(-height // 2), -(-width // 2)))
    for i, j in itertools.product(*map(range, found.shape)):
        for a, b in itertools.product((-1, 0, 1), repeat=2):
            row, column = 2 * i + a, 2 * j + b
            inside = 0 <= row < height and 0 <= column < width
            weight = (2 - abs(a)) * (2 - abs(b)) / 16
            if inside or around == "circular":
                found[i, j] += weight * x[row % height, column % width]
    return found


def largest(x: Image, around: str) -> Image:
    """The largest of each pixel and its neighbours below, to the right, and between them."""
    padded = np.pad(x, (0, 1), "wrap" if around == "circular" else "constant")
    views: list[Image] = [
        padded[a : a + x.shape[0], b : b + x.shape[1]] for a in (0, 1) for b in (0, 1)
    ]
    found: Image = np.max(views, 0)
    return found


@pytest.mark.parametrize("around", ["zeros", "circular"])
@pytest.mark.parametrize("sides", [(8, 8), (5, 4), (2, 3)])
def test_blurs_are_sums_over_neighbours(around: str, sides: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, *sides))
    for name, first in (("blur", lambda image, _: image), ("max_blur", largest)):
        over = POOLINGS[name]
        assert over is not None
        got = over(torch.as_tensor(x), around).numpy()
        for sample, channel in itertools.product(range(2), range(3)):
            expected = blurred(first(x[sample, channel], around), around)
            np.testing.assert_allclose(got[sample, channel], expected, atol=1e-15)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_net_has_the_sizes_that_were_planned(pooling: str) -> None:
    spec = images({"pooling": pooling, "depth": 4}, problem={"name": "digits"})
    assert isinstance(spec.model, ConvNet)
    odd = spec.shape._replace(features=35, image=(1, 5, 7))
    model = MODELS["convnet"](spec, problems.load(spec.problem))
    model.image = odd.image  # type: ignore[attr-defined]
    trace = Trace()
    params = [p.unsqueeze(0) for p in model.start(spec)]
    model.forward(params, torch.zeros(1, 2, 35, dtype=torch.float64), trace)
    assert [tuple(z.shape[-2:]) for z in trace.z[:-1]] == spec.model.sizes(odd)


@pytest.mark.parametrize("pooling", ["blur", "max_blur"])
def test_blurring_nets_train_alike_on_the_tape_and_eagerly(pooling: str) -> None:
    pack = [images({"pooling": pooling}, seed=seed, budget={"updates": 60}) for seed in range(2)]
    data = problems.load(pack[0].problem)
    taped, eager = Stack(pack, data, CPU), Stack(pack, data, CPU)
    eager.updater = eager.eager()
    for stack in (taped, eager):
        stack.descend(8)
    assert all(torch.equal(a, b) for a, b in zip(taped.params, eager.params, strict=True))
