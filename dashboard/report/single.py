"""The report of sweeps, each for itself: conclusion first, then what carries it."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from .. import studies
from ..formats import tied
from ..readings import Reading, reading
from ..tables import Ask
from . import data, facts
from .document import Bullets, Document, Figure, Paragraph, Section
from .order import Order, sweeps_of
from .software import GENERATOR


def document(ask: Ask, order: Order) -> Document:
    """The whole report of one sweep, or of several one after the other.

    Raises:
        LookupError: the store holds no such sweep.
    """
    sweeps = sweeps_of(ask, order.sweeps)
    readings = [reading(ask, sweep["sweep_id"], sweep["study"]) for sweep in sweeps]
    shared = (facts.machines(ask, sweeps), data.section(ask, sweeps, order.command()))
    if len(sweeps) == 1:
        (sweep,), (read,) = sweeps, readings
        return dataclasses.replace(
            headed(sweep, read),
            sections=(*_carrying(ask, sweep, read), *shared),
            citations=citations(read, sweep["study"]),
        )
    return _together(ask, list(zip(sweeps, readings, strict=True)), shared)


def headed(sweep: dict[str, Any], read: Reading) -> Document:
    """The head of a report of one sweep, and its conclusion; without sections."""
    team = f" · {sweep['team']}" if sweep["team"] else ""
    return Document(
        title=sweep["name"],
        kicker=f"talweg report{team}",
        meta=meta(sweep),
        conclusion=_conclusion(sweep, read),
        sections=(),
        citations=(),
        generator=GENERATOR,
    )


def meta(sweep: dict[str, Any]) -> str:
    """Id, owner, time and status of a sweep in a line."""
    created = f"{sweep['created_at']:%d %B %Y, %H:%M} UTC"
    return " · ".join(filter(None, [sweep["sweep_id"], sweep["owner"], created, sweep["status"]]))


def _conclusion(sweep: dict[str, Any], read: Reading) -> tuple[Paragraph, ...]:
    said = (Paragraph(tied(read.finding), "finding"),)
    if not studies.exists(sweep["study"]):
        return said
    return (*said, Paragraph(f"Question: {studies.words(sweep['study']).question}", "note"))


def _carrying(ask: Ask, sweep: dict[str, Any], read: Reading) -> Iterator[Section]:
    """What carries the conclusion of one sweep."""
    yield from read.sections
    if studies.exists(sweep["study"]):
        guide = studies.words(sweep["study"]).how_to_read
        yield Section("How to read this", (Paragraph(guide),))
    yield Section("What would change the conclusion", (Bullets(tuple(read.what_would_change)),))
    yield from facts.run(ask, sweep["sweep_id"], read)


def _together(
    ask: Ask, parts: Sequence[tuple[dict[str, Any], Reading]], shared: tuple[Section, ...]
) -> Document:
    """One document of several sweeps: all conclusions, each sweep's sections, shared facts once."""
    conclusion, sections, cited = [], [], set()
    for place, (sweep, read) in enumerate(parts, start=1):
        conclusion.append(Paragraph(f"{sweep['sweep_id']}: {tied(read.finding)}", "finding"))
        asked = [said for said in _conclusion(sweep, read) if said.role == "note"]
        about = (Paragraph(meta(sweep), "note"), *asked)
        sections.append(Section(f"{place}. {sweep['sweep_id']}", about))
        sections += [_below(s, f"s{place}-") for s in _carrying(ask, sweep, read)]
        cited |= set(citations(read, sweep["study"]))
    return Document(
        title=", ".join(sweep["name"] for sweep, _ in parts),
        kicker=f"talweg report · {len(parts)} sweeps",
        meta=", ".join(sweep["sweep_id"] for sweep, _ in parts),
        conclusion=tuple(conclusion),
        sections=(*sections, *shared),
        citations=tuple(sorted(cited)),
        generator=GENERATOR,
    )


def _below(section: Section, prefix: str) -> Section:
    """The section one level deeper; names of pictures made unique among the sweeps."""
    blocks = [
        dataclasses.replace(
            block,
            pictures=tuple(dataclasses.replace(p, name=prefix + p.name) for p in block.pictures),
        )
        if isinstance(block, Figure)
        else block
        for block in section.blocks
    ]
    return Section(section.title, tuple(blocks), section.level + 1)


def citations(read: Reading, study: str | None) -> tuple[str, ...]:
    """Keys of what the methods of a sweep's report come from."""
    titles = {section.title for section in read.sections}
    found = {"student1908"} if read.sections else set()
    if "Who is fastest how often?" in titles:
        found |= {"dolan2002", "dahl2023"}
    if "Gradient health" in titles:
        found |= {"poole2016", "schoenholz2017", "hanley1982"}
    return tuple(sorted(found))
