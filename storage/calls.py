"""What can be asked of a store: each call checks its arguments and does its work.

Free of transport: :mod:`.server` knows how calls arrive, this module what they mean.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from . import attempts, calibrations, restore, trials, wire
from .committer import Committer
from .errors import StoreError, StoreUnreachable
from .reader import Reader

Fields = Mapping[str, Any]

WRITING = frozenset(
    ["append", "register", "begin", "resume", "set_status", "calibrate", "restore", "backup"]
)
"""Calls that need the write token."""


@dataclasses.dataclass(frozen=True)
class Calls:
    """The calls of one open store; every one raises StoreError when it refuses."""

    committer: Committer
    reader: Reader
    status: Callable[[], Fields]
    backup: Callable[[str], Fields]
    demand_room: Callable[[], None] = lambda: None

    # Two visible tables instead of getattr: a caller reaches exactly what stands in them.
    def put(self, fields: Fields, table: pa.Table) -> None:
        """A call that carries rows: ``append``, ``register`` or ``restore``."""
        calls = {"append": self._append, "register": self._register, "restore": self._restore}
        call = _chosen(calls, fields.get("call"))
        # To Flight a connection that broke is the end of the rows. Clients before protocol 2
        # do not say how many there are.
        announced = _number({"rows": table.num_rows, **fields}, "rows", "rows")
        if table.num_rows != announced:
            raise StoreUnreachable(f"{table.num_rows} rows of {announced} arrived: send them again")
        self.demand_room()
        call(fields, table)

    def act(self, call: str, fields: Fields) -> Any:
        """A call of a few words, with an answer that JSON can hold."""
        calls: dict[str, Callable[[Fields], Any]] = {
            "ping": lambda _: None,
            "status": lambda _: self.status(),
            "finished": self._finished,
            "begin": self._begin,
            "resume": self._resume,
            "set_status": self._set_status,
            "calibrate": self._calibrate,
            "backup": lambda fields: self.backup(_text(fields, "name")),
        }
        return _chosen(calls, call)(fields)

    def _append(self, fields: Fields, table: pa.Table) -> None:
        writer, sequence = _text(fields, "writer"), fields.get("sequence")
        if not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 1:
            raise StoreError(f"sequence: {sequence!r} is not a positive integer (1, 2, 3 …)")
        self.committer.append(wire.decode(writer, sequence, table))

    def _register(self, fields: Fields, table: pa.Table) -> None:
        sweep = fields.get("sweep")
        if not isinstance(sweep, dict):
            raise StoreError(f"sweep: {sweep!r} is not an object with the columns of sweeps")
        plain = wire.plain("trials", table)
        self.committer.change(lambda con: trials.register(con, sweep, plain))

    def _restore(self, fields: Fields, table: pa.Table) -> None:
        tables = {name: wire.plain(name, given) for name, given in wire.unpack(table).items()}
        self.committer.change(
            lambda con: restore.write(con, tables),
            # Whoever wrote these trials before must not go on, after their end.
            after=lambda ledger, restored: ledger.released(restored),
        )

    def _finished(self, fields: Fields) -> dict[str, str]:
        with self.reader.cursor() as con:
            return trials.finished(con, _texts(fields, "trial_ids"))

    def _begin(self, fields: Fields) -> list[str]:
        writer, trial_ids = _text(fields, "writer"), _texts(fields, "trial_ids")
        return self._owned(writer, lambda con: attempts.begin(con, writer, trial_ids))

    def _resume(self, fields: Fields) -> list[str]:
        writer, previous = _text(fields, "writer"), _text(fields, "previous")
        trial_ids, update = _texts(fields, "trial_ids"), _number(fields, "update", "updates")
        flushes = _number({"flushes": 0, **fields}, "flushes", "flushes")
        return self._owned(
            writer, lambda con: attempts.resume(con, writer, trial_ids, previous, update, flushes)
        )

    def _owned(self, writer: str, work: Callable[[attempts.Connection], list[str]]) -> list[str]:
        """Trials that change hands: from its commit on, the ledger lets ``writer`` write them."""
        return self.committer.change(work, after=lambda ledger, mine: ledger.owned(writer, mine))

    def _set_status(self, fields: Fields) -> None:
        sweep_id, status = _text(fields, "sweep_id"), _text(fields, "status")
        self.committer.change(lambda con: trials.set_status(con, sweep_id, status))

    def _calibrate(self, fields: Fields) -> None:
        rows = calibrations.checked(fields.get("rows"))
        self.committer.change(lambda con: calibrations.write(con, rows))


def _chosen(calls: Mapping[str, Callable[..., Any]], call: object) -> Callable[..., Any]:
    if call not in calls:
        raise StoreError(f"there is no call {call!r}{wire.nearest(str(call), calls)}")
    return calls[str(call)]


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise StoreError(f"{name}: {value!r} is not a name")
    return value


def _number(fields: Fields, name: str, things: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise StoreError(f"{name}: {value!r} is not a number of {things} (0, 1, 2 …)")
    return value


def _texts(fields: Fields, name: str) -> list[str]:
    values = fields.get(name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise StoreError(f"{name}: not a list of names")
    return values
