"""Reference values of single functions: the project's own, beside closed forms. K = B = 1.

What a grid can show is in the YAML files; here is what no grid shows by itself.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from pydantic import TypeAdapter

from .. import engine, problems
from ..losses import criterion_of
from ..lossspecs import Loss
from ..options import Compile, Options
from ..problems.shapes import Task
from ..records import Records
from ..spec import TrialSpec
from . import Measured

_LOSS: TypeAdapter[Any] = TypeAdapter(Loss)
SURE = 40.0
"""A logit whose probability is 1 in float64 to the last digit but one."""


class _Value(NamedTuple):
    """A loss of one sample, by its grid form, and what it comes to."""

    case: str
    source: str
    loss: dict[str, Any]
    task: Task
    output: Sequence[float]
    target: float | Sequence[float]
    expected: float


LOG = math.log
VALUES = (
    _Value(
        "cross-entropy of uniform logits, K = 10", "ln 10", {"name": "cross_entropy"},
        Task.CLASSIFICATION, [0.0] * 10, 3, LOG(10),
    ),
    _Value(
        "binary cross-entropy at p = 0.5", "ln 2", {"name": "binary_cross_entropy"},
        Task.CLASSIFICATION, [0.0], 1, LOG(2),
    ),
    _Value(
        "Huber, δ = 1, error 0.5", "½r², Huber 1964", {"name": "huber"},
        Task.REGRESSION, [0.5], [0.0], 0.125,
    ),
    _Value(
        "Huber, δ = 1, error 2", "δ(|r| − ½δ), Huber 1964", {"name": "huber"},
        Task.REGRESSION, [2.0], [0.0], 1.5,
    ),
    _Value(
        "KL([.5, .5] ‖ [.9, .1])", "Σ p ln(p/q), Kullback and Leibler 1951",
        {"name": "kl_divergence"}, Task.DISTRIBUTION, [LOG(0.9), LOG(0.1)], [0.5, 0.5],
        0.5 * LOG(0.5 / 0.9) + 0.5 * LOG(0.5 / 0.1),
    ),
    _Value(
        "cross-entropy at logits of ±1e4, surely wrong", "log-sum-exp", {"name": "cross_entropy"},
        Task.CLASSIFICATION, [1e4, -1e4], 1, 2e4,
    ),
)  # fmt: skip

SLOPES = (
    ("sigmoid + cross-entropy, z = −10, y = 1: dL/dz", "σ(z) − y", "binary_cross_entropy"),
    ("sigmoid + ½(σ − y)², z = −10, y = 1: dL/dz", "(σ − y) σ (1 − σ)", "squared_error"),
)


def measured() -> Iterator[Measured]:
    """Every one of these values, as this machine computes it."""
    for value in VALUES:
        found = _loss(value.loss, value.task)(_sample([value.output]), _target(value.target))
        yield Measured(value.case, value.source, value.expected, found.item(), 1e-6)
    for (case, source, loss), expected in zip(SLOPES, _slopes(), strict=True):
        z = torch.tensor([[[-10.0]]], dtype=torch.float64, requires_grad=True)
        of_z = _loss({"name": loss}, Task.CLASSIFICATION)(z, _target(1))
        (slope,) = torch.autograd.grad(of_z.sum(), z)
        yield Measured(case, source, expected, slope.item(), 1e-6)
    yield from _masks()
    yield _carried()
    yield _fused()


def _slopes() -> tuple[float, float]:
    p = 1 / (1 + math.exp(10))
    return p - 1, (p - 1) * p * (1 - p)


def _masks() -> Iterator[Measured]:
    """Dice and IoU of two masks of four pixels that share two."""
    mine = torch.tensor([[[SURE] * 4 + [-SURE] * 4]], dtype=torch.float64)
    given = torch.tensor([[[0.0] * 2 + [1.0] * 4 + [0.0] * 2]], dtype=torch.float64)
    for name, expected, source in (("dice", 0.5, "Dice 1945"), ("iou", 1 / 3, "Jaccard 1901")):
        criterion = criterion_of(_LOSS.validate_python(name), Task.SEGMENTATION)
        found = criterion.measures[name](mine, given).item()
        yield Measured(f"{name}, |A| = |B| = 4, overlap 2", source, expected, found, 1e-6)


def _carried() -> Measured:
    """∂c_T/∂c_0 of an LSTM cell whose forget gate stands at 0.9 for a hundred steps."""
    from ..models.recurrent import lstm

    opened = math.log(0.9 / 0.1)
    gates = torch.tensor([[[0.0, opened, 0.0, 0.0]]], dtype=torch.float64)
    start = torch.ones(1, 1, 1, dtype=torch.float64, requires_grad=True)
    state: tuple[torch.Tensor, ...] = (torch.zeros_like(start), start)
    for _ in range(100):
        _, state = lstm(gates, torch.zeros_like(gates), state)
    (carried,) = torch.autograd.grad(state[1].sum(), start)
    source = "f^T, Hochreiter and Schmidhuber 1997, Gers et al. 2000"
    return Measured("gates f = 0.9, T = 100: ∂c_T/∂c_0", source, 0.9**100, carried.item(), 1e-6)


class _Kept:
    """A sink that keeps the losses of the trials' last rows."""

    def __init__(self) -> None:
        self.losses: dict[str, float] = {}

    def put(self, records: Records) -> None:
        steps = records.get("steps", {"trial_id": [], "train_loss": []})
        self.losses |= dict(zip(steps["trial_id"], steps["train_loss"], strict=True))

    def wait(self) -> None:
        """Nothing is on its way."""


def _fused() -> Measured:
    """A trial alone and in a pack of eight, float64, after 100 updates: relative difference."""
    base = {"problem": "iris", "dtype": "float64", "budget": {"updates": 100}}
    trials = [
        TrialSpec.model_validate(base | {"seed": s, "optimizer": {"name": "adam", "lr": lr}})
        for s, lr in enumerate([0.001, 0.01, 0.1, 0.003, 0.03, 0.3, 0.002, 0.02])
    ]
    together, alone = _Kept(), _Kept()
    data, options = problems.load(trials[0].problem), Options(compile=Compile.NEVER)
    engine.train(trials, data, together, options)
    for trial in trials:
        engine.train([trial], data, alone, options)
    off = max(abs(float(together.losses[t] / loss) - 1) for t, loss in alone.losses.items())
    return Measured("fused = alone, 100 updates, largest relative difference", "", 0.0, off, 1e-9)


def _loss(spec: dict[str, Any], task: Task) -> Callable[[Any, Any], torch.Tensor]:
    return criterion_of(_LOSS.validate_python(spec), task).loss


def _sample(values: Sequence[Sequence[float]]) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def _target(value: float | Sequence[float]) -> torch.Tensor:
    if isinstance(value, int):
        return torch.tensor([[value]])
    return torch.tensor([[value]], dtype=torch.float64)
