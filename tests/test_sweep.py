"""A sweep end to end: inline and on Ray, again, stopped, killed, and with trials that fail."""

import functools
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import ray

from benchmarks.soak.processes import below, commands, send
from talweg.services import sweep
from talweg.services.executors import Done, InlineExecutor
from talweg.services.progress import Quiet
from talweg.services.worker import NOTHING, PackResult
from talweg.storage.client import Client
from talweg.workloads import grid
from talweg.workloads.options import Options
from talweg.workloads.packs import Pack

from .storage_helpers import until
from .sweeps import (
    answer_json,
    assert_same_tables,
    count,
    run_json,
    started,
    store,
    talweg,
    write_grid,
)

EAGER = Options()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with store(tmp_path / "talweg.duckdb") as client:
        yield client


def test_a_sweep_on_ray_leaves_the_same_tables_as_inline_and_is_reused(
    tmp_path: Path, ray_address: str
) -> None:
    path = write_grid(tmp_path)
    here, there = tmp_path / "inline.duckdb", tmp_path / "ray.duckdb"
    inline = run_json(path, "--store", here, "--executor", "inline")
    on_ray = run_json(path, "--store", there, "--address", ray_address)
    assert inline["outcomes"] == on_ray["outcomes"] == {"done": 18}
    assert inline["updates"] == on_ray["updates"] == 18 * 60
    with store(here) as left, store(there) as right:
        assert_same_tables(left, right)
        again = run_json(path, "--store", there, "--address", ray_address)
        assert again["reused"] == again["trials"] == 18
        assert again["outcomes"] == {}


def test_a_trial_finished_in_another_sweep_is_reused(tmp_path: Path, client: Client) -> None:
    small = write_grid(tmp_path, name="small", seeds=1)
    large = write_grid(tmp_path, name="large", seeds=2)
    run_json(small, "--store", client.where, "--executor", "inline")
    result = run_json(large, "--store", client.where, "--executor", "inline")
    assert (result["trials"], result["reused"]) == (18, 9)
    rows = client.query(
        "select sweep_id, count(*) as n, count(*) filter (where reused) as reused "
        "from sweep_trials group by all order by n"
    ).to_pylist()
    assert [(r["n"], r["reused"]) for r in rows] == [(9, 0), (18, 9)]


def test_the_summary_is_true_and_the_query_agrees(tmp_path: Path, client: Client) -> None:
    path = write_grid(tmp_path)
    command = talweg("run", path, "--store", client.where, "--executor", "inline")
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "18 trials in" in found.stdout
    assert "mini-batch 16" in found.stdout
    query = talweg(
        "query", "select outcome, count(*) as n from trials group by 1",
        "--store", client.where, "--format", "json",
    )  # fmt: skip
    answer = subprocess.run(query, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == [{"outcome": "done", "n": 18}]
    (row,) = client.query("select distinct software::varchar as words from sweeps").to_pylist()
    recorded = json.loads(row["words"])
    assert recorded["ray"] == ray.__version__
    assert recorded["torch"] == importlib.metadata.version("torch")


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Client]]:
    """A grid that is long enough to be disturbed, and a store in which it was not."""
    folder = tmp_path_factory.mktemp("calm")
    path = write_grid(folder, problem="digits", updates=400, lrs=4, seeds=2)
    with store(folder / "calm.duckdb") as undisturbed:
        run_json(path, "--store", undisturbed.where, "--executor", "inline")
        yield path, undisturbed


def _has_steps(client: Client, goal: int) -> bool:
    return count(client, "steps") >= goal


def test_a_store_killed_in_mid_sweep_loses_nothing(
    tmp_path: Path, ray_address: str, calm: tuple[Path, Client]
) -> None:
    path, undisturbed = calm
    database = tmp_path / "killed.duckdb"
    with started("run", path, "--store", database, "--address", ray_address, "--json") as process:
        endpoint = database.with_name(f"{database.name}.endpoint")
        until(endpoint.exists)
        with store(database) as watcher:
            for goal in (1, 300):
                until(functools.partial(_has_steps, watcher, goal), patience_s=120)
                seen = count(watcher, "steps")
                os.kill(int(str(watcher.status()["pid"])), signal.SIGKILL)
                assert count(watcher, "steps") >= seen
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            assert json.loads(out)["outcomes"] == {"done": 24}
            assert_same_tables(watcher, undisturbed)


