"""What was run, and with what: the sections that stand behind every conclusion."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..formats import count, duration
from ..readings import COUNTS, Reading
from ..tables import Ask
from ..timing import sweep_timing
from .document import Block, Paragraph, Section, Table

_TIMING = {True: "isolated", False: "fused (seconds are shared)", None: "none (failed)"}
_THIN = "\u202f"
"""A narrow no-break space, between the thousands of a large number."""


def run(ask: Ask, sweep_id: str, read: Reading) -> list[Section]:
    """Outcomes, budget, seeds, settings, tuning, failures and missing cells of one sweep."""
    factors = ask("factors", sweep_id=sweep_id).to_pandas()
    factors["values"] = [_levels(values) for values in factors["values"]]
    settings = Table(factors[["factor", "levels", "values"]], title="Settings that vary")
    outcomes = Table(ask("outcomes", sweep_id=sweep_id).to_pandas(), title="Trials by outcome")
    return [
        Section("What was run", (outcomes, *_budget(ask, sweep_id), settings)),
        Section("How settings were tuned", (Paragraph(read.tuning),), 3),
        Section("Failures", (_failures(ask, sweep_id),), 3),
        Section("Missing and unequal cells", (_missing(read.cells),), 3),
    ]


def _levels(values: Sequence[str], most: int = 12) -> str:
    """The values of a setting; of many only the ends."""
    if len(values) <= most:
        return ", ".join(values)
    return f"{', '.join(values[:3])}, … {values[-1]}"


def _budget(ask: Ask, sweep_id: str) -> tuple[Block, ...]:
    (row,) = ask("sweep_budget", sweep_id=sweep_id).to_pylist()
    if not row["trials"]:
        return (Paragraph("The sweep has no trials."),)
    each = f"{_large(row['fewest'])}"
    if row["fewest"] != row["most"]:
        each += f" to {_large(row['most'])}"
    said = (
        f"Budget: {each} updates a trial, {_large(row['planned'])} in all; "
        f"{_large(row['updates'])} were made, on {_large(row['samples'])} samples, by the trials "
        f"that have ended ({row['finished']} of {row['trials']} with a result). "
    )
    return (Paragraph(said + f"{seeds_words(row['seeds']).capitalize()}."),)


def seeds_words(seeds: Sequence[int]) -> str:
    """``5 seeds: 0 to 4``; runs of neighbours by their ends."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    named = [str(a) if a == b else f"{a} to {b}" for a, b in runs]
    return f"{count(len(seeds), 'seed')}: {_levels(named)}"


def _large(number: int | None) -> str:
    return f"{number or 0:,}".replace(",", _THIN)


def _failures(ask: Ask, sweep_id: str) -> Block:
    found = ask("failures", sweep_id=sweep_id).to_pandas()
    if found.empty:
        return Paragraph("No trial failed.")
    return Table(found, title="Failed trials by reason")


def _missing(cells: pd.DataFrame) -> Block:
    """Cells that lack a result, or that were planned smaller than the largest one."""
    uneven = (cells["missing"] > 0) | (cells["planned"] < cells["planned"].max())
    found = cells[uneven]
    if found.empty:
        planned = count(int(cells["planned"].max()), "trial") if len(cells) else "no trial"
        return Paragraph(f"Every planned trial ended with a result, and every cell has {planned}.")
    counts = pd.DataFrame(
        {
            "planned": found["planned"],
            "with a result": found["finished"],
            "failed": found["failed"],
            "not finished": found["missing"] - found["failed"],
        }
    )
    names: pd.DataFrame = found.drop(columns=COUNTS)
    return Table(names.join(counts), title="Cells that lack trials")


def machines(ask: Ask, sweeps: Sequence[dict[str, Any]]) -> Section:
    """Where the sweeps were trained, whose their seconds are, and with which versions."""
    asked = {w["sweep_id"]: ask("hardware", sweep_id=w["sweep_id"]).to_pylist() for w in sweeps}
    alone = len(sweeps) == 1
    rows = [({} if alone else {"sweep": w}) | _machine(r) for w, rs in asked.items() for r in rs]
    blocks: list[Block] = []
    if rows:
        blocks.append(Table(pd.DataFrame(rows), title="Machines and timing"))
    for sweep_id, hardware in asked.items():
        said = sweep_timing(hardware).statement
        blocks.append(Paragraph(said if alone else f"{sweep_id}: {said}"))
    return Section("Machines and versions", (*blocks, _versions(sweeps)))


def _machine(row: dict[str, Any]) -> dict[str, Any]:
    begun, ended = row["started_at"], row["finished_at"]
    spent = (ended - begun).total_seconds() if begun and ended else None
    return {
        "node": row["node"],
        "device": row["device"],
        "dtype": row["dtype"],
        "timing": _TIMING[row["isolated"]],
        "trials": row["trials"],
        "updates": _large(row["updates"]),
        "from first to last": duration(spent),
    }


def _versions(sweeps: Sequence[dict[str, Any]]) -> Table:
    """What the store recorded of software, and where each sweep was started."""
    rows = [
        {
            "sweep": w["sweep_id"],
            "talweg": w["talweg_version"],
            **json.loads(w["software"] or "{}"),
            "started on": w["host"] or "–",
        }
        for w in sweeps
    ]
    caption = "Versions as installed where the sweep was first started."
    if not all(w["software"] for w in sweeps):
        caption += (
            " A sweep of an earlier talweg recorded its own version alone; constraints.txt of that "
            "version names the libraries it is tested with."
        )
    return Table(pd.DataFrame(rows).fillna("–"), caption, "Versions")
