"""The rows of the soak's made-up trials: the same doubles whoever makes them, and whenever."""

import datetime
import random
from collections.abc import Iterator, Sequence
from typing import Any

from talweg.workloads.records import Records

UPDATES = 60
METRICS = ("train_loss", "test_loss", "train_score", "test_score")
LAYERS = ("first", "last")

Columns = dict[str, list[Any]]


def register_columns(ids: Sequence[str]) -> Columns:
    """What is known of the trials before they run."""
    n = len(ids)
    words = ("problem", "model", "loss", "descent", "optimizer", "dtype")
    plain: Columns = {word: [word] * n for word in words}
    plain |= {"trial_id": list(ids), "slug": [f"soak/{name}" for name in ids]}
    return plain | {"seed": [0] * n, "budget_updates": [UPDATES] * n, "config": ["{}"] * n}


def values(trial: str, update: int) -> list[float]:
    """The four metrics of an update."""
    chance = random.Random(f"{trial} {update}")
    return [chance.random() for _ in METRICS]


def flush(trial: str, updates: Sequence[int]) -> Records:
    """Steps and layers of these updates."""
    rows = [values(trial, update) for update in updates]
    n = len(rows)
    steps: Columns = {"trial_id": [trial] * n, "epoch": [0.5] * n, "lr": [0.1] * n}
    steps |= {name: list(updates) for name in ("update", "samples", "gradient_evaluations")}
    steps |= {name: [row[place] for row in rows] for place, name in enumerate(METRICS)}
    return {"steps": steps, "layers": _layers(trial, updates, rows)}


def _layers(trial: str, updates: Sequence[int], rows: Sequence[Sequence[float]]) -> Columns:
    found = [
        (trial, update, layer, name, row[layer])
        for update, row in zip(updates, rows, strict=True)
        for layer, name in enumerate(LAYERS)
    ]
    names = ("trial_id", "update", "layer", "name", "grad_norm")
    return dict(zip(names, map(list, zip(*found, strict=True)), strict=True))


def end(trial: str) -> Records:
    """The summaries of a whole trial, and its end."""
    summaries: Columns = {"trial_id": [trial] * len(METRICS), "metric": list(METRICS)}
    for name, column in zip(("first", "last", "best", "best_update"), _summed(trial), strict=True):
        summaries[name] = column
    endings: Columns = {"trial_id": [trial], "outcome": ["done"], "updates": [UPDATES]}
    endings |= {"finished_at": [datetime.datetime.now(datetime.UTC)], "isolated": [False]}
    return {"summaries": summaries, "endings": endings}


def _summed(trial: str) -> Iterator[list[Any]]:
    curves = list(zip(*(values(trial, u) for u in range(1, UPDATES + 1)), strict=True))
    chosen = [
        (min if name.endswith("loss") else max)(curve)
        for name, curve in zip(METRICS, curves, strict=True)
    ]
    yield [curve[0] for curve in curves]
    yield [curve[-1] for curve in curves]
    yield chosen
    yield [1 + curve.index(best) for curve, best in zip(curves, chosen, strict=True)]
