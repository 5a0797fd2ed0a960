"""Named queries: one SQL file each in ``storage/queries``, the name of the file is the name.

Common table expressions that several queries share stand in ``storage/queries/parts``; the line
``-- include NAME`` of a query, with a comma where more follow, stands for that file.
"""

import importlib.resources
import re

from . import queries
from .errors import QueryError
from .wire import nearest

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INCLUDE = re.compile(r"^-- include (\w+)(,?)$", re.MULTILINE)
_OPTIONAL = re.compile(r"^-- Optional:(.*(?:\n--.*)*)", re.MULTILINE)


def names() -> list[str]:
    """All named queries, sorted."""
    files = importlib.resources.files(queries).iterdir()
    return sorted(f.name.removesuffix(".sql") for f in files if f.name.endswith(".sql"))


def sql_of(query: str) -> str:
    """The SQL text of ``query``: of the named query if it is a name, else itself.

    Raises QueryError for an unknown name, with the nearest one that exists.
    """
    if not _NAME.fullmatch(query.strip()):
        return query
    name = query.strip()
    if name not in names():
        raise QueryError(f"no query named {name!r}{nearest(name, names())}, and it is no SELECT")
    # Read anew each time: an edited query is live without a restart, and reading costs nothing
    # beside running it.
    folder = importlib.resources.files(queries)

    def part(line: re.Match[str]) -> str:
        return folder.joinpath("parts", f"{line[1]}.sql").read_text().rstrip() + line[2]

    return _INCLUDE.sub(part, folder.joinpath(f"{name}.sql").read_text())


def optional(query: str) -> list[str]:
    """The parameters of a named query that may be left out, and are then NULL.

    They stand in its comment after ``Optional:``. Of any other SELECT there are none.
    """
    if not _NAME.fullmatch(query.strip()):
        return []
    found = _OPTIONAL.search(sql_of(query))
    return re.findall(r"\$(\w+)", found[1]) if found else []
