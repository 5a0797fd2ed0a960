"""Rows, trials and stores for the tests of the store."""

import datetime
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from talweg.storage import endpoint
from talweg.storage.client import Client, connect
from talweg.storage.store import Store

Rows = dict[str, Any]


def trials(ids: Sequence[str], **columns: Any) -> Rows:
    """What is known of trials before they run."""
    words = ("problem", "model", "loss", "descent", "optimizer", "dtype")
    plain: Rows = {word: [word] * len(ids) for word in words}
    plain |= {"trial_id": list(ids), "slug": [f"test/{i}" for i in ids]}
    plain |= {"seed": [0] * len(ids), "budget_updates": [10] * len(ids)}
    return plain | {"config": ["{}"] * len(ids)} | columns


def sweep(sweep_id: str = "s", **columns: object) -> Rows:
    """The row of a sweep."""
    plain = {"sweep_id": sweep_id, "name": "test", "spec": "{}"}
    return plain | {"status": "running", "talweg_version": "0"} | columns


def steps(ids: Sequence[str], update: int, /, **columns: Any) -> Rows:
    """One recording of some trials."""
    whole = dict.fromkeys(("update", "samples", "gradient_evaluations"), [update] * len(ids))
    real = dict.fromkeys(("epoch", "lr", "train_loss"), [0.5] * len(ids))
    return {"trial_id": list(ids), **whole, **real, **columns}


def ending(ids: Sequence[str], outcome: str = "done", **columns: Any) -> Rows:
    """How some trials ended."""
    n = len(ids)
    plain: Rows = {"trial_id": list(ids), "outcome": [outcome] * n, "updates": [10] * n}
    plain |= {"samples": [100] * n, "seconds": [1.0] * n, "isolated": [False] * n}
    plain |= {"device": ["cpu"] * n, "node": ["here"] * n, "probe_seconds": [0.0] * n}
    return plain | {"finished_at": [datetime.datetime.now(datetime.UTC)] * n} | columns


def begun(client: Client, writer: str, ids: Sequence[str]) -> Client:
    """The client, after registering these trials and beginning them for the writer."""
    client.register(sweep(), trials(ids))
    client.begin(writer, ids)
    return client


def rows(client: Client, sql: str, **params: object) -> list[Mapping[str, Any]]:
    """The rows of a query as dictionaries."""
    table = client.query(sql, params)
    return list(table.to_pylist())


def updates(client: Client, trial_id: str) -> list[int]:
    """The updates recorded for a trial, sorted, as often as they are stored."""
    found = rows(client, "select update from steps where trial_id = $t order by 1", t=trial_id)
    return [row["update"] for row in found]


@contextmanager
def local_store(folder: Path, **options: Any) -> Iterator[Client]:
    """A client of a store in this process."""
    with Store(folder / "test.duckdb", **options) as store, connect(store.database) as client:
        yield client


@contextmanager
def child_store(folder: Path, **options: Any) -> Iterator[Client]:
    """A client that started a store as a child process; ended afterwards, whichever runs then."""
    database = folder / "test.duckdb"
    try:
        with connect(database, **options) as client:
            yield client
    finally:
        if found := endpoint.look_up(database):
            end(database, found.pid, signal.SIGTERM)


def end(database: Path, pid: int, number: int) -> None:
    """Send a signal to a store and wait until the file is free."""
    os.kill(pid, number)
    until(lambda: is_free(database))


def is_free(database: Path) -> bool:
    """Whether no store holds the database."""
    lock = endpoint.try_lock(database)
    if lock is not None:
        os.close(lock)
    return lock is not None


def until(condition: Callable[[], object], patience_s: float = 60.0) -> None:
    """Return when the condition holds; fail after a while."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process that runs the script."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outputs(processes: Sequence[subprocess.Popen[str]], patience_s: float = 60.0) -> list[str]:
    """What the processes printed; fails when one of them failed."""
    texts = []
    for process in processes:
        out, err = process.communicate(timeout=patience_s)
        assert process.returncode == 0, err
        texts.append(out)
    return texts
