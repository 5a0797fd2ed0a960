"""Tables of rows, for people and for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
from rich import box
from rich.console import Console
from rich.table import Table

SHOWN_ROWS = 200
"""A terminal table stops there and says so; the other formats never do."""


class Format(StrEnum):
    """How ``talweg query`` writes its answer."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


WIDTH_OF_FILES = 160
"""Columns that a table may take where no terminal sets them."""


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """The console of a command: as wide as the terminal, or wide enough for a file."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH_OF_FILES
    return Console(stderr=stderr, quiet=quiet, width=width)


def printable(text: str) -> str:
    """The text without what would steer the terminal: names come from anywhere."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def write(table: pa.Table, form: Format, output: Path | None) -> None:
    """Write an Arrow table to a file or to standard output."""
    if form is Format.TABLE and output is None:
        terminal = console()
        terminal.print(rich_table(table.column_names, table.slice(0, SHOWN_ROWS).to_pylist()))
        if table.num_rows > SHOWN_ROWS:
            terminal.print(
                f"first {SHOWN_ROWS} of {table.num_rows:,} rows; "
                "--format csv, json or parquet give all"
            )
        return
    sink: Any = sys.stdout.buffer if output is None else str(output)
    match form:
        case Format.PARQUET:
            parquet.write_table(table, sink)
        case Format.JSON:
            text = json.dumps(table.to_pylist(), default=str, indent=1) + "\n"
            _write_text(text, output)
        case _:
            csv.write_csv(_flat(table), sink)


def _flat(table: pa.Table) -> pa.Table:
    """The table with lists, maps and structs as JSON text: CSV has no other place for them."""
    for i, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            values = table.column(i).to_pylist()
            texts = [None if v is None else json.dumps(v, default=str) for v in values]
            table = table.set_column(i, field.name, pa.array(texts, pa.string()))
    return table


def _write_text(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text)


def rich_table(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], title: str | None = None
) -> Table:
    """A terminal table; numbers to the right."""
    listed = list(rows)
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        numeric = all(isinstance(r[column], int | float | None) for r in listed)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*(cell(row[column]) for column in columns))
    return table


def cell(value: Any) -> str:
    """One value in a terminal table."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
