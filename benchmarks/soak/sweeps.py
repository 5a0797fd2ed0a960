"""The real part of the soak: sweeps on a Ray of two machines, disturbed, beside one in peace.

Machines are simulated: each is a raylet with its workers, processes of this computer.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from talweg.storage import check
from talweg.storage.client import connect

from .compare import differences
from .processes import below, commands, end_stores, send, stores
from .tally import Tally

TRIALS = 144
GRID = """
name: soak
base:
  problem: {name: digits}
  dtype: float64
  optimizer: {momentum: 0.5}
  budget: {updates: 300}
grid:
  model.depth: [1, 2, 3]
  model.width: [16, 24]
  descent: [{name: stochastic}, {name: mini_batch, batch_size: 16}]
  optimizer.lr: {logspace: [1.0e-3, 0.1, 3]}
  seed: {range: 4}
record: {steps: 20, layers: 5, samples: 64}
"""
PAUSE_S = (1.0, 6.0)
"""Between two faults, at random: a driver needs some of it to come up at all."""
BUSY_S = 20.0
"""How long a worker that trains is looked for: drivers take most of it to come up."""
MOST_RUNS = 8
"""Runs of the same command that must be enough when nothing disturbs any more."""


class Sweep:
    """One sweep under way: its store, its driver, and the machines that it runs on."""

    def __init__(self, folder: Path, grid: Path, cluster: Any, chance: random.Random) -> None:
        self.database, self.grid = folder / "soak.duckdb", grid
        self.cluster, self.chance = cluster, chance
        self._log = (folder / "driver.log").open("ab")
        own = {"TALWEG_CHECKPOINTS_FOLDER": str(folder / "checkpoints")}
        self._environment = os.environ | own | {"TALWEG_CHECKPOINT_SECONDS": "0.5"}
        self.driver = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command("run", self.grid, "--store", self.database, "--compile", "never",
                    "--address", self.cluster.address),
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            env=self._environment, start_new_session=True,
        )  # fmt: skip

    def go_on(self) -> bool:
        """Give the same command again where it ended early; whether the sweep is still under way.

        An exit code of 0 says that every trial has its result.
        """
        status = self.driver.poll()
        if status:
            self.driver = self._start()
        return status != 0

    def close(self) -> None:
        """End what this sweep started."""
        self.driver.kill()
        self.driver.wait()
        end_stores(self.database)
        self._log.close()


def command(*words: object) -> list[str]:
    """A talweg command line."""
    return [sys.executable, "-m", "talweg.services", *map(str, words)]


def kill_store(sweep: Sweep) -> bool:
    """kill -9 of the store."""
    return sum(send(pid, signal.SIGKILL) for pid in stores(sweep.database)) > 0


def kill_driver(sweep: Sweep) -> bool:
    """kill -9 of ``talweg run``."""
    return sweep.driver.poll() is None and send(sweep.driver.pid, signal.SIGKILL)


def interrupt_driver(sweep: Sweep) -> bool:
    """Ctrl-C."""
    return sweep.driver.poll() is None and send(sweep.driver.pid, signal.SIGINT)


def kill_worker(sweep: Sweep) -> bool:
    """kill -9 of a worker in the middle of a pack."""
    deadline = time.monotonic() + BUSY_S
    while time.monotonic() < deadline and sweep.driver.poll() is None:
        ours = set().union(*(below(pid) for pid in _raylets(sweep)))
        busy = [pid for pid, words in commands() if pid in ours and words[0].startswith("ray::run")]
        if busy:
            return send(sweep.chance.choice(busy), signal.SIGKILL)
        time.sleep(0.2)
    return False


def kill_node(sweep: Sweep) -> bool:
    """kill -9 of a machine with everything on it; another one joins in its place."""
    node = sweep.chance.choice(sorted(sweep.cluster.worker_nodes, key=lambda one: one.node_id))
    sweep.cluster.remove_node(node, allow_graceful=False)
    sweep.cluster.add_node(num_cpus=1)
    return True


def _raylets(sweep: Sweep) -> list[int]:
    return [
        info.process.pid
        for node in sweep.cluster.worker_nodes
        for info in node.all_processes["raylet"]
    ]


FAULTS: Mapping[str, tuple[Callable[[Sweep], bool], float]] = {
    "sweep: store killed": (kill_store, 4),
    "sweep: driver killed": (kill_driver, 2),
    "sweep: worker killed": (kill_worker, 4),
    "sweep: node killed": (kill_node, 2),
    "sweep: driver interrupted": (interrupt_driver, 1),
}


def run(folder: Path, chance: random.Random, kills: int, tally: Tally) -> None:
    """Disturb sweep after sweep until so many kills were survived."""
    grid = folder / "grid.yaml"
    grid.write_text(GRID)
    calm = folder / "calm.duckdb"
    subprocess.run(
        command("run", grid, "--store", calm, "--compile", "never", "--executor", "inline"),
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    goal = tally.kills + kills
    with cluster() as machines:
        while tally.kills < goal and not tally.problems:
            home = folder / f"sweep-{tally.kills}"
            home.mkdir()
            sweep = Sweep(home, grid, machines, chance)
            try:
                _disturb(sweep, goal, tally)
                tally.problems += _finished(sweep) or _wrong(sweep.database, calm)
                tally.trials += TRIALS
            finally:
                sweep.close()
    end_stores(calm)


def _disturb(sweep: Sweep, goal: int, tally: Tally) -> None:
    names, weights = [*FAULTS], [weight for _, weight in FAULTS.values()]
    while sweep.go_on() and tally.kills < goal:
        time.sleep(sweep.chance.uniform(*PAUSE_S))
        (name,) = sweep.chance.choices(names, weights)
        if sweep.driver.poll() is None and FAULTS[name][0](sweep):
            tally.survived(name, kills=name.endswith("killed"))


def _finished(sweep: Sweep) -> list[str]:
    """Nothing, once a run of the same command has ended well."""
    for _ in range(MOST_RUNS):
        sweep.driver.wait()
        if not sweep.go_on():
            return []
    return [f"{sweep.database}: not finished after {MOST_RUNS} undisturbed runs"]


def _wrong(database: Path, calm: Path) -> list[str]:
    with connect(database) as disturbed, connect(calm) as undisturbed:
        found = [f"{one.name}: {one.message}" for one in check.examine(disturbed) if not one.ok]
        return found + list(differences(disturbed, undisturbed))


@contextlib.contextmanager
def cluster() -> Iterator[Any]:
    """A Ray with a head that trains nothing and two machines of one CPU."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(2):
            made.add_node(num_cpus=1)
        yield made
    finally:
        made.shutdown()
