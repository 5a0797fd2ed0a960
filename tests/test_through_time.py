"""The probe ``time`` against a loop over single samples with the cells of torch, in float64."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from talweg.workloads import problems
from talweg.workloads.models import MODELS
from talweg.workloads.probes import through_time
from talweg.workloads.spec import TrialSpec

from .trials import probed, run, trial

Values = dict[tuple[str, int | None], float | None]
"""(key, step) -> value."""
CELLS: dict[str, Any] = {
    "rnn": nn.RNNCell,
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
}
COPY = {"name": "copy", "length": 3, "delay": 4, "samples": 64, "test_samples": 64}
ADDING = {"name": "adding", "steps": 7, "samples": 32, "test_samples": 32}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def timed(name: str, problem: dict[str, Any], probe: Any = "time", **parts: Any) -> TrialSpec:
    """An untrained recurrent net with the probe alone."""
    loss = "mse" if problem["name"] == "adding" else "cross_entropy"
    defaults = {
        "problem": problem,
        "model": {"name": name, "width": 5},
        "loss": loss,
        "budget": {"updates": 0},
        "record": {"probes": [probe]},
    }
    return trial(**(defaults | parts))


def measured(*trials: TrialSpec) -> list[Values]:
    """The values of every trial of one pack, at its last recording."""
    return probed("time", *trials)


def naive(spec: TrialSpec, samples: int) -> Values:
    """The same, one sample after another, through torch's own cell."""
    data = problems.load(spec.problem)
    w, u, b, c, w_out, b_out = MODELS[spec.model.name](spec, data).start(spec)
    width = w_out.shape[0]
    cell = CELLS[spec.model.name](w.shape[0], width).double()
    state_dict = {"weight_ih": w.T, "weight_hh": u.T, "bias_ih": b[0], "bias_hh": c[0]}
    cell.load_state_dict(state_dict)
    steps, inputs = spec.problem.shape.sequence
    found: dict[tuple[str, int | None], float] = defaultdict(float)
    for x, y in zip(data.x_train[:samples], data.y_train[:samples], strict=True):
        h, memory = (torch.zeros(1, width, dtype=torch.float64) for _ in range(2))
        hs, memories, carried = [], [], torch.ones(width, dtype=torch.float64)
        for one in torch.as_tensor(x).reshape(steps, 1, inputs):
            gates = (one @ w + b + h @ u + c).squeeze(0)
            if spec.model.name == "lstm":
                carried = carried * gates[width : 2 * width].sigmoid()
                h, memory = cell(one, (h, memory))
                memories.append(memory)
            else:
                carried = carried * gates[width : 2 * width].sigmoid() if len(gates) > width else h
                h = cell(one, h)
            hs.append(h)
        labels = spec.problem.shape.labels
        out = torch.cat(hs[-labels:]) @ w_out + b_out
        if spec.loss.name == "mse":
            loss = nn.functional.mse_loss(out, torch.as_tensor(y)[None])
        else:
            loss = nn.functional.cross_entropy(out, torch.as_tensor(y))
        for key, states in (("signal", hs), ("cell", memories)):
            grads = torch.autograd.grad(loss, states, retain_graph=True) if states else ()
            for t, grad in enumerate(grads, 1):
                found[key, t] += float(grad.square().mean()) / samples
        if spec.model.name != "rnn":
            found["carry", None] += float(carried.detach().mean()) / samples
    first = steps - spec.problem.shape.labels + 1
    logs = np.log([found["signal", t] for t in range(1, first + 1)])
    found["decay", None] = float(np.exp(-np.polyfit(range(first), logs, 1)[0]))
    return dict(found)


@pytest.mark.parametrize("problem", [COPY, ADDING], ids=["several labels", "one number"])
@pytest.mark.parametrize("name", CELLS)
def test_signals_equal_one_backward_pass_per_sample(name: str, problem: dict[str, Any]) -> None:
    spec = timed(name, problem, {"name": "time", "samples": 6})
    (found,), twin = measured(spec), naive(spec, 6)
    assert found.keys() == twin.keys()
    assert found == {key: pytest.approx(value, rel=1e-9) for key, value in twin.items()}


