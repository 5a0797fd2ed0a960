"""One writer of the soak, a process to be killed: ``python -m benchmarks.soak.writer …``.

Sends the rows of one trial with the sender that real workers use, and notes what is
acknowledged. The one that comes after it goes on from the last note, as from a checkpoint.
"""

import os
import random
import sys
import time
import uuid
from pathlib import Path

from talweg.storage.client import Client
from talweg.storage.sender import Sender

from . import rows
from .journal import Entry, Journal

PATIENCE_S = 120.0
EACH = 3
"""Updates in a flush."""
PAUSE_S = 0.03
"""What training would take, between two flushes."""


def write(client: Client, trial: str, journal: Journal) -> None:
    """Bring the trial to its end, from wherever it stands."""
    writer = uuid.uuid4().hex
    start = _start(client, writer, trial, journal)
    if start is None:
        return
    chance = random.Random(writer)
    with Sender(client, writer, max_waiting=4) as sender:
        for first in range(start + 1, rows.UPDATES + 1, EACH):
            last = min(first + EACH - 1, rows.UPDATES)
            sender.put(rows.flush(trial, range(first, last + 1)))
            time.sleep(PAUSE_S)
            if chance.random() < 0.3:
                sender.wait()
                journal.note(Entry(writer, sender.acknowledged, last))
        sender.put(rows.end(trial))
        sender.wait()
        journal.note(Entry(writer, sender.acknowledged, rows.UPDATES))


def _start(client: Client, writer: str, trial: str, journal: Journal) -> int | None:
    """The update up to which the trial's rows stay; None where it has ended."""
    last = journal.last()
    if last.update:
        if client.resume(writer, [trial], last.writer, last.update, last.flushes):
            journal.note(Entry(writer, 0, last.update))
            return last.update
        if client.finished([trial]):
            return None
    journal.note(Entry(writer, 0, 0))
    return 0 if client.begin(writer, [trial]) else None


def main() -> None:
    where, trial, journal = sys.argv[1:]
    token = os.environ.get("TALWEG_TOKEN")
    with Client(where, token=token, patience_s=PATIENCE_S) as client:
        write(client, trial, Journal(Path(journal)))


if __name__ == "__main__":
    main()
