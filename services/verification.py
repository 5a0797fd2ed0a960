"""The reference cases, trained, stored and asked for like anybody's sweep."""

import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from ..storage.client import Client, connect
from ..workloads import grid, verification
from ..workloads.gridfile import Document, GridError, Problem, nearest
from ..workloads.options import Compile, Options
from ..workloads.verification import Measured, Sheet
from . import settings, sweep
from .executors import InlineExecutor
from .progress import Quiet

CLOSED = "closed"
"""What the cases that need no grid go by."""


def measured(only: Collection[str] | None, told: Callable[[str], None]) -> Iterator[Measured]:
    """Every case of the sheets named, by default of all that there are, one after the other.

    Each sheet's grid is run in this process, into a store that is gone afterwards.

    Args:
        only: names of sheets, or ``closed``; None: all.
        told: is given the name of each sheet before it runs.

    Raises:
        GridError: there is no such sheet.
        RuntimeError: a trial of a grid failed.
    """
    sheets = {sheet.name: sheet for sheet in verification.sheets()}
    wanted = [CLOSED, *sheets] if only is None else list(only)
    _demand_known(wanted, [CLOSED, *sheets])
    if CLOSED in wanted:
        from ..workloads.verification import closed

        told(CLOSED)
        yield from closed.measured()
    with (
        tempfile.TemporaryDirectory(prefix="talweg-verify-") as folder,
        connect(Path(folder) / "verify.duckdb") as client,
    ):
        for name in wanted:
            if name != CLOSED:
                told(name)
                yield from _checked(sheets[name], client)


def _demand_known(wanted: Collection[str], known: Collection[str]) -> None:
    for name in wanted:
        if name not in known:
            guess = nearest(name, list(known))
            hint = f"; did you mean {guess!r}?" if guess else ""
            message = f"there is no sheet {name!r} (there are {', '.join(known)}){hint}"
            raise GridError("--only", [Problem(None, "", message)])


def _checked(sheet: Sheet, client: Client) -> Iterator[Measured]:
    plan = sweep.plan(grid.expand(Document(sheet.name, sheet.grid, {})), client)
    executor = InlineExecutor(client, Options(device="cpu", compile=Compile.NEVER))
    try:
        result = sweep.run(plan, client, executor, settings.read().owner, Quiet())
    finally:
        executor.close()
    if result.errors:
        raise RuntimeError(f"{sheet.name}: trials failed: {sorted(set(result.errors.values()))}")
    for case in sheet.cases:
        rows = client.query(case.query, {"sweep_id": plan.sweep_id}).to_pylist()
        yield verification.judged(case, rows)
