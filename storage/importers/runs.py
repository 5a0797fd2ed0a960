"""What a reader gives: where the runs are, and what one of them says of itself."""

import dataclasses
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ...workloads.records import Outcome
from ..errors import ArchiveError

Sink = Callable[[str, int, float | None], None]
"""Takes one number: the tool's name for it, the step, the value; None where it is not finite."""


class Unfit(ArchiveError):
    """A run that cannot be imported, and why."""


class Damaged(Unfit):
    """A file that cannot be read to its end; ``offset`` in bytes, where one is known."""

    def __init__(self, path: Path, why: str, offset: int | None = None) -> None:
        place = "" if offset is None else f" at byte {offset:,}"
        super().__init__(f"{path} is damaged{place}: {why}")


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run says of itself beside its numbers.

    ``identity`` stays the same when the files move; ``settings`` are the hyperparameters under
    the tool's own names.
    """

    identity: str
    name: str
    settings: dict[str, Any]
    outcome: Outcome = Outcome.DONE
    error: str | None = None


class Source(NamedTuple):
    """Where a run is; ``read`` hands all its numbers to the sink, in the order of writing.

    ``read`` raises Unfit for what cannot be imported.
    """

    path: Path
    read: Callable[[Sink], Run]


def number(value: object) -> float | None:
    """The value as a finite double, None for anything else: for NaN, infinity, words, flags."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        real = float(value)
    except OverflowError:
        return None
    return real if math.isfinite(real) else None


def files_under(path: Path, fits: Callable[[str], bool]) -> Iterator[Path]:
    """The regular files below a folder whose name fits, sorted; or the path itself.

    Links to folders are not followed, so no walk leaves the folder or runs in circles.
    """
    if path.is_file():
        if fits(path.name):
            yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        found = (Path(folder, name) for name in sorted(names) if fits(name))
        yield from (file for file in found if file.is_file())


def relative(path: Path, root: Path) -> str:
    """How a path is called as seen from the folder that was given."""
    inside = path.relative_to(root) if path != root else Path()
    return inside.as_posix() if inside.parts else path.name
