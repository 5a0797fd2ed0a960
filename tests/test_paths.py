"""Every path that is kept gives the numbers of a naive twin: tape, eager, compiled, module."""

import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from talweg.workloads import engine, problems
from talweg.workloads.checkpoints import Checkpoints, Keeper
from talweg.workloads.imagespecs import ConvNet
from talweg.workloads.models import MODELS
from talweg.workloads.optimizerspecs import Sgd
from talweg.workloads.options import Compile, Options, cpp_compiler
from talweg.workloads.packs import NotStackable
from talweg.workloads.records import Records
from talweg.workloads.seeds import Stream, generator
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack

from .trials import Collected, run, trial

UPDATES = 100
CPU = torch.device("cpu")


class ConvTwin(nn.Module):
    """The convolutional net with PyTorch's own layers."""

    def __init__(self, spec: TrialSpec, start: list[torch.Tensor]) -> None:
        super().__init__()
        assert isinstance(spec.model, ConvNet)
        mode = spec.model.padding
        self.first = nn.Conv2d(1, 6, 3, padding=1, padding_mode=mode, dtype=torch.float64)
        self.second = nn.Conv2d(6, 6, 3, padding=1, padding_mode=mode, dtype=torch.float64)
        self.out = nn.Linear(6, 10, dtype=torch.float64)
        w1, b1, w2, b2, w, b = start
        values = (w1, b1, w2, b2, w.T, b[0])
        for own, value in zip(self.parameters(), values, strict=True):
            own.data = value.clone()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.second(torch.relu(self.first(x.view(-1, 1, 8, 8)))))
        out: torch.Tensor = self.out(h.mean((2, 3)))
        return out


class RecurrentTwin(nn.Module):
    """The recurrent net with PyTorch's own cells."""

    def __init__(self, spec: TrialSpec, start: list[torch.Tensor]) -> None:
        super().__init__()
        kinds: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
        self.cell = kinds[spec.model.name](8, 12, batch_first=True, dtype=torch.float64)
        self.out = nn.Linear(12, 10, dtype=torch.float64)
        w, u, b, c, w_out, b_out = start
        for own, value in zip(
            self.parameters(), (w.T, u.T, b[0], c[0], w_out.T, b_out[0]), strict=True
        ):
            own.data = value.clone().contiguous()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.cell(x.view(-1, 8, 8))
        out: torch.Tensor = self.out(states[:, -1])
        return out


NETS: dict[str, tuple[dict[str, Any], Any]] = {
    "convnet, zeros": ({"name": "convnet", "channels": 6}, ConvTwin),
    "convnet, circular": ({"name": "convnet", "channels": 6, "padding": "circular"}, ConvTwin),
    "rnn": ({"name": "rnn", "width": 12}, RecurrentTwin),
    "lstm": ({"name": "lstm", "width": 12}, RecurrentTwin),
    "gru": ({"name": "gru", "width": 12}, RecurrentTwin),
}


def digits(model: dict[str, Any], seed: int = 0, lr: float = 0.1, **parts: Any) -> TrialSpec:
    """A trial on digits in float64."""
    return trial(
        problem="digits",
        model=model,
        seed=seed,
        optimizer={"lr": lr, "momentum": 0.5},
        budget={"updates": UPDATES},
        record={"steps": 5, "layers": 2},
        **parts,
    )


def twin_losses(spec: TrialSpec, net: nn.Module) -> tuple[float, float]:
    """Training the way a tutorial does, on the same samples; losses as recorded."""
    data = problems.load(spec.problem)
    x, y = torch.as_tensor(data.x_train), torch.as_tensor(data.y_train)
    assert isinstance(spec.optimizer, Sgd)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=spec.optimizer.lr, momentum=spec.optimizer.momentum
    )
    order = generator(spec.seed, Stream.ORDER)
    batches: list[torch.Tensor] = []
    while len(batches) < UPDATES:
        batches += torch.randperm(len(x), generator=order).split(spec.batch_size)
    for batch in batches[:UPDATES]:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        seen = slice(None, spec.record.samples)
        train = nn.functional.cross_entropy(net(x[seen]), y[seen])
        test = nn.functional.cross_entropy(
            net(torch.as_tensor(data.x_test)), torch.as_tensor(data.y_test)
        )
    return float(train), float(test)


def assert_last(rows: Collected, spec: TrialSpec, losses: tuple[float, float]) -> None:
    last = rows.rows("steps", spec.trial_id)[-1]
    assert last["update"] == UPDATES
    assert math.isclose(last["train_loss"], losses[0], rel_tol=1e-9)
    assert math.isclose(last["test_loss"], losses[1], rel_tol=1e-9)


