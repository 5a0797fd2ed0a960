"""SQL that brings archived rows back; runs inside the committer's transaction.

A trial comes back whole or not at all: all its rows travel in one call. What a trial of the
store has as results, or is being given now, is never touched.
"""

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from ..workloads.records import FINISHED
from . import wire
from .attempts import MEASURED
from .errors import StoreError
from .rows import incoming, newest
from .trials import columns, demand_known
from .wire import nearest

Connection = duckdb.DuckDBPyConnection

ABOUT = ("sweeps", "trials", "sweep_trials")
TABLES = (*ABOUT, *MEASURED)
"""The tables of an archive. Not in it: the store's own books, and what packs cost."""

_RESULTS = ", ".join(f"'{outcome.value}'" for outcome in FINISHED)
# As `idle` in fingerprint_trials.sql, less results.
_REPLACEABLE = (
    f"coalesce(outcome, '') not in ({_RESULTS}) "
    "and (attempt = 0 or outcome is not null or writer is null)"
)
_LISTED = "trial_id in (select unnest($ids::varchar[]))"


def write(con: Connection, tables: Mapping[str, pa.Table]) -> list[str]:
    """Enter the rows; returns the trials that are the archive's now, and nobody's to write.

    Trials come with all their rows, ``sweep_trials`` after the trials that they name. Sweeps
    and places in sweeps that the store has already are left as they are. Raises StoreError for
    tables and columns that there are not.
    """
    demand_tables(tables)
    for name in ABOUT:
        if name in tables:
            known = [column for column in columns(con, name) if column != "writer"]
            demand_known(name, tables[name].column_names, known)
    ids: list[str] = []
    if "trials" in tables:
        ids = _write_trials(con, newest(tables["trials"], ["trial_id"]))
    for name in MEASURED:
        if name in tables:
            _write_rows(con, name, wire.conform(name, tables[name]), ids)
    if "sweeps" in tables:
        _write_sweeps(con, tables["sweeps"])
    if "sweep_trials" in tables:
        _write_places(con, tables["sweep_trials"])
    return ids


def demand_tables(tables: Mapping[str, object]) -> None:
    """Raises StoreError for a table that an archive does not have."""
    for name in tables:
        if name not in TABLES:
            raise StoreError(f"table {name!r} cannot be restored{nearest(name, TABLES)}")


def _write_trials(con: Connection, trials: pa.Table) -> list[str]:
    with incoming(con, trials):
        asked = "select trial_id from incoming where trial_id not in "
        taken = f"(select trial_id from trials where not ({_REPLACEABLE}))"
        ids = [name for (name,) in con.execute(asked + taken).fetchall()]
        again = con.execute(f"select trial_id from trials where {_LISTED}", {"ids": ids})
        if old := [name for (name,) in again.fetchall()]:
            for table in ("trials", *MEASURED):
                con.execute(f"delete from {table} where {_LISTED}", {"ids": old})
        con.execute(
            f"insert into trials by name select * from incoming where {_LISTED}", {"ids": ids}
        )
    return ids


def _write_rows(con: Connection, name: str, table: pa.Table, ids: Sequence[str]) -> None:
    with incoming(con, table):
        con.execute(
            f"insert into {name} by name select * from incoming where {_LISTED}", {"ids": ids}
        )


def _write_sweeps(con: Connection, sweeps: pa.Table) -> None:
    # Of what was archived while it ran, nothing runs here.
    ended = "case when status in ('running', 'cancelling') then 'interrupted' else status end"
    with incoming(con, sweeps):
        con.execute(
            f"insert into sweeps by name select * replace ({ended} as status) from incoming "
            "where sweep_id not in (select sweep_id from sweeps)"
        )


def _write_places(con: Connection, places: pa.Table) -> None:
    with incoming(con, places):
        lost = con.execute(
            "select sweep_id, trial_id from incoming "
            "where trial_id not in (select trial_id from trials) limit 1"
        ).fetchall()
        for sweep_id, trial_id in lost:
            raise StoreError(
                f"sweep {sweep_id!r} has trial {trial_id!r}, which is not here: restore trials "
                "before their sweeps"
            )
        con.execute(
            "insert into sweep_trials by name select * from incoming anti join sweep_trials "
            "using (sweep_id, trial_id)"
        )
