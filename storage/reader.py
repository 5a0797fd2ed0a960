"""Running queries: each on its own cursor, in a read-only transaction, under a time limit."""

import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from . import named, sqlguard
from .errors import QueryError, StoreError, StoreUnreachable

log = logging.getLogger(__name__)

TIME_LIMIT_S = 30.0
OVERDUE_S = 30.0
"""After its time limit a query is interrupted. DuckDB looks for that between steps; one that has
not ended so much later will take a core for ever."""

BATCH_ROWS = 65_536
MAX_RUNNING = 32
"""Queries at a time: each may take memory that DuckDB's limit does not count. Others wait."""


class Reader:
    """Runs the queries of any number of threads on one database.

    ``on_broken`` is called when a query met a bug of DuckDB, after which nothing works.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        on_broken: Callable[[], None],
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self._con = con
        self._on_broken = on_broken
        self._time_limit_s = time_limit_s
        self._lock = threading.Lock()
        self._places = threading.Semaphore(MAX_RUNNING)
        self._running: weakref.WeakSet[_Query] = weakref.WeakSet()
        self._is_open = True

    def stream(
        self, query: str, params: Mapping[str, Any]
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Schema and batches of a named query or a SELECT, computed while they are read.

        Raises QueryError, also while the batches are read.
        """
        sql = named.sql_of(query)
        given = dict.fromkeys(named.optional(query)) | dict(params)
        running = self._query()
        self._running.add(running)
        batches = running.start(sql, given)
        return batches.schema, running.rest(batches)

    def _query(self) -> "_Query":
        """A query to start, in its turn."""
        if not self._places.acquire(timeout=self._time_limit_s):
            raise QueryError(
                f"the store is busy: {MAX_RUNNING} queries have run for {self._time_limit_s:g} s; "
                "ask again later"
            )
        try:
            cursor = self._cursor()
        except BaseException:
            self._places.release()
            raise
        return _Query(cursor, self._on_broken, self._places.release, self._time_limit_s)

    @contextlib.contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor for the store's own small reads."""
        with contextlib.closing(self._cursor()) as cursor:
            yield cursor

    def close(self) -> None:
        """Interrupt what runs and start nothing more."""
        with self._lock:
            self._is_open = False
        for query in list(self._running):
            query.interrupt(StoreUnreachable("the store is leaving"))

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if not self._is_open:
                raise StoreUnreachable("the store is leaving")
            # A cursor shares nothing but the database: no two threads meet in one connection.
            return self._con.cursor()


class _Query:
    """One running query; its cursor is closed when the stream ends, fails, or is dropped."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        on_broken: Callable[[], None],
        on_end: Callable[[], None],
        time_limit_s: float,
    ) -> None:
        self._cursor = cursor
        self._on_broken = on_broken
        self._on_end: Callable[[], None] | None = on_end
        self._time_limit_s = time_limit_s
        self._reason: StoreError | None = None
        self._clock = threading.Timer(time_limit_s, self._time_out)
        self._clock.daemon = True
        self._lock = threading.Lock()
        self._is_open = True
        self._is_computing = False  # else it waits for its reader

    def interrupt(self, reason: StoreError) -> None:
        """Stop the query from another thread; whoever reads it gets ``reason``."""
        # Interrupting a closed cursor is an error, and its clock may strike at any moment.
        with self._lock:
            if self._is_open:
                self._reason = reason
                self._cursor.interrupt()

    def start(self, sql: str, params: Mapping[str, Any]) -> pa.RecordBatchReader:
        """The result as far as its schema; raises QueryError."""
        try:
            with self._told():
                self._clock.start()
                sqlguard.check(self._cursor, sql)
                self._cursor.execute("begin transaction read only")
                with self._computing():
                    relation = self._cursor.sql(sql, params=dict(params))
                    return relation.to_arrow_reader(BATCH_ROWS)
        except BaseException:
            self._close()
            raise

    def rest(self, batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """The batches of the result; raises QueryError."""
        try:
            with self._told():
                while (batch := self._next(batches)) is not None:
                    yield batch
        finally:
            self._close()

    def _next(self, batches: pa.RecordBatchReader) -> pa.RecordBatch | None:
        with self._computing():
            return next(batches, None)

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        self._is_computing = True
        try:
            yield
        finally:
            self._is_computing = False

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except duckdb.FatalException as error:
            # Somebody's query before this one broke the database; the next store is fine.
            self._on_broken()
            raise StoreUnreachable(f"the store had to stop: {error}") from error
        except duckdb.InternalException as error:
            self._on_broken()
            raise QueryError(f"DuckDB has a bug that this query meets: {error}") from error
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            # What DuckDB advises after a blank line, to change settings, is not the caller's to do.
            raise self._reason or QueryError(str(error).split("\n\nPossible sol")[0]) from error

    def _time_out(self) -> None:
        self.interrupt(
            QueryError(
                f"the query took longer than {self._time_limit_s:g} s and was stopped: "
                "aggregate in SQL, restrict it to fewer trials, or export the sweep"
            )
        )
        # A caller who does not read what was asked for must not keep others waiting.
        self._make_place()
        overdue = threading.Timer(OVERDUE_S, self._give_up)
        overdue.daemon = True
        overdue.start()

    def _give_up(self) -> None:
        if self._is_open and self._is_computing:
            log.error("a query cannot be stopped: this process gives way to another one")
            self._on_broken()

    def _make_place(self) -> None:
        with self._lock:
            on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end()

    def _close(self) -> None:
        self._clock.cancel()
        with self._lock:
            self._is_open = False
            self._cursor.close()
        self._make_place()
