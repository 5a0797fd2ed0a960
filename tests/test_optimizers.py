"""Optimizers, schedules and clipping against torch.optim, and against known answers."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.optim import lr_scheduler

from talweg.workloads import problems
from talweg.workloads.optimizers import RULES, Settings, Tensors, clip, settings_of
from talweg.workloads.optimizerspecs import Schedule
from talweg.workloads.options import Compile, cpp_compiler
from talweg.workloads.schedules import factor
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack

from .trials import run, trial

UPDATES = 32
BUDGET = 50  # the least that is taped
CPU, F64 = torch.device("cpu"), torch.float64

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "sgd": [{}, {"momentum": 0.5}],
    "momentum": [{}, {"momentum": 0.0}],
    "nesterov": [{}, {"momentum": 0.0}],
    "rmsprop": [{}, {"alpha": 0.9, "eps": 1e-3, "momentum": 0.7}],
    "adam": [{}, {"beta1": 0.5, "beta2": 0.9, "eps": 1e-4}],
    "adamw": [{}, {"beta1": 0.0, "beta2": 0.99, "weight_decay": 0.1}],
    "adagrad": [{}, {"eps": 1e-3, "initial_accumulator": 0.1}],
}
DECAYS: list[dict[str, Any]] = [{}, {"weight_decay": 0.02}]
CLIPS: list[dict[str, Any]] = [
    {},
    {"clip_norm": 0.4},
    {"clip_value": 0.1},
    {"clip_value": 0.2, "clip_norm": 0.4},
]
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {"name": "constant"},
    "step": {"name": "step", "every": 7, "gamma": 0.5},
    "exponential": {"name": "exponential", "every": 10, "gamma": 0.5},
    "cosine": {"name": "cosine", "final": 0.05},
    "warmup": {"name": "warmup", "warmup": 8},
    "inverse_sqrt": {"name": "inverse_sqrt", "warmup": 5},
}


def spec(name: str, schedule: str = "constant", **settings: Any) -> TrialSpec:
    """A linear classifier of iris on the whole training set: every update sees the same."""
    return trial(
        model={"depth": 0},
        descent="batch",
        optimizer={"name": name, "schedule": SCHEDULES[schedule], "lr": 0.05, **settings},
        budget={"updates": BUDGET},
    )


def mixed(name: str, schedule: str) -> list[TrialSpec]:
    """A pack whose trials differ in every hyperparameter, learning rate included."""
    parts = itertools.product(SETTINGS[name], DECAYS, CLIPS)
    return [
        spec(name, schedule, **{"lr": 0.03 + 0.01 * i, **a, **b, **c})
        for i, (a, b, c) in enumerate(parts)
    ]


OURS_TO_TORCH: dict[str, Callable[[Any], dict[str, Any]]] = {
    "sgd": lambda o: {"momentum": o.momentum},
    "momentum": lambda o: {"momentum": o.momentum},
    "nesterov": lambda o: {"momentum": o.momentum, "nesterov": o.momentum > 0},
    "rmsprop": lambda o: {"alpha": o.alpha, "eps": o.eps, "momentum": o.momentum},
    "adam": lambda o: {"betas": (o.beta1, o.beta2), "eps": o.eps},
    "adamw": lambda o: {"betas": (o.beta1, o.beta2), "eps": o.eps},
    "adagrad": lambda o: {"eps": o.eps, "initial_accumulator_value": o.initial_accumulator},
}
TORCH: dict[str, Any] = {
    "sgd": torch.optim.SGD,
    "momentum": torch.optim.SGD,
    "nesterov": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adagrad": torch.optim.Adagrad,
}


def torch_optimizer(spec: TrialSpec, params: Tensors) -> torch.optim.Optimizer:
    given = spec.optimizer
    common = {"lr": given.lr, "weight_decay": given.weight_decay}
    made: torch.optim.Optimizer = TORCH[given.name](
        params, **common, **OURS_TO_TORCH[given.name](given)
    )
    return made


def torch_schedule(optimizer: torch.optim.Optimizer, spec: TrialSpec) -> Any:
    """Torch's own schedule where it has one, else a multiplier by our factor."""
    given = spec.optimizer.schedule
    match given.name:
        case "step":
            return lr_scheduler.StepLR(optimizer, given.every, given.gamma)
        case "exponential":
            return lr_scheduler.ExponentialLR(optimizer, given.gamma ** (1 / given.every))
        case "cosine":
            least = given.final * spec.optimizer.lr
            return lr_scheduler.CosineAnnealingLR(optimizer, spec.budget_updates, least)
        case "warmup":
            first = 1 / given.warmup
            return lr_scheduler.LinearLR(optimizer, first, total_iters=given.warmup - 1)
    return lr_scheduler.LambdaLR(optimizer, lambda t: factor(given, t, spec.budget_updates))


