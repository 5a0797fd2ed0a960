"""The kinds of results that can be imported, and which of them a folder holds."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from .. import archive
from . import deepobs, mlflow, tensorboard, wandb
from .runs import Source, Unfit, files_under

SOURCES: Mapping[str, Callable[[Path], Iterator[Source]]] = {
    "tensorboard": tensorboard.sources,
    "wandb": wandb.sources,
    "mlflow": mlflow.sources,
    "deepobs": deepobs.sources,
}


def found_in(path: Path) -> str | None:
    """Whose results a folder or file holds; None for an archive, and where there are none.

    Raises Unfit where it holds several.
    """
    if not path.exists() or (path / archive.MANIFEST).exists():
        return None
    holds = {
        "tensorboard": any(files_under(path, tensorboard.fits)),
        "wandb": any(wandb.files(path)),
        "mlflow": any(mlflow.databases(path)),
        "deepobs": any(files_under(path, deepobs.fits)),
    }
    kinds = [kind for kind, there in holds.items() if there]
    if len(kinds) > 1:
        raise Unfit(f"{path} holds results of {' and of '.join(kinds)}: say which with --from")
    return kinds[0] if kinds else None
