"""The ``talweg`` command: the composition root. Each command is a function in a sibling file."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import pydantic
import typer

from ..storage.client import Client
from ..storage.errors import QueryError, StoreError
from ..workloads.gridfile import GridError
from . import settings, store_commands, sweep_commands, text_commands, verify_commands
from .sweep import SweepInterrupted
from .sweep_commands import Store, store_of

EXIT_BAD_INPUT = 2
EXIT_UNREACHABLE = 3
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="talweg",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = sweep_commands.COMMANDS | text_commands.COMMANDS | verify_commands.COMMANDS
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(store_commands.app, name="store")


@app.callback()
def root(context: typer.Context) -> None:
    """Settle by measurement how neural networks descend."""
    context.obj = Lent()


class Lent:
    """What other commands use of the dashboard, loaded when it is wanted."""

    def sentence(self, client: Client, sweep_id: str, study: str) -> str:
        """A study's answer in a sentence: the page's and the report's own."""
        from ..dashboard import readings

        return readings.finding(lambda name, **p: client.query(name, p), sweep_id, study)

    def performance_score(self, times: Sequence[Sequence[float]]) -> Sequence[float]:
        """See :func:`..dashboard.statistics.performance_score`."""
        from ..dashboard import statistics

        return list(statistics.performance_score(times))


@app.command()
def dashboard(
    store: Store = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    allow_submit: Annotated[
        bool, typer.Option("--allow-submit", help="Sweeps may be started from the page.")
    ] = False,
    behind_proxy: Annotated[
        bool,
        typer.Option("--behind-proxy", help="Listen elsewhere; something in front asks who it is."),
    ] = False,
) -> None:
    """Open the charts. Works before, during and after a sweep."""
    from ..dashboard import access, launch

    given = settings.read()
    where = store or given.store
    try:
        login = access.login_of(given.login_parts(), given.oidc_allowed, given.oidc_writers)
        access.demand(host, login, behind_proxy, allow_submit, where)
    except (access.Refused, OSError) as error:
        _leave(str(error), EXIT_BAD_INPUT)
    folder = ["--reports", str(given.reports_folder)] if given.reports_folder else []
    flags = [*folder, *(["--submit"] if allow_submit else [])]
    # Reading is all that the pages do: where both tokens are known, they get the lesser one.
    token = given.read_secret() or given.write_secret()
    launch.serve(where, token, host, port, browser=browser, login=login, flags=flags)


@app.command()
def report(
    sweep_id: Annotated[str, typer.Argument(metavar="SWEEP", help="See `talweg status`.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .html file to write.")],
    store: Store = None,
) -> None:
    """Write the offline report of a sweep: one self-contained HTML file."""
    from ..dashboard import report as reports
    from . import summary

    if output.suffix != ".html":
        raise typer.BadParameter(f"{str(output)!r} must end in .html", param_hint="--output")
    with store_of(store, "read") as client:
        summary.sweep_row(client, sweep_id)
        reports.write(client, sweep_id, output)
    typer.echo(f"{output} ({output.stat().st_size / 1000:,.0f} kB, opens without a network)")


def main(arguments: list[str] | None = None) -> None:
    """Run a command; every expected error is one clear message and an exit code."""
    # A user's own model is found where the command is given; an installed script does not look.
    # Last: a file there that is named like a library does not stand in for it.
    sys.path.append(str(Path.cwd()))
    try:
        app(arguments)
    except (GridError, QueryError) as error:
        _leave(str(error), EXIT_BAD_INPUT)
    except pydantic.ValidationError as error:
        _leave(settings.explain(error), EXIT_BAD_INPUT)
    except (StoreError, ConnectionError) as error:
        _leave(str(error), EXIT_UNREACHABLE)
    except (SweepInterrupted, KeyboardInterrupt):
        _leave(
            "interrupted; everything committed stays, the same command continues it",
            EXIT_INTERRUPTED,
        )


def _leave(message: str, code: int) -> NoReturn:
    print(f"talweg: {message}", file=sys.stderr)
    sys.exit(code)
