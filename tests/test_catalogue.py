"""Every row of the catalogue learns what it should, and there is no row without a test.

The tables stand in ``catalogue_losses`` and ``catalogue_nets``; bounds hold for each seed.
"""

import importlib
import inspect
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from talweg.workloads import problems
from talweg.workloads.stack import Stack

from . import catalogue_losses as losses
from . import catalogue_nets as nets
from .catalogue import WORDS, Row, words
from .trials import run, trial

FAMILIES: dict[str, dict[str, Row]] = {
    "regression": losses.REGRESSION,
    "classification": losses.CLASSIFICATION,
    "distribution": losses.DISTRIBUTION,
    "density": losses.DENSITY,
    "segmentation": losses.SEGMENTATION,
    "embedding": losses.EMBEDDING,
    "games": losses.GAMES,
    "descent": nets.DESCENT,
    "units": nets.UNITS,
    "depth": nets.DEPTH,
    "images": nets.IMAGES,
    "sequences": nets.SEQUENCES,
    "problems": nets.PROBLEMS,
}
ROWS = {f"{family}: {name}": row for family, rows in FAMILIES.items() for name, row in rows.items()}

ELSEWHERE = {
    "problem.quadratic": "test_objectives.test_convex_losses_reach_their_minimum_from_every_start"
    "_and_others_do_not",
    "problem.saddle": "test_objectives.test_convex_losses_reach_their_minimum_from_every_start"
    "_and_others_do_not",
    "problem.rosenbrock": "test_objectives.test_descent_ends_in_the_minimum_of_the_classics",
    "problem.beale": "test_objectives.test_descent_ends_in_the_minimum_of_the_classics",
    "problem.gaussian_fit": "test_gaussian_fit.test_each_direction_reaches_its_own_minimum",
    "problem.logistic": "test_objectives"
    ".test_logistic_regression_reaches_its_known_minimum_from_every_start",
    "problem.file": "test_catalogue_files.test_a_file_of_ones_own_is_learnt",
    "problem.openml": "test_catalogue_files.test_a_table_of_openml_is_learnt",
    "problem.mnist": "test_catalogue_files.test_published_images_are_learnt",
    "problem.fashion_mnist": "test_catalogue_files.test_published_images_are_learnt",
    "problem.cifar10": "test_catalogue_files.test_published_images_are_learnt",
    "model.module": "test_paths.test_a_users_module_equals_its_own_loop_alone_and_in_a_pack",
    "kl_divergence.direction=reverse": "test_catalogue"
    ".test_a_constant_ends_where_its_loss_is_least",
}
"""Words whose learning test is not a row: word -> module and test, which names it."""


@pytest.mark.parametrize("name", ROWS)
def test_it_learns_what_it_should(name: str) -> None:
    row = ROWS[name]
    pack = row.pack()
    outcomes, rows = run(pack)
    assert {str(outcome) for outcome in outcomes} == {"done"}
    for one in pack:
        found: dict[str, Any] = dict(rows.rows("steps", one.trial_id)[-1])
        found |= {row["key"]: row["value"] for row in rows.rows("probes", one.trial_id)}
        for key, (least, most) in row.learned.items():
            assert least <= found[key] <= most, (key, one.seed)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_about_what_its_trials_are_made_of(name: str) -> None:
    row = ROWS[name]
    assert set(row.of) <= words(row.pack()[0])


def test_everything_in_the_catalogue_has_a_test_that_trains_it() -> None:
    covered = {word for row in ROWS.values() for word in row.of}
    assert covered <= WORDS
    assert WORDS - covered - set(ELSEWHERE) == set()
    assert set(ELSEWHERE) <= WORDS


@pytest.mark.parametrize("word", ELSEWHERE)
def test_a_test_elsewhere_is_there_and_names_its_row(word: str) -> None:
    module, name = ELSEWHERE[word].split(".")
    found = importlib.import_module(f"tests.{module}")
    assert callable(getattr(found, name))
    assert word.rpartition(".")[2].rpartition("=")[2] in inspect.getsource(found)


# --- Closed forms --------------------------------------------------------------------------------

# Hidden units that start at zero stay there: all that such a net learns is its output's bias.
CONSTANT = {"depth": 1, "width": 2, "init": "zeros"}
TAU, DELTA = 0.8, 20.0
RAW: dict[str, Any] = {"name": "diabetes", "standardise": False}
"""Targets from 25 to 346: far from where the constant starts, at 0."""


def numbers() -> Any:
    return problems.load(trial(problem=RAW).problem).y_train[:, 0]


def best(loss: Any) -> float:
    """The least mean loss of one constant for all of diabetes's targets."""
    y = numbers()
    found = minimize_scalar(lambda c: loss(y - c).mean(), bounds=(25, 346), options={"xatol": 1e-6})
    return float(found.fun)


def benign() -> float:
    """The share of class 1 among breast cancer's training samples."""
    return float(problems.load(trial(problem="breast_cancer").problem).y_train.mean())


def entropy(*shares: float) -> float:
    return -sum(p * math.log(p) for p in shares)


