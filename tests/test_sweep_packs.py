"""Packs in real sweeps: checkpoints after kills, isolated time, users' modules, calibration."""

import functools
import itertools
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from talweg.services import costing, sweep
from talweg.services.executors import InlineExecutor
from talweg.services.progress import Quiet
from talweg.storage.client import Client
from talweg.workloads import grid, packs
from talweg.workloads.checkpoints import Checkpoints
from talweg.workloads.costs import Costs, name_of
from talweg.workloads.options import Options

from .storage_helpers import until
from .sweeps import assert_same_tables, count, run_json, started, store, talweg, write_grid
from .trials import trial

LONG = """
name: long
base:
  problem: {name: digits}
  model: {depth: 2, width: 32}
  dtype: float64
  descent: {name: stochastic}
  optimizer: {lr: 0.01, momentum: 0.5}
  budget: {updates: UPDATES}
grid: {seed: {range: 4}}
record: {steps: 30, layers: 5, samples: 64}
"""
MODULE = """
name: own
base:
  problem: {name: iris}
  model: {name: module, path: "NET"}
  budget: {updates: 20}
grid: {seed: {range: 3}}
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Checkpoints of the test's own, often."""
    return os.environ | {
        "TALWEG_CHECKPOINTS_FOLDER": str(tmp_path / "checkpoints"),
        "TALWEG_CHECKPOINT_SECONDS": "0.05",
    }


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Client]]:
    """A long pack, and a store in which it was trained in one go."""
    folder = tmp_path_factory.mktemp("calm")
    path = folder / "long.yaml"
    path.write_text(LONG.replace("UPDATES", "6000"))
    with store(folder / "calm.duckdb") as client:
        run_json(path, "--store", client.where, "--compile", "never", "--executor", "inline")
        yield path, client


