"""``talweg store``: the store as a service of its own."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from . import settings
from .output import console, rich_table
from .sweep_commands import Json, Store, store_of

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
    """Serve a database file until stopped; tokens come from TALWEG_TOKEN and TALWEG_READ_TOKEN."""
    from ..storage.serve import serve as serve_store

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given = settings.read()
    serve_store(
        store or Path(given.store),
        host=host,
        port=port,
        read_token=given.read_secret(),
        write_token=given.write_secret(),
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
