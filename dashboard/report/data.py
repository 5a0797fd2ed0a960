"""The hash of a sweep's data, and the commands that give data and report again."""

import dataclasses
import hashlib
import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..tables import Ask
from .document import Block, Listing, Paragraph, Section, Table


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """What identifies the data of a sweep: table -> (rows, fingerprint)."""

    tables: Mapping[str, tuple[int, str]]

    @property
    def data_hash(self) -> str:
        """SHA-256 over tables, counts of rows and fingerprints."""
        lines = [f"{name} {rows} {print_}" for name, (rows, print_) in self.tables.items()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


PART_TRIALS = 2500
"""Trials asked for at once: a store gives no query more than half a minute."""


def fingerprint(ask: Ask, sweep_id: str, part_trials: int = PART_TRIALS) -> Fingerprint:
    """Ask for the fingerprint of a sweep, in pieces of about so many trials."""
    trials = sum(ask("outcomes", sweep_id=sweep_id)["trials"].to_pylist())
    parts = max(1, math.ceil(trials / part_trials))
    counts: Counter[str] = Counter()
    prints: dict[str, int] = {}
    for part in range(parts):
        for row in ask("fingerprint", sweep_id=sweep_id, parts=parts, part=part).to_pylist():
            table = row["table"]
            counts[table] += row["row_count"]
            prints[table] = prints.get(table, 0) ^ int(row["fingerprint"])
    return Fingerprint({table: (counts[table], str(found)) for table, found in prints.items()})


_ABOUT = (
    "The data hash is the SHA-256 sum over these fingerprints. Each is independent of the order "
    "of rows and leaves out clock times, machines and attempts, so the same results have the same "
    "hash wherever they were computed. “talweg report --check FILE” asks a store whether it holds "
    "these data, and whether this text is what they say."
)


def section(ask: Ask, sweeps: Sequence[dict[str, Any]], command: str) -> Section:
    """Hashes, fingerprints, the commands that make this again, and the grid files.

    ``command``: the one that makes this report.
    """
    prints = {w["sweep_id"]: fingerprint(ask, w["sweep_id"]) for w in sweeps}
    several = len(prints) > 1
    blocks: list[Block] = [
        *(
            Paragraph(f"Data hash{f' of {name}' if several else ''}: {found.data_hash}")
            for name, found in prints.items()
        ),
        Table(_tables(prints), _ABOUT, "Fingerprints of the data"),
        Paragraph(f"Save {_files(sweeps)} below, then:"),
        Listing("\n".join([*_commands(sweeps), command]), "sh", "Commands"),
        *(_grid(sweep) for sweep in sweeps),
    ]
    return Section("The data, and how to get it again", tuple(blocks))


def _tables(prints: Mapping[str, Fingerprint]) -> pd.DataFrame:
    rows = [
        {"sweep": name, "table": table, "rows": count, "fingerprint": shown}
        for name, found in prints.items()
        for table, (count, shown) in found.tables.items()
    ]
    frame = pd.DataFrame(rows)
    return frame if len(prints) > 1 else frame.drop(columns="sweep")


def grid_file(sweep: Mapping[str, Any]) -> str:
    """The name under which the grid of a sweep is to be saved."""
    return f"{sweep['name']}.yaml"


def _files(sweeps: Sequence[Mapping[str, Any]]) -> str:
    if len(sweeps) == 1:
        return f"the grid as {grid_file(sweeps[0])}"
    return f"each grid as {', '.join(grid_file(sweep) for sweep in sweeps)}"


def _commands(sweeps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Installing and running; once per version of talweg."""
    versions = dict.fromkeys(sweep["talweg_version"] for sweep in sweeps)
    lines = []
    for version in versions:
        lines.append(f"pip install {shlex.quote(f'talweg=={version}')}")
        mine = [sweep for sweep in sweeps if sweep["talweg_version"] == version]
        lines += [f"talweg run {shlex.quote(grid_file(sweep))}" for sweep in mine]
    return lines


def _grid(sweep: Mapping[str, Any]) -> Listing:
    # JSON is YAML, so this is a grid file as it stands.
    spec = json.dumps(json.loads(sweep["spec"]), indent=2, ensure_ascii=False)
    return Listing(spec, "yaml", f"Grid file {grid_file(sweep)}", folded=True)
