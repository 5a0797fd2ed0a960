"""Running queries: each on its own cursor, in a read-only transaction, under a time limit."""

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from . import named, sqlguard
from .errors import QueryError, StoreError, StoreUnreachable

TIME_LIMIT_S = 30.0
BATCH_ROWS = 65_536


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
        self._running: weakref.WeakSet[_Query] = weakref.WeakSet()
        self._is_open = True

    def stream(
        self, query: str, params: Mapping[str, Any]
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Schema and batches of a named query or a SELECT, computed while they are read.

        Raises QueryError, also while the batches are read.
        """
        sql = named.sql_of(query)
        running = _Query(self._cursor(), self._on_broken, self._time_limit_s)
        self._running.add(running)
        batches = running.start(sql, dict.fromkeys(named.optional(query)) | dict(params))
        return batches.schema, running.rest(batches)

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
        time_limit_s: float,
    ) -> None:
        self._cursor = cursor
        self._on_broken = on_broken
        self._time_limit_s = time_limit_s
        self._reason: StoreError | None = None
        self._clock = threading.Timer(time_limit_s, self._time_out)
        self._clock.daemon = True
        self._lock = threading.Lock()
        self._is_open = True

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
                sqlguard.check(self._cursor, sql)
                self._cursor.execute("begin transaction read only")
                self._clock.start()
                relation = self._cursor.sql(sql, params=dict(params))
                return relation.to_arrow_reader(BATCH_ROWS)
        except BaseException:
            self._close()
            raise

    def rest(self, batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """The batches of the result; raises QueryError."""
        try:
            with self._told():
                yield from batches
        finally:
            self._close()

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
            raise self._reason or QueryError(str(error)) from error

    def _time_out(self) -> None:
        self.interrupt(
            QueryError(
                f"the query took longer than {self._time_limit_s:g} s and was stopped: "
                "aggregate in SQL, restrict it to fewer trials, or export the sweep"
            )
        )

    def _close(self) -> None:
        self._clock.cancel()
        with self._lock:
            self._is_open = False
            self._cursor.close()
