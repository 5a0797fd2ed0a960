"""How records travel: one Arrow record batch per flush, a row per table.

A flush is one batch of :data:`FLUSH` with the rows of each table as an Arrow IPC stream, so
that several tables arrive, and are committed, together. Column types follow from the
annotations in :mod:`talweg.workloads.records`. Both ends check with the same functions:
the client for an early message, the store because it trusts nobody.
"""

import contextlib
import dataclasses
import datetime
import difflib
import functools
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..workloads.records import TABLES, Columns, Records, columns_of
from . import columns
from .errors import StoreError

PROTOCOL = 2
"""Version of the calls that a store answers; it grows when one is added or changes.

1: append, register, begin, resume, set_status, calibrate, finished, ping, status, query.
2: restore and backup; calls with rows say how many; resume says how many flushes there must be.
"""

FLUSH = pa.schema([("table", pa.string()), ("payload", pa.large_binary())])
MAX_FLUSH_ROWS = 1_000_000

_ARROW: Mapping[type, pa.DataType] = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bool: pa.bool_(),
    datetime.datetime: pa.timestamp("us", tz="UTC"),
}


@functools.cache
def schema_of(table: str) -> pa.Schema:
    """Arrow schema of one appendable table; raises StoreError for an unknown name."""
    if table not in TABLES:
        raise StoreError(f"table {table!r} cannot be appended to{nearest(table, TABLES)}")
    return pa.schema([_field(name, kind) for name, kind in columns_of(table).items()])


def _field(name: str, annotation: Any) -> pa.Field:
    """``float | None`` becomes a nullable double, ``int`` a required int64, and so on."""
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else ()
    kinds = [kind for kind in options or (annotation,) if kind is not type(None)]
    return pa.field(name, _ARROW[kinds[0]], nullable=type(None) in options)


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: a suggestion, and what is allowed."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (known: {', '.join(names)})"


