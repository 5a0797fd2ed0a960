"""``talweg verify``: every reference case on this machine, what was expected beside what came."""

import itertools
import json
import math
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from ..workloads.verification import Measured
from . import output, verification
from .sweep_commands import Json

EXIT_FAILED_CASES = 1


def verify(
    context: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A sheet of cases by name, or closed; repeatable. Default: all."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check this machine's numbers against closed forms, theory and published values."""
    started = time.perf_counter()
    terminal = output.console(stderr=as_json, quiet=as_json)
    found: list[Measured] = []
    for case in itertools.chain(_cases(only, terminal), _scores(context, only)):
        found.append(case)
        _tell(terminal, case)
    failed = sum(not case.passed for case in found)
    seconds = time.perf_counter() - started
    if as_json:
        print(json.dumps({"cases": [_row(c) for c in found], "failed": failed, "seconds": seconds}))
    terminal.print(f"{len(found) - failed} of {len(found)} cases pass, {seconds:.0f} s")
    if failed:
        raise typer.Exit(EXIT_FAILED_CASES)


def _cases(only: list[str] | None, terminal: Console) -> Iterator[Measured]:
    return verification.measured(only, lambda name: terminal.print(f"[bold]{name}[/]"))


def _scores(context: typer.Context, only: list[str] | None) -> Iterable[Measured]:
    """AlgoPerf's example; the dashboard's arithmetic, which the composition root lends."""
    if only is not None and "closed" not in only:
        return
    for name, score in zip("AB", context.obj.performance_score([[10, 30], [20, 15]]), strict=True):
        case = f"AlgoPerf score of {name}, A = (10, 30), B = (20, 15)"
        yield Measured(case, "Dahl et al. 2023", 5 / 6, float(score), 1e-6)


def _tell(terminal: Console, case: Measured) -> None:
    mark = "[green]ok[/]  " if case.passed else "[red]FAIL[/]"
    sign = "at least " if case.at_least else ""
    allowed = "" if case.at_least else f" ± {case.tolerance:.2g}"
    terminal.print(
        f"{mark} {case.case}: [bold]{case.measured:.6g}[/], expected {sign}"
        f"{case.expected:.6g}{allowed}  [dim]{case.source}[/]"
        + (f" ({case.detail})" if case.detail else ""),
        highlight=False,
    )


def _row(case: Measured) -> dict[str, Any]:
    """One case for programs; what was not measured is null."""
    numbers = case._asdict()
    if math.isnan(case.measured):
        numbers["measured"] = None
    if math.isnan(case.expected):
        numbers["expected"] = None
    return numbers | {"passed": case.passed}


COMMANDS: dict[str, Any] = {"verify": verify}
