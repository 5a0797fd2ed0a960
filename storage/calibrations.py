"""How long packs take: checking measurements, and the SQL that keeps the newest of them.

The client checks with the same function as the store, and so without duckdb.
"""

import datetime
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .errors import StoreError
from .wire import nearest

if TYPE_CHECKING:
    import duckdb

EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC)
LARGEST_PACK = 2**31 - 1

Row = Mapping[str, Any]


def checked(rows: object) -> list[Row]:
    """The rows, with plain Python values; raises StoreError with row, column, value and why."""
    if not isinstance(rows, list):
        raise StoreError(f"calibrations: {rows!r} is not a list of rows")
    return [_checked(f"calibrations[{i}]", row) for i, row in enumerate(rows)]


def _checked(where: str, row: object) -> Row:
    if not isinstance(row, Mapping):
        raise StoreError(f"{where}: {row!r} is not a mapping with the columns of calibrations")
    for name in row:
        if name not in _COLUMNS:
            raise StoreError(f"{where}: column {name!r} cannot be given{nearest(name, _COLUMNS)}")
    if missing := [name for name in _COLUMNS if name not in row]:
        raise StoreError(f"{where}: columns are missing: {', '.join(missing)}")
    return {name: check(f"{where}.{name}", row[name]) for name, check in _COLUMNS.items()}


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise StoreError(f"{where}: {value!r} is not a name")
    return str(value)


def _count(where: str, value: Any) -> int:
    if not _is_number(value, numbers.Integral) or not 1 <= value <= LARGEST_PACK:
        raise StoreError(f"{where}: {value!r} is not a number of trials (1, 2, 3 …)")
    return int(value)


def _seconds(where: str, value: Any) -> float:
    try:
        seconds = float(value) if _is_number(value, numbers.Real) else math.nan
    except OverflowError:  # of a whole number that no double reaches
        seconds = math.inf
    if not 0 < seconds < math.inf:
        raise StoreError(f"{where}: {value!r} is not a positive finite number of seconds")
    return seconds


def _is_number(value: Any, kind: type) -> bool:
    """Of Python's or of NumPy's types; True and False are no numbers."""
    return isinstance(value, kind) and not isinstance(value, bool)


_COLUMNS: Mapping[str, Callable[[str, Any], Any]] = {
    "shape": _text,
    "device": _text,
    "trials": _count,
    "update_seconds": _seconds,
    "recording_seconds": _seconds,
}
"""Columns that a caller gives -> the check of a value; ``measured_at`` is the store's."""


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table of calibrations, as Python knows them."""
    # To turn an instant into a datetime, pyarrow imports pandas; a number is only a number.
    place = table.column_names.index("measured_at")
    micros = table["measured_at"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    rows: list[dict[str, Any]] = table.set_column(place, "measured_at", micros).to_pylist()
    for row in rows:
        row["measured_at"] = EPOCH + datetime.timedelta(microseconds=row["measured_at"])
    return rows


def write(con: "duckdb.DuckDBPyConnection", rows: Sequence[Row]) -> None:
    """Each row in place of the one with its shape, device and trials; of equal ones the last."""
    newest = {(row["shape"], row["device"], row["trials"]): row for row in rows}
    if not newest:
        return
    values = {name: [row[name] for row in newest.values()] for name in _COLUMNS}
    con.execute(
        "delete from calibrations where (shape, device, trials) in "
        "(select unnest($shape), unnest($device), unnest($trials))",
        {name: values[name] for name in ("shape", "device", "trials")},
    )
    columns = ", ".join(_COLUMNS)
    unnested = ", ".join(f"unnest(${name})" for name in _COLUMNS)
    con.execute(
        f"insert into calibrations ({columns}, measured_at) select {unnested}, now()", values
    )
