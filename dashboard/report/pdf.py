"""A report as PDF, set by Typst: fonts, figures and text inside, the same bytes every time.

Typst comes as one wheel with its own fonts, so a PDF needs neither a system library nor the
fonts of a machine. The template (``templates/report.typ``) gets the document as data.
"""

import json
from pathlib import Path
from typing import Any, Literal

import typst

from .. import figures
from . import references
from .document import Block, Bullets, Document, Figure, Listing, Paragraph, Table
from .html import HALF, WIDE
from .text import plain

_TEMPLATE = Path(__file__).parents[1] / "templates" / "report.typ"
_OURS = {"✕": "×"}
_RANGES = ((0xA0, 0x17F), (0x391, 0x3A1), (0x3A3, 0x3C9), (0x410, 0x44F), (0x2010, 0x2026))
_KNOWN = frozenset(
    [chr(code) for low, high in _RANGES for code in range(low, high + 1)]
    + list("\u202f€™←↑→↓∂∇∈∑√∞≈≠≤≥−·²³₀₁₂\ufffd")
)
"""Characters of Libertinus Serif and DejaVu Sans Mono, which come with Typst."""
_STANDARD: Literal["ua-1"] = "ua-1"
"""PDF/UA: tagged, titled, every figure with its text, as screen readers need it."""


def render(document: Document, stamp: str, one_page: bool = False) -> bytes:
    """The document as PDF. ``one_page``: its type is made as small as one page of A4 needs."""
    data = {
        "title": plain(document.title),
        "kicker": plain(document.kicker),
        "meta": plain(document.meta),
        "stamp": stamp,
        "one-page": one_page,
        "conclusion": [_block(said) for said in document.conclusion],
        "sections": [
            {"title": plain(s.title), "level": s.level, "blocks": [_block(b) for b in s.blocks]}
            for s in document.sections
        ],
        "references": references.bibtex(document.citations),
        "generator": plain(document.generator),
    }
    return _compiled(_TEMPLATE.read_bytes(), {"report": json.dumps(_told(data))})


_DRAWING = b"""#set document(title: sys.inputs.alt, date: none)
#set page(width: auto, height: auto, margin: 0pt)
#set text(lang: "en", font: "Libertinus Serif")
#image(bytes(sys.inputs.svg), format: "svg", alt: sys.inputs.alt)
"""


def drawing(svg: str, alt: str) -> bytes:
    """One figure as a PDF file of its own size, for papers; the same chart, the same bytes."""
    return _compiled(
        _DRAWING, {"svg": _displayable(svg), "alt": _displayable(plain(alt)) or "Chart"}
    )


def _compiled(source: bytes, inputs: dict[str, str]) -> bytes:
    compiler = typst.Compiler(source, ignore_system_fonts=True, sys_inputs=inputs)
    # A time of rendering would change the bytes; the text says when the sweep was made.
    made = compiler.compile(format="pdf", timestamp=0, pdf_standards=[_STANDARD])
    assert isinstance(made, bytes)
    return made


def _told(value: Any) -> Any:
    """The data with every text made displayable."""
    if isinstance(value, str):
        return _displayable(value)
    if isinstance(value, list):
        return [_told(part) for part in value]
    if isinstance(value, dict):
        return {key: _told(part) for key, part in value.items()}
    return value


def _displayable(text: str) -> str:
    """The text with characters that Typst's fonts do not have told by number: ``[U+4E2D]``."""
    if text.isascii():
        return text
    return "".join(map(_character, text))


def _character(character: str) -> str:
    if character in _OURS:
        return _OURS[character]
    if character in _KNOWN or character.isascii():
        return character
    return f"[U+{ord(character):04X}]"


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Paragraph():
            return {"kind": "paragraph", "text": plain(block.text), "role": block.role}
        case Bullets():
            items = [[plain(lead), plain(text)] for lead, text in block.items]
            return {"kind": "bullets", "items": items}
        case Table():
            return {
                "kind": "table",
                "heads": block.heads,
                "numeric": block.numeric,
                "rows": block.rows,
                **_titles(block.title, block.caption),
            }
        case Figure():
            return {"kind": "figure", "pictures": _pictures(block), "caption": plain(block.caption)}
        case Listing():
            return {"kind": "listing", "text": plain(block.text), "title": plain(block.title)}


def _titles(title: str, caption: str) -> dict[str, str]:
    return {"title": plain(title), "caption": plain(caption)}


def _pictures(figure: Figure) -> list[dict[str, str]]:
    width = WIDE if len(figure.pictures) == 1 else HALF
    return [
        {"svg": figures.svg(p.chart, p.name, width), "alt": plain(p.alt)} for p in figure.pictures
    ]
