"""Checkpoints of long packs: everything that the coming rows depend on, in one file a pack.

A checkpoint is written only after the store has acknowledged every row up to its update, and
replaces the one before it in one step; a folder holds one file for each pack that trains, and
the file goes when its pack has ended. What is in it is tensors and plain values: loading one
runs no code.
"""

import contextlib
import hashlib
import io
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

State = dict[str, Any]
log = logging.getLogger(__name__)

PART = ".part"
"""Ending of a checkpoint that is being written."""
ABANDONED_SECONDS = 3600.0
"""Age at which a file with that ending has lost its writer."""


class Saved(NamedTuple):
    """What a checkpoint says of itself; its tensors are read when they are wanted."""

    path: Path
    trial_ids: list[str]
    writer: str
    update: int
    flushes: int = 0

    def load(self) -> State:
        """The tensors and values, on the CPU."""
        import torch

        with self.path.open("rb") as file:
            file.readline()
            content = io.BytesIO(file.read())
        state: State = torch.load(content, map_location="cpu", weights_only=True)
        return state

    def forget(self) -> None:
        """Remove the file, and what its writer was writing when it was killed, if anything."""
        for path in (self.path, self.path.with_suffix(PART)):
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Checkpoints:
    """A folder of checkpoints, on this machine or shared by those of a cluster."""

    folder: Path

    def all(self) -> list[Saved]:
        """Every checkpoint that can be read, the furthest first."""
        found = [saved for path in self.folder.glob("*.checkpoint") if (saved := _read(path))]
        return sorted(found, key=lambda saved: -saved.update)

    def find(self, trial_ids: Sequence[str]) -> Saved | None:
        """The furthest checkpoint with any of these trials in it."""
        wanted = set(trial_ids)
        return next((saved for saved in self.all() if wanted & set(saved.trial_ids)), None)

    def groups(self) -> dict[str, str]:
        """Trial -> the checkpoint that it can go on from: what must share a pack."""
        return {
            trial_id: saved.path.stem
            for saved in reversed(self.all())
            for trial_id in saved.trial_ids
        }

    def prune(self, finished: Callable[[Sequence[str]], Mapping[str, str]]) -> None:
        """Remove checkpoints all of whose trials are finished, as ``finished`` says.

        And first checkpoints whose writer was killed: nobody has been writing them for long.
        """
        for saved in self.all():
            if set(saved.trial_ids) <= finished(saved.trial_ids).keys():
                saved.forget()
        for part in self.folder.glob(f"*{PART}"):
            with contextlib.suppress(FileNotFoundError):  # it was just finished
                if time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                    part.unlink()


@dataclass
class Keeper:
    """Writes the checkpoints of one pack in training, every ``seconds``.

    ``previous`` is the checkpoint that the pack went on from, which its first own one replaces.
    ``acknowledged`` counts the flushes of ``writer`` that the store has: whoever goes on asks
    for a store that has them still.
    """

    folder: Path
    writer: str
    seconds: float
    previous: Saved | None = None
    acknowledged: Callable[[], int] = lambda: 0
    written: float = field(default_factory=time.monotonic)

    @property
    def due(self) -> bool:
        """Whether the last checkpoint is old enough."""
        return time.monotonic() - self.written > self.seconds

    def save(self, update: int, trial_ids: Sequence[str], state: State) -> None:
        """Replace the pack's checkpoint; a full disk costs the checkpoint, not the training."""
        import torch

        facts = {"trial_ids": list(trial_ids), "writer": self.writer, "update": update}
        facts["flushes"] = self.acknowledged()
        try:
            with _replacing(self._path) as file:
                file.write(json.dumps(facts).encode() + b"\n")
                torch.save(state, file)
        except OSError as error:
            log.warning("no checkpoint in %s: %s; training goes on", self.folder, error)
        self._forget_previous()
        self.written = time.monotonic()

    def close(self) -> None:
        """The pack has ended: nothing is left to go on from."""
        if self._path.exists():
            self._path.unlink()
        self._forget_previous()

    @property
    def _path(self) -> Path:
        name = hashlib.sha256(self.writer.encode()).hexdigest()[:24]
        return self.folder / f"{name}.checkpoint"

    def _forget_previous(self) -> None:
        if self.previous is not None:
            self.previous.forget()
            self.previous = None


def _read(path: Path) -> Saved | None:
    """The first line of a checkpoint; None where it is gone or none of ours."""
    try:
        with path.open("rb") as file:
            facts = json.loads(file.readline())
        writer, flushes = str(facts["writer"]), int(facts.get("flushes", 0))
        return Saved(path, list(facts["trial_ids"]), writer, int(facts["update"]), flushes)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of ``path`` when it is whole and on the disk, or never."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Named like the checkpoint: whoever goes on after a kill knows what to clear away.
    part = path.with_suffix(PART)
    try:
        part.touch(mode=0o600)
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
