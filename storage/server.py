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
from .errors import AccessDenied, StoreError, StoreUnreachable, pack

log = logging.getLogger(__name__)

MAX_PUT_BYTES = 512 * 2**20


class Server(flight.FlightServerBase):
    """Listens from the moment it is made until ``shutdown()``."""

    def __init__(
        self, location: str, calls: Calls, gate: Gate, tls: tuple[bytes, bytes] | None = None
    ) -> None:
        self._calls = calls  # before the first call can arrive
        super().__init__(
            location, tls_certificates=[tls] if tls else None, middleware={Gate.NAME: gate}
        )

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
            self._calls.put(fields, _received(reader))
        writer.write(b"")

    def do_get(
        self, context: flight.ServerCallContext, ticket: flight.Ticket
    ) -> flight.FlightDataStream:
        """The result of the query in the ticket, streamed."""
        with _told():
            fields = _parsed(ticket.ticket)
            query, params = str(fields.get("query")), fields.get("params") or {}
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
    try:
        fields = json.loads(bytes(body))
    except ValueError as error:
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


def _as_flight(error: StoreError) -> flight.FlightError:
    kinds = {
        StoreUnreachable: flight.FlightUnavailableError,
        AccessDenied: flight.FlightUnauthorizedError,
    }
    kind = kinds.get(type(error), flight.FlightServerError)
    return kind("refused by the store", extra_info=pack(error))
