"""The archive: sweeps as a folder of Parquet files, with a manifest that says what is in them.

One file per table, ``manifest.json`` beside them. The manifest holds the SHA-256 of each file,
which says that the folder arrived whole, and of each sweep the hash of its contents, which is
that of the report: independent of the order of rows, of Parquet, and of the machine.
"""

import contextlib
import datetime
import glob
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import duckdb
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from . import migrate, named
from .database import BARE, MEMORY_LIMIT, THREADS
from .errors import ArchiveError
from .restore import TABLES

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 * 2**20

Connection = duckdb.DuckDBPyConnection
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    # What a later version adds is passed over; what it changes has another FORMAT_VERSION.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class File(_Part):
    """One Parquet file, named as its table."""

    rows: Count
    size: Count  # bytes
    sha256: Sha256


class Fingerprint(_Part):
    """Rows of one table that belong to a sweep, and the exclusive or of their MD5 sums."""

    rows: Count
    fingerprint: str


class Content(_Part):
    """What a sweep holds: a row of the named query ``fingerprint`` per table, and their hash."""

    sha256: Sha256
    tables: Mapping[str, Fingerprint]


class Manifest(_Part):
    """What an archive holds. ``complete``: every trial of its sweeps has ended."""

    format_version: int
    talweg_version: str
    schema_version: int
    created_at: Annotated[AwareDatetime, Field(strict=False)]
    complete: bool
    sweeps: Mapping[str, Content]
    files: Mapping[str, File]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files.values())


def file_of(folder: Path, table: str) -> Path:
    """Where the rows of a table stand."""
    return folder / f"{table}.parquet"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest; nothing is an archive without one."""
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an archive; raises ArchiveError when there is none that this code knows."""
    path = folder / MANIFEST
    try:
        _demand_file(path)
        with path.open("rb") as file:
            fields = json.loads(file.read(MAX_MANIFEST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ArchiveError(f"{folder} is no archive: {path} cannot be read: {error}") from error
    version = fields.get("format_version") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ArchiveError(
            f"{folder} has archive format {version}, this talweg knows formats up to "
            f"{FORMAT_VERSION}: upgrade talweg"
        )
    try:
        manifest = Manifest.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        (first, *_) = error.errors()
        place = ".".join(map(str, first["loc"]))
        raise ArchiveError(f"{path}: {place}: {first['msg']}; was it edited?") from error
    _demand_known(folder, manifest)
    return manifest


def _demand_known(folder: Path, manifest: Manifest) -> None:
    newest = max(migrate.available())
    if manifest.schema_version > newest:
        raise ArchiveError(
            f"{folder} has the tables of schema version {manifest.schema_version}, this talweg "
            f"knows versions up to {newest}: upgrade talweg"
        )
    if set(manifest.files) != set(TABLES):
        raise ArchiveError(
            f"{folder}: an archive has the tables {', '.join(TABLES)}, this one "
            f"{', '.join(manifest.files)}"
        )


def verify(folder: Path) -> Manifest:
    """The manifest, after every file and every sweep was found to be as it says.

    Raises ArchiveError with the first thing that is not.
    """
    manifest = read_manifest(folder)
    for table, file in manifest.files.items():
        _demand_whole(file_of(folder, table), file)
    with opened(folder) as con:
        for table, file in manifest.files.items():
            rows = con.execute(f"select count(*) from {table}").fetchall()[0][0]
            if rows != file.rows:
                raise ArchiveError(f"{folder}: {table} has {rows} rows instead of {file.rows}")
        for sweep_id, content in manifest.sweeps.items():
            found = content_of(con, sweep_id)
            if found != content:
                raise ArchiveError(
                    f"{folder}: sweep {sweep_id!r} has the content hash {found.sha256} instead "
                    f"of {content.sha256}: use another copy of the archive"
                )
    return manifest


def _demand_file(path: Path) -> None:
    """Raises OSError for what cannot be read to its end: a device, a pipe."""
    if path.exists() and not path.is_file():
        raise OSError("not a file")


def _demand_whole(path: Path, file: File) -> None:
    try:
        _demand_file(path)
        # Before its hash: what a link leads to may be anything, and without an end.
        if (size := path.stat().st_size) != file.size:
            raise ArchiveError(
                f"{path} is damaged: {size} bytes instead of {file.size}: use another copy of the "
                "archive"
            )
        found = described(path, file.rows)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error}") from error
    if found != file:
        raise ArchiveError(
            f"{path} is damaged: {found.size} bytes with SHA-256 {found.sha256} instead of "
            f"{file.size} bytes with {file.sha256}: use another copy of the archive"
        )


def described(path: Path, rows: int) -> File:
    """A file as the manifest describes it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return File(rows=rows, size=path.stat().st_size, sha256=digest)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Connection]:
    """The archive as a database of views, so that named queries can be asked of it.

    Raises ArchiveError for what DuckDB cannot read, also inside the block.
    """
    config: dict[str, Any] = {"memory_limit": MEMORY_LIMIT, "threads": THREADS, **BARE}
    try:
        with duckdb.connect(config=config) as con:
            con.execute("set TimeZone = 'UTC'")
            for table in TABLES:
                path = glob.escape(str(file_of(folder, table))).replace("'", "''")
                # Nobody owns a trial in an archive; queries may ask who does.
                more = ", null::varchar as writer" if table == "trials" else ""
                con.execute(f"create view {table} as select *{more} from read_parquet('{path}')")
            yield con
    except duckdb.Error as error:
        raise ArchiveError(f"{folder} does not hold the tables of an archive: {error}") from error


def content_of(con: Connection, sweep_id: str) -> Content:
    """What a database, or an opened archive, holds of a sweep."""
    name = "fingerprint"
    asked = dict.fromkeys(named.optional(name)) | {"sweep_id": sweep_id}
    found = con.execute(named.sql_of(name), asked).fetchall()
    return content(found)


def content(rows: Iterable[Sequence[Any]]) -> Content:
    """Of the answer of the named query ``fingerprint``: the hash that the report shows, too."""
    listed = [tuple(row) for row in rows]
    lines = [f"{table} {count} {fingerprint}" for table, count, fingerprint in listed]
    return Content(
        sha256=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        tables={table: Fingerprint(rows=n, fingerprint=text) for table, n, text in listed},
    )


def now() -> datetime.datetime:
    """The time, to the second."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
