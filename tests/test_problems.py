"""Problems: what was planned is what is loaded, and what is loaded is what the page says."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer, load_diabetes

from talweg.workloads import problems
from talweg.workloads.probes.measures import KNOWN
from talweg.workloads.problems import mnist1d
from talweg.workloads.problems.shapes import Task
from talweg.workloads.spec import TrialSpec, misfits
from talweg.workloads.stack import Stack

from .problem_helpers import load, spec
from .trials import run, trial

CPU = torch.device("cpu")
SPECS: dict[str, dict[str, Any]] = {
    "digits": {},
    "digits as they come": {"standardise": False},
    "breast_cancer": {},
    "breast_cancer with a rare class": {"minority_share": 0.1},
    "wine": {"test_share": 0.3, "split_seed": 5},
    "iris": {},
    "diabetes": {},
    "diabetes as it comes": {"standardise": False},
    "gaussian_inputs": {},
    "linear": {},
    "linear with outliers": {"features": 7, "samples": 200, "outlier_share": 0.1},
    "two_moons": {},
    "two_moons with a rare class": {"minority_share": 0.05},
    "spirals": {"classes": 3},
    "mnist1d": {"samples": 200, "test_samples": 100},
    "shapes": {"samples": 50, "test_samples": 30},
    "teacher": {},
    "sequential_digits": {},
    "copy": {},
    "adding": {},
}


@pytest.fixture(params=SPECS)
def planned(request: pytest.FixtureRequest) -> Any:
    return spec(request.param.split()[0], **SPECS[request.param])


def test_the_planned_sizes_are_those_of_the_data(planned: Any) -> None:
    data, shape = problems.load(planned), planned.shape
    assert len(data.x_train) == len(data.y_train) == planned.train_samples
    assert len(data.x_test) == len(data.y_test) == shape.samples - planned.train_samples
    assert data.features == data.x_test.shape[1] == shape.features
    assert np.prod(shape.sequence) == np.prod(shape.image or shape.features) == shape.features
    ends = {
        Task.CLASSIFICATION: () if shape.labels == 1 else (shape.labels,),
        Task.REGRESSION: (shape.outputs,),
        Task.SEGMENTATION: (shape.outputs,),
        Task.DISTRIBUTION: (shape.outputs,),
    }[planned.task]
    assert data.y_train.shape[1:] == data.y_test.shape[1:] == ends
    if planned.task is Task.CLASSIFICATION:
        assert set(data.y_train.ravel().tolist()) == set(range(shape.outputs))


def test_data_are_finite_typed_and_always_the_same(planned: Any) -> None:
    first, again = problems.load(planned), problems.load(planned.model_copy())
    kind = np.int64 if planned.task is Task.CLASSIFICATION else np.float64
    for name in ("x_train", "y_train", "x_test", "y_test"):
        one, two = getattr(first, name), getattr(again, name)
        assert one.dtype == (kind if name[0] == "y" else np.float64)
        assert np.isfinite(one).all()
        assert np.array_equal(one, two)


def test_the_usual_model_and_loss_fit_the_problem(planned: Any) -> None:
    usual = TrialSpec.model_validate({"problem": planned.model_dump()})
    assert list(misfits(usual)) == []
    assert {"model": usual.model.name, "loss": usual.loss.name}.items() >= planned.usual.items()


DRAWN = ["linear", "two_moons", "spirals", "mnist1d", "shapes", "copy", "adding"]


@pytest.mark.parametrize("name", DRAWN)
def test_no_drawn_sample_is_in_both_sets_and_other_seeds_draw_others(name: str) -> None:
    data = load(name, samples=100, test_samples=50)
    rows = np.concatenate([data.x_train, data.x_test])
    assert len(np.unique(rows, axis=0)) == 150
    other = load(name, samples=100, test_samples=50, data_seed=1)
    assert not np.array_equal(other.x_train, data.x_train)


@pytest.mark.parametrize("share", [None, 0.2])
def test_a_split_leaves_nothing_out_and_repeats_nothing(share: float | None) -> None:
    data = load("breast_cancer", standardise=False, minority_share=share)
    found = np.concatenate([data.x_train, data.x_test]).tolist()
    x, y = load_breast_cancer(return_X_y=True)
    whole = x.tolist()
    assert len({tuple(row) for row in found}) == len(found)
    assert all(row in whole for row in found)
    # All 357 benign ones stay: 0.2 / 0.8 · 357 = 89 malignant ones beside them.
    assert len(found) == (len(y) if share is None else 357 + 89)


def test_a_minority_has_the_share_that_was_asked_for_in_both_sets() -> None:
    cancer = load("breast_cancer", minority_share=0.1)
    moons = load("two_moons", minority_share=0.05)
    spiral = load("spirals", minority_share=0.5)
    shares = [
        (data.y_train == rare).mean() + 1j * (data.y_test == rare).mean()
        for data, rare in ((cancer, 0), (moons, 1), (spiral, 1))
    ]
    # Whole samples: half of one in the smallest set, 79 of breast cancer's.
    assert np.allclose(shares, [0.1 + 0.1j, 0.05 + 0.05j, 0.5 + 0.5j], atol=1 / 79)


def test_standardising_looks_at_the_training_set_alone() -> None:
    data, raw = load("diabetes"), load("diabetes", standardise=False)
    x, y = load_diabetes(return_X_y=True, scaled=False)
    train = np.random.RandomState(0).permutation(442)[:353]
    test = np.random.RandomState(0).permutation(442)[353:]
    assert np.array_equal(raw.x_train, x[train])
    assert np.array_equal(raw.y_test[:, 0], y[test])
    assert np.allclose(data.x_test, (x[test] - x[train].mean(0)) / x[train].std(0), atol=1e-12)
    assert np.allclose(data.y_test[:, 0], (y[test] - y[train].mean()) / y[train].std(), atol=1e-12)


def test_least_squares_finds_the_true_weights_of_a_line_without_noise() -> None:
    data = load("linear", noise=0.0, features=20)
    found, *_ = np.linalg.lstsq(data.x_train, data.y_train, rcond=None)
    assert np.allclose(found, data.truth["weights"], atol=1e-12)
    assert np.allclose(data.x_test @ found, data.y_test, atol=1e-12)


def test_a_line_has_as_many_outliers_as_asked_for_and_only_in_training() -> None:
    data = load("linear", outlier_share=0.2, outlier_scale=100.0, noise=0.01, samples=500)
    off_train = np.abs(data.y_train - data.x_train @ data.truth["weights"])
    off_test = np.abs(data.y_test - data.x_test @ data.truth["weights"])
    assert off_test.max() < 0.05  # five deviations
    # 100 outliers ~ N(0, 100²): each is within 0.05 with probability 0.0004.
    assert 98 <= (off_train > 0.05).sum() <= 100
    assert 70 < off_train[off_train > 0.05].std() / np.sqrt(1 - 2 / np.pi) < 130


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_parameter_error_is_the_relative_distance_to_the_true_weights(dtype: str) -> None:
    linear = {"problem": {"name": "linear", "features": 5}, "model": {"depth": 0}, "dtype": dtype}
    stack = Stack([trial(**linear, seed=s) for s in range(3)], load("linear", features=5), CPU)
    true = torch.as_tensor(stack.data.truth["weights"])
    for k, factor in enumerate((1.0, 3.0, 0.0)):
        stack.params[0][k] = factor * true
    measure = KNOWN["linear"](stack)["parameter_error"]
    expected = torch.tensor([0.0, 2.0, 1.0], dtype=torch.float64)
    assert torch.allclose(measure(stack.params), expected, atol=1e-6 if dtype == "float32" else 0)


def test_a_linear_model_that_learns_comes_near_to_the_true_weights() -> None:
    linear = {"name": "linear", "features": 5, "noise": 0.0}
    line = trial(problem=linear, model={"depth": 0}, loss="mse", budget={"updates": 200})
    _, collected = run([line])
    rows = collected.rows("probes", line.trial_id)
    errors = [row["value"] for row in rows if row["key"] == "parameter_error"]
    # Without noise every batch has the same minimum; each update shrinks the error by a factor.
    assert errors[0] > 0.5
    assert errors[-1] < 1e-6


def test_a_hidden_layer_has_no_true_weights() -> None:
    deep = trial(problem={"name": "linear"}, model={"depth": 1})
    assert KNOWN["linear"](Stack([deep], load("linear"), CPU)) == {}


def test_moons_and_spirals_without_noise_lie_on_their_curves() -> None:
    moons, spiral = load("two_moons", noise=0.0), load("spirals", noise=0.0, turns=2.0, classes=3)
    x, y = moons.x_train, moons.y_train
    middle = np.where(y[:, None] == 0, [0.0, 0.0], [1.0, 0.5])
    assert np.allclose(np.hypot(*(x - middle).T), 1, atol=1e-12)
    assert ((x - middle)[:, 1] * np.where(y == 0, 1, -1) >= 0).all()
    radius = np.hypot(*spiral.x_train.T)
    turned = np.angle(spiral.x_train @ [1, 1j]) / (2 * np.pi) - 2 * radius - spiral.y_train / 3
    assert np.allclose(turned, turned.round(), atol=1e-9)


def test_mnist1d_follows_the_published_procedure() -> None:
    patterns = mnist1d.templates()
    assert patterns.shape == (10, 12)
    assert np.allclose(patterns.std(1), 1 / 6)
    assert np.allclose(patterns[:, 0], 0)
    data = load("mnist1d")
    assert (np.bincount(data.y_train) == 400).all()
    assert abs(data.x_train.mean()) < 1e-12
    assert data.x_train.std() == pytest.approx(1)


def test_mnist1d_is_the_published_procedure_sample_by_sample() -> None:
    count, draw = 30, np.random.default_rng(0)
    labels = draw.permutation(np.arange(count) % 10)
    pads = 36 + (draw.random(count) * 25).astype(int)
    scales, shifts = draw.random(count), draw.integers(48, size=count)
    smooth, rough = draw.standard_normal((count, 72)), draw.standard_normal((count, 72))
    shears, found = draw.random(count), []
    for i, label in enumerate(labels):
        x = np.concatenate([mnist1d.templates()[label] + 1e-8, np.zeros(pads[i])])
        x = interp1d(np.linspace(0, 1, len(x)), x)(np.linspace(0, 1, 72))
        x = np.roll(x * (1 + 0.4 * (scales[i] - 0.5)), shifts[i])
        x = np.where(x != 0, x, gaussian_filter(0.25 * smooth[i], 2)) + 0.02 * rough[i]
        x = x - 0.75 * (shears[i] - 0.5) * np.linspace(-0.5, 0.5, 72)
        found.append(interp1d(np.linspace(0, 1, 72), x)(np.linspace(0, 1, 40)))
    data = load("mnist1d", samples=count)
    assert data.y_train.tolist() == labels.tolist()
    expected = (np.array(found) - np.mean(found)) / np.std(found)
    assert np.allclose(data.x_train, expected, atol=1e-12)


def test_logistic_regression_is_as_good_on_mnist1d_as_published() -> None:
    spec = trial(
        problem={"name": "mnist1d"},
        model={"depth": 0},
        descent={"batch_size": 50},
        budget={"epochs": 15},
        dtype="float32",
        record={"steps": 2, "probes": []},
    )
    _, collected = run([spec])
    # Greydanus 2020: 32 %. Measured here with data seeds 0 to 3: 33.1, 30.3, 30.9, 32.9 %; the
    # standard error of 1000 test samples is 1.5 %.
    score = collected.rows("steps", spec.trial_id)[-1]["test_score"]
    assert score == pytest.approx(0.32, abs=0.05)


@pytest.mark.parametrize("size", [4, 16, 33])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_figures_take_exactly_their_share_of_an_image(size: int, share: float) -> None:
    drawn = {"size": size, "foreground_share": share, "noise": 0.0}
    data = load("shapes", **drawn, samples=40, test_samples=10)
    assert np.array_equal(data.x_train, data.y_train)  # without noise
    assert set(np.unique(data.y_train)) == {0.0, 1.0}
    assert (data.y_train.sum(1) == round(share * size**2)).all()


def test_figures_are_discs_and_rectangles_inside_the_image() -> None:
    data = load("shapes", size=32, foreground_share=0.1, samples=200)
    filled = []
    for pixels in data.y_train.reshape(-1, 32, 32):
        rows, columns = np.nonzero(pixels)
        box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        filled.append(pixels.sum() / box)
    # A disc fills π/4 of its box, a rectangle all but the last, begun line.
    assert 0.3 < np.mean(np.array(filled) < 0.83) < 0.7
    assert np.min(filled) > 0.65


def test_the_teacher_is_the_normal_densities_by_bayes_rule() -> None:
    hard, soft = load("digits"), load("teacher", temperature=1.0, shrinkage=0.5)
    x, y = hard.x_train, hard.y_train
    assert np.array_equal(x, soft.x_train)
    groups = [x[y == c] for c in range(10)]
    own = [np.cov(group.T, bias=True) for group in groups]
    common = sum(len(g) * c for g, c in zip(groups, own, strict=True)) / len(x)
    logits = [
        np.log(len(g) / len(x))
        + multivariate_normal(g.mean(0), 0.5 * c + 0.5 * common + 0.01 * np.eye(64)).logpdf(
            hard.x_test[:20]
        )
        for g, c in zip(groups, own, strict=True)
    ]
    expected = np.exp(logits - np.max(logits, 0)).T
    assert np.allclose(soft.y_test[:20], expected / expected.sum(1, keepdims=True), atol=1e-9)


def test_temperature_softens_the_teacher_and_leaves_its_choice() -> None:
    hard, cold, warm = load("digits"), load("teacher", temperature=1.0), load("teacher")
    assert np.allclose(warm.y_test.sum(1), 1)
    assert warm.y_test.max(1).mean() < cold.y_test.max(1).mean() - 0.02
    assert np.array_equal(warm.y_test.argmax(1), cold.y_test.argmax(1))
    assert (warm.y_test.argmax(1) == hard.y_test).mean() > 0.97


def test_what_is_to_be_copied_stands_at_the_beginning() -> None:
    wanted = spec("copy", symbols=5, length=7, delay=3)
    data = problems.load(wanted)
    x = data.x_train.reshape(-1, *wanted.shape.sequence)
    assert x.shape[1:] == (7 + 3 + 7, 5 + 1)
    assert np.array_equal(x[:, :7, :5].argmax(2), data.y_train)
    assert (x[:, :7].sum(2) == 1).all()
    assert (x[:, 10, 5] == 1).all()  # the marker
    assert x[:, 7:].sum() == len(x)  # and nothing else


def test_what_is_to_be_added_is_marked_once_in_each_half() -> None:
    data = load("adding", steps=11)
    value, mark = np.moveaxis(data.x_train.reshape(-1, 11, 2), 2, 0)
    assert np.allclose((value * mark).sum(1, keepdims=True), data.y_train)
    assert (mark[:, :5].sum(1) == 1).all()
    assert (mark[:, 5:].sum(1) == 1).all()
    # Saying 1 always: Var(u + v) = 1/6, within four standard errors of 1024 samples.
    assert np.mean((data.y_train - 1) ** 2) == pytest.approx(1 / 6, abs=0.03)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "iris": ({"minority_share": 0.1}, "iris has 3; use breast_cancer"),
    "breast_cancer": ({"minority_share": 0.4}, "use 0.01 to 0.37"),
    "spirals": ({"minority_share": 0.1, "classes": 3}, "for two classes, not 3"),
    "two_moons": ({"minority_share": 0.001, "samples": 100}, "of 100 samples is none; use 0.01"),
    "shapes": ({"size": 4, "foreground_share": 0.01}, "use 0.062 at least, or a larger size"),
    "copy": ({"length": 2}, "8 symbols make 64 sequences of length 2"),
    "mnist": ({"samples": 60_001}, "mnist has 60000 training samples"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_made_is_refused_at_planning(name: str) -> None:
    fields, message = WRONG[name]
    with pytest.raises(ValidationError, match=message):
        spec(name, **fields)


def test_planning_loads_neither_torch_nor_numpy_nor_sklearn() -> None:
    code = (
        "import sys\nfrom talweg.workloads.spec import TrialSpec\n"
        "print(TrialSpec.model_validate({'problem': 'mnist1d'}).shape)\n"
        "assert not {'torch', 'numpy', 'sklearn', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
