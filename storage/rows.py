"""SQL that turns the tables of flushes into rows; runs inside the committer's transaction."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping

import duckdb
import pyarrow as pa

from ..workloads.records import columns_of
from .wire import Flush

Connection = duckdb.DuckDBPyConnection


class Uncertain(Exception):
    """A commit or a rollback failed: what holds now, only the next process can tell.

    DuckDB says so when memory runs out at that moment, and rows of a commit that it reported
    as failed have been seen in its tables. The write-ahead log has them with their ledger row
    or without both, so a fresh start is right either way.
    """


@contextlib.contextmanager
def transaction(con: Connection) -> Iterator[None]:
    """Commit what the block did, or nothing of it; raises Uncertain if neither is sure."""
    con.execute("begin transaction")
    try:
        yield
    except BaseException:
        _end(con, "rollback")
        raise
    _end(con, "commit")


def _end(con: Connection, how: str) -> None:
    try:
        con.execute(how)
    except duckdb.Error as error:
        raise Uncertain(f"{how} failed: {error}") from error


@contextlib.contextmanager
def incoming(con: Connection, table: pa.Table) -> Iterator[None]:
    """``table`` as the view ``incoming``, seen by this connection only."""
    con.register("incoming", table)
    yield
    # Not in a finally: inside a failed transaction nothing but its rollback is possible, and
    # that takes the view away as well.
    con.unregister("incoming")


def write(con: Connection, flushes: Iterable[Flush]) -> None:
    """All rows of the flushes: one statement per table, however many flushes."""
    parts: dict[str, list[pa.Table]] = {}
    for flush in flushes:
        for name, table in flush.tables.items():
            parts.setdefault(name, []).append(table)
    for name, tables in parts.items():
        _WRITERS.get(name, _insert)(con, name, pa.concat_tables(tables))


def _insert(con: Connection, name: str, table: pa.Table) -> None:
    with incoming(con, table):
        con.execute(f"insert into {name} by name select * from incoming")


def _replace_summaries(con: Connection, name: str, table: pa.Table) -> None:
    """A later summary of a trial's metric takes the place of the one before."""
    with incoming(con, newest(table, ["trial_id", "metric"])):
        con.execute(
            "delete from summaries using incoming as new "
            "where summaries.trial_id = new.trial_id and summaries.metric = new.metric"
        )
        con.execute("insert into summaries by name select * from incoming")


def _update_trials(con: Connection, name: str, table: pa.Table) -> None:
    """How trials ended, written into their rows."""
    values = ", ".join(f"{c} = new.{c}" for c in columns_of(name) if c != "trial_id")
    with incoming(con, newest(table, ["trial_id"])):
        con.execute(
            f"update trials set {values} from incoming as new where trials.trial_id = new.trial_id"
        )


_WRITERS: Mapping[str, Callable[[Connection, str, pa.Table], None]] = {
    "summaries": _replace_summaries,
    "endings": _update_trials,
}


def newest(table: pa.Table, key: list[str]) -> pa.Table:
    """Of the rows with equal ``key``, the last one: what several flushes say one after another."""
    numbered = table.select(key).append_column("row", pa.array(range(table.num_rows), pa.int64()))
    last = numbered.group_by(key, use_threads=False).aggregate([("row", "max")])
    return table if last.num_rows == table.num_rows else table.take(last["row_max"])


def write_ledger(con: Connection, sequences: Mapping[str, int]) -> None:
    """The last committed flush of each of these writers."""
    writers = list(sequences)
    con.execute(
        "delete from ledger where writer in (select unnest($writers))", {"writers": writers}
    )
    con.execute(
        "insert into ledger select unnest($writers), unnest($sequences)",
        {"writers": writers, "sequences": list(sequences.values())},
    )
