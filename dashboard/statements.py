"""Reading SQL just far enough: where a statement ends, and which parameters it has."""

import re
from collections.abc import Iterator

_OPENING = re.compile(
    r"--[^\n]*|/\*|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\""
    r"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\$(?P<parameter>[A-Za-z_]\w*)",
    re.DOTALL,
)


def limited(sql: str, rows: int) -> str:
    """The statement as part of one that gives so many rows at most."""
    # On the same line: errors name lines.
    return f"select * from ({sql[: _end(sql)]}\n) limit {rows}"


def _end(sql: str) -> int:
    """Where the statement ends: before trailing semicolons, comments and blanks."""
    text = list(sql)
    for start, end, kind, _ in _pieces(sql):
        if kind == "comment":
            text[start:end] = " " * (end - start)
    return len("".join(text).rstrip(" \t\r\n\f\v;"))


def parameters(sql: str) -> list[str]:
    """The names of the ``$parameters`` of a statement, in their order."""
    return list(dict.fromkeys(name for *_, kind, name in _pieces(sql) if kind == "parameter"))


def _pieces(sql: str) -> Iterator[tuple[int, int, str, str]]:
    """(start, end, kind, name) of comments, quoted texts and parameters."""
    at = 0
    while found := _OPENING.search(sql, at):
        start, at = found.span()
        if found.group() == "/*":
            at = _after_comment(sql, at)
        kind = "comment" if found.group()[:2] in ("--", "/*") else "text"
        name = found.group("parameter") or ""
        yield start, at, "parameter" if name else kind, name


def _after_comment(sql: str, at: int) -> int:
    """Behind the end of a block comment that is open at ``at``; they nest."""
    depth = 1
    for mark in re.finditer(r"/\*|\*/", sql[at:]):
        depth += 1 if mark.group() == "/*" else -1
        if not depth:
            return at + mark.end()
    return len(sql)