@pytest.mark.parametrize("name", NETS)
def test_a_net_alone_and_in_a_pack_equals_its_naive_twin(name: str) -> None:
    model, twin = NETS[name]
    one = digits(model, seed=3)
    start = MODELS[one.model.name](one, problems.load(one.problem)).start(one)
    losses = twin_losses(one, twin(one, start))
    others = [digits(model, seed=s, lr=0.02 * s) for s in range(4, 10)]
    for pack in ([one], [*others[:2], one, *others[2:]]):
        _, rows = run(pack)
        assert_last(rows, one, losses)
        layers = rows.rows("layers", one.trial_id)
        assert all(row["q"] > 0 and row["backward_signal"] > 0 for row in layers)


def test_the_gate_weights_of_an_lstm_see_the_gradient_through_all_steps() -> None:
    one = digits({"name": "lstm", "width": 12}).model_copy(
        update={"record": trial(record={"layer_samples": 16}).record}
    )
    data = problems.load(one.problem)
    model = MODELS["lstm"](one, data)
    net = RecurrentTwin(one, model.start(one))
    x, y = torch.as_tensor(data.x_train[:16]), torch.as_tensor(data.y_train[:16])
    nn.functional.cross_entropy(net(x), y).backward()
    w, u = net.cell.weight_ih_l0.grad, net.cell.weight_hh_l0.grad
    expected = float((w.square().sum() + u.square().sum()).sqrt())
    _, rows = run([one.model_copy(update={"budget": trial(budget={"updates": 0}).budget})])
    first = next(r for r in rows.tables["layers"]["grad_norm"])
    assert first == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("descent", [{"name": "mini_batch", "batch_size": 32}, {"name": "batch"}])
def test_the_eager_path_and_the_tape_make_the_same_updates(descent: dict[str, Any]) -> None:
    pack = [trial(descent=descent, seed=s, optimizer={"lr": 0.1, "clip_norm": 0.5}) for s in (1, 2)]
    data = problems.load(pack[0].problem)
    taped, eager = Stack(pack, data, CPU), Stack(pack, data, CPU)
    eager.updater = eager.eager()
    for stack in (taped, eager):
        stack.descend(50)
    assert all(torch.equal(a, b) for a, b in zip(taped.params, eager.params, strict=True))
    assert taped.clipped_K.tolist() == eager.clipped_K.tolist() != [0, 0]


def test_readings_that_arrive_late_leave_the_same_rows() -> None:
    def pack() -> list[TrialSpec]:
        target = {"metric": "train_loss", "value": 0.8}
        return [
            trial(optimizer={"lr": lr}, budget={"updates": 200}, target=target)
            for lr in (0.2, 1e-4, 0.05)
        ]

    outcomes, at_once = run(pack())
    late_outcomes, late = run(pack(), readings=4)
    assert outcomes == late_outcomes
    for one in pack():
        for table in ("steps", "layers"):
            left, right = (c.rows(table, one.trial_id) for c in (at_once, late))
            assert [r["update"] for r in left] == [r["update"] for r in right]
            names = ("train_loss", "test_score") if table == "steps" else ("q", "grad_norm")
            assert [[r[n] for n in names] for r in left] == [[r[n] for n in names] for r in right]


def test_bfloat16_trains_and_is_another_trial() -> None:
    one = digits({"name": "mlp"}, lr=0.05, dtype="bfloat16")
    assert one.trial_id != digits({"name": "mlp"}, lr=0.05).trial_id
    _, rows = run([one])
    first, *_, last = rows.rows("steps", one.trial_id)
    assert last["train_loss"] < 0.7 * first["train_loss"]


class Killed(Exception):
    """The process died here."""


