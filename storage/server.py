"""The Arrow Flight face of the store: three kinds of calls, mapped onto committer and reader.

DoPut carries what is written (``append``, ``register``), DoGet what a query returns, DoAction
the small questions and commands in JSON. Authentication happened in :mod:`.access` already.
"""

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from . import trials, wire
from .access import Activity, Gate, Tokens, demand_write
from .committer import Committer
from .errors import AccessDenied, StoreError, StoreUnreachable, pack
from .reader import Reader

log = logging.getLogger(__name__)

Fields = Mapping[str, Any]

MAX_PUT_BYTES = 512 * 2**20


class Server(flight.FlightServerBase):
    """Listens from the moment it is made until ``shutdown()``."""

    def __init__(
        self,
        location: str,
        tokens: Tokens,
        activity: Activity,
        committer: Committer,
        reader: Reader,
        status: Callable[[], Fields],
        tls: tuple[bytes, bytes] | None = None,
    ) -> None:
        self._committer = committer
        self._reader = reader
        self._status = status
        self._actions: Mapping[str, Callable[[Fields], Any]] = {
            "ping": lambda _: None,
            "status": lambda _: self._status(),
            "finished": self._finished,
            "begin": self._begin,
            "set_status": self._set_status,
        }
        super().__init__(
            location,
            tls_certificates=[tls] if tls else None,
            middleware={Gate.NAME: Gate(tokens, activity)},
        )

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """``append`` or ``register``; acknowledged with an empty message after the commit."""
        with _told():
            command = _parsed(descriptor.command)
            demand_write(context, str(command.get("call")))
            if command.get("call") == "append":
                self._append(command, _received(reader))
            elif command.get("call") == "register":
                self._register(command, _received(reader))
            else:
                raise StoreError(f"nothing is written by {command.get('call')!r}")
        writer.write(b"")

    def do_get(
        self, context: flight.ServerCallContext, ticket: flight.Ticket
    ) -> flight.FlightDataStream:
        """The result of the query in the ticket, streamed."""
        with _told():
            fields = _parsed(ticket.ticket)
            schema, batches = self._reader.stream(str(fields["query"]), fields.get("params", {}))
        return flight.GeneratorStream(schema, _told_while(batches))

    def do_action(
        self, context: flight.ServerCallContext, action: flight.Action
    ) -> Iterator[flight.Result]:
        """One of the JSON calls; the answer is JSON too."""
        with _told():
            if action.type not in self._actions:
                hint = wire.nearest(action.type, self._actions)
                raise StoreError(f"there is no call {action.type!r}{hint}")
            if action.type in ("begin", "set_status"):
                demand_write(context, action.type)
            answer = self._actions[action.type](_parsed(action.body))
        return iter([flight.Result(pa.py_buffer(json.dumps(answer).encode()))])

    def _append(self, command: Fields, batch: pa.Table) -> None:
        writer, sequence = _text(command, "writer"), command.get("sequence")
        if not isinstance(sequence, int) or sequence < 1:
            raise StoreError(f"sequence: {sequence!r} is not a positive integer (1, 2, 3 …)")
        self._committer.append(wire.decode(writer, sequence, batch))

    def _register(self, command: Fields, table: pa.Table) -> None:
        self._committer.change(lambda con: trials.register(con, command["sweep"], table))

    def _finished(self, fields: Fields) -> dict[str, str]:
        with self._reader.cursor() as con:
            return trials.finished(con, fields["trial_ids"])

    def _begin(self, fields: Fields) -> list[str]:
        writer = _text(fields, "writer")
        return self._committer.change(
            lambda con: trials.begin(con, writer, fields["trial_ids"]),
            after=lambda ledger, mine: ledger.owned(writer, mine),
        )

    def _set_status(self, fields: Fields) -> None:
        sweep_id, status = _text(fields, "sweep_id"), _text(fields, "status")
        self._committer.change(lambda con: trials.set_status(con, sweep_id, status))


def _received(reader: flight.MetadataRecordBatchReader) -> pa.Table:
    """All that the client sends, refused as soon as it is too much to hold."""
    batches, size = [], 0
    for chunk in reader:
        batches.append(chunk.data)
        size += chunk.data.nbytes
        if size > MAX_PUT_BYTES:
            raise StoreError(f"more than {MAX_PUT_BYTES} bytes in one call: send less at a time")
    return pa.Table.from_batches(batches, reader.schema)


def _parsed(body: Any) -> Fields:
    fields = json.loads(bytes(body))
    if not isinstance(fields, dict):
        raise StoreError(f"a call's arguments are a JSON object, not {type(fields).__name__}")
    return fields


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise StoreError(f"{name}: {value!r} is not a name")
    return value


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Whatever goes wrong inside reaches the client as the StoreError it is."""
    try:
        yield
    except StoreError as error:
        raise _as_flight(error) from error
    except Exception as error:
        log.exception("a call failed in an unforeseen way")
        told = StoreError(f"the store failed: {type(error).__name__}: {error}")
        raise _as_flight(told) from error


def _told_while(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with _told():
        yield from batches


def _as_flight(error: StoreError) -> flight.FlightError:
    kinds = {
        StoreUnreachable: flight.FlightUnavailableError,
        AccessDenied: flight.FlightUnauthorizedError,
    }
    kind = kinds.get(type(error), flight.FlightServerError)
    return kind("refused by the store", extra_info=pack(error))
