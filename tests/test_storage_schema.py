"""Tables, migrations, and rows that do or do not fit."""

import datetime
import enum
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from talweg.storage import migrate, wire
from talweg.storage.client import Client, connect
from talweg.storage.database import open_database
from talweg.storage.errors import SchemaTooNew, StoreError
from talweg.workloads.records import TABLES, columns_of

from .storage_helpers import Rows, begun, ending, is_free, local_store, rows, steps

NEWEST = max(migrate.available())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("schema")) as client:
        yield begun(client, "w", ["a"])


@pytest.mark.parametrize("table", TABLES)
def test_the_tables_have_the_columns_of_the_records(client: Client, table: str) -> None:
    described = rows(client, f"describe {'trials' if table == 'endings' else table}")
    columns = {row["column_name"]: row for row in described}
    if table != "endings":
        assert list(columns) == list(columns_of(table))
    kinds = {"VARCHAR": "string", "JSON": "string", "BIGINT": "int64", "INTEGER": "int64"}
    kinds |= {"DOUBLE": "double", "BOOLEAN": "bool"}
    kinds |= {"TIMESTAMP WITH TIME ZONE": "timestamp[us, tz=UTC]"}
    for field in wire.schema_of(table):
        assert kinds[columns[field.name]["column_type"]] == str(field.type), field.name
        if table != "endings":
            assert (columns[field.name]["null"] == "YES") == field.nullable, field.name


def test_a_new_database_is_migrated_to_the_newest_version(client: Client) -> None:
    assert client.status()["schema_version"] == NEWEST
    versions = rows(client, "select version, applied_at from schema_version order by 1")
    assert [row["version"] for row in versions] == list(migrate.available())
    age = datetime.datetime.now(datetime.UTC) - versions[-1]["applied_at"]
    assert datetime.timedelta() <= age < datetime.timedelta(minutes=10)


def test_migrations_are_numbered_without_gaps() -> None:
    assert list(migrate.available()) == list(range(1, NEWEST + 1))


def test_migrations_are_applied_once_and_in_order(tmp_path: Path) -> None:
    for number, sql in enumerate(["create table t(x int)", "insert into t values (2)"], 1):
        (tmp_path / f"{number:04}_step.sql").write_text(sql)
    files = {n: tmp_path / f"{n:04}_step.sql" for n in (1, 2)}
    with duckdb.connect(tmp_path / "x.duckdb") as con:
        assert migrate.migrate(con, {1: files[1]}) == 1
        assert [migrate.migrate(con, files) for _ in range(2)] == [2, 2]
        assert con.execute("select x from t").fetchall() == [(2,)]


