"""The commands that train: run, plan, resume, status."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol

import typer
from rich.console import Console
from rich.live import Live

from ..storage.client import Client, connect
from ..workloads import grid, gridfile, packs, studies
from ..workloads.costs import Costs
from ..workloads.grid import Expansion
from ..workloads.gridfile import Document, GridError, Problem
from ..workloads.options import Compile, Options, cpp_compiler
from . import archiving, costing, settings, summary, sweep, until_decided
from .executors import DataCache, Executor, InlineExecutor
from .interrupts import terminate_is_interrupt
from .output import console, rich_table
from .progress import Bar, Quiet

EXIT_FAILED_TRIALS = 1
WATCH_SECONDS = 1.0
FIRST_CONTACT_S = 60.0
"""How long a command waits for the first answer of a store."""

Store = Annotated[
    str | None,
    typer.Option(help="Database file or grpc:// URL. Default: TALWEG_STORE, else ./talweg.duckdb."),
]
Grid = Annotated[str, typer.Argument(help="A grid file, or the name of a built-in study.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="CPUs to use on this machine. Default: all.")
]
Address = Annotated[
    str, typer.Option(help="Ray cluster: local (start one here), auto, or HOST:PORT.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and no progress.")]


class Lent(until_decided.Judge, Protocol):
    """What the commands use of the dashboard, as the command line lends it."""

    def sentence(self, client: Client, sweep_id: str, study: str) -> str:
        """A study's answer in a sentence."""


class Kind(StrEnum):
    """Where packs run."""

    RAY = "ray"
    INLINE = "inline"


