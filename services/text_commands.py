"""The commands that only tell: query, schema, studies, doctor."""

import json
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer

from ..workloads import grid, packs, studies
from ..workloads.grid import GridSpec
from . import doctor as checks
from . import output, settings
from .output import Format
from .sweep_commands import Store, store_of

EXIT_UNREACHABLE = 3


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT, or the name of a named query.")],
    store: Store = None,
    form: Annotated[
        Format, typer.Option("--format", help="table, csv, json or parquet.")
    ] = Format.TABLE,
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for a $NAME in the query; repeatable.")
    ] = None,
    to: Annotated[Path | None, typer.Option("-o", "--output", help="Write there instead.")] = None,
) -> None:
    """Ask the store in SQL; reading only."""
    params = dict(_param(text) for text in param or [])
    try:
        with store_of(store, "read") as client:
            found = client.query(sql, params)
        _written(found, form, to)
    except pa.ArrowException as error:
        reason = f"{form} has no place for a column of the answer ({error}); cast it: x::VARCHAR"
        raise typer.BadParameter(reason, param_hint="SQL") from error


def _written(found: pa.Table, form: Format, to: Path | None) -> None:
    try:
        output.write(found, form, to)
    except OSError as error:
        if to is None:
            raise
        reason = f"{str(to)!r} cannot be written: {error}"
        raise typer.BadParameter(reason, param_hint="--output") from error


def _param(text: str) -> tuple[str, object]:
    name, sign, value = text.partition("=")
    if not sign:
        raise typer.BadParameter(f"{text!r} must be NAME=VALUE", param_hint="--param")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def schema() -> None:
    """Print the JSON Schema of grid files, for editors and forms."""
    print(json.dumps(GridSpec.model_json_schema(), indent=2, ensure_ascii=False))


def list_studies(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List the built-in studies: `talweg run NAME` trains one."""
    rows = [_study_row(name) for name in studies.names()]
    if as_json:
        print(json.dumps(rows))
    else:
        output.console().print(output.rich_table(list(rows[0]), rows))


def _study_row(name: str) -> dict[str, Any]:
    """A study: its question, its size, and its estimated time on this machine."""
    trials = [planned.trial for planned in grid.load(studies.path(name)).trials]
    workers = settings.cpus()
    seconds = sum(pack.seconds for pack in packs.plan(trials, workers)) / workers
    return {
        "study": name,
        "question": studies.question(name),
        "trials": len(trials),
        "estimated seconds": round(seconds, 1),
    }


def doctor(store: Store = None) -> None:
    """Check this machine: versions, cores, compiler, disk, store; say what to mend."""
    found = checks.examine(store)
    console = output.console()
    for check in found:
        mark = "[green]ok[/]  " if check.ok else "[red]bad[/] "
        console.print(f"{mark} {check.name}: {check.message}", highlight=False)
    if not all(check.ok for check in found):
        raise typer.Exit(EXIT_UNREACHABLE)


COMMANDS: dict[str, Any] = {
    "query": query,
    "schema": schema,
    "studies": list_studies,
    "doctor": doctor,
}
