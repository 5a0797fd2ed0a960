"""Is a store sound? Its books, every row of every trial, and archives beside it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec

from . import archive, migrate
from .archive_export import pieces
from .archive_import import COMPARED_ROWS, Choice, choice, trials_in, trials_of
from .client import Client
from .errors import ArchiveError, QueryError

_SIZES = (
    "select trial_id, count(*) as rows from ("
    "select trial_id from trials union all select trial_id from steps union all "
    "select trial_id from layers union all select trial_id from probes) "
    "group by trial_id order by trial_id"
)
_UNFINISHED = "select count(*) as n from trials where outcome is null and attempt > 0"


P = ParamSpec("P")


class Check(NamedTuple):
    """One thing looked at."""

    name: str
    ok: bool
    message: str


def examine(client: Client, archives: Sequence[Path] = ()) -> Iterator[Check]:
    """Look at everything, one after the other; raises StoreUnreachable when the store leaves.

    Of a database the links between tables, the ledger, every row of every trial (so that
    damaged blocks are met), and summaries against the steps that they sum up; of an archive its
    hashes, and whether the store has the same rows.
    """
    yield from _guarded("schema", _schema, client)
    yield from _guarded("links", _links, client)
    yield from _guarded("rows", _rows, client)
    yield from _guarded("unfinished", _unfinished, client)
    for folder in archives:
        yield from _guarded(f"archive {folder}", _archive, client, folder)


def _guarded(
    name: str, look: Callable[P, list[Check]], *given: P.args, **named: P.kwargs
) -> Iterator[Check]:
    """What was found; an answer that cannot be had is a finding, too."""
    try:
        yield from look(*given, **named)
    except (QueryError, ArchiveError) as error:
        yield Check(name, False, str(error))


def _schema(client: Client) -> list[Check]:
    facts = client.status()
    found, newest = facts["schema_version"], max(migrate.available())
    counts = ", ".join(f"{rows:,} {table}" for table, rows in facts["rows"].items())
    return [
        Check("schema", found == newest, f"version {found}; this talweg knows {newest}"),
        Check("tables", True, counts),
    ]


def _links(client: Client) -> list[Check]:
    return _mistakes(client.query("check_links").to_pylist())


def _rows(client: Client) -> list[Check]:
    sizes = client.query(_SIZES)
    names, rows = sizes["trial_id"].to_pylist(), sizes["rows"].to_pylist()
    found: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for piece in pieces(names, rows, COMPARED_ROWS):
        # Reads every value: DuckDB compares the check sums of the blocks as it does.
        client.query("fingerprint_trials", {"trial_ids": piece})
        for row in client.query("check_trials", {"trial_ids": piece}).to_pylist():
            found[row["kind"]] += row["found"]
            if row["example"] is not None:
                examples.setdefault(row["kind"], row["example"])
    read = Check("rows", True, f"{sum(rows):,} rows of {len(names):,} trials can be read")
    kinds = [{"kind": k, "found": n, "example": examples.get(k)} for k, n in found.items()]
    return [read, *_mistakes(kinds)]


def _mistakes(rows: Sequence[Mapping[str, Any]]) -> list[Check]:
    return [
        Check(r["kind"], not r["found"], f"{r['found']:,}, such as {r['example']}")
        if r["found"]
        else Check(r["kind"], True, "none")
        for r in rows
    ]


def _unfinished(client: Client) -> list[Check]:
    (row,) = client.query(_UNFINISHED).to_pylist()
    message = "every trial that was begun has ended"
    if row["n"]:
        message = f"{row['n']:,} trials were begun and have not ended; `talweg resume` goes on"
    return [Check("unfinished", True, message)]


def _archive(client: Client, folder: Path) -> list[Check]:
    manifest = archive.verify(folder)
    whole = Check(f"archive {folder}", True, f"{manifest.size:,} bytes, every hash is right")
    with archive.opened(folder) as con:
        archived = trials_of(con)
    here = trials_in(client, archived)
    chosen: dict[Choice, list[str]] = {}
    for name, trial in archived.items():
        chosen.setdefault(choice(trial, here.get(name)), []).append(name)
    conflicts, lost = chosen.get(Choice.CONFLICT, []), chosen.get(Choice.RESTORED, [])
    if conflicts:
        message = f"{len(conflicts):,} trials have other rows here, such as {conflicts[0]}"
    elif lost:
        message = f"{len(lost):,} of its trials are not here; `talweg import` brings them back"
    else:
        message = f"all of its {len(archived):,} trials are here"
    return [whole, Check(f"archive {folder} in this store", not conflicts, message)]
