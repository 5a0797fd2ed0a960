"""The ``talweg`` command: the composition root. Each command is a function in a sibling file."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import pydantic
import typer

from ..storage.client import Client
from ..storage.errors import ArchiveError, QueryError, StoreError
from ..workloads.gridfile import GridError
from . import (
    archive_commands,
    settings,
    store_commands,
    sweep_commands,
    text_commands,
    verify_commands,
)
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
COMMANDS = (
    sweep_commands.COMMANDS
    | text_commands.COMMANDS
    | verify_commands.COMMANDS
    | archive_commands.COMMANDS
)
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

    def demand_comparison(self, spec: Mapping[str, Any]) -> Sequence[str]:
        """The keys by which a grid's settings are told apart, once its rule is seen to be sound."""
        from ..dashboard import decisions

        study = decisions.comparison(spec)
        decisions.rule_of(spec, study)
        return study.keys

    def most_trials(self, spec: Mapping[str, Any], levels: Sequence[Mapping[str, str]]) -> int:
        """See :func:`..dashboard.decisions.most_added`."""
        from ..dashboard import decisions

        return decisions.most_added(spec, levels)

    def decisions(self, client: Client, sweep_id: str) -> Any:
        """See :func:`..dashboard.decisions.decisions`."""
        from ..dashboard import decisions

        return decisions.decisions(lambda name, **p: client.query(name, p), sweep_id)

    def progress(self, found: Any) -> str:
        """See :func:`..dashboard.decision_words.progress`."""
        from ..dashboard import decision_words

        return decision_words.progress(found)

    def standings(self, found: Any) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """The settings and where they stand, and what is decided in sentences."""
        from ..dashboard import decision_words

        return decision_words.standings(found), decision_words.sentences(found)

    def decided(self, found: Any) -> dict[str, Any]:
        """See :func:`..dashboard.decision_words.as_json`."""
        from ..dashboard import decision_words

        return decision_words.as_json(found)

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
    roots = ["--ca", str(given.ca_file)] if given.ca_file else []
    flags = [*folder, *roots, *(["--submit"] if allow_submit else [])]
    # Reading is all that the pages do: where both tokens are known, they get the lesser one.
    token = given.read_secret() or given.write_secret()
    launch.serve(where, token, host, port, browser=browser, login=login, flags=flags)


@app.command()
def report(
    sweep_ids: Annotated[
        list[str] | None, typer.Argument(metavar="SWEEP…", help="See `talweg status`.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file to write: .html, .pdf, .md or .tex."),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(help="Compare by this key of the sweeps or trials, such as team."),
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="One page, for a lead.")] = False,
    check: Annotated[
        Path | None,
        typer.Option(help="Of a report made before: does it belong to the store's data?"),
    ] = None,
    store: Store = None,
) -> None:
    """Write an offline report of one sweep or several, or check one that was written before."""
    if check is not None:
        if sweep_ids or output or compare or summary:
            raise typer.BadParameter("it takes a file alone", param_hint="--check")
        _check(check, store)
    elif not sweep_ids or output is None:
        raise typer.BadParameter("a report takes SWEEP… and -o FILE, or --check FILE alone")
    else:
        _report(tuple(sweep_ids), output, compare, summary, store)


def _report(
    sweep_ids: tuple[str, ...], output: Path, compare: str | None, short: bool, store: str | None
) -> None:
    from ..dashboard.report import making
    from ..dashboard.report.order import ENDINGS, Order
    from . import summary

    if output.suffix.removeprefix(".") not in ENDINGS:
        allowed = ", ".join(f".{ending}" for ending in ENDINGS)
        raise typer.BadParameter(f"{str(output)!r} must end in {allowed}", param_hint="--output")
    try:
        order = Order(sweep_ids, compare, short)
        with store_of(store, "read") as client:
            for sweep_id in sweep_ids:
                summary.sweep_row(client, sweep_id)
            first, *beside = making.write(client, order, output)
    except ValueError as error:
        _leave(str(error), EXIT_BAD_INPUT)
    more = f" and {len(beside)} files in {beside[0].parent}" if beside else ""
    typer.echo(f"{first} ({first.stat().st_size / 1000:,.0f} kB, needs no network){more}")


def _check(path: Path, store: str | None) -> None:
    """Say whether a report belongs to the store's data; exit codes 0, 1 and 2."""
    from ..dashboard.report import check, making
    from ..dashboard.report.seal import NotAReport

    try:
        with store_of(store, "read") as client:
            found = check.check(making.asking(client), path)
    except (NotAReport, OSError) as error:
        _leave(f"{path} is not a report that can be checked: {error}", EXIT_BAD_INPUT)
    for line in found.proven:
        typer.echo(f"{path}: {line}")
    for line in found.wrong:
        typer.echo(f"{path}: {line}", err=True)
    if found.wrong:
        raise typer.Exit(1)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; every expected error is one clear message and an exit code."""
    # A user's own model is found where the command is given; an installed script does not look.
    # Last: a file there that is named like a library does not stand in for it.
    sys.path.append(str(Path.cwd()))
    try:
        app(arguments)
    except (GridError, QueryError, ArchiveError) as error:
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
