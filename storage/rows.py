"""SQL that turns the tables of flushes into rows; runs inside the committer's transaction."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping

import duckdb
import pyarrow as pa

from .wire import Flush

Connection = duckdb.DuckDBPyConnection


@contextlib.contextmanager
def transaction(con: Connection) -> Iterator[None]:
    """Commit what the block did, or nothing of it."""
    con.execute("begin transaction")
    try:
        yield
    except BaseException:
        con.execute("rollback")
        raise
    con.execute("commit")


@contextlib.contextmanager
def incoming(con: Connection, table: pa.Table) -> Iterator[None]:
    """``table`` as the view ``incoming``, seen by this connection only."""
    con.register("incoming", table)
    try:
        yield
    finally:
        con.unregister("incoming")


def write(con: Connection, flushes: Iterable[Flush]) -> None:
    """All rows of the flushes: one statement per table, however many flushes."""
    parts: dict[str, list[pa.Table]] = {}
    for flush in flushes:
        for name, table in flush.tables.items():
            parts.setdefault(name, []).append(table)
    for name, tables in parts.items():
        with incoming(con, pa.concat_tables(tables)):
            _WRITERS.get(name, _insert)(con, name)


def _insert(con: Connection, name: str) -> None:
    con.execute(f"insert into {name} by name select * from incoming")


def _replace_summaries(con: Connection, name: str) -> None:
    """A later summary of a trial's metric takes the place of the one before."""
    con.execute(
        "delete from summaries using incoming as new "
        "where summaries.trial_id = new.trial_id and summaries.metric = new.metric"
    )
    con.execute(f"insert into summaries by name {_newest('trial_id, metric')}")


def _update_trials(con: Connection, name: str) -> None:
    """How trials ended, written into their rows."""
    columns = [row[0] for row in con.execute("describe incoming").fetchall()]
    values = ", ".join(f"{c} = new.{c}" for c in columns if c != "trial_id")
    con.execute(
        f"update trials set {values} from ({_newest('trial_id')}) as new "
        "where trials.trial_id = new.trial_id"
    )


def _newest(key: str) -> str:
    """Of the incoming rows with equal key, the last one sent."""
    return (
        "select * exclude (position) from "
        "(select *, row_number() over () as position from incoming) "
        f"qualify row_number() over (partition by {key} order by position desc) = 1"
    )


_WRITERS: Mapping[str, Callable[[Connection, str], None]] = {
    "summaries": _replace_summaries,
    "endings": _update_trials,
}


def write_ledger(con: Connection, sequences: Mapping[str, int]) -> None:
    """The last committed flush of each of these writers."""
    rows = pa.table({"writer": list(sequences), "sequence": list(sequences.values())})
    with incoming(con, rows):
        con.execute("delete from ledger using incoming as new where ledger.writer = new.writer")
        con.execute("insert into ledger by name select * from incoming")
