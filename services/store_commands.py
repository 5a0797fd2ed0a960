"""``talweg store``: the store as a service of its own."""

import json
import logging
import shutil
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from ..storage.client import Client
from . import settings
from .output import console, printable, rich_table
from .sweep_commands import Json, Store, store_of

EXIT_UNSOUND = 1

app = typer.Typer(no_args_is_help=True, help="Serve a store for a team, or look at one.")


@app.command()
def serve(
    store: Annotated[
        Path | None,
        typer.Option("--store", "--database", help="The database file to serve."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 8815,
) -> None:
    """Serve a database file until stopped; tokens and TLS come from TALWEG_… settings."""
    from ..storage.serve import serve as serve_store

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given = settings.read()
    try:
        tls = given.tls()
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="TLS") from error
    serve_store(
        store or Path(given.store),
        host=host,
        port=port,
        read_token=given.read_secret(),
        write_token=given.write_secret(),
        tls=tls,
        backups=given.backups_folder,
    )


@app.command()
def status(store: Store = None, as_json: Json = False) -> None:
    """Address, versions, uptime and rows per table of the store."""
    with store_of(store, "read") as client:
        facts = client.status()
    if as_json:
        print(json.dumps(facts, default=str))
        return
    rows = [{"": key, "value": str(value)} for key, value in facts.items()]
    console().print(rich_table(["", "value"], rows))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make.")],
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Copy the database, as of one moment, while it is used."""
    with store_of(store) as client:
        if "://" in client.where:
            facts = client.backup(_plain(file))
        else:
            facts = _local_backup(client, file)
    if as_json:
        print(json.dumps(facts))
        return
    what = f"{facts['path']}: {sum(facts['rows'].values()):,} rows, {facts['bytes']:,} bytes"
    console().print(f"{what}, {facts['seconds']:.1f} s", markup=False, highlight=False)


def _plain(file: Path) -> str:
    if file.name != str(file):
        raise typer.BadParameter(
            f"{str(file)!r}: a store elsewhere writes backups only into its own folder "
            "(TALWEG_BACKUPS_FOLDER there): give a plain name",
            param_hint="FILE",
        )
    return str(file)


def _local_backup(client: Client, file: Path) -> dict[str, Any]:
    """The store writes into its own folder; who may write elsewhere is the user's to know."""
    if file.exists():
        raise typer.BadParameter(f"{str(file)!r} exists already", param_hint="FILE")
    facts = client.backup(f"{uuid.uuid4().hex}.duckdb")
    made = Path(facts["path"])
    try:
        shutil.move(made, file)
        made.parent.rmdir()
    except OSError as error:
        if made.exists():
            raise typer.BadParameter(
                f"{str(file)!r} cannot be written ({error}); the backup is {made}",
                param_hint="FILE",
            ) from error
    return facts | {"path": str(file)}


@app.command()
def check(
    archives: Annotated[
        list[Path] | None,
        typer.Argument(metavar="ARCHIVE", help="Archives to check, alone and against the store."),
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Look for what should not be: lost rows, rows twice, wrong summaries, damage; exit code 1."""
    from ..storage.check import examine

    _demand_there(store)
    found = []
    with store_of(store, "read") as client:
        for one in examine(client, archives or ()):
            found.append(one)
            if not as_json:
                mark = Text("ok   ", "green") if one.ok else Text("bad  ", "red")
                console().print(
                    mark + Text(printable(f"{one.name}: {one.message}")), soft_wrap=True
                )
    if as_json:
        print(json.dumps([one._asdict() for one in found]))
    if not all(one.ok for one in found):
        raise typer.Exit(EXIT_UNSOUND)


def _demand_there(store: str | None) -> None:
    """A database that is not there is a wrong path: checking must not make an empty one."""
    where = store or settings.read().store
    if "://" not in where and not Path(where).exists():
        raise typer.BadParameter(f"{where!r} does not exist", param_hint="--store")