class Twin:
    """The same trial with torch.optim, torch.nn.utils and torch's schedules."""

    def __init__(self, spec: TrialSpec, stack: Stack) -> None:
        self.spec, self.x, self.y = spec, *stack.train
        self.params = [p.detach().requires_grad_() for p in stack.model.start(spec)]
        self.optimizer = torch_optimizer(spec, self.params)
        self.schedule = torch_schedule(self.optimizer, spec)
        self.clipped = 0

    def train(self) -> "Twin":
        weight, bias = self.params
        for _ in range(UPDATES):
            self.optimizer.zero_grad()
            torch.nn.functional.cross_entropy(self.x @ weight + bias, self.y).backward()
            self._clip()
            self.optimizer.step()
            self.schedule.step()
        return self

    def _clip(self) -> None:
        grads = [p.grad for p in self.params if p.grad is not None]
        before = [g.clone() for g in grads]
        given = self.spec.optimizer
        if given.clip_value is not None:
            torch.nn.utils.clip_grad_value_(self.params, given.clip_value)
        if given.clip_norm is not None:
            # Not clip_grad_norm_: it divides by ‖g‖ + 1e-6.
            norm = torch.cat([g.flatten() for g in grads]).norm()
            for g in grads:
                g *= min(1.0, given.clip_norm / float(norm))
        self.clipped += not all(map(torch.equal, before, grads))


