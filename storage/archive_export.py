"""Writing an archive: rows of a store, asked for in pieces, into Parquet files on this side."""

import contextlib
import importlib.metadata
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from . import archive
from .archive import Manifest, file_of
from .client import Client
from .errors import ArchiveError
from .restore import TABLES
from .wire import nearest

PIECE_ROWS = 250_000
"""Rows of a piece, all tables together: what is in memory at a time."""

_SORTED: Mapping[str, str] = {
    "steps": "trial_id, update",
    "layers": "trial_id, layer, update",
    "probes": "trial_id, probe, key, layer, update",
    "predictions": "trial_id, key, layer",
    "verdicts": "trial_id, update",
    "summaries": "trial_id, metric",
    "trials": "trial_id",
    "sweep_trials": "trial_id, sweep_id",
}
"""Likes beside likes: they compress best, and a piece of trials lies together in each file."""

_OF_SWEEPS = "sweep_id in (select unnest($sweeps::varchar[]))"
_OF_TRIALS = "trial_id in (select unnest($trials::varchar[]))"
_MEMBERS = f"(select trial_id from sweep_trials where {_OF_SWEEPS})"

_COUNTS = (
    "select trial_id, count(*) as rows from ("
    + " union all ".join(f"select trial_id from {table}" for table in TABLES[1:])
    + f") where trial_id in {_MEMBERS} group by trial_id order by trial_id"
)
_STATE = (
    "select count(*) filter (outcome is null) as unfinished, "
    "bit_xor(hash(trial_id, attempt, outcome))::varchar as state "
    f"from trials where trial_id in {_MEMBERS}"
)


def export(
    client: Client, sweep_ids: Sequence[str], folder: Path, *, partial: bool = False
) -> Manifest:
    """Write these sweeps to ``folder``, which appears when it is complete.

    Memory is bounded by :data:`PIECE_ROWS`, whatever the size of the sweeps. ``partial``: also
    sweeps that run, or have trials without an end. Raises ArchiveError for those otherwise, for
    a sweep that is not there, for a folder that is, and when trials changed meanwhile;
    StoreError as every call does.
    """
    asked = list(dict.fromkeys(sweep_ids))
    _demand_free(folder)
    before = _state(client, asked, partial)
    with _draft(folder) as draft:
        rows = _write(client, asked, draft)
        after = _state(client, asked, partial)
        if not partial and before != after:
            raise ArchiveError(
                f"trials of {', '.join(asked)} were trained again meanwhile: export once more, "
                "or --partial for what is there now"
            )
        unfinished, _ = after
        manifest = _manifest(client, asked, draft, rows, complete=not unfinished)
        archive.write_manifest(draft, manifest)
    return manifest


def _demand_free(folder: Path) -> None:
    # An empty folder is what a mount point or a careful person provides.
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArchiveError(f"{folder} exists already: give a new folder")


def _state(client: Client, sweep_ids: Sequence[str], partial: bool) -> tuple[int, str]:
    """How many trials have no end, and what changes when a trial is begun or ended."""
    sweeps = client.query(
        f"select sweep_id, status from sweeps where {_OF_SWEEPS}", {"sweeps": sweep_ids}
    )
    status = dict(zip(sweeps["sweep_id"].to_pylist(), sweeps["status"].to_pylist(), strict=True))
    (found,) = client.query(_STATE, {"sweeps": sweep_ids}).to_pylist()
    for sweep_id in sweep_ids:
        if sweep_id not in status:
            known = client.query("select sweep_id from sweeps")["sweep_id"].to_pylist()
            raise ArchiveError(f"there is no sweep {sweep_id!r}{nearest(sweep_id, known)}")
        if not partial and status[sweep_id] in ("running", "cancelling"):
            raise ArchiveError(
                f"sweep {sweep_id} is {status[sweep_id]}: wait for its end (`talweg resume` "
                "brings one about when nothing runs any more), or --partial for what is there now"
            )
    if found["unfinished"] and not partial:
        raise ArchiveError(
            f"{found['unfinished']} trials of {', '.join(sweep_ids)} have not ended: "
            "`talweg resume` trains them, --partial exports what is there now"
        )
    return found["unfinished"], found["state"]


