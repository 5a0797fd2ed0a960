"""What must be true of a scene: at any moment, and at the end."""

from collections.abc import Iterator
from typing import Any

from talweg.storage import check

from . import rows
from .journal import Entry
from .scene import Scene

_STANDING = (
    "select trial_id, count(*) as rows, count(distinct update) as updates, max(update) as last "
    "from steps group by trial_id"
)
_LEDGER = "select writer, max(sequence) as last from ledger group by writer"


def broken(scene: Scene) -> list[tuple[str, str]]:
    """(trial, what is wrong) where the store has less than was acknowledged, or has it twice.

    What a cut of the log took is no claim any more, until the trial is begun anew.
    """
    # The notes first: what is acknowledged after this moment is no claim of theirs.
    notes = {trial: note for trial in scene.trials if (note := claim(scene, trial))}
    standing = {r["trial_id"]: r for r in scene.client.query(_STANDING).to_pylist()}
    ledger = {r["writer"]: r["last"] for r in scene.client.query(_LEDGER).to_pylist()}
    found = []
    for trial, note in notes.items():
        there = standing.get(trial, {"rows": 0, "updates": 0, "last": 0})
        if there["rows"] != there["updates"] or there["updates"] != there["last"]:
            found.append((trial, f"{there['rows']} rows of {there['updates']} updates"))
        if there["last"] < note.update or ledger.get(note.writer, 0) < note.flushes:
            found.append((trial, f"{note} was acknowledged; the store is at {there['last']}"))
    # While the store was waited for, a writer may have begun anew, which it notes before.
    return [(trial, what) for trial, what in found if claim(scene, trial) == notes[trial]]


def claim(scene: Scene, trial: str) -> Entry | None:
    """What was acknowledged of a trial last, if anything, and no cut of the log made void."""
    notes = scene.journal(trial).entries()
    since = notes[scene.lost.get(trial, 0) :]
    if trial in scene.lost and all(note.update for note in since):
        return None
    return notes[-1] if notes else None


def final(scene: Scene) -> Iterator[str]:
    """What is wrong after the end of every trial: the tables are those of an undisturbed run."""
    yield from (f"{found.name}: {found.message}" for found in _mistakes(scene))
    done = scene.client.finished(scene.trials)
    yield from (f"{trial} has not ended" for trial in scene.trials if trial not in done)
    yield from _different(scene, "steps", "update", rows.METRICS)
    yield from _different(scene, "layers", "update, layer", ("name", "grad_norm"))


def _mistakes(scene: Scene) -> list[check.Check]:
    return [found for found in check.examine(scene.client) if not found.ok]


def _different(scene: Scene, table: str, order: str, names: tuple[str, ...]) -> Iterator[str]:
    columns = ", ".join([order, *names])
    for trial in scene.trials:
        sql = f"select {columns} from {table} where trial_id = $t order by {order}"
        there = scene.client.query(sql, {"t": trial}).to_pylist()
        whole = rows.flush(trial, range(1, rows.UPDATES + 1))[table]
        wanted = [name.strip() for name in columns.split(",")]
        expected: list[dict[str, Any]] = [
            dict(zip(wanted, row, strict=True))
            for row in zip(*(whole[name] for name in wanted), strict=True)
        ]
        if there != expected:
            yield f"{trial}: {len(there)} rows of {table} differ from the {len(expected)} made"
