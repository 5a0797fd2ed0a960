"""The engine against a naive torch.nn + torch.optim twin, and against itself in other packs."""

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from talweg.workloads import problems
from talweg.workloads.models import MODELS
from talweg.workloads.modelspecs import Mlp
from talweg.workloads.optimizers import clip, settings_of
from talweg.workloads.optimizerspecs import Sgd
from talweg.workloads.options import Compile, cpp_compiler
from talweg.workloads.pace import alone
from talweg.workloads.records import Outcome
from talweg.workloads.seeds import Stream, generator
from talweg.workloads.spec import TrialSpec

from .storage_helpers import until
from .trials import DESCENTS, run, trial

UPDATES = 100
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "plain": {"lr": 0.05},
    "momentum": {"lr": 0.02, "momentum": 0.9},
    "decay": {"lr": 0.05, "weight_decay": 0.01},
    "clipped": {"lr": 0.1, "momentum": 0.5, "clip_norm": 0.3},
}


class Twin:
    """The same trial, the way a tutorial writes it: one net, one loop, torch.optim."""

    def __init__(self, spec: TrialSpec) -> None:
        self.spec = spec
        data = problems.load(spec.problem)
        self.x = torch.as_tensor(data.x_train)
        self.y = torch.as_tensor(data.y_train)
        self.x_test, self.y_test = torch.as_tensor(data.x_test), torch.as_tensor(data.y_test)
        assert isinstance(spec.model, Mlp)
        widths = [data.features, *[spec.model.width] * spec.model.depth, spec.shape.outputs]
        linears = [nn.Linear(a, b).double() for a, b in itertools.pairwise(widths)]
        start = MODELS["mlp"](spec, data).start(spec)
        for linear, weight, bias in zip(linears, start[0::2], start[1::2], strict=True):
            linear.weight.data = weight.T.contiguous()
            linear.bias.data = bias[0].clone()
        layers = [m for linear in linears for m in (linear, nn.Tanh())][:-1]
        self.net = nn.Sequential(*layers)
        assert isinstance(spec.optimizer, Sgd)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(),
            lr=spec.optimizer.lr,
            momentum=spec.optimizer.momentum,
            weight_decay=spec.optimizer.weight_decay,
        )
        self.order = generator(spec.seed, Stream.ORDER)

    def batches(self) -> "list[torch.Tensor]":
        """The first UPDATES batches of sample numbers."""
        n, size = len(self.x), self.spec.batch_size
        batches: list[torch.Tensor] = []
        while len(batches) < UPDATES:
            whole = self.spec.descent.name == "batch"
            order = torch.arange(n) if whole else torch.randperm(n, generator=self.order)
            batches += [order[i : i + size] for i in range(0, n, size)]
        return batches[:UPDATES]

    def train(self) -> None:
        for batch in self.batches():
            loss = nn.functional.cross_entropy(self.net(self.x[batch]), self.y[batch])
            params = list(self.net.parameters())
            for param, grad in zip(params, torch.autograd.grad(loss, params), strict=True):
                param.grad = grad
            limit = self.spec.optimizer.clip_norm
            if limit is not None:
                self._clip(limit)
            self.optimizer.step()

    def _clip(self, limit: float) -> None:
        grads = [p.grad for p in self.net.parameters() if p.grad is not None]
        norm = torch.cat([g.flatten() for g in grads]).norm()
        for grad in grads:
            grad *= min(1.0, limit / float(norm))

    def losses(self) -> tuple[float, float]:
        with torch.no_grad():
            train = nn.functional.cross_entropy(self.net(self.x), self.y)
            test = nn.functional.cross_entropy(self.net(self.x_test), self.y_test)
        return float(train), float(test)