@contextlib.contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one, which takes its name when the block succeeds."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        draft.mkdir(parents=True)
        yield draft
        for path in draft.iterdir():
            _sync(path)
        _sync(draft)
        draft.replace(folder)
        _sync(folder.parent)
    except OSError as error:
        raise ArchiveError(f"{folder} cannot be written: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(client: Client, sweep_ids: Sequence[str], draft: Path) -> dict[str, int]:
    """Write every table; returns its rows."""
    rows = dict.fromkeys(TABLES, 0)
    given = {"sweeps": sweep_ids}
    with contextlib.ExitStack() as stack:
        writers = {}
        for table in TABLES:
            empty = client.query(_select(table, "false"))
            writers[table] = stack.enter_context(_writer(file_of(draft, table), empty.schema))
        sweeps = client.query(_select("sweeps", _OF_SWEEPS), given)
        rows["sweeps"] += sweeps.num_rows
        writers["sweeps"].write_table(sweeps)
        for trials in _pieces(client, sweep_ids):
            for table in TABLES[1:]:
                own = f"{_OF_SWEEPS} and " if table == "sweep_trials" else ""
                more = given if own else {}
                sql = _select(table, own + _OF_TRIALS)
                found = client.query(sql, {"trials": trials, **more})
                rows[table] += found.num_rows
                writers[table].write_table(found)
    return rows


def _select(table: str, where: str) -> str:
    # Who may write a trial is the business of its store alone.
    columns = "* exclude (writer)" if table == "trials" else "*"
    return f"select {columns} from {table} where {where} order by {_SORTED.get(table, 'sweep_id')}"


def _pieces(client: Client, sweep_ids: Sequence[str]) -> Iterator[list[str]]:
    """The trials, in order, so many at a time that their rows are not too many."""
    counts = client.query(_COUNTS, {"sweeps": sweep_ids})
    yield from pieces(counts["trial_id"].to_pylist(), counts["rows"].to_pylist(), PIECE_ROWS)


def pieces(names: Sequence[str], rows: Sequence[int], most: int) -> Iterator[list[str]]:
    """The names, in order, in groups of at most so many rows; one name is never divided."""
    piece: list[str] = []
    size = 0
    for name, count in zip(names, rows, strict=True):
        if piece and size + count > most:
            yield piece
            piece, size = [], 0
        piece.append(name)
        size += count
    if piece:
        yield piece


def _writer(path: Path, schema: pa.Schema) -> parquet.ParquetWriter:
    """A writer for doubles that differ in their last bits and keys that repeat.

    The bytes of doubles are split into streams: signs and exponents, which are alike, compress
    although mantissas do not. https://parquet.apache.org/docs/file-format/data-pages/encodings/
    """
    doubles = {field.name for field in schema if pa.types.is_floating(field.type)}
    return parquet.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=[field.name for field in schema if field.name not in doubles],
        column_encoding=dict.fromkeys(doubles, "BYTE_STREAM_SPLIT"),
    )


def _manifest(
    client: Client, sweep_ids: Sequence[str], draft: Path, rows: Mapping[str, int], complete: bool
) -> Manifest:
    # Of what was written, not of what was read: so the files have been read once, too.
    with archive.opened(draft) as con:
        sweeps = {sweep_id: archive.content_of(con, sweep_id) for sweep_id in sweep_ids}
    return Manifest(
        format_version=archive.FORMAT_VERSION,
        talweg_version=importlib.metadata.version("talweg"),
        schema_version=client.status()["schema_version"],
        created_at=archive.now(),
        complete=complete,
        sweeps=sweeps,
        files={table: archive.described(file_of(draft, table), rows[table]) for table in TABLES},
    )
