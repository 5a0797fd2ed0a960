"""Databases that earlier versions of talweg left behind open, migrate, and keep their rows."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from talweg.storage import check, migrate
from talweg.storage.database import open_database

from .fixtures import make_databases as old
from .storage_helpers import local_store, rows

VERSIONS = list(migrate.available())


def plain(value: Any) -> Any:
    """Instants and JSON as they were written."""
    return f"{value:%F %T}+00" if hasattr(value, "tzinfo") else value


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_every_version_opens_and_keeps_its_rows(version: int, tmp_path: Path) -> None:
    old.unpack(version, tmp_path / "test.duckdb")
    with local_store(tmp_path) as client:
        assert client.status()["schema_version"] == max(VERSIONS)
        for table, expected in old.rows_at(version).items():
            found = rows(client, f"select * from {table}")
            assert len(found) == len(expected), table
            for wanted in expected:
                kept = [{name: plain(row[name]) for name in wanted} for row in found]
                assert wanted in kept, table
                # What nobody wrote is NULL, or the default of attempt.
                (row,) = (r for r, k in zip(found, kept, strict=True) if k == wanted)
                assert {row[name] or None for name in row.keys() - wanted.keys()} <= {None}
        assert [one for one in check.examine(client) if not one.ok] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_files_are_of_the_version_in_their_names(version: int, tmp_path: Path) -> None:
    old.unpack(version, tmp_path / "test.duckdb")
    with duckdb.connect(tmp_path / "test.duckdb", read_only=True) as con:
        assert migrate.version_of(con) == version


def test_an_old_database_goes_on_where_it_was(tmp_path: Path) -> None:
    old.unpack(1, tmp_path / "test.duckdb")
    with local_store(tmp_path) as client:
        assert client.finished(["a", "b", "c"]) == {"a": "done"}
        assert client.begin("new", ["a", "b", "c"]) == ["b", "c"]
        # The ledger was kept: the old writer's next flush is its fourth, and b is not its own.
        sent = {"steps": {"trial_id": ["b"], "update": [1], "samples": [1],
                          "gradient_evaluations": [1], "epoch": [0.1], "lr": [0.1]}}  # fmt: skip
        client.append("w", 3, sent)  # seen before: dropped
        assert rows(client, "select count(*) as n from steps where trial_id = 'b'") == [{"n": 0}]


def test_a_migration_that_fails_half_way_leaves_an_old_database_as_it_was(tmp_path: Path) -> None:
    database = tmp_path / "test.duckdb"
    old.unpack(1, database)
    bad = tmp_path / "bad.sql"
    bad.write_text("drop table steps; update trials set slug = 'lost'; select nonsense;")
    with duckdb.connect(database) as con, pytest.raises(duckdb.Error, match="nonsense"):
        migrate.migrate(con, {1: migrate.available()[1], 2: bad})
    with duckdb.connect(database) as con:
        assert migrate.version_of(con) == 1
        slugs = con.execute("select slug from trials order by 1").fetchall()
        assert slugs == [("batch-s0",), ("batch-s1",), ("batch-s2",)]
        assert con.execute("select count(*) from steps").fetchall() == [(3,)]
    open_database(database).close()  # and a version without the mistake migrates it
