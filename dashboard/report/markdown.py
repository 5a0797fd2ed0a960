"""A report as GitHub's Markdown; its figures are SVG files beside it.

GitHub and GitLab show neither inline SVG nor data addresses, but images in the repository.
"""

import re

from .. import figures
from . import references
from .document import Block, Bullets, Document, Figure, Listing, Paragraph, Section, Table
from .html import HALF, WIDE
from .text import plain

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~#$^&@]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "|": "&#124;", "#": "&#35;"}
# GitHub makes links of bare addresses, and lists of lines that begin so.
_ADDRESS = re.compile(r"(?<=[A-Za-z]):(?=//)|(?i:(?<=\bwww))\.|(?i:(?<=mailto)):")
_LIST = re.compile(r"^[-+=]", re.M)
_NUMBERED = re.compile(r"^(\d+)(?=[.)])", re.M)
_INDENT = re.compile(r"^[ \t]+", re.M)


def render(document: Document, stamp: str, folder: str) -> dict[str, bytes]:
    """The text under the name ``""``, and the figures under their names in ``folder``."""
    files: dict[str, bytes] = {}
    parts = [
        escaped(document.kicker),
        f"# {_line(document.title)}",
        escaped(document.meta),
        "## Conclusion",
        *(_paragraph(said) for said in document.conclusion),
        *(_section(section, folder, files) for section in document.sections),
    ]
    if document.citations:
        parts += ["## References", _fenced(references.bibtex(document.citations), "bibtex")]
    parts += [f"Made by {escaped(document.generator)} from one store.", f"<!-- {stamp} -->"]
    return {"": ("\n\n".join(parts) + "\n").encode(), **files}


def escaped(text: object) -> str:
    """The text so that Markdown shows it as it is: no mark-up, no link, no list, no mention."""
    shown = _SPECIAL.sub(lambda m: _ENTITIES.get(m[0], "\\" + m[0]), plain(text))
    shown = _ADDRESS.sub(lambda m: f"&#{ord(m[0])};", _INDENT.sub("", shown))
    return _NUMBERED.sub(r"\1\\", _LIST.sub(lambda m: f"&#{ord(m[0])};", shown))


def _line(text: object) -> str:
    """Escaped, on one line: of a heading, a cell, an alternative text."""
    return escaped(" ".join(plain(text).split()))


def _section(section: Section, folder: str, files: dict[str, bytes]) -> str:
    parts = [f"{'#' * section.level} {_line(section.title)}"]
    parts += [_block(block, folder, files) for block in section.blocks]
    return "\n\n".join(parts)


def _block(block: Block, folder: str, files: dict[str, bytes]) -> str:
    match block:
        case Paragraph():
            return _paragraph(block)
        case Bullets():
            return "\n".join(f"- {_lead(lead)}{_line(text)}" for lead, text in block.items)
        case Table():
            return _table(block)
        case Figure():
            return _figure(block, folder, files)
        case Listing():
            title = f"{escaped(block.title)}:\n\n" if block.title else ""
            return title + _fenced(block.text, block.language)


def _lead(lead: str) -> str:
    return f"**{_line(lead)}** " if lead else ""


def _paragraph(said: Paragraph) -> str:
    lines = [escaped(line) for line in said.text.splitlines() if line.strip()]
    if said.role == "finding":
        return "\\\n".join(f"> {line}" for line in lines)
    return "\\\n".join(lines)


def _table(table: Table) -> str:
    rule = ["---:" if number else "---" for number in table.numeric]
    rows = [table.heads, *table.rows]
    lines = [f"| {' | '.join(_line(cell) for cell in row)} |" for row in rows]
    lines.insert(1, f"| {' | '.join(rule)} |")
    title = f"**{_line(table.title)}**\n\n" if table.title else ""
    note = f"\n\n{escaped(table.caption)}" if table.caption else ""
    return title + "\n".join(lines) + note


def _figure(figure: Figure, folder: str, files: dict[str, bytes]) -> str:
    width = WIDE if len(figure.pictures) == 1 else HALF
    shown = []
    for picture in figure.pictures:
        name = f"{folder}/{picture.name}.svg"
        files[name] = figures.svg(picture.chart, picture.name, width).encode()
        shown.append(f"![{_line(picture.alt)}]({name})")
    if figure.caption:
        shown.append(escaped(figure.caption))
    return "\n\n".join(shown)


def _fenced(text: str, language: str) -> str:
    """A block of code, in a fence longer than any in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{plain(text)}\n{fence}"
