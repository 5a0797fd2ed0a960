"""What a report consists of: plain text, tables and charts, without the form that it takes.

Everything here is text as people wrote it, hostile names included; the renderers
(:mod:`html`, :mod:`markdown`, :mod:`latex`, :mod:`pdf`) escape it, each for its own form.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Literal

import pandas as pd

from ..charts import Chart
from ..formats import ABSENT
from .text import plain

Role = Literal["plain", "finding", "note", "refusal"]


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """Some sentences; line breaks in a finding are kept."""

    text: str
    role: Role = "plain"


@dataclasses.dataclass(frozen=True)
class Bullets:
    """Points, each with a lead in bold (or an empty one) and its text."""

    items: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows for people: texts and numbers as they are to be read.

    Columns of numbers stand to the right. ``title`` names the table, ``caption`` explains it.
    """

    frame: pd.DataFrame
    caption: str = ""
    title: str = ""

    @property
    def heads(self) -> list[str]:
        """The names of the columns."""
        return [plain(name) for name in self.frame.columns]

    @property
    def numeric(self) -> list[bool]:
        """Of each column, whether it holds numbers, which stand to the right."""
        return [pd.api.types.is_numeric_dtype(kind) for kind in self.frame.dtypes]

    @property
    def rows(self) -> list[list[str]]:
        """The cells as text; what is absent as a dash."""
        return [
            [ABSENT if _absent(value) else plain(value) for value in row]
            for row in self.frame.itertuples(index=False, name=None)
        ]


def _absent(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


@dataclasses.dataclass(frozen=True)
class Picture:
    """One chart, a name that no other chart of the document has, and its text for the blind."""

    chart: Chart
    name: str
    alt: str


@dataclasses.dataclass(frozen=True)
class Figure:
    """Pictures side by side with one caption."""

    pictures: tuple[Picture, ...]
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Listing:
    """Lines to copy: a command, a grid file. ``folded``: it may be closed where it is long."""

    text: str
    language: str = ""
    title: str = ""
    folded: bool = False


Block = Paragraph | Bullets | Table | Figure | Listing


@dataclasses.dataclass(frozen=True)
class Section:
    """Blocks under a heading. ``level`` 2 is a chapter, 3 and 4 are parts of the one before."""

    title: str
    blocks: tuple[Block, ...]
    level: int = 2


@dataclasses.dataclass(frozen=True)
class Document:
    """A report: its title and what stands around it, the conclusion, and what carries it.

    ``kicker`` stands above the title, ``meta`` below it. ``citations`` are keys of
    :data:`references.ENTRIES`. ``generator`` says what made it.
    """

    title: str
    kicker: str
    meta: str
    conclusion: tuple[Paragraph, ...]
    sections: tuple[Section, ...]
    citations: tuple[str, ...]
    generator: str

    @property
    def pictures(self) -> Iterator[Picture]:
        """Every chart, in order."""
        for section in self.sections:
            for block in section.blocks:
                if isinstance(block, Figure):
                    yield from block.pictures
