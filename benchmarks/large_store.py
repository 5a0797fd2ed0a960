"""A store as large as a busy team's: ``python -m benchmarks.large_store OUT --trials 10000``.

The trials are real ones, of built-in studies with more seeds, as talweg would register them; what
they measured is made up. A loss falls as a power of the updates, at a pace and to a floor that
follow from the trial's settings and seed, with noise; every value is a hash of trial and update,
so the same arguments give the same rows. The SQL beside this file makes them.
"""

import argparse
import dataclasses
import importlib.metadata
import io
import math
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
from ruamel.yaml import YAML

from talweg.services import sweep
from talweg.storage import migrate, trials
from talweg.workloads import grid, gridfile, studies
from talweg.workloads.schedule import log_spaced, subset
from talweg.workloads.spec import TrialSpec, canonical

SHARES = {"descent": 0.4, "depth_and_activation": 0.4, "optimizers": 0.2}
"""Which part of the trials belongs to which study."""

UPDATES_PER_RECORDING = 100
LAYERS, PROBES = 30, 5
"""How many of a trial's recordings have rows of layers, and of other probes."""

PACK, CHUNK = 64, 512
"""Trials whose rows arrive together, and whose rows are made together."""

SQL = Path(__file__).with_suffix(".sql")


@dataclasses.dataclass(frozen=True)
class Size:
    """Of a store: trials, and recordings of each that does not diverge."""

    trials: int
    recordings: int

    @property
    def updates(self) -> int:
        """The budget of every trial."""
        return UPDATES_PER_RECORDING * self.recordings

    @property
    def steps(self) -> int:
        """``record.steps`` for that many recordings: the log-spaced schedule repeats early ones."""
        steps = self.recordings
        while len(log_spaced(self.updates, steps)) < self.recordings:
            steps += 1
        return steps


def make(path: Path, size: Size) -> None:
    """Write the database.

    Raises:
        FileExistsError: there is one already.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists already; remove it, or give another name")
    with duckdb.connect(path) as con:
        con.execute("set preserve_insertion_order = true")
        migrate.migrate(con)
        _moments(con, size)
        packs = 0
        made: set[str] = set()
        for study, share in SHARES.items():
            planned = _register(con, study, round(share * size.trials), size)
            # Studies share trials, and those are trained once.
            members = [trial for trial in planned if trial.trial_id not in made]
            made |= {trial.trial_id for trial in planned}
            for start in range(0, len(members), CHUNK):
                some = members[start : start + CHUNK]
                _chunk(con, some, packs)
                con.execute(SQL.read_text(encoding="utf-8"))
                packs += math.ceil(len(some) / PACK)
        con.execute("checkpoint")


def _moments(con: duckdb.DuckDBPyConnection, size: Size) -> None:
    """When trials are recorded, as the table ``moments``."""
    updates = log_spaced(size.updates, size.steps)
    layers, probes = subset(updates, LAYERS), subset(updates, PROBES)
    given = pa.table(
        {
            "update": updates,
            "with_layers": [update in layers for update in updates],
            "with_probes": [update in probes for update in updates],
        }
    )
    con.register("given", given)
    con.execute("create temp table moments as from given")
    con.unregister("given")


def _register(
    con: duckdb.DuckDBPyConnection, study: str, count: int, size: Size
) -> list[TrialSpec]:
    """Enter a sweep of so many trials of a study, evenly chosen from its grid."""
    expansion = grid.expand(_document(study, count, size))
    by_seed = sorted(expansion.trials, key=lambda planned: planned.trial.seed)
    chosen = [by_seed[i * len(by_seed) // count] for i in range(count)]
    row: dict[str, object] = {
        "sweep_id": f"{study}-large",
        "name": expansion.name,
        "study": study,
        "team": "benchmarks",
        "owner": "large_store",
        "spec": canonical(expansion.spec),
        "status": "done",
        "talweg_version": importlib.metadata.version("talweg"),
        "host": "here",
    }
    if chosen:
        trials.register(con, row, pa.table(dict(sweep.columns(chosen))))
    return [planned.trial for planned in chosen]


def _document(study: str, count: int, size: Size) -> gridfile.Document:
    """The study's grid file with as many seeds as the trials need, and this size's budget."""
    yaml = YAML(typ="safe")
    spec = yaml.load(studies.path(study).read_text(encoding="utf-8"))
    spec["grid"]["seed"] = {"range": 1}
    spec["base"]["budget"] = {"updates": size.updates}
    spec["record"] = {"steps": size.steps, "layers": LAYERS}
    groups = len(grid.expand(_parsed(spec, study)).trials)
    spec["grid"]["seed"] = {"range": max(1, math.ceil(count / groups))}
    return _parsed(spec, study)


def _parsed(spec: object, study: str) -> gridfile.Document:
    text = io.StringIO()
    YAML(typ="safe").dump(spec, text)
    return gridfile.parse(text.getvalue(), study)


def _chunk(con: duckdb.DuckDBPyConnection, some: Sequence[TrialSpec], packs: int) -> None:
    """What the rows of these trials depend on, as the table ``chunk``."""
    rows = [_settings(trial, packs + place // PACK) for place, trial in enumerate(some)]
    con.register("given", pa.Table.from_pylist(rows))
    con.execute("create or replace temp table chunk as from given")
    con.unregister("given")


BEST_LR = {"adam": 3e-3, "adamw": 3e-3, "rmsprop": 3e-3}
FACTOR = {"sigmoid": 0.6, "tanh": 0.97, "relu": 0.95, "gelu": 0.9, "selu": 1.05}
"""Of the backward signal from a layer to the one before, by activation."""


def _settings(trial: TrialSpec, pack: int) -> dict[str, object]:
    row = trial.row()
    number = int(row["trial_id"], 16) % 2**40
    best = BEST_LR.get(row["optimizer"], 0.1)
    unstable = row["lr"] > 3 * best and number % 4 == 0
    outcome = "failed" if number % 200 == 7 else "diverged" if unstable else "done"
    return {
        "trial_id": row["trial_id"],
        "number": number,
        "pack": pack,
        "batch": row["batch_size"] or 1437,
        "lr": row["lr"],
        "best_lr": best,
        "depth": row["depth"],
        "factor": FACTOR[row["activation"]],
        "outcome": outcome,
        "last": trial.budget_updates // (2 if outcome == "diverged" else 1),
        "target": 0.95,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_store", description=__doc__)
    parser.add_argument("out", type=Path, help="database file to write")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--recordings", type=int, default=1_000)
    asked = parser.parse_args()
    started = time.perf_counter()
    make(asked.out, Size(asked.trials, asked.recordings))
    seconds, size = time.perf_counter() - started, asked.out.stat().st_size
    print(f"{asked.out}: {size / 1e6:,.0f} MB, made in {seconds:.0f} s")


if __name__ == "__main__":
    main()
