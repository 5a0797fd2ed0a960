"""Runs of other tools as trials of a store: planned, begun, and sent in pieces.

They go the way of trials that are trained: a run whose import was cut off is begun anew by the
next import, and its rows are replaced.
"""

import contextlib
import datetime
import hashlib
import importlib.metadata
import re
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from ...workloads.records import FINISHED
from .. import wire
from ..client import Client
from ..errors import StoreError
from . import names
from .kinds import SOURCES
from .names import Mapped
from .runs import Run, Source, Unfit
from .spool import Spool

UNKNOWN = "unknown"
MODEL = "imported"
"""In ``trials.model``, so that nobody takes an imported trial for one that was trained here."""
NO_SEED = -1
MOST_SLUG = 200

_KNOWN = "select outcome, updates from trials where trial_id = $trial_id"


class Asked(NamedTuple):
    """What a person says of an import; ``columns``: column of ``steps`` -> the tool's name."""

    name: str
    team: str | None
    owner: str | None
    columns: Mapping[str, str]


class Brought(NamedTuple):
    """What an import did.

    ``columns`` counts, of the runs imported, which name filled which column; ``bad`` says of
    each run that was not imported why.
    """

    sweep_id: str
    imported: int
    same: int
    kept: int
    columns: Mapping[tuple[str, str], int]
    bad: list[str]


def sweep_id_of(kind: str, asked: Asked) -> str:
    """The same name, of the same kind and team, is the same sweep."""
    content = "\n".join((kind, asked.name, asked.team or ""))
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", asked.name)[:60].strip("-.") or "imported"
    return f"{words}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def trial_id_of(kind: str, run: Run) -> str:
    """As long as those of trials that were trained here, and never one of theirs."""
    return hashlib.sha256(f"imported\n{kind}\n{run.identity}".encode()).hexdigest()[:16]


def bring(client: Client, kind: str, path: Path, asked: Asked) -> Brought:
    """Import the runs below ``path``; again: changes nothing.

    Runs that cannot be read, or have a metric that no column takes, are listed as bad. Raises
    Unfit where there is no run at all, StoreError as every call does.
    """
    done, columns, bad = Counter[str](), Counter[tuple[str, str]](), list[str]()
    sweep = _sweep(kind, asked)
    with _spool(client, path, sweep["sweep_id"]) as spool:
        for source in SOURCES[kind](path):
            try:
                read = _read(source, spool, asked)
            except (Unfit, duckdb.Error, OSError) as error:
                bad.append(_said(source.path, error))
                continue
            done[_send(client, kind, read, spool, sweep)] += 1
            columns.update(read.columns.items())
    if done:
        client.set_status(sweep["sweep_id"], "done")
    if not done and not bad:
        raise Unfit(f"{path} holds no results of {kind}: see docs/import.md for the files it needs")
    return Brought(sweep["sweep_id"], done["imported"], done["same"], done["kept"], columns, bad)


@contextlib.contextmanager
def _spool(client: Client, path: Path, sweep_id: str) -> Iterator[Spool]:
    """A spool for the runs of a sweep, which is interrupted where the block fails."""
    try:
        with tempfile.TemporaryDirectory(prefix="talweg-import-") as folder:
            spool = Spool(Path(folder))
            with contextlib.closing(spool):
                yield spool
    except BaseException as error:
        # Nothing may have been registered yet, and the store may be what failed.
        with contextlib.suppress(StoreError):
            client.set_status(sweep_id, "interrupted")
        if isinstance(error, duckdb.Error):
            raise Unfit(f"the import of {path} was interrupted: {error}") from error
        raise


def _said(path: Path, error: Exception) -> str:
    """Why a run is not imported, with its place."""
    said = str(error)
    return said if str(path) in said else f"{path}: {said}"


def _sweep(kind: str, asked: Asked) -> dict[str, Any]:
    return {
        "sweep_id": sweep_id_of(kind, asked),
        "name": asked.name,
        "team": asked.team,
        "owner": asked.owner,
        "spec": {"name": asked.name, "imported": {"from": kind}},
        "status": "running",
        "talweg_version": importlib.metadata.version("talweg"),
    }


