"""Queries: read-only, limited, named, and with proper types."""

import datetime
import re
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from talweg.storage import named, sqlguard
from talweg.storage.client import Client, connect
from talweg.storage.database import open_database
from talweg.storage.errors import QueryError
from talweg.storage.store import Store

from .storage_helpers import begun, local_store, rows, steps, updates


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("sql")) as client:
        begun(client, "w", ["a"]).append("w", 1, {"steps": steps(["a"] * 3, 1)})
        yield client


HOSTILE = [
    "copy steps to '/tmp/stolen.csv'",
    "copy steps from '/etc/passwd'",
    "attach '/tmp/other.duckdb'",
    "detach test",
    "install httpfs",
    "load httpfs",
    "pragma database_list",
    "pragma enable_profiling",
    "set threads = 1",
    "reset threads",
    "set global enable_external_access = true",
    "insert into steps select * from steps",
    "update steps set train_loss = 0",
    "delete from steps",
    "truncate steps",
    "merge into ledger using ledger as l on true when matched then delete",
    "create table mine(x int)",
    "create temp table mine(x int)",
    "create or replace view steps as select 1",
    "create function f(x) as x",
    "create secret (type s3)",
    "drop table steps",
    "alter table steps add column x int",
    "vacuum",
    "checkpoint",
    "begin transaction",
    "commit",
    "prepare q as select 1",
    "execute q",
    "call pragma_version()",
    "use memory",
    "export database '/tmp/stolen'",
    "import database '/tmp/stolen'",
    "explain analyze delete from steps",
    "with gone as (delete from steps returning 1) select * from gone",
    "select 1; select 2",
    "select 1; delete from steps",
    "",
    "-- nothing",
    ";",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from system.main.read_text('/etc/passwd')",
    "select * from \"READ_TEXT\"('/etc/passwd')",
    "select (select content from read_text('/etc/passwd'))",
    "select * from (values (1)) t, lateral (select * from read_text('/etc/passwd'))",
    "with x as (from read_text('/etc/passwd')) select * from x union all from x",
    "from '/etc/passwd'",
    "select * from 'test.duckdb.endpoint'",
    "select * from glob('/*')",
    "select * from parquet_metadata('/tmp/x.parquet')",
    "select * from sniff_csv('/etc/passwd')",
    "select getenv('HOME')",
    "select * from query('delete from steps')",
    "select * from query('select * from read_text(''/etc/passwd'')')",
    "select * from query_table('steps')",
    "select * from force_checkpoint()",
    "select * from enable_logging()",
    "select * from arrow_scan(1::pointer, 2::pointer, 3::pointer)",
    "select * from pandas_scan(1::pointer)",
    "select json_serialize_plan('select * from arrow_scan(1, 2, 3)')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select write_log('spoof')",
    "select nextval('s')",
    "select sleep_ms(1000000)",
    "select pg_sleep(1000)",
    "select * from duckdb_secrets()",
    "select * from client",
    "select * from fields",
]


@pytest.mark.parametrize("sql", HOSTILE)
def test_hostile_sql_is_refused_and_the_store_unharmed(client: Client, sql: str) -> None:
    with pytest.raises(QueryError):
        client.query(sql)
    assert updates(client, "a") == [1, 1, 1]


def test_the_endpoint_file_cannot_be_read_through_the_store(client: Client) -> None:
    for path in (client.where, f"{client.where}.endpoint", f"{client.where}.lock"):
        for function in ("read_text", "read_blob", "read_csv", "read_json"):
            with pytest.raises(QueryError, match="not allowed"):
                client.query(f"select * from {function}('{path}')")


@pytest.mark.parametrize("sql", ["select * from read_text('/etc/passwd')", "delete from steps"])
def test_behind_the_guard_the_database_itself_refuses(tmp_path: Path, sql: str) -> None:
    con = open_database(tmp_path / "test.duckdb")
    con.execute("begin transaction read only")
    with pytest.raises(duckdb.Error, match=r"disabled by configuration|read-only"):
        con.execute(sql)
    con.close()


