"""``talweg export`` and ``talweg import``: sweeps as a folder of Parquet files."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..storage.client import Client
from . import import_commands
from .import_commands import Kind
from .output import console, printable
from .sweep_commands import Store, store_of


def export(
    sweeps: Annotated[list[str], typer.Argument(metavar="SWEEP", help="See `talweg status`.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    store: Store = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Also of sweeps that are not finished.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
) -> None:
    """Write sweeps to an archive: Parquet files, a manifest and a hash of the contents."""
    from ..storage.archive_export import export as write

    with store_of(store, "read") as client:
        manifest = write(client, sweeps, folder, partial=partial)
    if as_json:
        print(manifest.model_dump_json())
        return
    rows = sum(file.rows for file in manifest.files.values())
    what = "" if manifest.complete else ", not all of its trials have ended"
    terminal = console()
    terminal.print(
        f"{folder}: {rows:,} rows, {manifest.size:,} bytes{what}", markup=False, highlight=False
    )
    for sweep_id, content in manifest.sweeps.items():
        line = printable(f"  {sweep_id}  {content.sha256}")
        terminal.print(line, markup=False, highlight=False)


def import_archives(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR", help="Made by `talweg export`, or by another tool."),
    ],
    store: Store = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    kind: Annotated[
        Kind | None,
        typer.Option("--from", help="The other tool. Default: what the files look like."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the sweep that other tools' runs become.")
    ] = None,
    team: Annotated[str | None, typer.Option(help="Of that sweep.")] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", help="THEIRS=OURS: what fills a column of steps; repeatable."),
    ] = None,
) -> None:
    """Bring archives, or other tools' results, into a store; doing it twice is doing it once."""
    done, other = [], import_commands.Other(name, team, metrics or ())
    with store_of(store) as client:
        for folder in folders:
            if (whose := kind or import_commands.found_in(folder)) is None:
                done.append(_restore(client, folder, as_json))
            else:
                done.append(import_commands.bring(client, whose, folder, other, quiet=as_json))
    if as_json:
        print(json.dumps(done))
    if any(one.get("bad") for one in done):
        raise typer.Exit(import_commands.EXIT_BAD_RUNS)


def _restore(client: Client, folder: Path, quiet: bool) -> dict[str, Any]:
    """Bring an archive back, and say what became of its trials; the same for programs."""
    from ..storage.archive_import import restore

    found = restore(client, folder)
    if not quiet:
        console().print(
            f"{folder}: {found.restored:,} trials brought back, {found.same:,} were "
            f"there, {found.kept:,} are further here than in the archive",
            markup=False,
            highlight=False,
        )
    counts = {"restored": found.restored, "same": found.same, "kept": found.kept}
    return {"folder": str(folder), "sweeps": list(found.manifest.sweeps), **counts}


COMMANDS: dict[str, Any] = {"export": export, "import": import_archives}
