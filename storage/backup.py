"""A copy of the whole database while it is written to: one snapshot, into a file of its own.

The rows pass through a read transaction of the serving database into a second one, as Arrow
batches: readers and writers go on, and the serving database needs no access to other files.
The copy stands in the store's own folder of backups; callers choose its name, never its place.
"""

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from .database import BARE
from .errors import StoreError, StoreUnreachable
from .reader import BATCH_ROWS, Reader

Connection = duckdb.DuckDBPyConnection

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
COPY_CONFIG: Mapping[str, Any] = {
    "memory_limit": "512MB",  # beside the serving database, which has its own
    "threads": 1,
    **BARE,
}
SPARE_BYTES = 256 * 2**20
"""Room that a backup leaves to the commits that go on beside it."""


class Backups:
    """The backups of one served database, in one folder; one is written at a time."""

    def __init__(self, database: Path, folder: Path, reader: Reader) -> None:
        self._database = database
        self._folder = folder
        self._reader = reader
        self._leaving = threading.Event()
        self._writing = threading.Lock()

    def close(self) -> None:
        """Give up what is being written: the store leaves."""
        self._leaving.set()

    def write(self, name: str) -> Mapping[str, Any]:
        """Write the backup of this name; returns ``path``, ``bytes``, ``rows`` and ``seconds``.

        Raises StoreError for a name that is no plain file name, one that is taken, a lack of
        room, and while another backup is being written.
        """
        # DuckDB takes what is called NAME.wal for the log of NAME, and replays it.
        if not NAME.fullmatch(name) or name.lower().endswith(".wal"):
            raise StoreError(
                f"backup: {name!r} is not a plain file name (letters, digits, `.`, `-`, `_`, and "
                "not *.wal): a store writes backups only into its own folder"
            )
        if not self._writing.acquire(blocking=False):
            raise StoreError("another backup is being written: wait for its end")
        try:
            return self._write(self._folder / name)
        except OSError as error:
            raise StoreError(f"the backup {name!r} cannot be written: {error}") from error
        finally:
            self._writing.release()

    def _write(self, target: Path) -> Mapping[str, Any]:
        started = time.monotonic()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.exists():
            raise StoreError(f"there is a backup {target} already: choose another name")
        self._demand_room()
        with self._draft(target) as draft:
            rows = self._copy(draft)
        return {
            "path": str(target),
            "bytes": target.stat().st_size,
            "rows": rows,
            "seconds": time.monotonic() - started,
        }

    def _demand_room(self) -> None:
        log = self._database.with_name(f"{self._database.name}.wal")
        size = sum(path.stat().st_size for path in (self._database, log) if path.exists())
        free = shutil.disk_usage(self._folder).free
        if free < size + SPARE_BYTES:
            raise StoreError(
                f"{self._folder} has {free:,} bytes free, a backup may take {size:,} and commits "
                f"need {SPARE_BYTES:,} more: make room, or serve with another folder for backups"
            )

    @contextlib.contextmanager
    def _draft(self, target: Path) -> Iterator[Path]:
        """A file that takes the place of ``target`` when the block succeeds."""
        for left in self._folder.glob(".*.part*"):  # by a store that was killed
            left.unlink()
        draft = self._folder / f".{target.name}.part"
        try:
            yield draft
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.rename(target)
        finally:
            draft.unlink(missing_ok=True)

    def _copy(self, draft: Path) -> dict[str, int]:
        """All tables as of one moment; returns the rows of each."""
        config = dict(COPY_CONFIG)
        try:
            with self._reader.cursor() as source, duckdb.connect(draft, config=config) as copy:
                source.execute("begin transaction read only")
                tables = source.execute("select table_name, sql from duckdb_tables()").fetchall()
                copy.execute("set TimeZone = 'UTC'")
                rows = {}
                for name, definition in sorted(tables):
                    copy.execute(definition)
                    copy.register("incoming", self._batches(source, name))
                    copy.execute(f"insert into {name} by name select * from incoming")
                    copy.unregister("incoming")
                    rows[name] = _count(copy, name)
                    if rows[name] != (there := _count(source, name)):
                        raise StoreError(f"backup: {name} has {rows[name]} of {there} rows")
                copy.execute("checkpoint")
        except duckdb.Error as error:
            if self._leaving.is_set():
                raise StoreUnreachable("the store is leaving") from error
            raise StoreError(f"the backup failed: {error}") from error
        return rows

    def _batches(self, source: Connection, name: str) -> pa.RecordBatchReader:
        found = source.sql(f"from {name}").to_arrow_reader(BATCH_ROWS)

        def unless_leaving() -> Iterator[pa.RecordBatch]:
            for batch in found:
                if self._leaving.is_set():
                    raise StoreUnreachable("the store is leaving")
                yield batch

        return pa.RecordBatchReader.from_batches(found.schema, unless_leaving())


def _count(con: Connection, name: str) -> int:
    return int(con.execute(f"select count(*) from {name}").fetchall()[0][0])