class Device(StrEnum):
    """What packs train on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Decide(StrEnum):
    """What is to be decided."""

    BEST = "best"
    ORDER = "order"


class How(NamedTuple):
    """How a sweep is run: where, on what, and whether steps are compiled."""

    kind: Kind
    address: str
    workers: int | None
    compile: Compile
    device: Device


Small = Annotated[
    bool, typer.Option("--small", help="Of a built-in study: its small twin, which takes seconds.")
]
Where = Annotated[Kind, typer.Option("--executor", help="ray, or inline: in this process.")]


Compiling = Annotated[
    Compile,
    typer.Option("--compile", help="Compile training steps: auto (once it pays), always, never."),
]


On = Annotated[
    Device, typer.Option("--device", help="auto (GPUs where the cluster has them), cpu or cuda.")
]


Until = Annotated[
    bool,
    typer.Option("--until-decided", help="Add seeds by a sequential rule until it is decided."),
]
What = Annotated[
    Decide | None, typer.Option(help="best (default) or order: of every pair.", show_default=False)
]
Most = Annotated[
    int | None, typer.Option(help="Cap of the seeds that judge a setting. Default: 30.")
]
Alpha = Annotated[float | None, typer.Option(help="Chance of any wrong claim. Default: 0.05.")]
Margin = Annotated[
    float | None, typer.Option(help="A difference shown to be smaller counts as none.")
]
Compare = Annotated[
    list[str] | None, typer.Option(help="Key of the grid whose values are compared; repeatable.")
]
Judged = Annotated[
    str | None, typer.Option("--metric", help="What they are compared by. Default: the study's.")
]


def store_of(store: str | None, scope: str = "write") -> Client:
    """The client of the store that was asked for."""
    given = settings.read()
    token = given.write_secret()
    where = store or given.store
    soon = min(given.patience_s, FIRST_CONTACT_S)
    client = connect(where, token=token, patience_s=soon, scope=scope, ca=given.ca_file)
    if scope == "read":
        return client
    # A wrong address is told soon; a store that has answered once is worth waiting for.
    client.close()
    return Client(where, token=token, patience_s=given.patience_s, scope=scope, ca=given.ca_file)


def load(name: str, small: bool = False) -> Expansion:
    """A grid file, or a built-in study by name; ``small``: that study's small twin.

    Raises:
        GridError: it is neither, or it is not valid, or a file is asked for its small twin.
    """
    if not Path(name).exists() and name in studies.names():
        return grid.load(studies.path(name, small))
    if small and Path(name).exists():
        message = f"is a file; --small is for the built-in studies ({', '.join(studies.names())})"
        raise GridError(name, [Problem(None, "", message)])
    if not Path(name).suffix and not Path(name).exists():
        guess = gridfile.nearest(name, list(studies.names()))
        hint = f"; did you mean '{guess}'?" if guess else ""
        message = f"is neither a file nor a built-in study ({', '.join(studies.names())}){hint}"
        raise GridError(name, [Problem(None, "", message)])
    return grid.load(Path(name))


def run(
    context: typer.Context,
    grid_name: Annotated[str, typer.Argument(metavar="GRID", help=Grid.__metadata__[0].help)],
    store: Store = None,
    address: Address = "local",
    executor: Where = Kind.RAY,
    workers: Workers = None,
    compile_steps: Compiling = Compile.AUTO,
    device: On = Device.AUTO,
    small: Small = False,
    until: Until = False,
    decide: What = None,
    max_seeds: Most = None,
    alpha: Alpha = None,
    margin: Margin = None,
    compare: Compare = None,
    metric: Judged = None,
    as_json: Json = False,
) -> None:
    """Train a grid: the main job. Finished trials are reused; run it again to continue."""
    how = How(executor, address, workers, compile_steps, device)
    given = _given(
        decide=decide, max_seeds=max_seeds, alpha=alpha, margin=margin, compare=compare,
        metric=metric,
    )  # fmt: skip
    expansion = until_decided.asked(load(grid_name, small), given, until)
    _run(context.obj, expansion, store, how, as_json)


def _given(**options: object) -> dict[str, object]:
    """The options that were given, as the grid file has them."""
    return {
        name: str(value) if isinstance(value, StrEnum) else value
        for name, value in options.items()
        if value is not None
    }


def resume(
    context: typer.Context,
    sweep_id: Annotated[str, typer.Argument(help="A sweep of this store; see `talweg status`.")],
    store: Store = None,
    address: Address = "local",
    executor: Where = Kind.RAY,
    workers: Workers = None,
    compile_steps: Compiling = Compile.AUTO,
    device: On = Device.AUTO,
    as_json: Json = False,
) -> None:
    """Continue a sweep from what the store knows of it; no grid file needed."""
    with store_of(store) as client:
        row = summary.sweep_row(client, sweep_id)
    spec = json.loads(row["spec"])
    expansion = grid.expand(Document(f"sweep {sweep_id}", spec, {}))
    how = How(executor, address, workers, compile_steps, device)
    _run(context.obj, expansion, store, how, as_json)


def _run(
    lent: Lent,
    expansion: Expansion,
    store: str | None,
    how: How,
    as_json: bool,
) -> None:
    given = settings.read()
    terminal = console(stderr=as_json, quiet=as_json)
    watch: sweep.Watcher = Quiet() if as_json else Bar(terminal)
    if expansion.until is not None:
        until_decided.demand_cells(expansion, lent)
    if how.compile is not Compile.NEVER and cpp_compiler() is None:
        terminal.print("no C++ compiler here: training steps are not compiled (talweg doctor)")
    with terminate_is_interrupt(), store_of(store) as client:
        plan = sweep.plan(expansion, client)
        grow: sweep.Grow = sweep.no_more
        if expansion.until is not None:
            grow = growth = until_decided.Growth(expansion, client, lent, watch.told)
            plan = growth.caught_up(plan, given.owner)
        # Ray prints to stdout what it has to say of workers that died: no part of a JSON object.
        aside = redirect_stdout(sys.stderr) if as_json else nullcontext()
        with aside, _executor(plan, client, how) as executor:
            try:
                result = sweep.run(plan, client, executor, given.owner, watch, grow)
            finally:
                watch.close()
        _tell(terminal, lent, client, expansion, result, store, as_json)
        if given.archive_folder is not None:
            told = archiving.keep(client, result.sweep_id, given.archive_folder)
            terminal.print(told, markup=False, soft_wrap=True)
    if result.errors:
        raise typer.Exit(EXIT_FAILED_TRIALS)


def _tell(
    terminal: Console,
    lent: Lent,
    client: Client,
    expansion: Expansion,
    result: sweep.Result,
    store: str | None,
    as_json: bool,
) -> None:
    """What a person, or a program, is told at the end of a sweep."""
    found = lent.decisions(client, result.sweep_id) if expansion.until is not None else None
    if as_json:
        decided = {} if found is None else {"until_decided": lent.decided(found)}
        print(json.dumps(summary.as_json(result) | decided))
        return
    study = summary.sweep_row(client, result.sweep_id)["study"]
    sentence = lent.sentence(client, result.sweep_id, study) if study else None
    summary.show(terminal, client, result, store, sentence)
    if found is not None:
        until_decided.show(terminal, lent, found)


@contextmanager
def _executor(plan: sweep.Plan, client: Client, how: How) -> Iterator[Executor]:
    """The executor asked for; no cluster is started for a sweep that has nothing to train."""
    executor: Executor
    given = settings.read()
    options = Options(
        device=how.device,
        gpu_share=given.gpu_share,
        compile=how.compile,
        steps_folder=given.steps_folder,
        checkpoints_folder=given.checkpoints_folder,
        checkpoint_seconds=given.checkpoint_seconds,
    )
    data = DataCache()
    for trial in plan.todo[:1]:
        data.expect(trial)
    if how.kind is Kind.INLINE or not plan.todo:
        executor = InlineExecutor(client, options, data)
    else:
        from .cluster import RayExecutor

        executor = RayExecutor(client, options, data, how.address, how.workers or given.workers)
    try:
        yield executor
    finally:
        executor.close()


def plan(
    context: typer.Context,
    grid_name: Annotated[str, typer.Argument(metavar="GRID", help=Grid.__metadata__[0].help)],
    store: Store = None,
    workers: Workers = None,
    small: Small = False,
    until: Until = False,
    max_seeds: Most = None,
    compare: Compare = None,
    as_json: Json = False,
) -> None:
    """Dry run: trials, packs, duplicates, what is finished, estimated time and memory."""
    given = _given(max_seeds=max_seeds, compare=compare)
    expansion = until_decided.asked(load(grid_name, small), given, until)
    where = store or settings.read().store
    todo, finished, costs = [p.trial for p in expansion.trials], 0, Costs()
    if "://" in where or Path(where).exists():
        with store_of(store, "read") as client:
            known = sweep.plan(expansion, client)
            todo, finished = known.todo, len(known.finished)
            costs = costing.known(client, packs.by_shape(todo))
    workers = workers or settings.read().workers or settings.cpus()
    planned = packs.plan(todo, workers, costs)
    shapes = {name for pack in planned for name in packs.by_shape(pack.trials[:1])}
    facts = {
        "sweep_id": sweep.sweep_id(expansion),
        "trials": len(expansion.trials),
        "duplicates": expansion.duplicates,
        "excluded": expansion.excluded,
        "finished": finished,
        "to_train": len(todo),
        "packs": len(planned),
        "shapes_measured": f"{len(shapes & costs.points.keys())} of {len(shapes)}",
        "largest_pack": max((len(p.trials) for p in planned), default=0),
        "workers": workers,
        "estimated_seconds": round(sum(p.seconds for p in planned) / workers, 1),
        "estimated_memory_mib": round(
            sum(sorted((p.memory_bytes for p in planned), reverse=True)[:workers]) / 2**20, 1
        ),
    }
    if expansion.until is not None:
        facts |= until_decided.planned(expansion, context.obj)
    if as_json:
        print(json.dumps(facts))
        return
    terminal = console()
    rows = [{"": key.replace("_", " "), "value": value} for key, value in facts.items()]
    terminal.print(rich_table(["", "value"], rows))
    for planned_trial in expansion.trials[:5]:
        terminal.print(f"  {planned_trial.slug}  [dim]{planned_trial.trial.trial_id}[/]")
    if len(expansion.trials) > 5:
        terminal.print(f"  … and {len(expansion.trials) - 5:,} more")


def status(
    sweep_id: Annotated[str | None, typer.Argument(help="One sweep; default: all.")] = None,
    store: Store = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every second.")] = False,
    as_json: Json = False,
) -> None:
    """Progress of all sweeps, or of one with its outcomes and failures."""
    with store_of(store, "read") as client:
        if as_json:
            print(json.dumps(summary.status_rows(client, sweep_id), default=str))
            return
        if not watch:
            console().print(summary.status_view(client, sweep_id))
            return
        with terminate_is_interrupt(), Live(refresh_per_second=2) as live:
            while summary.update(live, client, sweep_id):
                time.sleep(WATCH_SECONDS)


COMMANDS: dict[str, Any] = {"run": run, "plan": plan, "resume": resume, "status": status}
