"""SQL of attempts: who trains a trial from now on, anew or from a checkpoint."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import duckdb

from ..workloads.records import FINISHED, TABLES, columns_of
from .errors import StoreError

Connection = duckdb.DuckDBPyConnection
log = logging.getLogger(__name__)

MEASURED = tuple(table for table in TABLES if table != "endings")
"""Tables whose rows belong to one attempt of a trial."""

DATED = tuple(table for table in MEASURED if "update" in columns_of(table))
"""Those of them whose rows belong to an update."""

_UNENDED = ", ".join(f"{name} = null" for name in columns_of("endings") if name != "trial_id")
# A list as a parameter: for the few trials of a pack cheaper than a view of an Arrow table.
_LISTED = "trial_id in (select unnest($trial_ids::varchar[]))"


class _Trial(NamedTuple):
    """What the database says of a trial before it changes hands."""

    owner: str | None
    attempt: int
    outcome: str | None


def begin(con: Connection, writer: str, trial_ids: Sequence[str]) -> list[str]:
    """Make ``writer`` the owner of the unfinished ones of these trials, and return those."""
    trials = _unfinished(con, trial_ids)
    taken = {name: trial for name, trial in trials.items() if trial.owner != writer}
    _take(con, writer, taken, ", attempt = attempt + 1, started_at = now()")
    # First attempts, the usual case, have nothing to forget.
    if again := [name for name, trial in taken.items() if trial.attempt]:
        for table in MEASURED:
            con.execute(f"delete from {table} where {_LISTED}", {"trial_ids": again})
    # Not only what was taken: a repeated call, whose first answer was lost, says the same.
    return list(trials)


def resume(
    con: Connection,
    writer: str,
    trial_ids: Sequence[str],
    previous: str,
    update: int,
    flushes: int = 0,
) -> list[str]:
    """Make ``writer`` the owner of those of these trials that are ``previous``'s and unfinished.

    Their rows beyond ``update`` are deleted; returns those that ``writer`` owns then. None
    change hands where the ledger has fewer than ``flushes`` of ``previous``: there are rows
    missing in between.
    """
    if writer == previous:
        raise StoreError(
            f"writer {writer!r} cannot resume what it owns itself: take a fresh writer name, so "
            "that what the earlier process may still send is refused"
        )
    trials = _unfinished(con, trial_ids)
    left = {name: trial for name, trial in trials.items() if trial.owner == previous}
    taken = left if _has(con, previous, flushes) else {}
    _take(con, writer, taken, "")
    # Of what was taken now only: a call that is repeated late, when the writer has added rows
    # already, must not delete those.
    if taken:
        values = {"trial_ids": list(taken), "update": update}
        for table in DATED:
            con.execute(f"delete from {table} where {_LISTED} and update > $update", values)
    return [name for name, trial in trials.items() if name in taken or trial.owner == writer]


def _has(con: Connection, writer: str, flushes: int) -> bool:
    """Whether so many flushes of a writer are there, as its checkpoint says.

    A database that came back from a backup, or whose log was cut, has fewer than it acknowledged.
    """
    found = con.execute("select max(sequence) from ledger where writer = $w", {"w": writer})
    here = int(found.fetchall()[0][0] or 0)
    if here < flushes:
        log.warning(
            "rows are lost: flushes %d to %d of writer %s were acknowledged and are not here; "
            "its trials start anew", here + 1, flushes, writer,
        )  # fmt: skip
    return here >= flushes


def _unfinished(con: Connection, trial_ids: Sequence[str]) -> dict[str, _Trial]:
    """Those of the trials that are not finished, in order; raises StoreError for unknown ones."""
    found = con.execute(
        f"select trial_id, writer, attempt, outcome from trials where {_LISTED}",
        {"trial_ids": trial_ids},
    ).fetchall()
    known = {name: _Trial(*values) for name, *values in found}
    if unknown := [name for name in trial_ids if name not in known]:
        names = ", ".join(map(repr, unknown[:3]))
        raise StoreError(f"trials that no sweep registered cannot begin: {names}; register() first")
    asked: Iterable[str] = dict.fromkeys(trial_ids)
    return {name: known[name] for name in asked if known[name].outcome not in FINISHED}


def _take(con: Connection, writer: str, taken: Mapping[str, _Trial], more: str) -> None:
    """Give these trials to ``writer``; what is said of an end is not true any more."""
    if not taken:
        return
    if any(trial.outcome for trial in taken.values()):
        more += f", {_UNENDED}"
    con.execute(
        f"update trials set writer = $writer{more} where {_LISTED}",
        {"writer": writer, "trial_ids": list(taken)},
    )
