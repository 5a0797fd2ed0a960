"""From query answers to frames: the few steps that every chart and sentence shares."""

from collections.abc import Callable

import pandas as pd
import pyarrow as pa

from . import palette
from .metrics import Metric
from .statistics import with_interval

Ask = Callable[..., pa.Table]
"""Answers a named query, ``ask("descent", sweep_id=…)``: the pages' memory, or a client."""


def grouped(table: pa.Table) -> pd.DataFrame:
    """A frame of groups, ordered, with the column ``series``: the name of the descent.

    ``table`` has the columns descent, batch_size and lr.
    """
    frame: pd.DataFrame = table.to_pandas()
    sizes = [None if pd.isna(size) else int(size) for size in frame["batch_size"]]
    members = list(zip(frame["descent"], sizes, strict=True))
    frame["series"] = [palette.series(*member) for member in members]
    frame["place"] = [palette.order(*member) for member in members]
    ordered = frame.sort_values("place", kind="stable").drop(columns="place")
    return ordered.reset_index(drop=True)


def complete_curves(table: pa.Table, metric: Metric) -> pd.DataFrame:
    """The answer to ``descent`` where every trial of a group is still there, with intervals.

    A mean over the trials that happen to be left would jump where one ends.
    """
    curves = grouped(table)
    return with_interval(curves[curves["n"] == curves["trials"]], metric.bounds)


def final_values(table: pa.Table, metric: Metric) -> pd.DataFrame:
    """The answer to ``learning_rates`` with intervals."""
    return with_interval(grouped(table), metric.bounds)


def members(frame: pd.DataFrame) -> list[tuple[str, int | None]]:
    """The distinct (descent, batch size) of a frame of groups, in order."""
    pairs = frame[["descent", "batch_size"]].drop_duplicates()
    return [
        (str(descent), None if pd.isna(size) else int(size))
        for descent, size in pairs.itertuples(index=False)
    ]


def rounded(table: pa.Table, digits: int = 12) -> pa.Table:
    """The table with its doubles cut to so many significant digits.

    Sums in a parallel engine may differ in the last bits from run to run; what is printed
    or hashed must not.
    """
    columns = [_cut(table[name], digits) for name in table.column_names]
    return pa.table(columns, names=table.column_names)


def _cut(column: pa.ChunkedArray, digits: int) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    cut = [None if value is None else float(f"{value:.{digits}g}") for value in column.to_pylist()]
    return pa.chunked_array([pa.array(cut, column.type)])
