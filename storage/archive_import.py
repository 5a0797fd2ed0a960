"""Bringing archives back into a store: checked first, sent in pieces, compared afterwards.

A trial travels whole, in the transaction of its piece, and sweeps last: an import that was cut
off has brought back some trials, and the same import again brings the others.
"""

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from ..workloads.records import FINISHED
from . import archive, named, wire
from .archive import Connection, Manifest
from .archive_export import PIECE_ROWS, pieces
from .attempts import MEASURED
from .client import Client
from .database import BARE
from .errors import ArchiveError, StoreError
from .migrate import migrate
from .restore import write

COMPARED_ROWS = 1_000_000
"""Rows that a store is asked to fingerprint in one query."""

MOST_ROWS = 3_000_000
"""Of one trial, which travels whole: about as many as a store takes in one call."""

_QUERY = "fingerprint_trials"
_PIECE = (
    # The range lets Parquet's statistics pass over what other pieces hold.
    "select * from {table} where trial_id between $first and $last "
    "and trial_id in (select unnest($trials::varchar[]))"
)


class Choice(enum.Enum):
    """What becomes of an archived trial."""

    RESTORED = "restored"  # the store has no result of it, and nobody is at it
    SAME = "same"  # the store has these very rows
    KEPT = "kept"  # the archive has no result of it, the store has begun or finished it
    CONFLICT = "conflict"


class Trial(NamedTuple):
    """A trial as the named query ``fingerprint_trials`` describes it."""

    trial_id: str
    outcome: str | None
    attempt: int
    idle: bool
    row_count: int
    fingerprint: str


class Imported(NamedTuple):
    """What an import did: the archive's manifest, and how many trials had which choice."""

    manifest: Manifest
    restored: int
    same: int
    kept: int


def restore(client: Client, folder: Path) -> Imported:
    """Verify the archive in ``folder`` and bring it into the store; again: changes nothing.

    Raises ArchiveError, before anything is sent, for an archive that is damaged and for trials
    of which the store has other results or which are being trained there; and afterwards when
    the store does not hold what was sent.
    """
    manifest = archive.verify(folder)
    with archive.opened(folder) as con:
        archived = trials_of(con)
        _demand_portable(archived.values())
        here = trials_in(client, archived)
        choices = {name: choice(trial, here.get(name)) for name, trial in archived.items()}
        _demand_no_conflict(folder, [here[n] for n, c in choices.items() if c is Choice.CONFLICT])
        sent = {n: archived[n] for n, c in choices.items() if c is Choice.RESTORED}
        _rehearse(folder, con, archived)
        for piece in _pieces(sent, PIECE_ROWS):
            client.restore({table: _rows(con, table, piece) for table in ("trials", *MEASURED)})
        for part in _sweeps(con):
            client.restore(part)
    _demand_arrived(sent, trials_in(client, sent))
    count = Counter(choices.values())
    return Imported(manifest, count[Choice.RESTORED], count[Choice.SAME], count[Choice.KEPT])


def _demand_portable(trials: Iterable[Trial]) -> None:
    """Before anything is read into memory: a small file can hold any number of equal rows."""
    for trial in trials:
        if trial.row_count > MOST_ROWS:
            raise ArchiveError(
                f"trial {trial.trial_id} has {trial.row_count:,} rows; at most {MOST_ROWS:,} can "
                "travel"
            )


def _rehearse(folder: Path, con: Connection, trials: Mapping[str, Trial]) -> None:
    """Enter trials and sweeps into an empty database first: what does not fit, is not sent.

    Raises ArchiveError. Hashes say that an archive is as it was made, not who made it.
    """
    try:
        with duckdb.connect(config={**BARE}) as empty:
            migrate(empty)
            for piece in _pieces(trials, PIECE_ROWS):
                write(empty, {"trials": wire.plain("trials", _rows(con, "trials", piece))})
            for part in _sweeps(con):
                write(empty, {name: wire.plain(name, rows) for name, rows in part.items()})
    except (StoreError, duckdb.Error) as error:
        raise ArchiveError(f"{folder} cannot be imported: {error}") from error


def _sweeps(con: Connection) -> Iterator[dict[str, pa.Table]]:
    """The sweeps, then what belongs to them, in pieces."""
    for table in ("sweeps", "sweep_trials"):
        for batch in con.sql(f"from {table}").to_arrow_reader(PIECE_ROWS):
            yield {table: pa.Table.from_batches([batch])}


def trials_of(con: Connection) -> dict[str, Trial]:
    """The trials of an opened archive, in order."""
    rows = con.execute(named.sql_of(_QUERY), {"trial_ids": []}).fetchall()
    return {row[0]: Trial(*row) for row in rows}


def trials_in(client: Client, archived: Mapping[str, Trial]) -> dict[str, Trial]:
    """What the store has of these trials."""
    found: dict[str, Trial] = {}
    for piece in _pieces(archived, COMPARED_ROWS):
        rows = client.query(_QUERY, {"trial_ids": piece}).to_pylist()
        found |= {row["trial_id"]: Trial(**row) for row in rows}
    return found


def _pieces(trials: Mapping[str, Trial], most: int) -> Iterator[list[str]]:
    # The row of a trial itself, with its whole configuration, is as long as several others.
    yield from pieces(list(trials), [trial.row_count + 4 for trial in trials.values()], most)


def _rows(con: Connection, table: str, trials: Sequence[str]) -> pa.Table:
    params: dict[str, Any] = {"first": trials[0], "last": trials[-1], "trials": trials}
    found = con.sql(_PIECE.format(table=table), params=params).to_arrow_table()
    return found.drop_columns(["writer"]) if table == "trials" else found


def choice(archived: Trial, here: Trial | None) -> Choice:
    """What is to become of an archived trial, of which the store has ``here``."""
    if here is None:
        return Choice.RESTORED
    if here.fingerprint == archived.fingerprint:
        return Choice.SAME
    if archived.outcome not in FINISHED:
        return Choice.KEPT if here.attempt else Choice.RESTORED
    return Choice.RESTORED if here.idle else Choice.CONFLICT


def _demand_no_conflict(folder: Path, conflicts: Sequence[Trial]) -> None:
    if not conflicts:
        return
    first = conflicts[0]
    who = f"{len(conflicts)} trials, the first is {first.trial_id}"
    if first.outcome is None:
        raise ArchiveError(
            f"nothing of {folder} was imported: the store is training {who}; wait for their end"
        )
    raise ArchiveError(
        f"nothing of {folder} was imported: the store has other rows of {who} ({first.outcome}). "
        "These are other numbers for the same trials, as another machine or version computes "
        "them: import the archive into a store of its own (--store)"
    )


def _demand_arrived(sent: Mapping[str, Trial], here: Mapping[str, Trial]) -> None:
    for name, trial in sent.items():
        if name not in here or here[name].fingerprint != trial.fingerprint:
            raise ArchiveError(
                f"trial {name} was begun in the store while the archive came in: import it again "
                "when nothing trains it"
            )
