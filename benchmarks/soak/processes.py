"""Finding and ending the processes of one soak, and no others."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

END_S = 30.0


def commands() -> Iterator[tuple[int, list[str]]]:
    """(process id, command line) of everything that runs on this machine."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                line = (folder / "cmdline").read_bytes().decode(errors="replace")
                yield int(folder.name), line.rstrip("\0").split("\0")


def stores(database: Path) -> list[int]:
    """The store of a database, also one that is just starting."""
    return [
        pid
        for pid, words in commands()
        if str(database) in words and ("talweg.storage" in words or "serve" in words)
    ]


def end_stores(database: Path) -> None:
    """Ask the store of a database to leave, and wait until it has, or END_S seconds."""
    deadline = time.monotonic() + END_S
    while (found := stores(database)) and time.monotonic() < deadline:
        for pid in found:
            send(pid, signal.SIGTERM)
        time.sleep(0.1)


def below(parent: int) -> set[int]:
    """A process and everything that it has started, directly or not."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                # After the name, which may hold anything: state, then the parent.
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(stat[1]), []).append(int(folder.name))
    found, waiting = set(), [parent]
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += [child for child in children.get(pid, ()) if child not in found]
    return found


def send(pid: int, number: signal.Signals) -> bool:
    """Whether the process was there to be sent a signal."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False
