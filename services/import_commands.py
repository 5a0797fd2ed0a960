"""``talweg import`` of what other tools have written."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.text import Text

from ..storage.client import Client
from . import settings
from .output import console, printable

if TYPE_CHECKING:
    from ..storage.importers.bring import Brought

EXIT_BAD_RUNS = 1


class Kind(StrEnum):
    """Whose results these are; the command line knows it without loading the readers."""

    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    MLFLOW = "mlflow"
    DEEPOBS = "deepobs"


class Other(NamedTuple):
    """What is said of other tools' results; ``metrics``: THEIRS=OURS, as given."""

    name: str | None
    team: str | None
    metrics: Sequence[str]


def found_in(path: Path) -> Kind | None:
    """Whose results a folder or file holds; None for an archive. Raises Unfit for several."""
    from ..storage.importers import kinds

    found = kinds.found_in(path)
    return None if found is None else Kind(found)


def bring(client: Client, kind: Kind, path: Path, other: Other, *, quiet: bool) -> dict[str, Any]:
    """Import the runs below a path, and say what became of them; the same for programs."""
    from ..storage.importers import bring as importer
    from ..storage.importers import names

    asked = importer.Asked(
        other.name or path.resolve().stem,
        other.team,
        settings.read().owner,
        names.chosen(other.metrics),
    )
    found = importer.bring(client, kind.value, path, asked)
    if not quiet:
        _tell(path, found)
    columns: dict[str, list[str]] = {}
    for ours, theirs in sorted(found.columns):
        columns.setdefault(ours, []).append(theirs)
    return {"folder": str(path), "from": kind.value} | found._asdict() | {"columns": columns}


def _tell(path: Path, found: "Brought") -> None:
    terminal = console()
    kept = f", {found.kept:,} have other rows here and stay as they are" if found.kept else ""
    terminal.print(
        Text(
            printable(
                f"{path}: {found.imported:,} trials imported into {found.sweep_id}, "
                f"{found.same:,} were there{kept}"
            )
        ),
        soft_wrap=True,
    )
    for (ours, theirs), count in sorted(found.columns.items()):
        terminal.print(Text(printable(f"  {ours} is {theirs} ({count:,})")), soft_wrap=True)
    for why in found.bad:
        terminal.print(Text("bad  ", "red") + Text(printable(why)), soft_wrap=True)
