"""The built-in studies: one YAML grid per question, found by name; torch-free.

Each has a twin in the folder ``small``, which asks the same of few trials in a few seconds.
"""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

FOLDER = Path(str(resources.files(__name__)))


def names() -> Iterator[str]:
    """The names of all built-in studies, sorted."""
    yield from sorted(path.stem for path in FOLDER.glob("*.yaml"))


def path(name: str, small: bool = False) -> Path:
    """The grid file of a built-in study, or that of its small twin.

    Raises:
        KeyError: there is no such study.
    """
    if name not in names():
        raise KeyError(f"no built-in study {name!r}; there are: {', '.join(names())}")
    return FOLDER / ("small" if small else "") / f"{name}.yaml"


def question(name: str) -> str:
    """What a study asks: the first comment line of its grid file."""
    first = path(name).read_text().splitlines()[0]
    return first.lstrip("# ").strip()