class Dying(Collected):
    """A sink whose process dies after so many flushes; what came before is safe."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def put(self, records: Records) -> None:
        if len(self.flushes) == self.after:
            raise Killed
        super().put(records)


def long_pack(descent: str) -> list[TrialSpec]:
    return [
        trial(
            descent=descent,
            seed=s,
            budget={"updates": 300},
            record={"steps": 20, "layers": 5},
            optimizer={"lr": 0.05, "momentum": 0.9, "clip_norm": 1.0},
        )
        for s in range(3)
    ]


@pytest.mark.parametrize("descent", ["batch", "stochastic", "mini_batch"])
@pytest.mark.parametrize("after", [3, 12])
def test_a_pack_goes_on_from_its_checkpoint_with_bit_equal_rows(
    descent: str, after: int, tmp_path: Path
) -> None:
    pack, data = long_pack(descent), problems.load(long_pack(descent)[0].problem)
    options = Options(flush_seconds=0.0)
    undisturbed = Collected()
    engine.train(pack, data, undisturbed, options)
    dying = Dying(after)
    with pytest.raises(Killed):
        engine.train(pack, data, dying, options, Keeper(tmp_path, "first", 0.0))
    saved = Checkpoints(tmp_path).find([t.trial_id for t in pack])
    assert saved is not None
    assert saved.trial_ids == [t.trial_id for t in pack]
    continued = Collected()
    keeper = Keeper(tmp_path, "second", 0.0, saved)
    engine.train(pack, data, continued, options, keeper)
    assert list(tmp_path.iterdir()) == []  # nothing is left to go on from
    for one in pack:
        for table in ("steps", "layers"):
            kept = [r for r in dying.rows(table, one.trial_id) if r["update"] <= saved.update]
            fresh = continued.rows(table, one.trial_id)
            assert all(r["update"] > saved.update for r in fresh)
            expected = undisturbed.rows(table, one.trial_id)
            assert [_timeless(r) for r in kept + fresh] == [_timeless(r) for r in expected]
        summaries = [
            {r["metric"]: _timeless(r) for r in c.rows("summaries", one.trial_id)}
            for c in (continued, undisturbed)
        ]
        assert summaries[0] == summaries[1]


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in ("seconds", "target_seconds")}


def test_some_trials_of_a_checkpoint_can_go_on_without_the_others(tmp_path: Path) -> None:
    pack, data = long_pack("mini_batch"), problems.load(trial().problem)
    options = Options(flush_seconds=0.0)
    with pytest.raises(Killed):
        engine.train(pack, data, Dying(8), options, Keeper(tmp_path, "first", 0.0))
    saved = Checkpoints(tmp_path).find([pack[2].trial_id])
    rest, undisturbed = Collected(), Collected()
    engine.train(pack[2:], data, rest, options, Keeper(tmp_path, "second", 60.0, saved))
    engine.train(pack, data, undisturbed, options)
    left, right = (c.rows("steps", pack[2].trial_id)[-1] for c in (rest, undisturbed))
    assert left["train_loss"] == pytest.approx(right["train_loss"], rel=1e-9)


def test_a_checkpoint_that_cannot_be_written_costs_no_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    one = long_pack("batch")[:1]
    done = engine.train(
        one, problems.load(one[0].problem), Collected(), Options(), Keeper(blocked, "w", 0.0)
    )
    assert [str(e.outcome) for e in done.ended] == ["done"]
    assert "training goes on" in caplog.text


def test_what_a_killed_writer_was_writing_goes_with_its_checkpoint(tmp_path: Path) -> None:
    Keeper(tmp_path, "first", 0.0).save(3, ["a"], {"w": torch.zeros(2)})
    saved = Checkpoints(tmp_path).find(["a"])
    assert saved is not None
    saved.path.with_suffix(".part").write_bytes(b"torn")
    Keeper(tmp_path, "second", 0.0, saved).save(5, ["a"], {"w": torch.ones(2)})
    (left,) = tmp_path.iterdir()
    assert (left.suffix, Checkpoints(tmp_path).all()[0].update) == (".checkpoint", 5)


def test_only_what_nobody_has_been_writing_for_long_is_cleared_away(tmp_path: Path) -> None:
    for name, age_seconds in (("old.part", 7200.0), ("new.part", 60.0)):
        (tmp_path / name).write_bytes(b"torn")
        os.utime(tmp_path / name, times=(time.time() - age_seconds,) * 2)
    Checkpoints(tmp_path).prune(lambda _: {})
    assert [path.name for path in tmp_path.iterdir()] == ["new.part"]


def test_a_torn_checkpoint_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "torn.checkpoint").write_bytes(b'{"trial_ids": ["a"]')
    assert Checkpoints(tmp_path).all() == []


@pytest.fixture(scope="module")
def steps_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


def module(name: str, **parts: Any) -> TrialSpec:
    defaults: dict[str, Any] = {
        "model": {"name": "module", "path": f"tests.nets:{name}"},
        "budget": {"updates": 60},
        "optimizer": {"lr": 0.1},
    }
    return trial(**(defaults | parts))


def module_twin(spec: TrialSpec) -> float:
    """The module's loss after the same updates, in a plain loop."""
    data = problems.load(spec.problem)
    adapter = MODELS["module"](spec, data)
    net = adapter.net  # type: ignore[attr-defined]
    for own, value in zip(net.parameters(), adapter.start(spec), strict=True):
        own.data = value.clone()
    x, y = torch.as_tensor(data.x_train), torch.as_tensor(data.y_train)
    order = generator(spec.seed, Stream.ORDER)
    batches: list[torch.Tensor] = []
    while len(batches) < 60:
        batches += torch.randperm(len(x), generator=order).split(spec.batch_size)
    for batch in batches[:60]:
        params = list(net.parameters())
        grads = torch.autograd.grad(nn.functional.cross_entropy(net(x[batch]), y[batch]), params)
        for p, g in zip(params, grads, strict=True):
            p.data -= spec.optimizer.lr * g
    with torch.no_grad():
        return float(nn.functional.cross_entropy(net(x), y))


