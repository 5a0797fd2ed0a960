"""The reports made on the dashboard: files in a folder, named by sweep and content.

The same data give the same bytes (see :mod:`.report.making`), so a report made twice is one file.
"""

import dataclasses
import datetime
import hashlib
import os
import re
from pathlib import Path

KEPT = 200
"""Reports kept; the oldest leaves when another one comes, for the folder must not grow for ever."""


@dataclasses.dataclass(frozen=True)
class Made:
    """One report in the folder."""

    name: str
    size: int
    made_at: datetime.datetime

    @property
    def sweep(self) -> str:
        """What it is of, as far as a file name can say it."""
        return self.name.rpartition("-")[0]

    @property
    def ending(self) -> str:
        """The file's ending, without the first dot: ``html``, ``md.zip``."""
        return self.name.rpartition("-")[2].partition(".")[2]


def folder_beside(store: str) -> Path:
    """Where the reports of a store lie when nobody says otherwise."""
    if "://" in store:
        return Path.home() / ".cache" / "talweg" / "reports"
    database = Path(store).resolve()
    return database.with_name(f"{database.name}.reports")


def keep(folder: Path, sweep_id: str, ending: str, content: bytes) -> str:
    """Put a report into the folder; returns its name there."""
    # Whoever may write into the store chose the id: it must not lead out of the folder.
    sweep = re.sub(r"[^A-Za-z0-9._-]", "_", sweep_id).lstrip(".")[:100]
    name = f"{sweep}-{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{name}.{os.getpid()}"
    draft.write_bytes(content)
    draft.replace(folder / name)
    for old in made(folder)[KEPT:]:
        (folder / old.name).unlink(missing_ok=True)
    return name


def next_to_leave(folder: Path) -> Made | None:
    """The report that a new one would take the place of; None while there is room."""
    found = made(folder)
    return found[KEPT - 1] if len(found) >= KEPT else None


def made(folder: Path) -> list[Made]:
    """The reports of the folder, newest first."""
    found = []
    for path in folder.glob("*-*.*"):
        try:
            facts = path.stat()
        except FileNotFoundError:
            continue  # another session has just put it away
        made_at = datetime.datetime.fromtimestamp(facts.st_mtime, datetime.UTC)
        if not path.name.startswith("."):
            found.append(Made(path.name, facts.st_size, made_at))
    return sorted(found, key=lambda report: (report.made_at, report.name), reverse=True)
