"""SQL that turns the tables of flushes into rows; runs inside the committer's transaction.

A usual flush has few rows, and to plan an insert costs DuckDB more than to run it. So each
statement is prepared once, over a view of the rows to come: see :class:`Inbox`.
"""

import contextlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from ..workloads.records import columns_of
from . import columns, wire
from .wire import Flush

Connection = duckdb.DuckDBPyConnection

_KNOWN_WRITER = "update ledger set sequence = $last where writer = $writer"
_LEDGER = pa.schema([("writer", pa.string()), ("sequence", pa.int64())])

_ENDED = ", ".join(f"{name} = new.{name}" for name in columns_of("endings") if name != "trial_id")

_SQL: Mapping[str, Sequence[str]] = {
    # A later summary of a trial's metric takes the place of the one before.
    "summaries": (
        "delete from summaries using incoming_summaries as new "
        "where summaries.trial_id = new.trial_id and summaries.metric = new.metric",
        "insert into summaries by name select * from incoming_summaries",
    ),
    # How trials ended is written into their rows.
    "endings": (
        f"update trials set {_ENDED} from incoming_endings as new "
        "where trials.trial_id = new.trial_id",
    ),
    "known_writers": (
        "update ledger set sequence = new.sequence from incoming_known_writers as new "
        "where ledger.writer = new.writer",
    ),
    "new_writers": ("insert into ledger by name select * from incoming_new_writers",),
}
"""What is written, where that is more than an insert into the table of this name -> how."""

_KEYS = {"summaries": ("trial_id", "metric"), "endings": ("trial_id",)}
"""Tables of a flush whose later rows replace earlier ones, and by what."""


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


class Inbox:
    """The rows of one table that a statement is to read, as a view that stays when they change.

    DuckDB asks a registered object for its stream each time a statement runs.
    """

    def __init__(self, schema: pa.Schema) -> None:
        # Not schema.empty_table(), which imports pandas.
        self.empty = pa.table([pa.nulls(0, field.type) for field in schema], schema=schema)
        self.table = self.empty

    def __arrow_c_schema__(self) -> Any:
        return self.table.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


class Writer:
    """Writes flushes through one connection. Not for several threads."""

    def __init__(self, con: Connection) -> None:
        self._con = con
        self._inboxes: dict[str, Inbox] = {}

    def prepare(self, flushes: Sequence[Flush]) -> None:
        """Plan what these flushes will need; outside a transaction, whose end could undo it."""
        together = {flush.writer for flush in flushes}
        ledger = {"known_writers", "new_writers"} if len(together) > 1 else {"new_writers"}
        for name in ledger.union(*(flush.tables for flush in flushes)):
            if name not in self._inboxes:
                self._plan(name)

    def write(self, flushes: Iterable[Flush]) -> None:
        """All rows of the flushes: each statement once per table, however many flushes."""
        parts: dict[str, list[pa.Table]] = {}
        for flush in flushes:
            for name, table in flush.tables.items():
                parts.setdefault(name, []).append(table)
        for name, tables in parts.items():
            self._run(name, newest(pa.concat_tables(tables), _KEYS.get(name, ())))

    def write_ledger(self, sequences: Mapping[str, int], known: Container[str]) -> None:
        """The last committed flush of each of these writers; the ledger has the known ones."""
        old = {writer: last for writer, last in sequences.items() if writer in known}
        new = {writer: last for writer, last in sequences.items() if writer not in known}
        if len(old) == 1:  # with one sender this is a good part of a commit, and a join twice that
            for writer, last in old.items():
                self._con.execute(_KNOWN_WRITER, {"writer": writer, "last": last})
        elif old:
            self._run("known_writers", _ledger(old))
        if new:
            self._run("new_writers", _ledger(new))

    def _plan(self, name: str) -> None:
        inbox = Inbox(_LEDGER if name.endswith("_writers") else wire.schema_of(name))
        self._con.register(f"incoming_{name}", inbox)
        for number, sql in enumerate(_statements(name)):
            self._con.execute(f"prepare write_{name}_{number} as {sql}")
        self._inboxes[name] = inbox

    def _run(self, name: str, rows: pa.Table) -> None:
        inbox = self._inboxes[name]
        inbox.table = rows
        for number, _ in enumerate(_statements(name)):
            self._con.execute(f"execute write_{name}_{number}")
        inbox.table = inbox.empty  # lets go of the memory


def _ledger(sequences: Mapping[str, int]) -> pa.Table:
    values = [columns.array(list(sequences)), columns.array(list(sequences.values()))]
    return pa.table(values, schema=_LEDGER)


def _statements(name: str) -> Sequence[str]:
    return _SQL.get(name, (f"insert into {name} by name select * from incoming_{name}",))


def newest(table: pa.Table, key: Sequence[str]) -> pa.Table:
    """Of the rows with equal ``key``, the last one: what several flushes say one after another."""
    if not key:
        return table
    values = zip(*(table[name].to_pylist() for name in key), strict=True)
    last = {value: place for place, value in enumerate(values)}
    return table if len(last) == table.num_rows else table.take(columns.array(list(last.values())))


@contextlib.contextmanager
def incoming(con: Connection, table: pa.Table) -> Iterator[None]:
    """``table`` as the view ``incoming``, seen by this connection only, for a single use."""
    con.register("incoming", table)
    yield
    # Not in a finally: inside a failed transaction nothing but its rollback is possible, and
    # that takes the view away as well.
    con.unregister("incoming")