def assert_equal(stack: Stack, place: int, params: Tensors) -> None:
    for own, expected in zip(stack.params, params, strict=True):
        torch.testing.assert_close(own[place], expected.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", RULES)
def test_a_pack_of_all_settings_equals_torch_optim(name: str, schedule: str) -> None:
    pack = mixed(name, schedule)
    stack = Stack(pack, problems.load(pack[0].problem), CPU)
    stack.descend(UPDATES)
    for place, one in enumerate(pack):
        twin = Twin(one, stack).train()
        assert_equal(stack, place, twin.params)
        assert int(stack.clipped_K[place]) == twin.clipped
    assert int(stack.clipped_K.max()) > 0


@pytest.mark.parametrize("name", RULES)
def test_a_trial_alone_equals_itself_among_others(name: str) -> None:
    pack = mixed(name, "cosine")
    data = problems.load(pack[0].problem)
    together = Stack(pack, data, CPU)
    together.descend(UPDATES)
    for place in (0, 9, 15):  # all that can be neutral, then less and less of it
        alone = Stack([pack[place]], data, CPU)
        alone.descend(UPDATES)
        assert set(alone.settings) <= set(together.settings)
        assert_equal(together, place, [p[0] for p in alone.params])


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_tape_makes_the_updates_of_the_eager_path(name: str, schedule: str) -> None:
    pack = mixed(name, schedule)
    data = problems.load(pack[0].problem)
    taped, eager = Stack(pack, data, CPU), Stack(pack, data, CPU)
    eager.updater = eager.eager()
    for stack in (taped, eager):
        stack.descend(UPDATES)
    tapes = taped.updater.one.tapes  # type: ignore[attr-defined]
    assert all(tapes.values())  # none was found unfit
    for left, right in ((taped.params, eager.params), (taped.state, eager.state)):
        assert all(map(torch.equal, left, right))


@pytest.mark.parametrize("name", RULES)
def test_what_stays_of_a_pack_goes_on_from_memory_and_from_a_snapshot(name: str) -> None:
    pack = mixed(name, "inverse_sqrt")
    data = problems.load(pack[0].problem)
    whole, kept, stay = Stack(pack, data, CPU), Stack(pack, data, CPU), [1, 6, 14]
    for stack in (whole, kept):
        stack.descend(20)
    restored = Stack([pack[i] for i in stay], data, CPU)
    restored.restore(whole.snapshot(stay), 20, 0.0)
    kept.keep(stay)
    for stack in (whole, kept, restored):
        stack.descend(UPDATES)
    for stack in (kept, restored):
        pairs = zip(whole.params, stack.params, strict=True)
        assert all(torch.allclose(a[stay], b, rtol=1e-12, atol=0) for a, b in pairs)


@pytest.mark.skipif(cpp_compiler() is None, reason="compiled steps need a C++ compiler")
def test_the_compiled_step_of_adam_follows_its_schedule(tmp_path: Path) -> None:
    pack = [
        spec("adam", "cosine", lr=0.02 * (i + 1), weight_decay=0.01 * i, beta1=0.9 - 0.2 * i)
        for i in range(3)
    ]
    _, taped = run(pack)
    _, compiled = run(pack, compile=Compile.ALWAYS, steps_folder=tmp_path)
    assert list(tmp_path.glob("*.pt2"))
    for one in pack:
        left, right = (c.rows("steps", one.trial_id) for c in (taped, compiled))
        assert [r["lr"] for r in left] == [r["lr"] for r in right]
        for a, b in zip(left, right, strict=True):
            assert math.isclose(a["train_loss"], b["train_loss"], rel_tol=1e-9)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_optimizer_learns_in_lower_precision(name: str, dtype: str) -> None:
    one = spec(name, "warmup", weight_decay=0.01, clip_norm=10.0)
    one = one.model_copy(update={"dtype": dtype})
    _, rows = run([one])
    first, *_, last = rows.rows("steps", one.trial_id)
    assert last["train_loss"] < 0.8 * first["train_loss"]


# Clipping.

GRADS_3_4 = [torch.tensor([[3.0], [3.0], [3.0]]), torch.tensor([[4.0], [-4.0], [4.0]])]


@pytest.mark.parametrize(
    ("settings", "expected", "clipped"),
    [
        ({"clip_norm": 1.0}, (0.6, 0.8), True),
        ({"clip_norm": 5.0}, (3.0, 4.0), False),
        ({"clip_value": 3.5}, (3.0, 3.5), True),
        ({"clip_value": 4.0}, (3.0, 4.0), False),
        ({"clip_value": 3.0, "clip_norm": 18**0.5 / 3}, (1.0, 1.0), True),
    ],
)
def test_clipping_of_3_4(
    settings: dict[str, Any], expected: tuple[float, float], clipped: bool
) -> None:
    pack = [trial(optimizer=settings), trial(optimizer=settings), trial()]
    found, which = clip(GRADS_3_4, settings_of(pack, GRADS_3_4[0]))
    a, b = expected
    torch.testing.assert_close(found[0], torch.tensor([[a], [a], [3.0]]))
    torch.testing.assert_close(found[1], torch.tensor([[b], [-b], [4.0]]))
    assert which is not None
    assert which.tolist() == [clipped, clipped, False]


def test_rows_tell_the_share_of_clipped_updates_also_by_value() -> None:
    always, never = spec("sgd", clip_value=1e-6), spec("sgd")
    _, rows = run([always, never])
    _, *shares = (r["clipped_share"] for r in rows.rows("steps", always.trial_id))
    assert set(shares) == {1.0}
    assert {r["clipped_share"] for r in rows.rows("steps", never.trial_id)} == {None}


# Schedules.


def schedule(**parts: Any) -> Schedule:
    return trial(optimizer={"schedule": parts}).optimizer.schedule


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"name": "constant"}, {0: 1.0, 99: 1.0}),
        ({"name": "step", "every": 10, "gamma": 0.5}, {0: 1.0, 9: 1.0, 10: 0.5, 20: 0.25}),
        ({"name": "exponential", "every": 10, "gamma": 0.25}, {0: 1.0, 5: 0.5, 20: 0.0625}),
        ({"name": "cosine"}, {0: 1.0, 25: 0.8535534, 50: 0.5, 100: 0.0}),
        ({"name": "cosine", "final": 0.5}, {0: 1.0, 50: 0.75, 100: 0.5}),
        ({"name": "warmup", "warmup": 4}, {0: 0.25, 1: 0.5, 3: 1.0, 50: 1.0}),
        ({"name": "warmup", "warmup": 1}, {0: 1.0, 1: 1.0}),
        ({"name": "inverse_sqrt", "warmup": 4}, {0: 0.25, 3: 1.0, 15: 0.5, 99: 0.2}),
    ],
)
def test_factors_of_a_budget_of_100(parts: dict[str, Any], expected: dict[int, float]) -> None:
    given = schedule(**parts)
    assert {t: factor(given, t, 100) for t in expected} == pytest.approx(expected, abs=1e-7)


def test_an_untrained_net_has_a_rate_too() -> None:
    assert factor(schedule(name="cosine"), 0, 0) == 1.0


@pytest.mark.parametrize("name", SCHEDULES)
def test_rows_tell_the_rate_of_the_next_update_and_at_the_end_of_the_last(name: str) -> None:
    one = spec("sgd", name, lr=0.3)
    _, rows = run([one])
    given = one.optimizer.schedule
    steps = rows.rows("steps", one.trial_id)
    assert {r["update"]: r["lr"] for r in steps} == {
        u: pytest.approx(0.3 * factor(given, min(u, BUDGET - 1), BUDGET), rel=1e-12)
        for u in (r["update"] for r in steps)
    }
    assert steps[-1]["update"] == BUDGET


