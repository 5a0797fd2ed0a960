"""Whether two stores hold the same results: every table, floats to 1e-9, clock times aside."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from talweg.storage.client import Client

TABLES = {
    "trials": "trial_id",
    "sweep_trials": "trial_id",
    "steps": "trial_id, update",
    "layers": "trial_id, update, layer",
    "summaries": "trial_id, metric",
}
OWN = {
    *("started_at", "finished_at", "seconds", "probe_seconds", "target_seconds"),
    *("node", "writer", "attempt"),
}
"""What says when, where and in which attempt a trial ran."""


def differences(left: Client, right: Client) -> Iterator[str]:
    """The first difference of each table."""
    for table, order in TABLES.items():
        a, b = (c.query(f"from {table} order by {order}").to_pylist() for c in (left, right))
        if len(a) != len(b):
            yield f"{table}: {len(a)} rows instead of {len(b)}"
        elif unlike := next((p for p in zip(a, b, strict=True) if not _same_row(*p)), None):
            yield f"{table}: {unlike[0]} instead of {unlike[1]}"


def _same_row(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return all(_same(a[name], b[name]) for name in a.keys() - OWN)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-14)
    return bool(a == b)
