"""Columns of plain values: what pyarrow.array makes of them, without the pandas it imports."""

import datetime
import enum
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from talweg.storage import columns

from .storage_helpers import child_store, outputs, python


class Color(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


UTC = datetime.UTC
HERE = datetime.timezone(datetime.timedelta(hours=2))
COLUMNS: list[Any] = [
    [],
    [None],
    [None] * 9,
    ["a", "b"],
    ["", None, "größe", "\x00", "🏔" * 100, None],
    [Color.RED, "x", None],
    [1, -(2**63), 2**63 - 1],
    [None, 0, 1] * 7,
    [0.0, -0.0, 5e-324, math.inf, -math.inf],
    [None, 0.5, None],
    [np.float64(0.5), 1.5, None],
    [True, False, True] * 5,
    [None, True, False] * 5,
    [b"", b"\x00\xff", None],
    [datetime.datetime.now(UTC), None, datetime.datetime(1960, 1, 2, 3, 4, 5, 6, UTC)],
    [datetime.datetime.min.replace(tzinfo=UTC), datetime.datetime.max.replace(tzinfo=UTC)],
    [datetime.datetime(2026, 1, 1), None],
    [datetime.datetime(2026, 1, 1, tzinfo=HERE)],
    [1, 2.5],
    [1.5, None, 2],
    [Number.ONE, 2],
    [np.int64(3), 4],
    [np.float32(0.1), None],
    [[1.0], None],
    (1.0, None),
    ("a", "b"),
    range(3),
    np.array([1.0, 2.0]),
    np.array([1, 2], np.int16),
    np.array([1, 2], np.uint64),
    np.array([0.1], np.float32),
    np.array([1, 2, 3, 4])[::2],
    np.array([1.0, 2.0])[::-1],
    np.array([], np.float64),
    np.array([True, False]),
    np.array(["a", "b"]),
    np.array([None, 0.5], object),
]
REFUSED: list[Any] = [
    [1, "2"],
    ["a", 1],
    [True, 1],
    [2**63],
    ["\ud800"],
    [0.5, "x"],
    [object()],
    np.ones((1, 1)),
]


@pytest.mark.parametrize("values", COLUMNS)
def test_a_column_is_what_pyarrow_makes_of_it(values: Any) -> None:
    made, wanted = columns.array(values), pa.array(values)
    made.validate(full=True)
    assert made.type == wanted.type
    assert made.null_count == wanted.null_count
    assert repr(made.to_pylist()) == repr(wanted.to_pylist())


def test_no_number_stays_no_number() -> None:
    assert repr(columns.array([math.nan, None]).to_pylist()) == "[nan, None]"


@pytest.mark.parametrize("values", REFUSED)
def test_what_pyarrow_refuses_is_refused_alike(values: Any) -> None:
    told = []
    for make in (columns.array, pa.array):
        with pytest.raises((pa.ArrowException, TypeError, ValueError, OverflowError)) as refusal:
            make(values)
        told.append((refusal.type, str(refusal.value)))
    assert told[0] == told[1]


def test_bytes_are_joined() -> None:
    made = columns.binaries([b"a", b"", b"xyz"])
    assert made.equals(pa.array([b"a", b"", b"xyz"], pa.large_binary()))


CALLS = """
import datetime, sys
from talweg.storage.client import connect
from talweg.storage.sender import Sender

words = ("trial_id", "slug", "problem", "model", "loss", "descent", "optimizer", "dtype")
plain = {word: ["a"] for word in words} | {"config": ["{}"], "seed": [0], "budget_updates": [1]}
sweep = {"sweep_id": "s", "name": "s", "spec": "{}", "status": "running", "talweg_version": "0"}
key = {"trial_id": ["a"], "update": [1]}
step = key | {"samples": [1], "gradient_evaluations": [1], "epoch": [0.5], "lr": [0.1]}
ending = {"trial_id": ["a"], "outcome": ["done"], "updates": [1], "samples": [1], "seconds": [1.0]}
ending |= {"isolated": [False], "device": ["cpu"], "node": ["n"], "probe_seconds": [0.0]}
ending["finished_at"] = [datetime.datetime.now(datetime.UTC)]
summary = {"trial_id": ["a", "a"], "metric": ["train_loss"] * 2, "last": [2.0, None]}
records = {"steps": step, "summaries": summary, "endings": ending}
records["layers"] = key | {"layer": [1], "name": ["hidden"]}
records["probes"] = key | {"probe": ["p"], "key": ["k"], "value": [float("nan")]}
records["verdicts"] = key | {"verdict": ["dead"], "reason": ["r"], "evidence": ["{}"]}
records["predictions"] = {"trial_id": ["a"], "key": ["k"], "source": ["s"]}

with connect(sys.argv[1]) as client:
    client.register(sweep, plain)
    client.begin("w", ["a"])
    client.begin("w2", ["a"])
    client.resume("w3", ["a"], "w2", 0)
    with Sender(client, "w3") as sender:
        sender.put({"steps": step})
        sender.put(records)
    client.calibrate([{"shape": "s", "device": "d", "trials": 1,
                       "update_seconds": 1, "recording_seconds": 1}])
    client.calibrations(["s"])
    assert client.finished(["a"]) == {"a": "done"}
    client.set_status("s", "done")
    client.query("select trial_id, outcome, seconds, isolated from trials").to_pylist()
print("pandas" in sys.modules)
"""


def test_neither_a_worker_nor_the_store_loads_pandas(tmp_path: Path) -> None:
    with child_store(tmp_path) as client:
        assert outputs([python(CALLS, client.where)]) == ["False\n"]
        assert "site-packages/pandas" not in maps(int(client.status()["pid"]))


def test_the_memory_of_a_process_tells_whether_it_loaded_pandas() -> None:
    with python("import pandas, time; print(flush=True); time.sleep(60)") as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert "site-packages/pandas" in maps(process.pid)
        process.kill()


def maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()
