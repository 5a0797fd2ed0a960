"""Python columns as Arrow arrays, as ``pyarrow.array`` makes them, but without pandas.

The first ``pyarrow.array`` of a process imports pandas, to see whether it was given a Series:
0.2 s of CPU in the store, in whoever registers and in each worker at its first recording.
Plain values of one kind, nearly all columns, are built from their bytes instead.
"""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike

UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")


def array(values: Sequence[Any]) -> pa.Array:
    """The column, of the type that its values have.

    Raises ArrowException, TypeError, ValueError or OverflowError for values that are not of one
    type, as pyarrow does.
    """
    if isinstance(values, list):
        return _BUILDERS.get(_kind(values), pa.array)(values)
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iuf":
        kind = pa.from_numpy_dtype(values.dtype)
        buffers = [None, pa.py_buffer(np.ascontiguousarray(values))]
        return pa.Array.from_buffers(kind, len(values), buffers)
    return pa.array(values)


def binaries(values: Sequence[bytes]) -> pa.Array:
    """Bytes as ``large_binary``."""
    return _joined(b"".join(values), map(len, values), None, pa.large_binary())


def _kind(values: Sequence[Any]) -> type | None:
    """The one kind of the values that are not None; None for a mixture."""
    kinds = set(map(type, values)) - {NoneType}
    if not kinds:
        return NoneType
    # Subclasses, such as members of an enum and NumPy's doubles, hold nothing more to store.
    for base in (str, float):
        if all(issubclass(kind, base) for kind in kinds):
            return base
    return kinds.pop() if len(kinds) == 1 else None


def _nulls(values: Sequence[None]) -> pa.Array:
    return pa.nulls(len(values))


def _texts(values: Sequence[str | None]) -> pa.Array:
    texts = [text or "" for text in values]
    joined = "".join(texts).encode()
    # Most columns are ASCII: a letter is a byte.
    lengths = map(len, texts) if len(joined) == sum(map(len, texts)) else map(_size, texts)
    column = _joined(joined, lengths, _validity(values), pa.large_string())
    return column.cast(pa.string())  # refuses what is too long for offsets of 32 bits


def _size(text: str) -> int:
    return len(text.encode())


def _integers(values: Sequence[int | None]) -> pa.Array:
    return _fixed(values, pa.int64(), np.int64)


def _doubles(values: Sequence[float | None]) -> pa.Array:
    return _fixed(values, pa.float64(), np.float64)


def _instants(values: Sequence[datetime.datetime | None]) -> pa.Array:
    if any(value is not None and value.tzinfo is not datetime.UTC for value in values):
        return pa.array(values)
    plain = [None if value is None else value.replace(tzinfo=None) for value in values]
    return _fixed(plain, UTC_MICROSECONDS, "datetime64[us]")


def _flags(values: Sequence[bool | None]) -> pa.Array:
    return pa.Array.from_buffers(pa.bool_(), len(values), [_validity(values), _bits(values)])


def _fixed(values: Sequence[Any], kind: pa.DataType, dtype: DTypeLike) -> pa.Array:
    """Values of 64 bits each; what stands where there is none does not matter."""
    filled = [0 if v is None else v for v in values] if None in values else values
    buffers = [_validity(values), pa.py_buffer(np.array(filled, dtype).view(np.int64))]
    return pa.Array.from_buffers(kind, len(values), buffers)


def _joined(
    joined: bytes, lengths: Iterable[int], validity: pa.Buffer | None, kind: pa.DataType
) -> pa.Array:
    """Values of any length, one after the other, and where each of them ends."""
    ends = np.cumsum([0, *lengths], dtype=np.int64)
    buffers = [validity, pa.py_buffer(ends), pa.py_buffer(joined)]
    return pa.Array.from_buffers(kind, len(ends) - 1, buffers)


def _validity(values: Sequence[Any]) -> pa.Buffer | None:
    """Which of the values are there; None when all are."""
    return _bits([value is not None for value in values]) if None in values else None


def _bits(flags: Sequence[bool | None]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.array(flags, bool), bitorder="little"))


_BUILDERS: Mapping[type | None, Callable[[Any], pa.Array]] = {
    NoneType: _nulls,
    str: _texts,
    int: _integers,
    float: _doubles,
    bool: _flags,
    datetime.datetime: _instants,
}
