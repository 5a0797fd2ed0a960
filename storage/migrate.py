"""Bringing a database file to the tables this version knows: numbered SQL files, once each."""

import importlib.resources
import re
from collections.abc import Mapping
from importlib.resources.abc import Traversable

import duckdb

from . import migrations
from .errors import SchemaTooNew

_NAME = re.compile(r"(\d{4})_\w+\.sql")


def available() -> Mapping[int, Traversable]:
    """Version -> the SQL file that leads to it from the version before."""
    files = importlib.resources.files(migrations).iterdir()
    numbered = {int(m[1]): file for file in files if (m := _NAME.fullmatch(file.name))}
    return dict(sorted(numbered.items()))


def version_of(con: duckdb.DuckDBPyConnection) -> int:
    """The schema version of an open database; 0 for an empty one."""
    try:
        rows = con.execute("select coalesce(max(version), 0) from schema_version").fetchall()
    except duckdb.CatalogException:
        return 0  # there is no such table yet
    return int(rows[0][0])


def migrate(con: duckdb.DuckDBPyConnection, steps: Mapping[int, Traversable] | None = None) -> int:
    """Apply what is missing, each file in its own transaction; returns the version reached.

    Raises SchemaTooNew, and changes nothing, when the database is ahead of this code.
    """
    steps = available() if steps is None else steps
    present, newest = version_of(con), max(steps)
    if present > newest:
        raise SchemaTooNew(
            f"the database has schema version {present}, this talweg knows versions up to "
            f"{newest}: upgrade talweg, or use another --store"
        )
    try:
        for version in range(present + 1, newest + 1):
            _apply(con, version, steps[version].read_text())
    finally:
        # Changes of tables are the part of a write-ahead log that is most often hard to replay.
        if present < newest:
            con.execute("checkpoint")
    return newest


def _apply(con: duckdb.DuckDBPyConnection, version: int, sql: str) -> None:
    con.execute("begin transaction")
    try:
        con.execute(sql)
        con.execute(
            "create table if not exists schema_version("
            "version integer not null, applied_at timestamptz not null)"
        )
        con.execute("insert into schema_version values (?, now())", [version])
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
