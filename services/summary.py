"""What a person reads after a sweep, and what ``talweg status`` shows."""

from collections import defaultdict
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

from ..storage.client import Client
from ..storage.errors import QueryError
from .output import rich_table
from .sweep import Result

FACTORS = {
    "problem": "problem", "model": "model", "depth": "depth", "width": "width",
    "activation": "activation", "init": "init", "norm": "norm", "loss": "loss",
    "descent": "descent", "optimizer": "optimizer", "momentum": "momentum",
    "clip_norm": "clip", "dtype": "dtype",
}  # fmt: skip
"""Settings that a summary table may be grouped by, with their headings. Seeds are averaged
over; of the learning rates the best is shown."""
OVER = ("done", "failed", "interrupted", "cancelled")


def sweep_row(client: Client, sweep_id: str) -> dict[str, Any]:
    """The sweep's row.

    Raises:
        QueryError: the store holds no such sweep; the message names those it holds.
    """
    rows = client.query("sweep", {"sweep_id": sweep_id}).to_pylist()
    if not rows:
        known = [row["sweep_id"] for row in client.query("sweeps").to_pylist()]
        listed = ", ".join(known[:5]) or "none yet; `talweg run descent` makes one"
        raise QueryError(f"no sweep {sweep_id!r} in {client.where} (there are: {listed})")
    return dict(rows[0])


def as_json(result: Result) -> dict[str, Any]:
    """A result for programs."""
    seconds = result.seconds
    return {
        "sweep_id": result.sweep_id,
        "trials": result.trials,
        "reused": result.reused,
        "outcomes": dict(result.outcomes),
        "errors": result.errors,
        "sweep_seconds": round(seconds, 3),
        "packs": result.packs,
        "pack_seconds": round(result.pack_seconds, 3),
        "updates": result.updates,
        "updates_per_s": round(result.updates / seconds, 1) if seconds else 0.0,
        "trials_per_s": round(sum(result.outcomes.values()) / seconds, 2) if seconds else 0.0,
    }


def show(
    console: Console, client: Client, result: Result, store: str | None, sentence: str | None
) -> None:
    """The summary: one table, the study's answer in a sentence, and where to look next."""
    trained = sum(result.outcomes.values())
    console.print()
    if trained:
        console.print(
            f"{trained} trials in {result.seconds:.1f} s: {result.updates:,} updates, "
            f"{result.updates / result.seconds:,.0f} updates/s."
        )
    if result.reused:
        whole = "All" if result.reused == result.trials else "Of"
        console.print(f"{whole} {result.trials} trials, {result.reused} were finished and reused.")
    console.print(_table(client, result.sweep_id))
    for trial_id, reason in list(result.errors.items())[:3]:
        console.print(f"[red]failed[/] {trial_id}: {reason}")
    if sentence:
        console.print(f"\n[bold]{sentence}[/]\n")
    option = f" --store {store}" if store else ""
    # Commands are not wrapped, so that they can be copied.
    console.print(f"Charts: talweg dashboard{option}", soft_wrap=True)
    report = f"talweg report {result.sweep_id} -o {result.sweep_id}.html{option}"
    console.print(f"Report: {report}", soft_wrap=True)


def _table(client: Client, sweep_id: str) -> Table:
    """One row per setting that varies, at its best learning rate by final test score."""
    rows = client.query("sweep_summary", {"sweep_id": sweep_id}).to_pylist()
    for row in rows:
        row["descent"] = _descent(row["descent"], row["batch_size"])
    varying = [f for f in FACTORS if len({row[f] for row in rows}) > 1]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[f] for f in varying)].append(row)
    lines = [_line(varying, key, group) for key, group in groups.items()]
    return rich_table(list(lines[0]), lines)


def _descent(name: str, batch_size: int | None) -> str:
    """``mini-batch 32``: the descent and, where it is a choice, its batch size."""
    return f"mini-batch {batch_size}" if name == "mini_batch" else name


def _line(
    varying: list[str], key: tuple[Any, ...], group: list[dict[str, Any]]
) -> dict[str, object]:
    best = max(group, key=lambda row: -1.0 if row["test_score"] is None else row["test_score"])
    score, deviation = best["test_score"], best["test_score_sd"]
    spread = f" ± {deviation:.3f}" if deviation is not None else ""
    line: dict[str, object] = {FACTORS[f]: value for f, value in zip(varying, key, strict=True)}
    line |= {name: sum(row[name] for row in group) for name in ("trials", "diverged")}
    if missing := sum(row["failed"] + row["unfinished"] for row in group):
        line["no result"] = missing
    return line | {
        "best final lr": best["lr"],
        "test score there": "–" if score is None else f"{score:.3f}{spread}",
        "updates": best["updates"] and round(best["updates"]),
        "samples": best["samples"] and round(best["samples"]),
    }


def status_rows(client: Client, sweep_id: str | None) -> list[dict[str, Any]]:
    """The sweeps, or one sweep, as rows for programs."""
    rows = client.query("sweeps").to_pylist()
    if sweep_id is None:
        return list(rows)
    sweep_row(client, sweep_id)
    return [row for row in rows if row["sweep_id"] == sweep_id]


def status_view(client: Client, sweep_id: str | None) -> RenderableType:
    """The sweeps as a table; one sweep with its outcomes and failures."""
    rows = status_rows(client, sweep_id)
    if not rows:
        return f"No sweep in {client.where} yet. Start one: talweg run descent"
    columns = ["sweep_id", "status", "trials", "finished", "diverged", "failed", "reused", "owner"]
    overview = rich_table(columns, rows)
    if sweep_id is None:
        return overview
    parts: list[RenderableType] = [overview]
    for query in ("outcomes", "failures"):
        table = client.query(query, {"sweep_id": sweep_id})
        if table.num_rows:
            parts.append(rich_table(table.column_names, table.to_pylist()[:20], title=query))
    return Group(*parts)


def update(live: Live, client: Client, sweep_id: str | None) -> bool:
    """Refresh a live view; False when nothing runs any more."""
    live.update(status_view(client, sweep_id))
    return any(row["status"] not in OVER for row in status_rows(client, sweep_id))
