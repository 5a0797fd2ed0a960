"""Starting the embedded store: a child process that outlives its parent and leaves when idle."""

import dataclasses
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from .endpoint import companion, try_lock
from .errors import SchemaTooNew, StoreError, StoreInUse, StoreUnreachable

STARTING_S = 10.0  # a child of this age that runs is up, or its files were taken away

EXIT_CODES: dict[type[StoreError], int] = {
    StoreError: 3,  # 1 is any exception that nobody foresaw
    StoreInUse: 4,
    SchemaTooNew: 5,
    StoreUnreachable: 6,
}
"""Exit status of a store that could not start, or go on."""


@dataclasses.dataclass(frozen=True)
class Child:
    """A store this process started."""

    process: subprocess.Popen[bytes]
    log: Path
    started: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def is_starting(self) -> bool:
        """Whether it may yet say why it cannot start: it lets go of its lock before it exits."""
        return self.process.poll() is None and time.monotonic() - self.started < STARTING_S

    def failure(self) -> StoreError | None:
        """Why the child could not start; None while it runs, or when it left in good order."""
        status = self.process.poll()
        if not status:
            return None
        kinds = {code: kind for kind, code in EXIT_CODES.items()}
        kind = kinds.get(status, StoreUnreachable)
        return kind(
            last_words(self.log, self.process.pid) or f"exit status {status}; see {self.log}"
        )


def start(database: Path) -> Child | None:
    """Start the store of ``database`` unless some process holds its lock already.

    The lock is taken here and inherited by the child, so of many processes that try at the
    same moment exactly one starts a child.
    """
    lock = try_lock(database)
    if lock is None:
        return None
    try:
        return _spawn(database, lock)
    finally:
        os.close(lock)


def _spawn(database: Path, lock: int) -> Child:
    log = companion(database, "log")
    command = [sys.executable, "-m", "talweg.storage", str(database), "--lock-fd", str(lock)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[lock],
            start_new_session=True,  # a Ctrl-C in this terminal is not meant for the store
        )
    # Somebody must collect the exit status, or a store that left stays behind as a zombie.
    threading.Thread(target=process.wait, daemon=True, name="talweg-store-child").start()
    return Child(process, log)


def last_words(log: Path, pid: int) -> str | None:
    """The last line that process ``pid`` wrote to the store's log, without its prefix."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    marked = [line for line in lines if f" [{pid}] " in line]
    return marked[-1].split(f" [{pid}] ", 1)[1] if marked else None
