"""Sweeps as a user starts them, and the comparison of two stores."""

import contextlib
import io
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from talweg.services import settings
from talweg.services.cli import main
from talweg.storage.client import Client, connect

GRID = """
name: {name}
study: descent
base:
  problem: {{name: {problem}}}
  model: {{depth: 2, width: 32}}
  dtype: float64
  budget: {{updates: {updates}}}
grid:
  descent: [{{name: batch}}, {{name: stochastic}}, {{name: mini_batch, batch_size: 16}}]
  optimizer.lr: {{logspace: [1.0e-3, 0.3, {lrs}]}}
  seed: {{range: {seeds}}}
record: {{steps: 20, layers: 5, samples: 64}}
"""
TIMES = {
    "started_at",
    "finished_at",
    "seconds",
    "probe_seconds",
    "target_seconds",
    "node",
    "writer",
}
ATTEMPTS = {"attempt", "applied_at", "created_at"}
TABLES = {
    "trials": "trial_id",
    "sweep_trials": "trial_id",
    "steps": "trial_id, update",
    "layers": "trial_id, update, layer",
    "summaries": "trial_id, metric",
}


def write_grid(
    folder: Path,
    *,
    name: str = "test",
    problem: str = "iris",
    updates: int = 60,
    lrs: int = 3,
    seeds: int = 2,
) -> Path:
    """A float64 grid of 3 descents × learning rates × seeds."""
    path = folder / f"{name}.yaml"
    path.write_text(GRID.format(name=name, problem=problem, updates=updates, lrs=lrs, seeds=seeds))
    return path


def talweg(*arguments: object) -> list[str]:
    """The command line of the real command."""
    return [sys.executable, "-m", "talweg.services", *map(str, arguments)]


def run_json(*arguments: object) -> dict[str, Any]:
    """``talweg run … --json`` to its end; its answer."""
    return answer_json("run", *arguments)


def answer_json(*arguments: object) -> dict[str, Any]:
    """The answer of a command with ``--json``, run to its end in this process.

    Torch is loaded here, and where this process has joined a Ray, its workers have loaded it,
    too; a process of its own (:func:`started`) loads all that again.
    """
    said, complained = io.StringIO(), io.StringIO()
    settings.read.cache_clear()  # a test may have changed the environment
    with (
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complained),
        pytest.raises(SystemExit) as left,
    ):
        main([*map(str, arguments), "--json"])
    settings.read.cache_clear()
    assert not left.value.code, complained.getvalue() + said.getvalue()
    answer: dict[str, Any] = json.loads(said.getvalue())
    return answer


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A talweg process of our own, which does not outlive the block."""
    # Tests started in the background ignore Ctrl-C, and what they start would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        talweg(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def store(path: Path) -> Iterator[Client]:
    """A client of an embedded store that leaves with the block."""
    with connect(path) as client:
        try:
            yield client
        finally:
            os.kill(int(str(client.status()["pid"])), signal.SIGTERM)


def count(client: Client, table: str) -> int:
    """Rows of a table."""
    return int(client.query(f"select count(*) as n from {table}")["n"][0].as_py())


def assert_same_tables(left: Client, right: Client) -> None:
    """Every table holds the same rows: floats to 1e-9, times and attempts aside."""
    for table, order in TABLES.items():
        a, b = (
            c.query(f"select * from {table} order by {order}").to_pylist() for c in (left, right)
        )
        assert len(a) == len(b), (table, len(a), len(b))
        for row_a, row_b in zip(a, b, strict=True):
            for name in row_a.keys() - TIMES - ATTEMPTS:
                same = _same(row_a[name], row_b[name])
                assert same, (table, name, row_a, row_b)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-14)
    return bool(a == b)