def _passed(folder: Path, update: int, client: Client) -> bool:
    """Whether a checkpoint is beyond the update, and every pack that has begun has one."""
    saved = Checkpoints(folder).all()
    found = client.query("select trial_id from trials where attempt > 0")["trial_id"].to_pylist()
    kept = {trial_id for one in saved for trial_id in one.trial_ids}
    return any(one.update > update for one in saved) and set(found) <= kept


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_long_pack_killed_in_the_middle_goes_on_where_its_checkpoint_stands(
    executor: str,
    tmp_path: Path,
    ray_address: str,
    environment: dict[str, str],
    calm: tuple[Path, Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TALWEG_CHECKPOINTS_FOLDER", "TALWEG_CHECKPOINT_SECONDS"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.setattr(sweep, "OTHERS_SECONDS", 2.0)  # as when a driver is killed
    path, undisturbed = calm
    folder = Path(environment["TALWEG_CHECKPOINTS_FOLDER"])
    how = ["--executor", "inline"] if executor == "inline" else ["--address", ray_address]
    with store(tmp_path / "killed.duckdb") as killed:
        arguments = ("run", path, "--store", killed.where, "--compile", "never", *how)
        with started(*arguments) as process:
            until(functools.partial(_passed, folder, 200, killed), patience_s=120)
            os.kill(process.pid, signal.SIGKILL)
        run_json(*arguments[1:])
        assert_same_tables(killed, undisturbed)
        # Nothing started over: each trial is in its first attempt still.
        attempts = killed.query("select max(attempt) as a, min(outcome) as o from trials")
        assert attempts.to_pylist() == [{"a": 1, "o": "done"}]
    assert list(folder.glob("*")) == []


def test_isolated_trials_train_one_at_a_time_and_own_their_seconds(
    tmp_path: Path, ray_address: str
) -> None:
    path = write_grid(tmp_path, lrs=1, seeds=1)
    path.write_text(path.read_text() + "timing: isolated\n")
    with store(tmp_path / "isolated.duckdb") as client:
        result = run_json(path, "--store", client.where, "--address", ray_address)
        assert (result["packs"], result["outcomes"]) == (3, {"done": 3})
        rows = client.query(
            "select isolated, started_at, finished_at, seconds from trials order by started_at"
        ).to_pylist()
        assert all(row["isolated"] and row["seconds"] > 0 for row in rows)
        # Exclusive: each began after the one before had ended.
        for one, after in itertools.pairwise(rows):
            assert after["started_at"] >= one["finished_at"]
        assert count(client, "steps") > 0


def test_isolated_trials_have_the_numbers_of_fused_ones(tmp_path: Path) -> None:
    fused = write_grid(tmp_path, name="fused", lrs=1)
    alone = tmp_path / "alone.yaml"
    alone.write_text(fused.read_text() + "timing: isolated\n")
    losses = []
    for path in (fused, alone):
        with store(tmp_path / f"{path.stem}.duckdb") as client:
            run_json(path, "--store", client.where, "--executor", "inline")
            rows = client.query(
                "select descent, seed, update, train_loss from steps join trials using (trial_id) "
                "order by all"
            ).to_pylist()
            losses.append([r["train_loss"] for r in rows])
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


def test_a_module_that_cannot_be_stacked_is_told_once_and_trained(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(MODULE.replace("NET", "tests.nets:Branching"))
    with store(tmp_path / "own.duckdb") as client:
        command = talweg("run", path, "--store", client.where, "--executor", "inline")
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        assert found.stdout.count("train in packs of one") == 1
        outcomes = client.query("select outcome, count(*) as n from trials group by 1")
        assert outcomes.to_pylist() == [{"outcome": "done", "n": 3}]
        layers = client.query("select distinct name from layers order by 1").to_pylist()
        assert [row["name"] for row in layers] == ["first", "out", "second"]


def test_a_module_of_the_working_folder_trains_on_ray(tmp_path: Path, ray_address: str) -> None:
    (tmp_path / "my_net.py").write_text(
        "from torch import nn\n\n\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))\n"
    )
    path = tmp_path / "own.yaml"
    path.write_text(MODULE.replace("NET", "my_net:Net"))
    with store(tmp_path / "own.duckdb") as client:
        command = talweg("run", path, "--store", client.where, "--json", "--address", ray_address)
        found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["outcomes"] == {"done": 3}


def test_a_module_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(MODULE.replace("NET", "no_such_package:Net"))
    command = talweg("run", path, "--store", tmp_path / "none.duckdb")
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert "own.yaml:5" in found.stderr
    assert "'no_such_package' cannot be imported" in found.stderr
    assert not (tmp_path / "none.duckdb").exists()


def test_what_packs_took_is_remembered_and_plans_the_next_sweep(tmp_path: Path) -> None:
    with store(tmp_path / "costs.duckdb") as client:
        path = write_grid(tmp_path, updates=120)
        run_json(path, "--store", client.where, "--executor", "inline")
        trials = [planned.trial for planned in grid.load(path).trials]
        shapes = packs.by_shape(trials)
        costs = costing.known(client, shapes)
        assert {name: costs.sizes(name) for name in shapes} == {name: [6] for name in shapes}
        plan = subprocess.run(
            talweg("plan", write_grid(tmp_path, updates=120, seeds=3), "--store", client.where),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "measured" in plan.stdout


def test_a_shape_with_much_work_is_calibrated_before_it_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costing, "CALIBRATED_SECONDS", 0.0)
    expansion = grid.load(write_grid(tmp_path, updates=30, lrs=4, seeds=8))
    with store(tmp_path / "costs.duckdb") as client:
        plan = sweep.plan(expansion, client)
        executor = InlineExecutor(client, Options())
        result = sweep.run(plan, client, executor, "me", Quiet())
        assert result.outcomes == {"done": 96}
        rows = client.query("select shape, trials, update_seconds from calibrations").to_pylist()
        assert {row["trials"] for row in rows} >= {1, 4, 16, 32}
        assert len({row["shape"] for row in rows}) == 3
        assert all(0 < row["update_seconds"] < 1 for row in rows)


def test_packs_are_no_larger_than_what_measuring_advises() -> None:
    trials = [trial(seed=s) for s in range(64)]
    (name,) = packs.by_shape(trials)

    def sizes(per_pack: dict[int, float]) -> set[int]:
        rows = [
            {"shape": name, "trials": k, "update_seconds": s, "recording_seconds": 1e-9}
            for k, s in per_pack.items()
        ]
        return {len(p.trials) for p in packs.plan(trials, 1, Costs.of(rows))}

    assert sizes({1: 1.0, 4: 1.1, 16: 1.2, 64: 1.3}) == {32}  # two packs for balance
    assert sizes({1: 1.0, 4: 2.0, 16: 16.0, 64: 64.0}) == {4}  # large ones cost more a trial
    assert sizes({1: 1.0, 4: 5.0, 16: 30.0}) == {1}


def test_costs_between_and_beyond_what_was_measured() -> None:
    one = trial(budget={"updates": 10})
    shape = name_of(packs.shape_key(one))
    rows = [
        {"shape": shape, "trials": k, "update_seconds": s, "recording_seconds": 0.0}
        for k, s in ((4, 1.0), (4, 3.0), (16, 4.0))
    ]
    costs = Costs.of(rows)
    assert costs.seconds(shape, one, 4) == pytest.approx(20.0)  # the median of two devices
    assert costs.seconds(shape, one, 10) == pytest.approx(30.0)
    assert costs.seconds(shape, one, 32) == pytest.approx(80.0)
    assert costs.seconds(shape, one, 1) == pytest.approx(20.0)
