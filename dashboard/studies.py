"""The words of a study, read from the head of its grid file: the one place they stand in."""

import dataclasses

from ..workloads import studies


@dataclasses.dataclass(frozen=True)
class Words:
    """Title, question and reading guide of a study, as written above its grid."""

    title: str
    question: str
    how_to_read: str


def exists(name: str | None) -> bool:
    """Whether there is a built-in study of this name."""
    return name is not None and name in studies.names()


def words(name: str) -> Words:
    """The leading comment of ``workloads/studies/<name>.yaml``.

    Its first line is the title; ``question:`` and ``how to read:`` open the other parts.

    Raises:
        KeyError: no such study, or a part is missing from its head.
    """
    parts = {"title": ""}
    current = "title"
    for line in studies.path(name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.removeprefix("#").strip()
        head, colon, rest = text.partition(":")
        if colon and head in ("question", "how to read"):
            current, text = head, rest
        parts[current] = f"{parts.get(current, '')} {text}".strip()
    return Words(*(_capital(parts[part]) for part in ("title", "question", "how to read")))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