def test_a_driver_killed_in_mid_sweep_is_continued_by_the_same_command(
    tmp_path: Path,
    ray_address: str,
    calm: tuple[Path, Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The next run may begin while Ray still ends the workers of the killed driver, which took
    # over some trials: those are nobody's, and there is no need to watch them for long.
    monkeypatch.setattr(sweep, "OTHERS_SECONDS", 2.0)
    path, undisturbed = calm
    database = tmp_path / "killed.duckdb"
    with store(database) as watcher:
        arguments = ("run", path, "--store", database, "--address", ray_address)
        with started(*arguments) as process:
            until(lambda: count(watcher, "steps") > 0)
            os.kill(process.pid, signal.SIGKILL)
        result = run_json(*arguments[1:])
        assert result["reused"] + sum(result["outcomes"].values()) == 24
        assert_same_tables(watcher, undisturbed)


@contextmanager
def _machine(ray_address: str) -> Iterator[subprocess.Popen[bytes]]:
    """One more machine of one CPU in the cluster, until the block ends."""
    words = ["start", "--address", ray_address, "--num-cpus", "1", "--block"]
    machine = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", *words, "--disable-usage-stats"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield machine
    finally:
        for pid in below(machine.pid):
            send(pid, signal.SIGKILL)
        machine.wait(20)


def _kill_when_it_trains(machine: subprocess.Popen[bytes]) -> None:
    def trains() -> bool:
        there = below(machine.pid)
        return any(words[0].startswith("ray::run") for pid, words in commands() if pid in there)

    until(trains)
    for pid in below(machine.pid):
        send(pid, signal.SIGKILL)


def test_a_machine_killed_in_mid_sweep_has_its_packs_trained_elsewhere(
    tmp_path: Path, ray_address: str, calm: tuple[Path, Client]
) -> None:
    path, undisturbed = calm
    database = tmp_path / "killed.duckdb"
    with (
        store(database) as watcher,
        _machine(ray_address) as machine,
        ThreadPoolExecutor() as pool,
    ):
        until(lambda: len([node for node in ray.nodes() if node["Alive"]]) == 2)
        killed = pool.submit(_kill_when_it_trains, machine)
        result = run_json(path, "--store", database, "--address", ray_address)
        killed.result()
        assert result["outcomes"] == {"done": 24}
        assert_same_tables(watcher, undisturbed)


def test_two_drivers_of_one_sweep_share_its_trials_and_both_end_well(
    tmp_path: Path, client: Client, calm: tuple[Path, Client]
) -> None:
    path, undisturbed = calm
    arguments = ("run", path, "--store", client.where, "--executor", "inline")
    with started(*arguments, "--json") as process:
        until(lambda: count(client, "steps") > 0)
        second = run_json(*arguments[1:])
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    first = json.loads(out)
    for result in (first, second):
        assert result["reused"] + sum(result["outcomes"].values()) <= 24
        assert result["outcomes"].keys() <= {"done"}
    assert_same_tables(client, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_committed_and_the_next_run_continues(
    number: signal.Signals, tmp_path: Path, client: Client
) -> None:
    # The first of four packs ends; each of the others takes a second, or is still to come.
    path = write_grid(tmp_path, problem="digits", updates=800, lrs=2, seeds=2)
    arguments = ("run", path, "--store", client.where, "--executor", "inline")
    with started(*arguments) as process:
        until(lambda: count(client, "trials where outcome is not null") > 0)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err
    (row,) = client.query("sweeps").to_pylist()
    assert row["status"] == "interrupted"
    kept = row["finished"]
    assert 0 < kept < 12
    where = ("--store", client.where, "--executor", "inline")
    result = answer_json("resume", row["sweep_id"], *where)
    assert (result["reused"], result["outcomes"]) == (kept, {"done": 12 - kept})


class FailingExecutor(InlineExecutor):
    """Real training, but a pack that holds one of some trials is lost."""

    def __init__(self, client: Client, bad: set[str]) -> None:
        super().__init__(client, EAGER)
        self.bad = bad
        self.sizes: list[int] = []

    def next(self, timeout_s: float) -> Done | None:
        pack: Pack = self.waiting[0]
        self.sizes.append(len(pack.trials))
        if self.bad & {trial.trial_id for trial in pack.trials}:
            self.waiting.popleft()
            return Done(pack, error=MemoryError("no room for this one"))
        return super().next(timeout_s)


def test_a_failing_pack_is_halved_down_to_the_trial_at_fault(
    tmp_path: Path, client: Client
) -> None:
    expansion = grid.load(write_grid(tmp_path))
    plan = sweep.plan(expansion, client)
    bad = expansion.trials[4].trial.trial_id
    executor = FailingExecutor(client, {bad})
    result = sweep.run(plan, client, executor, "me", Quiet())
    assert result.outcomes == Counter(done=17, failed=1)
    assert result.errors == {bad: "MemoryError: no room for this one"}
    assert min(executor.sizes) == 1
    rows = client.query("select trial_id, error from trials where outcome = 'failed'").to_pylist()
    assert rows == [{"trial_id": bad, "error": "MemoryError: no room for this one"}]
    (row,) = client.query("sweeps").to_pylist()
    assert row["status"] == "failed"

    # The next run tries it again, and only it.
    again = sweep.run(
        sweep.plan(expansion, client), client, InlineExecutor(client, EAGER), "me", Quiet()
    )
    assert (again.reused, again.outcomes) == (17, Counter(done=1))


def test_a_pack_without_work_left_trains_nothing(tmp_path: Path, client: Client) -> None:
    from talweg.services.executors import DataCache
    from talweg.services.worker import run_pack

    expansion = grid.load(write_grid(tmp_path, lrs=1, seeds=1))
    plan = sweep.plan(expansion, client)
    sweep.run(plan, client, InlineExecutor(client, EAGER), "me", Quiet())
    pack = Pack((expansion.trials[0].trial,), 0.0)
    before = count(client, "steps")
    result: PackResult = run_pack(pack.trials, DataCache().of(pack), client, EAGER)
    assert result == NOTHING
    assert count(client, "steps") == before


def test_a_cluster_that_does_not_answer_is_exit_code_3(tmp_path: Path, client: Client) -> None:
    path = write_grid(tmp_path)
    command = talweg("run", path, "--store", client.where, "--address", "127.0.0.1:1")
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 3, found.stderr
    assert "no Ray cluster answers at '127.0.0.1:1'" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_store_that_does_not_answer_is_exit_code_3(tmp_path: Path) -> None:
    path = write_grid(tmp_path)
    command = talweg("run", path, "--store", "grpc://127.0.0.1:1", "--executor", "inline")
    env = os.environ | {"TALWEG_PATIENCE_S": "0.5"}
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert found.returncode == 3, found.stderr
    assert "127.0.0.1:1" in found.stderr
    assert "Traceback" not in found.stderr