def test_a_failing_migration_leaves_the_version_before_it(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.sql", tmp_path / "bad.sql"
    good.write_text("create table t(x int);")
    bad.write_text("insert into t values (1); create table u(x int); select nonsense;")
    with duckdb.connect(tmp_path / "x.duckdb") as con:
        with pytest.raises(duckdb.Error, match="nonsense"):
            migrate.migrate(con, {1: good, 2: bad})
        assert migrate.version_of(con) == 1
        tables = con.execute("select table_name from duckdb_tables() order by 1").fetchall()
        assert tables == [("schema_version",), ("t",)]
        assert con.execute("select * from t").fetchall() == []


def test_a_database_of_a_newer_talweg_is_refused_and_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "test.duckdb"
    con = open_database(database)
    con.execute("insert into schema_version values (999, now())")
    con.close()
    before = database.read_bytes()
    with pytest.raises(SchemaTooNew, match=f"version 999, .* up to {NEWEST}: upgrade talweg"):
        connect(database, patience_s=30)
    assert database.read_bytes() == before
    assert is_free(database)


WRONG: list[tuple[Rows, str]] = [
    ({"stepz": steps(["a"], 1)}, "table 'stepz' cannot be appended to; did you mean 'steps'"),
    ({"trials": {"trial_id": ["a"]}}, "table 'trials' cannot be appended to"),
    ({"ledger": {"writer": ["w"]}}, "table 'ledger' cannot be appended to"),
    ({"steps": steps(["a"], 1, los=[1.0])}, "steps has no column 'los'"),
    ({"steps": steps(["a"], 1, update=["one"])}, "steps.update: expected int64, got string"),
    ({"steps": steps(["a"], 1, update=["1"])}, "steps.update: expected int64, got string"),
    ({"steps": steps(["a"], 1, update=[1.5])}, "steps.update: cannot be stored as int64"),
    ({"steps": steps(["a"], 1, update=[True])}, "steps.update: expected int64, got bool"),
    ({"steps": steps(["a"], 1, update=[None])}, "steps.update: a value is missing"),
    ({"steps": steps(["a"], 1, lr=[math.nan])}, "steps.lr: a value is missing or not finite"),
    ({"steps": steps(["a"], 1, lr=[1, 2])}, "columns differ in length"),
    ({"steps": steps(["a"], 1, lr=[1, "2"])}, "steps.lr: not a column of one type"),
    ({"steps": steps(["a"], 1, lr=[[1.0]])}, "steps.lr: expected double, got list"),
    ({"steps": steps(["a"], 1, lr=np.ones((1, 1)))}, "steps.lr: not a column"),
    ({"steps": steps(["a"], 1, trial_id=[7])}, "steps.trial_id: expected string, got int64"),
    ({"steps": {"trial_id": ["a"]}}, "steps.update: a value is missing"),
    ({"endings": ending(["a"], isolated=[1])}, "endings.isolated: expected bool, got int64"),
    ({"endings": ending(["a"], finished_at=["now"])}, "finished_at: expected timestamp"),
    (
        {"endings": ending(["a"], finished_at=[datetime.datetime(2026, 1, 1)])},
        "finished_at: expected timestamp.* got timestamp",
    ),
]


@pytest.mark.parametrize(("records", "why"), WRONG)
def test_rows_that_do_not_fit_are_refused_with_the_place(
    client: Client, records: Rows, why: str
) -> None:
    with pytest.raises(StoreError, match=why):
        client.append("w", 1, records)
    assert client.status()["rows"]["steps"] == 0


@pytest.mark.parametrize(
    "losses",
    [
        [1.0, None, 2.5],
        [1, None, 2],
        [None, None, None],
        np.array([1.0, 2.0, 3.0], dtype=np.float32),
        np.array([1, 2, 3], dtype=np.int16),
        [np.float64(1.0), np.float32(2.0), None],
        (1.0, 2.0, 3.0),
    ],
)
def test_columns_may_be_lists_tuples_or_arrays(tmp_path: Path, losses: Any) -> None:
    with local_store(tmp_path) as client:
        begun(client, "w", ["a"])
        client.append("w", 1, {"steps": steps(["a"] * 3, 1, train_loss=losses)})
        stored = rows(client, "select train_loss from steps")
    assert [row["train_loss"] for row in stored] == [
        None if v is None else float(v) for v in losses
    ]


class Color(enum.StrEnum):
    RED = "red"


TEXTS = ["", "a", "it's", "\x00", "\n", "größe", "🏔", "x" * 1000, "NULL", "{}"]
NUMBERS = [0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
REALS = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, math.nan, math.inf, -math.inf, None]


def test_every_value_comes_back_as_it_was_sent(tmp_path: Path) -> None:
    sent = list(itertools.product(TEXTS, NUMBERS, REALS))
    metrics, numbers, reals = (list(column) for column in zip(*sent, strict=True))
    with local_store(tmp_path) as client:
        begun(client, "w", ["a"])
        row: Rows = {"trial_id": ["a"] * len(sent), "probe": [Color.RED] * len(sent)}
        row |= {"key": metrics, "update": numbers, "value": reals}
        client.append("w", 1, {"probes": row})
        received = rows(client, "select key, update, value, probe, layer from probes")
    finite = [real if real is not None and math.isfinite(real) else None for real in reals]
    wanted = zip(metrics, numbers, finite, strict=True)
    assert [(r["key"], r["update"], repr(r["value"])) for r in received] == [
        (key, update, repr(value)) for key, update, value in wanted
    ]
    assert all((r["probe"], r["layer"]) == ("red", None) for r in received)


def test_a_flush_that_is_too_large_is_refused() -> None:
    many = wire.MAX_FLUSH_ROWS // 2 + 1
    probe: Rows = {"trial_id": ["a"] * many, "update": np.zeros(many, int)}
    probe |= {"probe": ["p"] * many, "key": ["k"] * many}
    batch = wire.encode({"probes": probe, "predictions": prediction(many)})
    with pytest.raises(StoreError, match="a flush of 1000002 rows is too large"):
        wire.decode("w", 1, pa.Table.from_batches([batch]))


def prediction(count: int) -> Rows:
    return {"trial_id": ["a"] * count, "key": ["k"] * count, "source": ["s"] * count}
