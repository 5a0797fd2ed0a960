"""The columns of CSV and Parquet files, read with pyarrow; no torch. N rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
"""(N,) whole numbers, floats, truth values or words; missing ones are NaN or None."""


def _csv(path: Path) -> dict[str, Column]:
    from pyarrow import csv

    # Otherwise an empty field of a column of words would be a word.
    options = csv.ConvertOptions(strings_can_be_null=True)
    return _columns(path, lambda: csv.read_csv(path, convert_options=options))


def _parquet(path: Path) -> dict[str, Column]:
    from pyarrow import parquet

    return _columns(path, lambda: parquet.read_table(path))


READERS = {".csv": _csv, ".parquet": _parquet}


def _columns(path: Path, load: Callable[[], Any]) -> dict[str, Column]:
    import pyarrow as pa

    try:
        loaded = load()
    except (pa.ArrowException, OSError) as error:
        first = str(error).partition("\n")[0]
        raise ValueError(f"{path.name} is no {path.suffix[1:]} file: {first}") from error
    names = loaded.column_names
    return {name: _column(path, name, loaded.column(i)) for i, name in enumerate(names)}


def _column(path: Path, name: str, column: Any) -> Column:
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if kinds.is_decimal(kind) or (kinds.is_boolean(kind) and column.null_count):
        column, kind = column.cast(pa.float64()), pa.float64()
    if kinds.is_null(kind):
        return np.full(len(column), None, object)
    known = (kinds.is_integer, kinds.is_floating, kinds.is_boolean, _is_text)
    if not any(fits(kind) for fits in known):
        raise ValueError(
            f"{path.name}: column {name!r} is of type {kind}; numbers, truth values and words can "
            "be used"
        )
    values: Column = column.to_numpy()  # whole numbers with missing ones become floats with NaN
    return values


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    text: bool = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return text
