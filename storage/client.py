"""The client: what engine, sweep, dashboard and commands know of the store.

``connect("talweg.duckdb")`` finds the store of that file, or starts it as a child process;
``connect("grpc://host:port", token=…)`` uses a team's store. A client survives the store:
when it dies or is replaced, the call that noticed waits, looks again, and is repeated.
Importing this module costs pyarrow, and neither torch nor duckdb.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.flight as flight

from ..workloads.records import Columns, Records
from . import calibrations, wire
from .access import demand_sendable
from .connection import Address, Connection
from .errors import QueryError, StoreError

PING_TIMEOUT_S = 5.0
_URL = re.compile(r"grpc(\+tcp|\+tls)?://([^/@:\s]+|\[[0-9a-fA-F:]+\]):\d+")
QUERY_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 120.0
BACKUP_TIMEOUT_S = 6 * 3600.0
REGISTER_CHUNK_ROWS = 20_000


def connect(
    where: str | Path,
    *,
    token: str | None = None,
    patience_s: float = 60.0,
    start: bool = True,
    scope: str = "write",
    ca: str | Path | None = None,
) -> "Client":
    """A client of the store at ``where``, which has answered once.

    ``where`` is a database file (``talweg.duckdb``; its store is started when ``start`` and
    none runs) or a URL (``grpc://host:port``, ``grpc+tls://host:port`` with ``ca``, a PEM file
    of trusted roots). ``scope`` is "read" or "write": which token of an embedded store to use.
    Raises StoreUnreachable after ``patience_s``, SchemaTooNew, AccessDenied.
    """
    client = Client(where, token=token, patience_s=patience_s, start=start, scope=scope, ca=ca)
    client.ping()
    return client


class Client:
    """A store, as seen from any other process. Thread-safe, picklable, a context manager.

    Every method raises StoreUnreachable when no store answers within ``patience_s``,
    AccessDenied when the token does not allow it, and StoreError with the store's reason.
    """

    def __init__(
        self,
        where: str | Path,
        *,
        token: str | None = None,
        patience_s: float = 60.0,
        start: bool = True,
        scope: str = "write",
        ca: str | Path | None = None,
    ) -> None:
        if scope not in ("read", "write"):
            raise StoreError(f"scope: {scope!r} is not known (known: read, write)")
        demand_sendable(token)
        authority = str(ca) if ca else None
        self._connection = Connection(
            Address(_place(where), token, patience_s, start, scope, authority)
        )

    @property
    def where(self) -> str:
        """The database file (absolute) or URL this client was made for."""
        return self._connection.address.where

    def ping(self) -> None:
        """Return once a store has answered."""
        self._control("ping", timeout_s=PING_TIMEOUT_S)

    def query(self, query: str, params: Mapping[str, object] | None = None) -> pa.Table:
        """The result of a named query ("descent") or of one SELECT with ``$name`` parameters.

        Raises QueryError: not one SELECT, a wrong name (the nearest is suggested), DuckDB's
        own complaint, or the time limit (30 s, transfer included).
        """
        ticket = flight.Ticket(_json({"query": query, "params": dict(params or {})}, QueryError))

        def attempt(client: flight.FlightClient, options: flight.FlightCallOptions) -> pa.Table:
            return client.do_get(ticket, options).read_all()

        return wire.plain_integers(self._connection.call(attempt, QUERY_TIMEOUT_S))

    def finished(self, trial_ids: Sequence[str]) -> dict[str, str]:
        """Outcome of those of the trials whose outcome is a result (``records.FINISHED``)."""
        answer: dict[str, str] = self._control("finished", {"trial_ids": list(trial_ids)})
        return answer

    def register(self, sweep: Mapping[str, object], trials: Columns) -> None:
        """Enter a sweep and its trials, all or nothing; the same call again changes nothing.

        ``sweep`` has the columns of ``sweeps`` (``created_at`` is filled in), ``trials`` the
        columns of ``trials`` that are known before running, ``trial_id`` and ``slug`` among
        them. JSON columns may be given as texts or as mappings. Trials that are known already
        keep what they have; a sweep that is known gets the status given here.
        """
        columns = {name: _jsonable(values) for name, values in trials.items()}
        table = wire.arrow_of("trials", columns)
        command = {"call": "register", "sweep": _texts(sweep)}
        self._put(command, table.combine_chunks().to_batches(REGISTER_CHUNK_ROWS), table.schema)

    def set_status(self, sweep_id: str, status: str) -> None:
        """Set the status of a sweep; raises StoreError when there is no such sweep."""
        self._control("set_status", {"sweep_id": sweep_id, "status": status})

    def begin(self, writer: str, trial_ids: Sequence[str]) -> list[str]:
        """From now on ``writer`` owns these trials; returns the ones that still need training.

        In one transaction: rows of an earlier attempt by another writer are deleted, ``attempt``
        grows by one, ``started_at`` is now, a failed or cancelled outcome is cleared. Finished
        trials are left alone and not returned. A writer is one attempt: take a fresh name (a
        UUID) for each, because for the writer that owns a trial already this does nothing.
        Raises StoreError for a trial that no sweep registered.
        """
        answer: list[str] = self._control("begin", {"writer": writer, "trial_ids": list(trial_ids)})
        return answer

    def resume(
        self,
        writer: str,
        trial_ids: Sequence[str],
        previous: str,
        update: int,
        flushes: int = 0,
    ) -> list[str]:
        """From now on ``writer`` goes on where the checkpoint of ``previous`` stands.

        In one transaction: those of the trials that are unfinished and ``previous``'s become
        ``writer``'s, their rows up to ``update`` stay, those beyond it (of the tables that have
        updates) are deleted, ``attempt`` and ``started_at`` stay; what ``previous`` still sends
        is refused. Returns the trials that go on, in the order given. Those that are finished,
        or somebody else's by now, are left alone and not returned: :meth:`begin` the latter.
        ``summaries`` and ``predictions`` stay; the next flush replaces the summaries.

        ``flushes`` of ``previous`` were acknowledged before the checkpoint. A store that has
        fewer (it came back from a backup, or its log was cut) says so in its log and returns
        none of them: to go on would leave a gap.

        ``writer`` is a fresh name (a UUID), as for :meth:`begin`: for trials that it owns
        already, this does nothing and returns them. Raises StoreError for a trial that no sweep
        registered, and when ``writer`` is ``previous``.
        """
        call = {"writer": writer, "trial_ids": list(trial_ids)}
        answer: list[str] = self._control(
            "resume", {**call, "previous": previous, "update": update, "flushes": flushes}
        )
        return answer

    def append(self, writer: str, sequence: int, records: Records) -> None:
        """Commit one flush: all its tables or nothing, and only once however often it is sent.

        ``sequence`` counts the flushes of this writer: 1, 2, 3 … Returns after the commit.
        Doubles that are not finite become NULL. Raises Fenced when another writer took over
        one of the trials, StoreError for a gap in the sequence or for rows that do not fit.
        """
        self.append_encoded(writer, sequence, wire.encode(records))

    def append_encoded(self, writer: str, sequence: int, batch: pa.RecordBatch) -> None:
        """:meth:`append` of what :func:`wire.encode` made; for senders that keep it to resend."""
        command = {"call": "append", "writer": writer, "sequence": sequence}
        self._put(command, [batch], batch.schema)

    def calibrate(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Keep measurements of how long packs of a size take; all of them or none.

        A row has ``shape`` (the key of what trains together), ``device`` ("cpu: AMD EPYC"),
        ``trials`` (the pack's), ``update_seconds`` (one update of the whole pack) and
        ``recording_seconds`` (one recording of it); ``measured_at`` is filled in. It takes the
        place of an earlier one with equal shape, device and trials, also in the same call.
        Raises StoreError for other columns or types and for numbers that are not positive and
        finite.
        """
        self._control("calibrate", {"rows": calibrations.checked(list(rows))})

    def calibrations(self, shapes: Sequence[str]) -> list[dict[str, Any]]:
        """The calibrations of these shapes, of all devices: rows of the table of this name."""
        found = self.query("calibrations", {"shapes": list(shapes)})
        return calibrations.rows_of(found)

    def restore(self, tables: Mapping[str, pa.Table]) -> None:
        """Bring archived rows back, all of them or none; the same call again changes nothing.

        ``tables`` holds tables of an archive: trials with all their rows, or sweeps and their
        places in sweeps, after the trials. Results that the store has, trials that are being
        trained, and sweeps that it knows stay as they are. Raises StoreError for rows that do
        not fit, and for a sweep with trials that are not there.
        """
        batch = wire.pack(tables)
        self._put({"call": "restore"}, [batch], batch.schema)

    def backup(self, name: str) -> dict[str, Any]:
        """Have the store copy its database to a file of this name in its folder of backups.

        Returns ``path`` (on the store's machine), ``bytes``, ``rows`` per table and
        ``seconds``. The copy is of one moment; writers go on meanwhile. Raises StoreError for
        a name that is no plain file name or is taken, and for a lack of room.
        """
        answer: dict[str, Any] = self._control("backup", {"name": name}, BACKUP_TIMEOUT_S)
        return answer

    def status(self) -> dict[str, Any]:
        """Address, versions, uptime in seconds, rows per table, work waiting."""
        answer: dict[str, Any] = self._control("status")
        return answer

    def close(self) -> None:
        """Let go of the connection. The store itself stays, and leaves when idle."""
        self._connection.close()

    def _control(
        self,
        call: str,
        arguments: Mapping[str, object] | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Any:
        action = flight.Action(call, _json(arguments or {}, StoreError))

        def attempt(client: flight.FlightClient, options: flight.FlightCallOptions) -> Any:
            (answer,) = client.do_action(action, options)
            return json.loads(answer.body.to_pybytes())

        return self._connection.call(attempt, timeout_s)

    def _put(
        self, command: Mapping[str, object], batches: Sequence[pa.RecordBatch], schema: pa.Schema
    ) -> None:
        # A network that breaks here looks to the store as if all had arrived: it must count.
        command = {**command, "rows": sum(batch.num_rows for batch in batches)}
        descriptor = flight.FlightDescriptor.for_command(_json(command, StoreError))

        def attempt(client: flight.FlightClient, options: flight.FlightCallOptions) -> None:
            writer, acknowledgements = client.do_put(descriptor, schema, options)
            with writer:
                for batch in batches:
                    writer.write_batch(batch)
                writer.done_writing()
                # Without this wait a store that dies now would take the rows along unnoticed.
                if acknowledgements.read() is None:
                    raise flight.FlightUnavailableError("the store left before it acknowledged")

        self._connection.call(attempt, CALL_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.where!r})"

    # A connection cannot travel; the other side opens its own on its first call.
    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._connection.address,)


