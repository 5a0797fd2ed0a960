"""How long packs take: kept by shape, device and size, the newest of each."""

import datetime
import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.flight as flight
import pytest

from talweg.storage import calibrations, errors, migrate
from talweg.storage.client import Client, connect
from talweg.storage.errors import StoreError
from talweg.storage.store import Store

from .storage_helpers import Rows, local_store, rows


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with local_store(tmp_path) as client:
        yield client


def row(shape: Any = "s", device: Any = "cpu", trials: Any = 8, **columns: Any) -> Rows:
    plain: Rows = {"shape": shape, "device": device, "trials": trials}
    return plain | {"update_seconds": 0.001, "recording_seconds": 0.01} | columns


def known(client: Client, *shapes: str) -> list[Rows]:
    """The calibrations without the moment they were measured at."""
    found = client.calibrations(shapes)
    return [{k: v for k, v in one.items() if k != "measured_at"} for one in found]


def test_what_was_measured_comes_back_sorted_and_only_for_the_shapes_asked(
    client: Client,
) -> None:
    sent = [row("b"), row("a", "gpu", 64), row("a", "cpu", 64), row("a", "cpu", 8), row("c")]
    client.calibrate(sent)
    assert known(client, "b", "a", "none", "a") == [sent[3], sent[2], sent[1], sent[0]]
    assert client.calibrations([]) == []


def test_the_moment_is_the_stores(client: Client) -> None:
    before = datetime.datetime.now(datetime.UTC)
    client.calibrate([row()])
    (found,) = client.calibrations(["s"])
    assert before <= found["measured_at"] <= datetime.datetime.now(datetime.UTC)


def test_the_newest_of_each_shape_device_and_size_is_kept(client: Client) -> None:
    client.calibrate([row(), row(trials=9), row(device="gpu"), row("t")])
    first = client.calibrations(["s", "t"])
    client.calibrate([row(update_seconds=5.0), row(update_seconds=7.0, recording_seconds=8.0)])
    second = client.calibrations(["s", "t"])
    assert [one for one in second if one not in first] == [
        row(update_seconds=7.0, recording_seconds=8.0) | {"measured_at": second[0]["measured_at"]}
    ]
    assert second[0]["measured_at"] > first[0]["measured_at"]
    assert len(second) == len(first) == 4


def test_numbers_of_any_type_are_kept_to_the_last_bit(client: Client) -> None:
    client.calibrate([row("np", trials=np.int32(3), update_seconds=np.float32(0.1))])
    client.calibrate([row("int", trials=2**31 - 1, update_seconds=1, recording_seconds=5e-324)])
    client.calibrate([row("fraction", update_seconds=Fraction(1, 3), recording_seconds=0.1)])
    assert known(client, "np", "int", "fraction") == [
        row("fraction", update_seconds=1 / 3, recording_seconds=0.1),
        row("int", trials=2**31 - 1, update_seconds=1.0, recording_seconds=5e-324),
        row("np", trials=3, update_seconds=float(np.float32(0.1))),
    ]


SECONDS = [math.nan, math.inf, -math.inf, 0, 0.0, -1.0, 10**400, True, "1.0", None, [1.0]]
WRONG: list[tuple[Any, str]] = [
    *((row(update_seconds=v), "update_seconds: .* is not a positive") for v in SECONDS),
    *((row(recording_seconds=v), "recording_seconds: .* is not a positive") for v in SECONDS),
    *((row(trials=v), "trials: .* is not a number of trials") for v in (0, -1, 2**31, 1.0, True)),
    *((row(trials=v), "trials: .* is not a number of trials") for v in ("8", None)),
    (row(shape=""), "shape: '' is not a name"),
    (row(shape=7), "shape: 7 is not a name"),
    (row(device=None), "device: None is not a name"),
    (row(seconds=1.0), "column 'seconds' cannot be given; did you mean 'update_seconds'"),
    (row(measured_at="now"), "column 'measured_at' cannot be given"),
    ({"shape": "s", "device": "cpu"}, "missing: trials, update_seconds, recording_seconds"),
    ("row", "'row' is not a mapping"),
]


@pytest.mark.parametrize(("wrong", "why"), WRONG)
def test_what_is_no_measurement_is_refused_and_so_is_what_came_with_it(
    client: Client, wrong: Any, why: str
) -> None:
    with pytest.raises(StoreError, match=rf"calibrations\[1\].*{why}"):
        client.calibrate([row(), wrong])
    assert client.calibrations(["s"]) == []


NAN = json.dumps({"rows": [row(update_seconds=math.nan)]})  # as no client of ours would send it


@pytest.mark.parametrize("body", [NAN, "{}", '{"rows": {}}'])
def test_the_store_checks_as_well(tmp_path: Path, body: str) -> None:
    options = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer w")], timeout=20)
    with (
        Store(tmp_path / "test.duckdb", write_token="w") as store,
        flight.FlightClient(store.url) as raw,
        pytest.raises(flight.FlightError) as refusal,
    ):
        list(raw.do_action(flight.Action("calibrate", body.encode()), options))
    assert str(errors.unpack(refusal.value.extra_info)).startswith("calibrations")


def test_ten_thousand_shapes(client: Client) -> None:
    shapes = [f"{i:064x}" for i in range(10_000)]
    sent = [row(shape, trials=i + 1) for i, shape in enumerate(shapes)]
    client.calibrate(sent)
    client.calibrate(sent)
    assert known(client, *reversed(shapes)) == sent


def test_calibrations_survive_the_store(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        client.calibrate([row()])
    with local_store(tmp_path) as client:
        assert known(client, "s") == [row()]


def test_a_database_of_version_1_gets_the_table_and_keeps_its_rows(tmp_path: Path) -> None:
    database = tmp_path / "test.duckdb"
    with duckdb.connect(database) as con:
        assert migrate.migrate(con, {1: migrate.available()[1]}) == 1
        con.execute("insert into ledger values ('w', 7)")
        tables = con.execute("select table_name from duckdb_tables()").fetchall()
        assert ("calibrations",) not in tables
    with Store(database) as store, connect(store.database) as client:
        assert client.status()["schema_version"] == max(migrate.available()) >= 2
        assert rows(client, "from ledger") == [{"writer": "w", "sequence": 7}]
        client.calibrate([row()])
        assert known(client, "s") == [row()]
        columns = [one["column_name"] for one in rows(client, "describe calibrations")]
        assert columns == [*row(), "measured_at"]


def test_migrated_tables_are_those_of_a_new_database(tmp_path: Path) -> None:
    described = []
    for steps in ([1], []):
        with duckdb.connect(tmp_path / f"{len(steps)}.duckdb") as con:
            for step in steps:
                migrate.migrate(con, {step: migrate.available()[step]})
            migrate.migrate(con)
            described.append(con.execute("select sql from duckdb_tables() order by 1").fetchall())
    assert described[0] == described[1]


def test_the_check_returns_what_json_can_carry() -> None:
    (checked,) = calibrations.checked([row(trials=np.int64(3), update_seconds=np.float32(2))])
    assert {name: type(value) for name, value in checked.items()} == {
        **dict.fromkeys(("shape", "device"), str),
        **{"trials": int, "update_seconds": float, "recording_seconds": float},
    }
