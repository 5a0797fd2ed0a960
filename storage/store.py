"""The store as a whole: lock, database, committer, reader, server; its way in and its way out."""

import contextlib
import importlib.metadata
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from . import endpoint
from .access import Activity, Gate, Tokens, demand_sendable
from .backup import Backups
from .calls import Calls
from .committer import Committer
from .database import MEMORY_LIMIT, open_database
from .disk import Disk
from .endpoint import Endpoint
from .errors import StoreError, StoreUnreachable
from .migrate import version_of
from .reader import TIME_LIMIT_S, Reader
from .server import Server
from .wire import PROTOCOL

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
LOCK_PATIENCE_S = 1.0
VERSION = importlib.metadata.version("talweg")


class Store:
    """One database file, open and served until :meth:`close`. A context manager.

    ``tls`` is (certificate, key), both PEM. ``lock`` is a descriptor that holds the
    database's lock already. ``backups`` is the folder of backups, PATH.backups beside the
    database unless given. Raises StoreInUse when another process serves the file,
    SchemaTooNew, and StoreError when the file cannot be opened, or when ``host`` is not
    loopback and there are no tokens.
    """

    def __init__(
        self,
        database: str | Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        read_token: str | None = None,
        write_token: str | None = None,
        tls: tuple[bytes, bytes] | None = None,
        lock: int | None = None,
        time_limit_s: float = TIME_LIMIT_S,
        memory_limit: str = MEMORY_LIMIT,
        backups: Path | None = None,
    ) -> None:
        self.database = Path(database).resolve()
        self.activity = Activity()
        self._broken = threading.Event()
        self._started = time.monotonic()
        tokens = _tokens(host, read_token, write_token)
        _demand_free(host, port)
        # What is opened is closed in the opposite order, also when a later step fails.
        with _readable(self.database), contextlib.ExitStack() as stack:
            stack.callback(os.close, _held(self.database) if lock is None else lock)
            endpoint.clear(self.database)  # of a store that was killed
            con = stack.enter_context(self._opened(memory_limit))
            self._reader = Reader(con, self._broken.set, time_limit_s)
            self._committer = Committer(con.cursor(), self._broken.set)
            stack.callback(self._committer.close)
            folder = backups or endpoint.companion(self.database, "backups")
            self._backups = Backups(self.database, folder, self._reader)
            self._server = server = self._listen(host, port, tokens, tls)
            stack.callback(server.shutdown)  # accepts nothing more, finishes what it accepted
            stack.callback(self._backups.close)
            stack.callback(self._reader.close)
            self.url = _url(host, server.port, tls is not None)
            stack.callback(endpoint.withdraw, self.database)
            endpoint.publish(
                self.database,
                Endpoint(self.url, tokens.read, tokens.write, os.getpid(), VERSION),
            )
            self._closing = stack.pop_all()

    @contextlib.contextmanager
    def _opened(self, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
        con = open_database(self.database, memory_limit)
        try:
            yield con
            # A process in doubt about its memory leaves the log to the next one.
            if not self._broken.is_set():
                con.execute("checkpoint")
        finally:
            con.close()

    def _listen(
        self, host: str, port: int, tokens: Tokens, tls: tuple[bytes, bytes] | None
    ) -> Server:
        location = f"{'grpc+tls' if tls else 'grpc'}://{host}:{port}"
        disk = Disk(self.database)
        calls = Calls(
            self._committer, self._reader, self.status, self._backups.write, disk.demand_room
        )
        try:
            return Server(location, calls, Gate(tokens, self.activity), tls)
        except pa.ArrowException as error:
            raise StoreError(f"cannot listen at {location}: {error}; is `tls` PEM?") from error

    def wait(self, idle_exit_s: float | None, asked: threading.Event) -> None:
        """Return when ``asked`` to leave, or after ``idle_exit_s`` seconds without a call.

        Raises StoreUnreachable when the database is broken for this process; another may try.
        """
        while not asked.wait(0.2):
            if self._broken.is_set():
                raise StoreUnreachable(f"{self.database} cannot be served on; see the log")
            if idle_exit_s is not None and self.activity.idle_s > idle_exit_s:
                log.info("leaving: nobody called for %g s", idle_exit_s)
                return

    def status(self) -> dict[str, Any]:
        """Address, versions, uptime, rows per table, work waiting; JSON types only."""
        with self._reader.cursor() as con:
            return {
                "url": self.url,
                "database": str(self.database),
                "database_bytes": _size(self.database),
                "pid": os.getpid(),
                "version": VERSION,
                "protocol": PROTOCOL,
                "duckdb_version": duckdb.__version__,
                "schema_version": version_of(con),
                "uptime_s": time.monotonic() - self._started,
                "waiting": self._committer.waiting,
                "waiting_bytes": self._server.held,
                "rows": _rows(con),
            }

    def close(self) -> None:
        """Finish what was accepted, checkpoint, and let go of the file."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@contextlib.contextmanager
def _readable(database: Path) -> Iterator[None]:
    """A file that opens may be damaged further on, where tables begin."""
    try:
        yield
    except duckdb.Error as error:
        raise StoreError(
            f"{database} cannot be read: {error}; docs/store.md says what to do"
        ) from error


def _tokens(host: str, read: str | None, write: str | None) -> Tokens:
    if host not in LOOPBACK and (not read or not write):
        raise StoreError(
            f"host {host!r} can be reached from other machines: give the store a read token and "
            f"a write token, or serve on {LOOPBACK[0]}"
        )
    demand_sendable(read)
    demand_sendable(write)
    return Tokens(read or secrets.token_urlsafe(32), write or secrets.token_urlsafe(32))


def _demand_free(host: str, port: int) -> None:
    """Raises StoreError when nobody can listen there; Flight would say so to stderr only."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise StoreError(f"cannot listen at {host}:{port}: {error.strerror}") from error


def _held(database: Path) -> int:
    """The lock, waiting a moment: a client that only looks holds it for an instant too."""
    deadline = time.monotonic() + LOCK_PATIENCE_S
    try:
        while (handle := endpoint.try_lock(database)) is None:
            if time.monotonic() > deadline:
                raise endpoint.in_use(database)
            time.sleep(0.05)
    except OSError as error:
        raise StoreError(f"{database} cannot be used as a store: {error}") from error
    return handle


def _url(host: str, port: int, is_tls: bool) -> str:
    return f"{'grpc+tls' if is_tls else 'grpc'}://{ANY_HOST.get(host, host)}:{port}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _rows(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    names = con.execute("select table_name from duckdb_tables() order by 1").fetchall()
    counts = {name: con.execute(f"select count(*) from {name}").fetchall() for (name,) in names}
    return {name: int(rows[0][0]) for name, rows in counts.items()}
