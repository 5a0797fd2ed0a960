"""Small finished sweeps with rows in every table, and what the tables of a store hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from talweg.storage import archive
from talweg.storage.client import Client
from talweg.storage.restore import TABLES

from .storage_helpers import Rows, ending, rows, steps, sweep, trials

METRICS = ("train_loss", "test_loss", "train_score", "test_score")
UPDATES = (0, 1, 10)
HOSTILE = "x'); drop table steps; --\n\x1b[31m<b>größe</b> 🏔"


def fill(
    client: Client,
    ids: Sequence[str] = ("a", "b", "c"),
    *,
    sweep_id: str = "s",
    status: str = "done",
    writer: str = "w",
    seed: int = 0,
    **columns: object,
) -> Client:
    """The client, after it was told of a sweep whose trials all ended: the last one diverged."""
    client.register(sweep(sweep_id, status="running", **columns), trials(ids))
    train(client, client.begin(writer, ids), writer, seed)
    client.set_status(sweep_id, status)
    return client


def train(client: Client, ids: Sequence[str], writer: str, seed: int = 0) -> None:
    """Rows in every table for these trials, random ones, and their ends."""
    draw = np.random.default_rng(seed)
    values = {m: draw.random((len(ids), len(UPDATES))) for m in METRICS}
    for number, update in enumerate(UPDATES, 1):
        now = {metric: table[:, number - 1] for metric, table in values.items()}
        recorded = {"steps": steps(ids, update, **now), "layers": layers(ids, update, draw)}
        client.append(writer, number, recorded)
    outcomes = ["done"] * (len(ids) - 1) + ["diverged"]
    last: dict[str, Rows] = {"endings": ending(ids) | {"outcome": outcomes}}
    last["summaries"] = summaries(ids, values)
    last["predictions"] = {"trial_id": ids, "key": ["q"] * len(ids), "source": [HOSTILE] * len(ids)}
    verdict: Rows = {"trial_id": ids, "update": [10] * len(ids), "verdict": ["healthy"] * len(ids)}
    last["verdicts"] = verdict | {
        "reason": [HOSTILE] * len(ids),
        "evidence": ['{"a":1}'] * len(ids),
    }
    probe: Rows = {"trial_id": ids, "update": [0] * len(ids), "probe": ["noise"] * len(ids)}
    last["probes"] = probe | {"key": [HOSTILE] * len(ids), "value": draw.random(len(ids))}
    client.append(writer, len(UPDATES) + 1, last)


def layers(ids: Sequence[str], update: int, draw: np.random.Generator) -> Rows:
    row: Rows = {"trial_id": ids, "update": [update] * len(ids), "layer": [1] * len(ids)}
    return row | {"name": ["hidden1"] * len(ids), "q": draw.random(len(ids))}


def summaries(ids: Sequence[str], values: dict[str, Any]) -> Rows:
    """Of each metric the first and last value, the best and where, and the area beneath."""
    whole: dict[str, list[Any]] = {}
    for metric, table in values.items():
        best = table.argmin(1) if metric.endswith("loss") else table.argmax(1)
        row = {
            "trial_id": list(ids), "metric": [metric] * len(ids),
            "first": table[:, 0].tolist(), "last": table[:, -1].tolist(),
            "best": table[range(len(ids)), best].tolist(),
            "best_update": np.array(UPDATES)[best].tolist(),
            "area": np.trapezoid(table, UPDATES, axis=1).tolist(),
        }  # fmt: skip
        for name, column in row.items():
            whole.setdefault(name, []).extend(column)
    return whole


def tables(client: Client) -> dict[str, list[str]]:
    """Every row of every archived table, sorted; who may write a trial left out."""
    columns = {"trials": "* exclude (writer)"}
    held = {t: rows(client, f"select {columns.get(t, '*')} from {t}") for t in TABLES}
    return {table: sorted(map(str, found)) for table, found in held.items()}


def hashes(folder: Path) -> dict[str, str]:
    """Sweep -> its content hash, as the manifest has it."""
    found = archive.read_manifest(folder).sweeps
    return {sweep_id: content.sha256 for sweep_id, content in found.items()}
