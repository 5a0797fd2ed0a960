"""What a writer knows to be acknowledged, kept outside of the store: the soak's own memory."""

import json
import os
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """So many flushes of a writer, with the trial's rows up to an update, are acknowledged."""

    writer: str
    flushes: int
    update: int


NOTHING = Entry("", 0, 0)


class Journal:
    """One trial's file of entries, a line each. What :meth:`note` wrote survives any kill."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, entry: Entry) -> None:
        """Add an entry; it is on the disk when this returns."""
        self._mend()
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _mend(self) -> None:
        """Take away the half of a line that a kill has left."""
        if self._path.exists() and (text := self._path.read_bytes()):
            with self._path.open("r+b") as file:
                file.truncate(text.rfind(b"\n") + 1)

    def entries(self) -> list[Entry]:
        """Every whole entry: a writer that was killed may have left half a line."""
        if not self._path.exists():
            return []
        whole = self._path.read_text().split("\n")[:-1]
        return [Entry(*json.loads(line)) for line in whole]

    def last(self) -> Entry:
        """The last entry, which holds now."""
        return (self.entries() or [NOTHING])[-1]