@pytest.mark.parametrize("name", ["Plain", "Normalised", "Lone"])
def test_a_users_module_equals_its_own_loop_alone_and_in_a_pack(name: str) -> None:
    pack = [module(name, seed=s, optimizer={"lr": 0.05 * (s + 1)}) for s in range(4)]
    expected = module_twin(pack[2])
    for trials in ([pack[2]], pack):
        _, rows = run(trials)
        last = rows.rows("steps", pack[2].trial_id)[-1]
        assert math.isclose(last["train_loss"], expected, rel_tol=1e-9)


def test_a_users_modules_layers_bear_its_names_and_equal_the_built_in_ones() -> None:
    one = module("Plain", budget={"updates": 0})
    _, rows = run([one])
    layers = rows.rows("layers", one.trial_id)
    assert [r["name"] for r in layers] == ["first", "second", "out"]
    adapter = MODELS["module"](one, problems.load(one.problem))
    start = adapter.start(one)
    built_in = trial(budget={"updates": 0})
    stack = Stack([built_in], problems.load(one.problem), CPU)
    for own, value in zip(stack.params, start, strict=True):
        own.copy_(value.T if value.ndim == 2 else value)
    from talweg.workloads.probes.gradients import Gradients

    columns = Gradients(stack).measure(layers=True)
    for number, row in enumerate(layers, 1):
        for name in ("q", "backward_signal", "grad_norm", "weight_norm"):
            assert row[name] == pytest.approx(float(columns[f"{number}.{name}"]), rel=1e-9)


def test_a_module_that_is_itself_a_layer_is_measured_under_its_class() -> None:
    one = module("Lone", budget={"updates": 1})
    _, rows = run([one])
    (layer,) = rows.rows("layers", one.trial_id)[:1]
    first = rows.rows("steps", one.trial_id)[0]
    assert layer["name"] == "Lone"
    assert 0 < layer["grad_norm"] < first["grad_norm"]  # the bias has its own share


@pytest.mark.parametrize("name", ["Branching", "Dropping"])
def test_a_module_that_cannot_be_stacked_says_so_and_trains_alone(name: str) -> None:
    pack = [module(name, seed=s) for s in range(2)]
    with pytest.raises(NotStackable, match="packs of one"):
        run(pack)
    outcomes, rows = run(pack[:1])
    assert [str(o) for o in outcomes] == ["done"]
    first, *_, last = rows.rows("steps", pack[0].trial_id)
    assert last["train_loss"] < first["train_loss"]


def test_a_changed_module_is_another_trial(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    ids = []
    for text in ("x = 1\n", "x = 2\n"):
        (tmp_path / "changing_net.py").write_text(text)
        ids.append(trial(model={"name": "module", "path": "changing_net:Net"}).trial_id)
    assert ids[0] != ids[1]


@pytest.mark.skipif(cpp_compiler() is None, reason="compiled steps need a C++ compiler")
@pytest.mark.parametrize("name", ["gru"])
def test_the_compiled_step_of_other_nets_equals_their_tape(name: str, steps_folder: Path) -> None:
    pack = [digits(NETS[name][0], seed=s) for s in range(3)]
    _, taped = run(pack)
    _, compiled = run(pack, compile=Compile.ALWAYS, steps_folder=steps_folder)
    for one in pack:
        left, right = (c.rows("steps", one.trial_id) for c in (taped, compiled))
        for a, b in zip(left, right, strict=True):
            assert math.isclose(a["train_loss"], b["train_loss"], rel_tol=1e-9)
