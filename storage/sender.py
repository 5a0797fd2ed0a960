"""A background thread that sends a writer's flushes in order, and keeps them until acknowledged."""

import logging
import queue
import threading
from typing import Self

import pyarrow as pa

from ..workloads.records import Records
from . import wire
from .client import Client
from .errors import StoreError
from .room import Room

log = logging.getLogger(__name__)

MAX_WAITING = 32
MAX_WAITING_BYTES = 256 * 2**20
TELL_AFTER_S = 1.0


class Sender:
    """``with Sender(client, writer) as sender: sender.put(records)``.

    Training goes on while rows travel; when ``max_waiting`` flushes, or fewer that are large, are
    on their way, ``put`` waits, and says so in the log after a second. Leaving the block waits
    until everything is acknowledged. A failure (Fenced, or no store for longer than the client's
    patience) is raised by the next ``put`` or at the end; what could not be sent by then is given
    up.
    """

    def __init__(self, client: Client, writer: str, max_waiting: int = MAX_WAITING) -> None:
        self._client = client
        self._writer = writer
        self._waiting: queue.Queue[pa.RecordBatch | None] = queue.Queue()
        self._least = MAX_WAITING_BYTES // max_waiting  # what a flush counts at the least
        self._room = Room(self._least * max_waiting)
        self._is_told = False
        self._failure: Exception | None = None
        self._acknowledged = 0
        self._thread = threading.Thread(target=self._run, name=f"sender-{writer}", daemon=True)
        self._thread.start()

    def put(self, records: Records) -> None:
        """Hand over one flush; the caller may change its arrays afterwards.

        Raises StoreError at once for rows that do not fit their tables, and the failure of an
        earlier flush.
        """
        self._raise_failure()
        if not self._thread.is_alive():
            raise StoreError(f"the sender of {self._writer!r} is closed: put rows before that")
        # Encoded here: the caller may reuse its arrays, and hears of misfits in its own thread.
        batch = wire.encode(records)
        if batch.num_rows:
            self._wait_for_room(batch)
            self._waiting.put(batch)

    def _wait_for_room(self, batch: pa.RecordBatch) -> None:
        size = self._size(batch)
        if self._room.take(size, TELL_AFTER_S):
            self._is_told = False
            return
        if not self._is_told:  # once for each time that it is, not for each flush
            log.warning("the store of %s is busy or away: waiting", self._client.where)
            self._is_told = True
        self._room.take(size)

    def _size(self, batch: pa.RecordBatch) -> int:
        return max(self._least, int(batch.nbytes))

    @property
    def acknowledged(self) -> int:
        """Flushes that the store has acknowledged; after :meth:`wait` all that were put."""
        return self._acknowledged

    def wait(self) -> None:
        """Return once everything put so far is acknowledged; raises what went wrong on the way.

        The sender stays open. Rows up to a checkpoint, say, are safe then.
        """
        self._waiting.join()
        self._raise_failure()

    def close(self) -> None:
        """Wait until all is acknowledged; raises what went wrong on the way. Idempotent."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()
        self._raise_failure()

    def _run(self) -> None:
        sequence = 0
        while (batch := self._waiting.get()) is not None:
            # After a failure it keeps taking, so that no put() and no wait() waits for ever.
            if self._failure is None:
                sequence += 1
                self._send(sequence, batch)
            self._room.add(-self._size(batch))
            self._waiting.task_done()
        self._waiting.task_done()

    def _send(self, sequence: int, batch: pa.RecordBatch) -> None:
        try:
            self._client.append_encoded(self._writer, sequence, batch)
            self._acknowledged = sequence
        except Exception as error:
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