def spec(descent: str, optimizer: str, seed: int = 3, lr: float | None = None) -> TrialSpec:
    settings = OPTIMIZERS[optimizer] | ({} if lr is None else {"lr": lr})
    return trial(
        descent=DESCENTS[descent],
        optimizer={"name": "sgd", **settings},
        budget={"updates": UPDATES},
        seed=seed,
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("descent", DESCENTS)
def test_alone_equals_pack_of_64_equals_naive_twin(descent: str, optimizer: str) -> None:
    one = spec(descent, optimizer)
    others = [
        spec(descent, name, seed, lr)
        for name in OPTIMIZERS
        for seed, lr in [(s, 10 ** (-s / 4)) for s in range(16)]
    ][:63]
    assert one not in others
    twin = Twin(one)
    twin.train()
    _, alone = run([one])
    _, packed = run([*others[:31], one, *others[31:]])
    rows_alone, rows_packed = alone.rows("steps", one.trial_id), packed.rows("steps", one.trial_id)
    assert rows_alone[-1]["update"] == UPDATES
    train_loss, test_loss = twin.losses()
    assert math.isclose(rows_alone[-1]["train_loss"], train_loss, rel_tol=1e-9)
    assert math.isclose(rows_alone[-1]["test_loss"], test_loss, rel_tol=1e-9)
    for a, b in zip(rows_alone, rows_packed, strict=True):
        for name in ("train_loss", "test_loss", "grad_norm", "param_norm", "update_norm"):
            same = a[name] == b[name] or math.isclose(a[name], b[name], rel_tol=1e-9)
            assert same, (a["update"], name)
    assert rows_alone[-1]["clipped_share"] == rows_packed[-1]["clipped_share"]


def test_layer_rows_of_a_pack_equal_those_of_a_trial_alone() -> None:
    pack = [spec("mini_batch", "plain", seed, 0.1) for seed in range(8)]
    _, alone = run([pack[5]])
    _, packed = run(pack)
    left, right = (c.rows("layers", pack[5].trial_id) for c in (alone, packed))
    assert len(left) == len(right) > 0
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys()
        for name, value in a.items():
            same = value == b[name] or math.isclose(value, b[name], rel_tol=1e-9)
            assert same, (a["update"], a["layer"], name)


def test_zero_weights_give_the_loss_of_a_uniform_guess() -> None:
    one = trial(problem={"name": "digits"}, model={"init": "zeros"}, budget={"updates": 0})
    outcomes, rows = run([one])
    (row,) = rows.rows("steps", one.trial_id)
    assert outcomes == [Outcome.DONE]
    assert row["train_loss"] == pytest.approx(2.302585, abs=1e-6)
    assert row["update"] == 0
    assert row["test_score"] <= 0.2


def test_clipping_scales_3_4_to_norm_1() -> None:
    grads = [torch.tensor([[3.0], [3.0]]), torch.tensor([[4.0], [4.0]])]
    pack = [trial(optimizer={"clip_norm": 1.0}), trial()]
    clipped, which = clip(grads, settings_of(pack, grads[0]))
    assert torch.allclose(clipped[0], torch.tensor([[0.6], [3.0]]), atol=1e-6)
    assert torch.allclose(clipped[1], torch.tensor([[0.8], [4.0]]), atol=1e-6)
    assert which is not None
    assert which.tolist() == [True, False]


def diverging(seed: int = 0) -> TrialSpec:
    return trial(
        model={"depth": 2, "width": 16, "activation": "relu"},
        optimizer={"lr": 1e6},
        budget={"updates": 60},
        seed=seed,
    )


def calm(seed: int = 0, lr: float = 0.05) -> TrialSpec:
    return trial(
        model={"depth": 2, "width": 16, "activation": "relu"},
        optimizer={"lr": lr},
        budget={"updates": 60},
        seed=seed,
    )


def test_a_diverged_trial_is_frozen_recorded_and_harms_no_neighbour() -> None:
    pack = [calm(0), diverging(1), calm(2), diverging(3), diverging(4)]
    outcomes, rows = run(pack)
    assert [str(o) for o in outcomes] == ["done", "diverged", "done", "diverged", "diverged"]
    for bad in (pack[1], pack[3], pack[4]):
        (ending,) = rows.rows("endings", bad.trial_id)
        assert 0 < ending["diverged_at_update"] < 60
        assert ending["updates"] == ending["diverged_at_update"]
        assert all(
            math.isfinite(r["train_loss"]) and r["update"] < ending["diverged_at_update"] + 1
            for r in rows.rows("steps", bad.trial_id)
        )
    for good in (pack[0], pack[2]):
        _, alone = run([good])
        left, right = (c.rows("steps", good.trial_id)[-1] for c in (alone, rows))
        assert left["train_loss"] == pytest.approx(right["train_loss"], rel=1e-9)


def test_the_update_of_divergence_does_not_depend_on_the_recording_schedule() -> None:
    ends = []
    for steps in (3, 100):
        one = diverging(1).model_copy(
            update={"record": trial(record={"steps": steps, "layers": 2}).record}
        )
        _, rows = run([one])
        ends.append(rows.rows("endings", one.trial_id)[0]["diverged_at_update"])
    assert ends[0] == ends[1]


def test_a_trial_that_reaches_its_target_stops_there() -> None:
    target = {"metric": "train_loss", "value": 0.8}
    pack = [
        trial(optimizer={"lr": lr}, budget={"updates": 500}, target=target) for lr in (0.2, 1e-4)
    ]
    outcomes, rows = run(pack)
    assert outcomes == [Outcome.REACHED_TARGET, Outcome.DONE]
    last = rows.rows("steps", pack[0].trial_id)[-1]
    assert last["train_loss"] <= 0.8
    assert last["update"] < 500
    reached = {r["metric"]: r for r in rows.rows("summaries", pack[0].trial_id)}
    assert reached["train_loss"]["target_update"] == last["update"]
    assert reached["test_loss"]["target_update"] is None
    never = {r["metric"]: r for r in rows.rows("summaries", pack[1].trial_id)}
    assert never["train_loss"]["target_update"] is None


def test_a_target_that_does_not_stop_is_noted_and_training_goes_on() -> None:
    one = trial(
        optimizer={"lr": 0.2},
        budget={"updates": 200},
        target={"metric": "train_accuracy", "value": 0.6, "stop": False},
    )
    outcomes, rows = run([one])
    assert outcomes == [Outcome.DONE]
    summary = {r["metric"]: r for r in rows.rows("summaries", one.trial_id)}["train_score"]
    assert 0 < summary["target_update"] < 200
    assert rows.rows("steps", one.trial_id)[-1]["update"] == 200


def test_summaries_agree_with_the_rows_they_summarise() -> None:
    one = trial(optimizer={"lr": 0.3}, budget={"updates": 80})
    _, rows = run([one], flush_seconds=0.0)
    steps = rows.rows("steps", one.trial_id)
    updates = [r["update"] for r in steps]
    last_flush = rows.flushes[-1]["summaries"]
    for i, metric in enumerate(last_flush["metric"]):
        values = [r[metric] for r in steps]
        best = min(values) if metric.endswith("loss") else max(values)
        pairs = zip(
            zip(updates, values, strict=True),
            zip(updates[1:], values[1:], strict=True),
            strict=False,
        )
        area = sum((u1 - u0) * (v0 + v1) / 2 for (u0, v0), (u1, v1) in pairs)
        assert last_flush["first"][i] == values[0]
        assert last_flush["last"][i] == values[-1]
        assert last_flush["best"][i] == best
        assert last_flush["best_update"][i] == updates[values.index(best)]
        assert last_flush["area"][i] == pytest.approx(area, rel=1e-12)
    assert len(rows.flushes) > 3


def test_update_norm_is_that_of_the_real_update() -> None:
    one = trial(budget={"updates": 5}, optimizer={"lr": 0.1, "momentum": 0.9})
    _, rows = run([one])
    zero, *rest = rows.rows("steps", one.trial_id)
    assert zero["update_norm"] is None
    assert all(row["update_norm"] > 0 for row in rest)
    plain = trial(budget={"updates": 1}, descent="batch", optimizer={"lr": 0.1})
    _, rows = run([plain])
    before, after = rows.rows("steps", plain.trial_id)
    assert after["update_norm"] == pytest.approx(0.1 * before["grad_norm"], rel=1e-12)


def test_same_seed_means_same_start_and_float32_starts_from_rounded_float64() -> None:
    import torch as t

    data = problems.load(trial().problem)
    wide, narrow = trial(seed=4), trial(seed=4, dtype="float32", optimizer={"lr": 0.7})
    model = MODELS["mlp"](wide, data)
    for a, b in zip(model.start(wide), model.start(narrow), strict=True):
        assert t.equal(a, b)
    other = model.start(trial(seed=5))
    assert not t.equal(model.start(wide)[0], other[0])


@pytest.fixture(scope="module")
def steps_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("steps")


@pytest.mark.parametrize(
    ("descent", "optimizer"),
    [("mini_batch", "clipped"), ("batch", "decay")],
)
def test_the_compiled_step_equals_the_naive_twin_in_every_pack(
    descent: str, optimizer: str, steps_folder: Path
) -> None:
    one = spec(descent, optimizer)
    twin = Twin(one)
    twin.train()
    train_loss, test_loss = twin.losses()
    pack = [spec(descent, optimizer, seed, 0.01 * seed) for seed in range(4, 11)]
    for trials in ([one], [*pack[:3], one, *pack[3:]]):
        _, rows = run(trials, compile=Compile.ALWAYS, steps_folder=steps_folder)
        last = rows.rows("steps", one.trial_id)[-1]
        assert math.isclose(last["train_loss"], train_loss, rel_tol=1e-9)
        assert math.isclose(last["test_loss"], test_loss, rel_tol=1e-9)
    artefacts = list(steps_folder.glob("*.pt2"))
    # One artefact serves both pack sizes; without a compiler the packs above ran eagerly.
    assert bool(artefacts) == bool(cpp_compiler())


def test_a_shape_is_compiled_beside_its_training_once_it_has_spent_enough(tmp_path: Path) -> None:
    one = trial(descent="stochastic", budget={"updates": 40}, optimizer={"lr": 0.01})
    folder = tmp_path / "steps"
    auto: dict[str, Any] = {"compile": Compile.AUTO, "steps_folder": folder}
    _, eager = run([one], **auto)
    (ledger,) = folder.glob("*.seconds")
    assert 0 < float(ledger.read_text()) < 5
    assert list(folder.glob("*.pt2")) == []

    # As if packs of this shape had trained for long: the next one orders the compilation,
    # and goes on eagerly meanwhile.
    ledger.write_text("1000")
    with alone(folder):
        run([one], **auto)
    assert list(folder.glob("*.lock")) == [folder / "compiling.lock"]  # nothing was ordered
    _, during = run([one], **auto)
    if cpp_compiler() is None:
        assert list(folder.glob("*.pt2")) == []
        return
    until(lambda: len(list(folder.glob("*.pt2"))) == 1, patience_s=120)
    _, after = run([one], **auto)
    assert float(ledger.read_text()) < 1010
    losses = [
        [r["train_loss"] for r in rows.rows("steps", one.trial_id)]
        for rows in (eager, during, after)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)
    assert losses[2] == pytest.approx(losses[0], rel=1e-9)