def teacher(*, reverse: bool) -> float:
    """The least mean divergence of one distribution q from all of the teacher's.

    KL(p‖q) is least at their arithmetic mean, KL(q‖p) at their normalised geometric mean,
    where it is −log of what normalised it.
    """
    p = problems.load(trial(problem="teacher").problem).y_train
    if reverse:
        return float(-np.log(np.exp(np.log(p).mean(0)).sum()))
    return float((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean())


def huber(r: Any) -> Any:
    return np.where(abs(r) <= DELTA, r * r / 2, DELTA * (abs(r) - DELTA / 2))


CLOSED: dict[str, tuple[Any, dict[str, Any], Any]] = {
    "mse: the mean": (RAW, {"name": "mse"}, lambda: numbers().var()),
    "mae: the median": (
        RAW, {"name": "mae"}, lambda: np.abs(numbers() - np.median(numbers())).mean()
    ),
    "quantile: the quantile": (
        RAW,
        {"name": "quantile", "tau": TAU},
        lambda: best(lambda r: np.maximum(TAU * r, (TAU - 1) * r)),
    ),
    "huber": (RAW, {"name": "huber", "delta": DELTA}, lambda: best(huber)),
    "log_cosh": (
        RAW, {"name": "log_cosh"}, lambda: best(lambda r: np.logaddexp(r, -r) - math.log(2))
    ),
    "cross_entropy: the shares": (
        "breast_cancer", {"name": "cross_entropy"}, lambda: entropy(benign(), 1 - benign())
    ),
    "binary_cross_entropy: the share": (
        "breast_cancer", {"name": "binary_cross_entropy"}, lambda: entropy(benign(), 1 - benign())
    ),
    # Brier's score of the share: ½ p (1 − p).
    "squared_error: the share": (
        "breast_cancer", {"name": "squared_error"}, lambda: benign() * (1 - benign()) / 2
    ),
    # z = ±1 for the commoner class: the others cost 2.
    "hinge: the commoner class": (
        "breast_cancer", {"name": "hinge"}, lambda: 2 * min(benign(), 1 - benign())
    ),
    "forward: the arithmetic mean": (
        "teacher", {"name": "kl_divergence", "temperature": 2.0}, lambda: teacher(reverse=False)
    ),
    "reverse: the geometric mean": (
        "teacher",
        {"name": "kl_divergence", "direction": "reverse", "temperature": 2.0},
        lambda: teacher(reverse=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CLOSED)
def test_a_constant_ends_where_its_loss_is_least(case: str) -> None:
    """Batch descent with a falling rate, seed 0: 99 % of the way to the closed form's loss."""
    problem, loss, expected = CLOSED[case]
    one = trial(
        problem=problem, loss=loss, model=CONSTANT, descent="batch",
        optimizer={"name": "adam", "lr": 2.0 if problem == RAW else 0.1, "schedule": "cosine"},
        budget={"updates": 500}, record={"steps": 2, "samples": None, "layers": 0, "probes": []},
    )  # fmt: skip
    _, rows = run([one])
    first, last = (row["train_loss"] for row in rows.rows("steps", one.trial_id))
    least = expected()
    assert least * (1 - 1e-9) <= last < least + 0.01 * (first - least)


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.9])
def test_a_share_of_tau_of_the_targets_is_below_the_quantile(tau: float) -> None:
    """A linear model of diabetes, seed 0; 353 targets, of which 11 may lie on the plane."""
    one = trial(
        problem="diabetes", loss={"name": "quantile", "tau": tau}, model={"depth": 0},
        descent="batch", budget={"updates": 600},
        optimizer={"name": "adam", "lr": 0.05, "schedule": "cosine"},
    )  # fmt: skip
    stack = Stack([one], problems.load(one.problem), torch.device("cpu"))
    stack.descend(600)
    x, y = (t.unsqueeze(0) for t in stack.train)
    below = (y < stack.model.forward(stack.params, x)).double().mean()
    assert float(below) == pytest.approx(tau, abs=0.035)


def test_a_hidden_layer_makes_a_convex_loss_end_where_it_started_from() -> None:
    """Logistic regression has one minimum; through two hidden units eight starts find others."""
    base: dict[str, Any] = {
        "problem": {"name": "logistic", "features": 4, "samples": 200, "test_samples": 50},
        "descent": "batch",
        "optimizer": {"name": "momentum", "lr": 0.3},
        "budget": {"updates": 2000},
        "record": {"steps": 2, "samples": None, "layers": 0, "probes": []},
    }
    spreads = []
    for depth in (0, 1):
        model = {"depth": depth, "width": 2, "init": {"name": "gaussian", "sigma_w": 3.0}}
        pack = [trial(**base, model=model, seed=seed) for seed in range(8)]
        _, rows = run(pack)
        ends = [rows.rows("steps", one.trial_id)[-1]["train_loss"] for one in pack]
        spreads.append(max(ends) - min(ends))
    assert spreads[0] < 1e-9
    assert spreads[1] > 1e-2