def test_one_update_is_as_long_as_its_rate_says() -> None:
    one = spec("sgd", "warmup", lr=0.4).model_copy(
        update={"record": trial(record={"layer_samples": None}).record}
    )
    _, rows = run([one])
    pairs = [
        (before["lr"] * before["grad_norm"], after["update_norm"])
        for before, after in itertools.pairwise(rows.rows("steps", one.trial_id))
        if after["update"] == before["update"] + 1 and before["grad_norm"] is not None
    ]
    assert len(pairs) > 8  # the warming up and beyond
    assert [b for _, b in pairs] == pytest.approx([a for a, _ in pairs], rel=1e-9)


@pytest.mark.parametrize(
    ("optimizer", "key"),
    [
        ({"name": "lion"}, "lion"),
        ({"name": "adam", "beta2": 1.0}, "beta2"),
        ({"name": "adam", "momentum": 0.9}, "momentum"),
        ({"name": "rmsprop", "eps": 0.0}, "eps"),
        ({"clip_value": 0.0}, "clip_value"),
        ({"schedule": {"name": "step", "every": 0}}, "every"),
        ({"schedule": {"name": "exponential", "gamma": 1.5}}, "gamma"),
        ({"schedule": {"name": "cosine", "every": 3}}, "every"),
    ],
)
def test_what_is_refused(optimizer: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        trial(optimizer=optimizer)


# Known answers.


def descent(
    params: Tensors,
    gradient: Callable[[torch.Tensor], torch.Tensor],
    updates: int,
    name: str = "sgd",
    **settings: Any,
) -> list[torch.Tensor]:
    """The points that an optimizer visits, from params on."""
    rule = RULES[name]
    values: Settings = settings_of([spec(name, **settings)], params[0])
    state = rule.start(params, values)
    points = [params[0].clone()]
    for _ in range(updates):
        rule.step(params, [gradient(params[0])], state, values)
        points.append(params[0].clone())
    return points


def test_gradient_descent_on_a_parabola_needs_66_updates_to_a_thousandth() -> None:
    points = descent([torch.ones(1, 1, dtype=F64)], lambda w: w, 70, lr=0.1)
    assert next(i for i, w in enumerate(points) if abs(float(w)) <= 1e-3) == 66
    assert float(points[10]) == pytest.approx(0.9**10, rel=1e-12)


@pytest.mark.parametrize(
    ("settings", "rate"),
    [
        # Best rates for eigenvalues from 1 to κ = 100 (Polyak 1964): η = 2/(1 + κ), and
        # η = 4/(1 + √κ)², μ = ((√κ − 1)/(√κ + 1))².
        ({"lr": 2 / 101}, 0.980198),
        ({"lr": 4 / 121, "momentum": (9 / 11) ** 2}, 0.818182),
    ],
)
def test_contraction_on_a_quadratic_of_condition_100(settings: dict[str, Any], rate: float) -> None:
    eigenvalues = torch.tensor([[1.0, 100.0]], dtype=F64)
    start = [torch.ones(1, 2, dtype=F64)]
    points = descent(start, lambda w: eigenvalues * w, 3000, **settings)
    # Not the Euclidean norm: the squares are below the smallest number.
    shrunk = float(points[3000].abs().sum() / points[2000].abs().sum())
    assert shrunk ** (1 / 1000) == pytest.approx(rate, abs=1e-3)


def test_noisy_gradients_leave_the_variance_of_a_stationary_process() -> None:
    # w ← (1 − η)w − ηξ, ξ ~ N(0, 1): variance η²/(1 − (1 − η)²) = η/(2 − η) for λ = 1.
    torch.manual_seed(0)
    points = descent(
        [torch.zeros(1, 50_000, dtype=F64)], lambda w: w + torch.randn_like(w), 220, lr=0.1
    )
    # Nine points, 15 updates apart; the deviation of this mean is about 0.2 %.
    variance = torch.stack(points[100::15]).square().mean()
    assert float(variance) == pytest.approx(0.052632, rel=0.01)


def test_adams_first_update_has_the_size_of_the_rate() -> None:
    for scale in (1e-3, 1.0, 1e3):
        gradient = torch.tensor([[scale, -scale]], dtype=F64)
        # At θ = 0, of ½(θ + g)².
        _, after = descent([torch.zeros(1, 2, dtype=F64)], gradient.add, 1, "adam", lr=0.1)
        torch.testing.assert_close(
            after, torch.tensor([[-0.1, 0.1]], dtype=F64), rtol=2e-5, atol=0.0
        )
