"""The commands that train: run, plan, resume, status."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.live import Live

from ..storage.client import Client, connect
from ..workloads import grid, gridfile, packs, studies
from ..workloads.costs import Costs
from ..workloads.grid import Expansion
from ..workloads.gridfile import Document, GridError, Problem
from ..workloads.options import Compile, Options, cpp_compiler
from . import costing, settings, summary, sweep
from .executors import DataCache, Executor, InlineExecutor
from .interrupts import terminate_is_interrupt
from .output import console, rich_table
from .progress import Bar, Quiet

EXIT_FAILED_TRIALS = 1
WATCH_SECONDS = 1.0

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


Answer = Callable[[Client, str, str], str]
"""(client, sweep_id, study) -> the study's answer in a sentence."""


class Kind(StrEnum):
    """Where packs run."""

    RAY = "ray"
    INLINE = "inline"


class Device(StrEnum):
    """What packs train on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


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


def store_of(store: str | None, scope: str = "write") -> Client:
    """The client of the store that was asked for."""
    given = settings.read()
    token = given.write_secret()
    where = store or given.store
    return connect(where, token=token, patience_s=given.patience_s, scope=scope)


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
    as_json: Json = False,
) -> None:
    """Train a grid: the main job. Finished trials are reused; run it again to continue."""
    how = How(executor, address, workers, compile_steps, device)
    _run(context.obj.sentence, load(grid_name, small), store, how, as_json)


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
    _run(context.obj.sentence, expansion, store, how, as_json)


def _run(
    answer: Answer,
    expansion: Expansion,
    store: str | None,
    how: How,
    as_json: bool,
) -> None:
    given = settings.read()
    terminal = console(stderr=as_json, quiet=as_json)
    watch: sweep.Watcher = Quiet() if as_json else Bar(terminal)
    if how.compile is not Compile.NEVER and cpp_compiler() is None:
        terminal.print("no C++ compiler here: training steps are not compiled (talweg doctor)")
    with terminate_is_interrupt(), store_of(store) as client:
        plan = sweep.plan(expansion, client)
        with _executor(plan, client, how) as executor:
            try:
                result = sweep.run(plan, client, executor, given.owner, watch)
            finally:
                watch.close()
        if as_json:
            print(json.dumps(summary.as_json(result)))
        else:
            study = summary.sweep_row(client, result.sweep_id)["study"]
            sentence = answer(client, result.sweep_id, study) if study else None
            summary.show(terminal, client, result, store, sentence)
    if result.errors:
        raise typer.Exit(EXIT_FAILED_TRIALS)


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
    grid_name: Annotated[str, typer.Argument(metavar="GRID", help=Grid.__metadata__[0].help)],
    store: Store = None,
    workers: Workers = None,
    small: Small = False,
    as_json: Json = False,
) -> None:
    """Dry run: trials, packs, duplicates, what is finished, estimated time and memory."""
    expansion = load(grid_name, small)
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
