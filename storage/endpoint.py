"""Who serves a database file: the lock beside it, and the endpoint file that says where.

``talweg.duckdb`` has up to three companions: ``.lock``, held (flock) by its store as long as
that process lives; ``.endpoint``, mode 0600, with address and tokens; ``.log``, what the
store had to say. The lock is the truth, the endpoint file only a note: one left behind by a
killed store is recognised because nobody holds the lock.
"""

import contextlib
import dataclasses
import datetime
import fcntl
import json
import os
from pathlib import Path

from .errors import StoreInUse, StoreUnreachable


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where the store of a database file listens, and the two tokens it accepts."""

    url: str
    read_token: str | None = dataclasses.field(repr=False)
    write_token: str | None = dataclasses.field(repr=False)
    pid: int
    version: str
    started_at: str = dataclasses.field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).isoformat()
    )


def companion(database: Path, suffix: str) -> Path:
    """``talweg.duckdb`` -> ``talweg.duckdb.lock`` and so on."""
    return database.with_name(f"{database.name}.{suffix}")


def publish(database: Path, endpoint: Endpoint) -> None:
    """Write the endpoint file: complete and private from its first moment on.

    Raises StoreUnreachable where it cannot be written, as on a full disk.
    """
    path = companion(database, "endpoint")
    draft = companion(database, f"endpoint.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    try:
        # Never create first and restrict afterwards: in between, others could open it.
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(dataclasses.asdict(endpoint), file)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StoreUnreachable(f"{path} cannot be written: {error.strerror}") from error


def clear(database: Path) -> None:
    """Remove what a killed store left behind; only the holder of the lock may."""
    companion(database, "endpoint").unlink(missing_ok=True)


def withdraw(database: Path) -> None:
    """Remove the endpoint file, if it is this process's own.

    Whoever deletes the files of a running store and starts anew has two stores for a while;
    the old one must not take the new one's address away.
    """
    holder = look_up(database)
    if holder is not None and holder.pid == os.getpid():
        clear(database)


def look_up(database: Path) -> Endpoint | None:
    """What the endpoint file says; None when there is none (yet), or a power cut emptied it."""
    try:
        fields = json.loads(companion(database, "endpoint").read_text())
    except (FileNotFoundError, ValueError):
        return None
    # Another version of talweg may have written more than this one knows.
    known = [field.name for field in dataclasses.fields(Endpoint)]
    return Endpoint(**{name: fields.get(name) for name in known})


def try_lock(database: Path) -> int | None:
    """A file descriptor that holds the database's lock, or None when another process does.

    The lock belongs to the open file, not to the process: a child that inherits the
    descriptor holds it too, and it is free again when the last copy is closed or dies.
    """
    path = companion(database, "lock")
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def in_use(database: Path) -> StoreInUse:
    """The error for a second store on one file: who has it, and what to do."""
    holder = look_up(database)
    who = f"process {holder.pid} at {holder.url}" if holder else "a process that is just starting"
    return StoreInUse(
        f"{database} is already served by {who}: one process owns the file. "
        f"Use --store {database} (clients find that store), or stop it first"
    )