def arrow_of(name: str, given: Columns) -> pa.Table:
    """Columns as Arrow, of whatever types they are; raises StoreError for unequal lengths."""
    arrays = {column: _array(f"{name}.{column}", values) for column, values in given.items()}
    lengths = {column: len(array) for column, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise StoreError(f"{name}: columns differ in length: {lengths}")
    return pa.table(arrays)


def _array(where: str, values: Any) -> pa.Array:
    # Never with a type given: for a list, pyarrow then cuts 1.5 to 1 without a word.
    try:
        return columns.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise StoreError(f"{where}: not a column of one type: {error}") from error


def conform(name: str, table: pa.Table) -> pa.Table:
    """The table with exactly the columns and types of ``name``; raises StoreError otherwise.

    Doubles that are not finite become NULL: the contract prefers no number to a wrong one.
    """
    schema = schema_of(name)
    for column in table.column_names:
        if column not in schema.names:
            raise StoreError(f"{name} has no column {column!r}{nearest(column, schema.names)}")
    if len(set(table.column_names)) < table.num_columns:
        raise StoreError(f"{name}: a column is given twice: {table.column_names}")
    return pa.table([_column(name, table, field) for field in schema], schema=schema)


def plain(name: str, table: pa.Table) -> pa.Table:
    """The table as bare texts, numbers, truths and instants; raises StoreError for other types.

    DuckDB would take any Arrow for rows, also kinds, and metadata that promise a kind, of which
    it knows little more than that it must stop.
    """
    bare = [_bare(f"{name}.{field.name}", field.type) for field in table.schema]
    fields = [pa.field(f.name, kind) for f, kind in zip(table.schema, bare, strict=True)]
    columns = [
        column.cast(kind) if isinstance(column.type, pa.BaseExtensionType) else column
        for column, kind in zip(table.columns, bare, strict=True)
    ]
    return pa.table(columns, schema=pa.schema(fields))


def _bare(where: str, given: pa.DataType) -> pa.DataType:
    kind = given.storage_type if isinstance(given, pa.BaseExtensionType) else given
    is_bare = (
        *(pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean, pa.types.is_null),
        *(pa.types.is_integer, pa.types.is_float32, pa.types.is_float64, pa.types.is_timestamp),
    )
    if not any(is_kind(kind) for is_kind in is_bare):
        raise StoreError(f"{where}: a column of type {given} cannot be stored")
    return kind


def _column(name: str, table: pa.Table, field: pa.Field) -> pa.ChunkedArray:
    if field.name in table.column_names:
        values = _finite(_cast(f"{name}.{field.name}", table[field.name], field.type))
    else:
        values = pa.chunked_array([pa.nulls(table.num_rows, field.type)])
    if values.null_count and not field.nullable:
        raise StoreError(
            f"{name}.{field.name}: a value is missing or not finite; each row needs one"
        )
    return values


def _finite(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(values.type):
        return values
    finite = pc.is_finite(values)
    if pc.all(finite, min_count=0).as_py():  # the usual case; NULLs do not count
        return values
    return pc.if_else(finite, values, pa.nulls(1, values.type)[0])


def _cast(where: str, values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    # A text that reads like a number is a mistake somewhere; Arrow's cast would accept it.
    given = values.type
    if given.equals(wanted):
        return values
    if not (pa.types.is_null(given) or _same_kind(given, wanted)):
        raise StoreError(f"{where}: expected {wanted}, got {given}")
    try:
        return values.cast(wanted)
    except pa.ArrowException as error:
        raise StoreError(f"{where}: cannot be stored as {wanted}: {error}") from error


def _same_kind(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Numbers among themselves, texts among themselves, instants with a time zone."""
    is_number = pa.types.is_integer(given) or pa.types.is_floating(given)
    if pa.types.is_integer(wanted) or pa.types.is_floating(wanted):
        return bool(is_number)
    if pa.types.is_timestamp(wanted):
        return pa.types.is_timestamp(given) and given.tz is not None
    return bool(pa.types.is_string(wanted) and pa.types.is_large_string(given))


def encode(records: Records) -> pa.RecordBatch:
    """One flush as one batch of :data:`FLUSH`; tables without rows are left out."""
    tables = {name: conform(name, arrow_of(name, given)) for name, given in records.items()}
    return pack({name: table for name, table in tables.items() if table.num_rows})


def pack(tables: Mapping[str, pa.Table]) -> pa.RecordBatch:
    """Tables in one batch of :data:`FLUSH`; :func:`unpack` is the other side."""
    # Arrow has no batch of several schemas; a stream inside a cell keeps the flush in one piece.
    payloads = columns.binaries([stream_of(table) for table in tables.values()])
    names = columns.array(list(tables)).cast(pa.string())
    return pa.record_batch([names, payloads], schema=FLUSH)


def plain_integers(table: pa.Table) -> pa.Table:
    """The table with DuckDB's 128-bit integers, which every ``sum`` is, as int64 where they fit."""
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal128(field.type) and field.type.scale == 0:
            with contextlib.suppress(pa.ArrowInvalid):  # too large: stays a decimal, unharmed
                table = table.set_column(place, field.name, table[place].cast(pa.int64()))
    return table


def stream_of(table: pa.Table) -> bytes:
    """An Arrow table as an IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@dataclasses.dataclass(frozen=True)
class Flush:
    """What one ``append`` carries: the ``sequence``-th flush of ``writer`` (1, 2, 3 …)."""

    writer: str
    sequence: int
    tables: Mapping[str, pa.Table]

    @property
    def rows(self) -> int:
        """Rows of all tables together."""
        return sum(table.num_rows for table in self.tables.values())


def decode(writer: str, sequence: int, batch: pa.Table) -> Flush:
    """The flush in what :func:`encode` made, checked again; raises StoreError."""
    tables = {name: conform(name, table) for name, table in unpack(batch).items()}
    flush = Flush(writer, sequence, tables)
    if flush.rows > MAX_FLUSH_ROWS:
        raise StoreError(f"a flush of {flush.rows} rows is too large (at most {MAX_FLUSH_ROWS})")
    return flush


def unpack(batch: pa.Table) -> dict[str, pa.Table]:
    """The tables in what :func:`pack` made, each valid Arrow; raises StoreError."""
    if batch.schema != FLUSH:
        raise StoreError(f"a flush has the columns {FLUSH.names}, not {batch.schema.names}")
    names, payloads = batch["table"].to_pylist(), batch["payload"]
    if len(set(names)) < len(names):
        raise StoreError(f"a table is given twice in one flush: {names}")
    return {name: _read(name, payload) for name, payload in zip(names, payloads, strict=True)}


def _read(name: str, payload: pa.LargeBinaryScalar) -> pa.Table:
    try:
        with pa.ipc.open_stream(payload.as_buffer()) as reader:
            table = reader.read_all()
            table.validate(full=True)
            return table
    except (pa.ArrowException, OSError, AttributeError) as error:
        raise StoreError(f"{name}: the payload is not an Arrow IPC stream: {error}") from error
