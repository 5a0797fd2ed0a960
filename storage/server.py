"""The Arrow Flight face of the store.

DoPut carries rows in (``append``, ``register``), DoGet the result of a query out, DoAction
small questions and commands as JSON. Strangers were turned away by :mod:`.access` before.
"""

import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from .access import Gate, demand_write
from .calls import WRITING, Calls, Fields
from .errors import AccessDenied, QueryError, StoreError, StoreUnreachable, pack
from .room import Room

log = logging.getLogger(__name__)

MAX_PUT_BYTES = 512 * 2**20
MAX_HELD_BYTES = 512 * 2**20
"""Of all calls that carry rows together, from their first byte to their commit. Where there is no
room the store does not read, and so the senders wait; one call alone may always come."""

EXPECTED_BYTES = 4 * 2**20
"""What a call is taken to carry until it has arrived, and may be known."""


class Server(flight.FlightServerBase):
    """Listens from the moment it is made until ``shutdown()``."""

    def __init__(
        self, location: str, calls: Calls, gate: Gate, tls: tuple[bytes, bytes] | None = None
    ) -> None:
        self._calls = calls  # before the first call can arrive
        self._room = Room(MAX_HELD_BYTES)
        super().__init__(
            location, tls_certificates=[tls] if tls else None, middleware={Gate.NAME: gate}
        )

    @property
    def held(self) -> int:
        """Bytes of rows on their way into the database."""
        return self._room.held

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Rows, acknowledged with an empty message after the commit."""
        with _told():
            fields = _parsed(descriptor.command)
            demand_write(context, str(fields.get("call")))
            with _received(reader, self._room) as table:
                self._calls.put(fields, table)
        writer.write(b"")

    def do_get(
        self, context: flight.ServerCallContext, ticket: flight.Ticket
    ) -> flight.FlightDataStream:
        """The result of the query in the ticket, streamed."""
        with _told():
            fields = _parsed(ticket.ticket)
            query, params = str(fields.get("query")), fields.get("params") or {}
            if not isinstance(params, dict):
                raise QueryError(f"parameters are an object, not {type(params).__name__}")
            schema, batches = self._calls.reader.stream(query, params)
        return flight.GeneratorStream(schema, _told_while(batches))

    def do_action(
        self, context: flight.ServerCallContext, action: flight.Action
    ) -> Iterator[flight.Result]:
        """One of the JSON calls; the answer is JSON too."""
        with _told():
            if action.type in WRITING:
                demand_write(context, action.type)
            answer = self._calls.act(action.type, _parsed(action.body))
        return iter([flight.Result(pa.py_buffer(json.dumps(answer).encode()))])

    # Flight's own answers to these calls would be the traceback of a NotImplementedError.
    def list_flights(self, context: flight.ServerCallContext, criteria: bytes) -> Any:
        """Refused: what there is, the named query ``columns`` says."""
        raise _not_offered("list_flights")

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> Any:
        """Refused: a query is one call, do_get."""
        raise _not_offered("get_flight_info")

    def get_schema(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> Any:
        """None: a result carries its schema. From here, Flight would send an error's traceback."""
        return flight.SchemaResult(pa.schema([]))

    def do_exchange(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Refused: rows come in by do_put and go out by do_get."""
        raise _not_offered("do_exchange")

    def list_actions(self, context: flight.ServerCallContext) -> Any:
        """Refused: see docs/architecture.md."""
        raise _not_offered("list_actions")


@contextlib.contextmanager
def _received(reader: flight.MetadataRecordBatchReader, room: Room) -> Iterator[pa.Table]:
    """All that the client sends, while there is room for it; refused when it is too much."""
    room.take(EXPECTED_BYTES)
    counted = EXPECTED_BYTES
    try:
        batches, size = [], 0
        for chunk in _chunks(reader):
            batches.append(chunk)
            size += chunk.nbytes
            if size > MAX_PUT_BYTES:
                raise StoreError(
                    f"more than {MAX_PUT_BYTES} bytes in one call: send less at a time"
                )
            if size > counted:
                room.add(size - counted)
                counted = size
        room.add(size - counted)
        counted = size
        yield pa.Table.from_batches(batches, reader.schema)
    finally:
        room.add(-counted)


def _chunks(reader: flight.MetadataRecordBatchReader) -> Iterator[pa.RecordBatch]:
    """What arrives, as far as it is Arrow: Flight itself reads offsets that lead elsewhere."""
    try:
        for chunk in reader:
            if chunk.data is not None:  # None: a message without rows
                chunk.data.validate(full=True)
                yield chunk.data
    except pa.ArrowException as error:
        raise StoreError(f"what arrived is not valid Arrow: {error}") from error


def _parsed(body: Any) -> Fields:
    try:
        fields = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise StoreError(f"a call's arguments are not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise StoreError(f"a call's arguments are a JSON object, not {type(fields).__name__}")
    return fields


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Whatever goes wrong inside reaches the client as the StoreError it is."""
    try:
        yield
        return
    except StoreError as error:
        told = _as_flight(error)
    except Exception as error:
        log.exception("a call failed in an unforeseen way")
        told = _as_flight(StoreError(f"the store failed: {type(error).__name__}: {error}"))
    # Raised out here, without its cause: Flight may keep an exception for long, and the
    # traceback of the cause would keep the query's cursor with it.
    raise told


def _told_while(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with _told():
        yield from batches


def _not_offered(call: str) -> flight.FlightError:
    return _as_flight(StoreError(f"this store has no {call}: use do_put, do_get or do_action"))


def _as_flight(error: StoreError) -> flight.FlightError:
    kinds = {
        StoreUnreachable: flight.FlightUnavailableError,
        AccessDenied: flight.FlightUnauthorizedError,
    }
    kind = kinds.get(type(error), flight.FlightServerError)
    return kind("refused by the store", extra_info=pack(error))