class _Read(NamedTuple):
    """A run that is in the spool: which of its names fill which columns, its last update."""

    run: Run
    columns: Mapping[str, str]
    last: int


def _read(source: Source, spool: Spool, asked: Asked) -> _Read:
    spool.clear()
    run = source.read(spool.add)
    columns = names.columns(spool.keys, asked.columns)
    return _Read(run, columns, spool.sort(columns))


def _send(client: Client, kind: str, read: _Read, spool: Spool, sweep: Mapping[str, Any]) -> str:
    """Bring the run in the spool into the store; what became of it, as Brought counts it."""
    run, _, last = read
    settings, trial_id = names.mapped(run.settings, kind), trial_id_of(kind, run)
    client.register(sweep, _planned(kind, run, trial_id, settings, last))
    (known,) = client.query(_KNOWN, {"trial_id": trial_id}).to_pylist()
    if known == {"outcome": run.outcome.value, "updates": last}:
        return "same"
    if known["outcome"] in FINISHED:
        return "kept"
    writer = str(uuid.uuid4())
    client.begin(writer, [trial_id])
    for sequence, tables in enumerate(_flushes(run, trial_id, spool, settings, last), 1):
        fitting = {name: wire.conform(name, table) for name, table in tables.items()}
        client.append_encoded(writer, sequence, wire.pack(fitting))
    return "imported"


def _planned(kind: str, run: Run, trial_id: str, found: Mapped, last: int) -> dict[str, list[Any]]:
    """The row of the trial as registered; what must have a value and has none is ``unknown``."""
    values = found.values
    batch = _batch(found)
    descent = UNKNOWN if batch is None else "stochastic" if batch == 1 else "mini_batch"
    seed = values.get("seed")
    row = {
        "trial_id": trial_id,
        "slug": f"{kind}/{run.name}"[:MOST_SLUG],
        "problem": str(values.get("problem.name", UNKNOWN)),
        "model": MODEL,
        "loss": str(values.get("loss.name", UNKNOWN)),
        "descent": descent,
        "batch_size": batch,
        "optimizer": str(values.get("optimizer.name", UNKNOWN)),
        "lr": _real(values.get("optimizer.lr")),
        "momentum": _real(values.get("optimizer.momentum")),
        "depth": _count(values.get("model.depth")),
        "width": _count(values.get("model.width")),
        "activation": _word(values.get("model.activation")),
        "seed": seed if names.whole(seed, -(2**63)) else NO_SEED,
        "budget_updates": last,
        "dtype": UNKNOWN,
        "config": found.config | {"descent": {"name": descent, **found.config.get("descent", {})}},
    }
    return {name: [value] for name, value in row.items()}


def _batch(found: Mapped) -> int | None:
    return _count(found.values.get("descent.batch_size"))


def _count(value: Any) -> int | None:
    return value if names.whole(value, 1, 2**31 - 1) else None


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _flushes(
    run: Run, trial_id: str, spool: Spool, found: Mapped, last: int
) -> Iterator[dict[str, pa.Table]]:
    """The rows of the run, a piece of a table at a time; its end with the last ones."""
    batch, samples = _batch(found), None
    rate = _real(found.values.get("optimizer.lr"))
    for piece in spool.steps(trial_id, batch, found.samples, rate):
        yield {"steps": piece}
        samples = piece["samples"][-1].as_py()
    for piece in spool.probes(trial_id):
        yield {"probes": piece}
    ending = {
        "trial_id": [trial_id],
        "outcome": [run.outcome.value],
        "updates": [last],
        "samples": [samples or None],
        "finished_at": [datetime.datetime.now(datetime.UTC)],
        "error": [run.error],
    }
    yield {"summaries": spool.summaries(trial_id), "endings": wire.arrow_of("endings", ending)}