def test_a_forget_gate_of_nine_tenths_carries_0_9_to_the_power_of_100() -> None:
    # σ(ln 9) = 0.9; with no weights the gates are the same at all steps and for all inputs.
    bias = float(np.log(9))
    spec = timed(
        "lstm",
        {**ADDING, "steps": 100},
        model={"name": "lstm", "width": 8, "init": "zeros", "forget_bias": bias},
    )
    (found,) = measured(spec)
    assert found["carry", None] == pytest.approx(0.9**100, rel=1e-12)
    assert found["carry", None] == pytest.approx(2.656e-5, abs=1e-8)
    # Nothing but the direct path is there, so it is the whole derivative.
    cell = nn.LSTMCell(2, 8).double()
    for p in cell.parameters():
        nn.init.zeros_(p)
    nn.init.constant_(cell.bias_ih[8:16], bias)
    start = torch.zeros(1, 8, dtype=torch.float64).requires_grad_()
    h, c = torch.zeros(1, 8, dtype=torch.float64), start
    for _ in range(100):
        h, c = cell(torch.rand(1, 2, dtype=torch.float64), (h, c))
    (slope,) = torch.autograd.grad(c.sum(), start)
    assert found["carry", None] == pytest.approx(float(slope.mean()), rel=1e-12)


def test_what_does_not_exist_is_null_or_not_there() -> None:
    (zero,) = measured(timed("lstm", ADDING, model={"name": "lstm", "width": 4, "init": "zeros"}))
    assert zero["signal", 1] == 0
    assert zero["decay", None] is None
    assert measured(timed("lstm", ADDING, model="mlp")) == [{}]
    # A triplet's loss belongs to no single sample.
    assert measured(timed("gru", {"name": "iris"}, loss="triplet")) == [{}]
    (plain,) = measured(timed("rnn", ADDING))
    assert {key for key, _ in plain} == {"signal", "decay"}


def test_of_long_sequences_some_steps_are_kept_the_last_and_the_first_among_them() -> None:
    probe = {"name": "time", "points": 10}
    (some,) = measured(timed("rnn", {**ADDING, "steps": 300}, probe))
    (every,) = measured(timed("rnn", {**ADDING, "steps": 300}, {"name": "time", "points": 301}))
    kept = [step for key, step in some if key == "signal" and step is not None]
    assert (len(kept), kept[0], kept[-2:]) == (10, 1, [299, 300])
    assert len(every) == 301
    assert some == {key: every[key] for key in some}


def test_a_trial_alone_in_a_pack_and_in_parts_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def trials() -> list[TrialSpec]:
        budget = {"updates": 5}
        return [timed("lstm", COPY, seed=seed, budget=budget) for seed in range(3)]

    together = measured(*trials())
    assert len({values["decay", None] for values in together}) == 3
    monkeypatch.setattr(through_time, "ELEMENTS", 5000)  # a trial at a time, few samples
    for one, values in zip(trials(), together, strict=True):
        assert measured(one) == [{k: pytest.approx(v, rel=1e-9) for k, v in values.items()}]


def test_float32_trials_are_measured_in_float64() -> None:
    # 600 steps of a squared factor of about 0.3: far below 1e-38, the least of float32.
    parts = {"model": {"name": "rnn", "width": 5, "init": {"name": "gaussian", "sigma_w": 0.6}}}
    long = {**ADDING, "steps": 600}
    (coarse,), (fine,) = (
        measured(timed("rnn", long, dtype=dtype, **parts)) for dtype in ("float32", "float64")
    )
    assert coarse["decay", None] == pytest.approx(fine["decay", None], rel=1e-4)
    assert coarse["signal", 1] is not None
    assert 0 < coarse["signal", 1] < 1e-60


def test_the_probe_leaves_training_as_it_is() -> None:
    def losses(probes: list[str]) -> list[float]:
        spec = timed("gru", COPY, budget={"updates": 8}, record={"probes": probes})
        _, rows = run([spec])
        return [row["train_loss"] for row in rows.rows("steps", spec.trial_id)]

    assert losses(["time"]) == losses([])
