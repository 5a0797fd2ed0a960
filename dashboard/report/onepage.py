"""The report of one sweep on one page: question, answer, one table, one figure, caveats."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from .. import studies
from ..formats import count
from ..readings import Reading, reading
from ..tables import Ask
from . import data
from .document import Block, Bullets, Document, Figure, Paragraph, Section, Table
from .order import Order, sweeps_of
from .single import headed

_MOST_ROWS, _MOST_PICTURES, _MOST_POINTS = 14, 2, 3


def document(ask: Ask, sweep_id: str) -> Document:
    """The summary of one sweep.

    Raises:
        LookupError: the store holds no such sweep.
    """
    (sweep,) = sweeps_of(ask, [sweep_id])
    read = reading(ask, sweep_id, sweep["study"])
    carried = tuple(_first(read.sections))
    sections = [Section(read.sections[0].title, carried)] if carried else []
    sections += [_caveats(ask, sweep_id, read), _proof(ask, sweep)]
    return dataclasses.replace(
        headed(sweep, read),
        kicker=f"{headed(sweep, read).kicker} · summary",
        conclusion=_question_first(sweep, read),
        sections=tuple(sections),
    )


def _question_first(sweep: dict[str, Any], read: Reading) -> tuple[Paragraph, ...]:
    answer = tuple(p for p in headed(sweep, read).conclusion if p.role == "finding")
    if not studies.exists(sweep["study"]):
        return answer
    return (Paragraph(studies.words(sweep["study"]).question, "note"), *answer)


def _first(sections: Iterable[Section]) -> Iterable[Block]:
    """The first figure and the first table of a report, each cut to what a page holds."""
    blocks = [block for section in sections for block in section.blocks]
    figure = next((b for b in blocks if isinstance(b, Figure)), None)
    table = next((b for b in blocks if isinstance(b, Table)), None)
    if table is not None:
        yield _top(table)
    if figure is not None:
        yield _few(figure)


def _top(table: Table) -> Table:
    if len(table.frame) <= _MOST_ROWS:
        return table
    note = f"The first {_MOST_ROWS} of {count(len(table.frame), 'row')}; the whole report has all."
    return Table(table.frame.head(_MOST_ROWS), f"{table.caption} {note}".strip(), table.title)


def _few(figure: Figure) -> Figure:
    left = len(figure.pictures) - _MOST_PICTURES
    if left <= 0:
        return figure
    note = f"{count(left, 'more chart')} of this figure in the whole report."
    return Figure(figure.pictures[:_MOST_PICTURES], f"{figure.caption} {note}")


def _caveats(ask: Ask, sweep_id: str, read: Reading) -> Section:
    (row,) = ask("sweep_budget", sweep_id=sweep_id).to_pylist()
    failed = sum(r["trials"] for r in ask("failures", sweep_id=sweep_id).to_pylist())
    lacking = row["trials"] - row["finished"] - failed
    state = (
        f"{row['finished']} of {count(row['trials'], 'trial')} have a result; {failed} failed, "
        f"{lacking} not finished."
    )
    points = (("Trials.", state), ("Tuning.", read.tuning))
    return Section("Caveats", (Bullets((*points, *read.what_would_change[:_MOST_POINTS])),))


def _proof(ask: Ask, sweep: dict[str, Any]) -> Section:
    found = data.fingerprint(ask, sweep["sweep_id"])
    command = Order((sweep["sweep_id"],), summary=True).command()
    said = f"Data hash: {found.data_hash}. Made again by: {command}"
    return Section("Proof", (Paragraph(said, "note"),))
