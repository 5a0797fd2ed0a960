"""A report as one HTML file that needs nothing else: no script, no network, figures inside."""

from pathlib import Path

import jinja2
import markupsafe

from .. import figures
from . import references
from .document import Bullets, Document, Figure, Paragraph, Picture, Table
from .text import plain

_TEMPLATES = Path(__file__).parents[1] / "templates"
WIDE, HALF = 900, 480
"""Pixels across the plot of a figure alone in its row, and of one of two."""


def render(document: Document, stamp: str) -> str:
    """The document as HTML; ``stamp`` says in a comment what it belongs to."""
    return (
        _environment()
        .get_template("report.html")
        .render(
            document=document,
            references=references.bibtex(document.citations),
            stamp=markupsafe.Markup(stamp),
        )
        .lstrip()
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    environment.globals.update(style=markupsafe.Markup(style), grid=_table, drawn=drawn)
    environment.filters["plain"] = plain
    kinds = {"paragraph": Paragraph, "bullets": Bullets, "table": Table, "figure": Figure}
    for name, kind in kinds.items():
        environment.tests[name] = lambda block, kind=kind: isinstance(block, kind)
    return environment


def drawn(picture: Picture, figure: Figure) -> markupsafe.Markup:
    """A chart as ``<svg>``, as wide as its place among its neighbours."""
    width = WIDE if len(figure.pictures) == 1 else HALF
    return markupsafe.Markup(figures.svg(picture.chart, picture.name, width))


def _table(table: Table) -> markupsafe.Markup:
    """Rows with a caption and column headers; numbers to the right. Everything is escaped."""
    kinds = ["number" if number else "text" for number in table.numeric]
    heads = [
        markupsafe.Markup('<th scope="col" class="{}">{}</th>').format(kind, plain(name))
        for kind, name in zip(kinds, table.frame.columns, strict=True)
    ]
    body = [
        [
            markupsafe.Markup('<td class="{}">{}</td>').format(kind, plain(value))
            for kind, value in zip(kinds, row, strict=True)
        ]
        for row in table.rows
    ]
    rows = markupsafe.Markup("\n").join(
        markupsafe.Markup("<tr>{}</tr>").format(markupsafe.Markup("").join(cells)) for cells in body
    )
    return markupsafe.Markup(
        '<div class="table" tabindex="0" role="region" aria-label="{}"><table>\n{}'
        "<thead>\n<tr>{}</tr>\n</thead>\n<tbody>\n{}\n</tbody>\n</table></div>{}"
    ).format(
        plain(table.title or "Table"),
        _caption(table.title),
        markupsafe.Markup("").join(heads),
        rows,
        _note(table.caption),
    )


def _caption(title: str) -> markupsafe.Markup:
    if not title:
        return markupsafe.Markup("")
    return markupsafe.Markup("<caption>{}</caption>\n").format(plain(title))


def _note(caption: str) -> markupsafe.Markup:
    if not caption:
        return markupsafe.Markup("")
    return markupsafe.Markup('\n<p class="note">{}</p>').format(plain(caption))