ALLOWED = [
    "select 1 as x",
    "SELECT 1 AS x;  -- with a comment",
    "(select 1 as x) union all (select 2)",
    "from steps select count(*) as x",
    "values (1)",
    "with recursive r as (select 1 as x union all select x + 1 from r where x < 3) from r",
    "describe steps",
    "show tables",
    "summarize steps",
    "select * from range(3), unnest([1, 2]) as u(y), generate_series(1, 2) as g(z)",
    "select list_transform([1], lambda x: x + 1) as x",
    "select * from steps asof join steps as s using (trial_id, update)",
    "select value from json_each('[1, 2]')",
    "select lttb(update, train_loss, 2) as x from steps",
    "select column_name from duckdb_columns()",
    "select table_name from information_schema.tables",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_ordinary_selects_are_answered(client: Client, sql: str) -> None:
    assert client.query(sql).num_columns > 0


@pytest.mark.parametrize("name", named.names())
def test_every_named_query_passes_the_guard(name: str) -> None:
    with duckdb.connect() as con:
        sqlguard.check(con, named.sql_of(name))


def test_a_misspelt_name_is_answered_with_the_nearest(client: Client) -> None:
    with pytest.raises(QueryError, match="no query named 'sweps'; did you mean 'sweeps'"):
        client.query("sweps")


def test_a_name_is_not_a_path() -> None:
    with pytest.raises(QueryError):
        named.sql_of("__init__")
    assert named.sql_of("../queries/sweeps") == "../queries/sweeps"


def test_the_complaint_of_the_database_arrives_without_noise(client: Client) -> None:
    with pytest.raises(QueryError) as complaint:
        client.query("select train_los from steps")
    assert str(complaint.value).startswith('Binder Error: Referenced column "train_los" not found')
    assert "grpc" not in str(complaint.value).lower()
    with pytest.raises(QueryError, match=r"Overflow|out of range"):
        client.query("select (9223372036854775807 + i)::bigint from range(100000) t(i)")


def test_parameters_of_every_kind(client: Client) -> None:
    given = {"text": "a'b", "number": 2, "real": 0.5, "truth": True, "nothing": None}
    (row,) = rows(client, "select $text, $number, $real, $truth, $nothing", **given)
    assert list(row.values()) == ["a'b", 2, 0.5, True, None]
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    (row,) = rows(
        client,
        "select list_sum($list) as total, $moment::timestamptz as moment, $scalar + 1 as more",
        list=np.arange(4),
        moment=moment,
        scalar=np.int64(6),
    )
    assert row == {"total": 6, "moment": moment, "more": 7}


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({}, "parameters: a"),
        ({"a": 1, "b": 2}, "excess parameters: b"),
        ({"a": float("nan")}, "cannot be sent"),
        ({"a": object()}, "has no JSON form"),
    ],
)
def test_wrong_parameters_are_refused(client: Client, params: dict[str, object], why: str) -> None:
    with pytest.raises(QueryError, match=why):
        client.query("select $a", params)


def test_results_carry_their_types(client: Client) -> None:
    table = client.query(
        "select update, train_loss, trial_id, true as b, now() as t, null::double as n from steps"
    )
    kinds = [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.timestamp("us", "UTC")]
    assert table.schema.types == [*kinds, pa.float64()]
    assert client.query("select * from steps where false").schema.names[0] == "trial_id"


def test_sums_of_integers_are_integers(client: Client) -> None:
    table = client.query(
        "select sum(i) as small, sum(i) * 10::hugeint**20 as large from range(4) t(i)"
    )
    assert table.to_pylist() == [{"small": 6, "large": 6 * 10**20}]
    assert table.schema.field("small").type == pa.int64()
    assert client.query("select sum(1) as n where false")["n"].type == pa.int64()


def test_a_result_of_many_batches_arrives_whole(client: Client) -> None:
    numbers = client.query("select i from range(300_000) t(i)")["i"]
    assert numbers.to_numpy().sum() == 299_999 * 300_000 // 2


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from range(100_000_000_000)",
        "select * from range(100_000_000_000)",
        "select sum(a.i * b.i) from range(10_000_000) a(i), range(10_000_000) b(i)",
    ],
)
def test_a_query_that_takes_too_long_is_stopped(tmp_path: Path, sql: str) -> None:
    with Store(tmp_path / "test.duckdb", time_limit_s=0.3) as store:
        client = connect(store.database)
        started = time.monotonic()
        with pytest.raises(QueryError, match=r"took longer than 0\.3 s and was stopped"):
            client.query(sql)
        assert time.monotonic() - started < 10
        assert rows(client, "select 1 as x") == [{"x": 1}]


def test_queries_see_committed_flushes_while_others_are_written(client: Client) -> None:
    for sequence in range(2, 12):
        client.append("w", sequence, {"steps": steps(["a"] * 7, sequence)})
        (row,) = rows(client, "select count(*) as n from steps where update = $u", u=sequence)
        assert row == {"n": 7}


def test_every_part_of_queries_is_included_by_several() -> None:
    folder = Path(named.__file__).with_name("queries")
    written = "\n".join(path.read_text() for path in folder.glob("*.sql"))
    for part in (folder / "parts").glob("*.sql"):
        assert len(re.findall(rf"^-- include {part.stem},?$", written, re.M)) > 1, part.stem
    for name in named.names():
        assert not re.search(r"^-- include \w+,?$", named.sql_of(name), re.M)