def _place(where: str | Path) -> str:
    """An absolute path, or a URL that Flight understands; raises StoreError."""
    if "://" not in str(where):
        return str(Path(where).resolve())
    if not _URL.fullmatch(str(where)):
        raise StoreError(
            f"store: {str(where)!r} is neither a path nor grpc://HOST:PORT nor grpc+tls://HOST:PORT"
        )
    return str(where)


def _restore(address: Address) -> Client:
    return Client(
        address.where,
        token=address.token,
        patience_s=address.patience_s,
        start=address.start,
        scope=address.scope,
        ca=address.ca,
    )


def _json(fields: object, complaint: type[StoreError]) -> bytes:
    try:
        return json.dumps(fields, allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError) as error:
        raise complaint(f"an argument cannot be sent to the store: {error}") from error


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays, dates and times, as JSON knows them."""
    for method in ("tolist", "isoformat"):
        if hasattr(value, method):
            return getattr(value, method)()
    raise TypeError(f"{value!r} has no JSON form")


def _jsonable(values: Sequence[Any]) -> Sequence[Any]:
    """A column whose mappings are written as JSON texts."""
    return [json.dumps(v) if isinstance(v, Mapping) else v for v in values]


def _texts(fields: Mapping[str, object]) -> dict[str, object]:
    return {k: json.dumps(v) if isinstance(v, Mapping) else v for k, v in fields.items()}
