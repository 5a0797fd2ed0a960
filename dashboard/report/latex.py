"""A report as LaTeX that compiles by itself; tables and figures are files beside it.

A paper takes a table by ``\\input`` and a figure by ``\\includegraphics``; both need the packages
booktabs and longtable, and graphicx.
"""

from .. import figures
from . import pdf, references
from .document import Block, Bullets, Document, Figure, Listing, Paragraph, Section, Table
from .html import HALF, WIDE
from .tex_text import escaped
from .text import plain, slug

_HEAD = r"""\documentclass[a4paper,10pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
\usepackage[margin=22mm]{geometry}
\usepackage{array,booktabs,longtable,graphicx}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt}
\setlength{\emergencystretch}{3em}
\setcounter{secnumdepth}{0}
\providecommand{\unicodechar}[1]{\texttt{[U+#1]}}
"""
_HEADINGS = {2: "section", 3: "subsection", 4: "subsubsection"}


def render(document: Document, stamp: str, folder: str) -> dict[str, bytes]:
    """The text under the name ``""``; tables and figures under their names in ``folder``."""
    files: dict[str, bytes] = {}
    taken: set[str] = set()
    parts = [
        f"% {stamp}\n{_HEAD}\\begin{{document}}",
        f"{{\\small {escaped(document.kicker)}}}",
        f"{{\\LARGE\\bfseries {escaped(document.title)}\\par}}",
        f"{{\\small {escaped(document.meta)}}}",
        "\\section{Conclusion}",
        *(_paragraph(said) for said in document.conclusion),
        *(_section(section, folder, files, taken) for section in document.sections),
    ]
    if document.citations:
        parts += ["\\section{References}", _verbatim(references.bibtex(document.citations))]
    parts += [f"{{\\small Made by {escaped(document.generator)} from one store.}}"]
    text = "\n\n".join([*parts, "\\end{document}\n"])
    return {"": text.encode(), **files}


def _section(section: Section, folder: str, files: dict[str, bytes], taken: set[str]) -> str:
    parts = [f"\\{_HEADINGS[section.level]}{{{escaped(section.title)}}}"]
    parts += [_block(block, folder, files, taken) for block in section.blocks]
    return "\n\n".join(parts)


def _block(block: Block, folder: str, files: dict[str, bytes], taken: set[str]) -> str:
    match block:
        case Paragraph():
            return _paragraph(block)
        case Bullets():
            items = [f"\\item {_lead(lead)}{escaped(text)}" for lead, text in block.items]
            return "\n".join(["\\begin{itemize}", *items, "\\end{itemize}"])
        case Table():
            name = f"{folder}/{slug(block.title or 'table', taken)}.tex"
            files[name] = table(block).encode()
            note = f"\n\n{{\\small {escaped(block.caption)}\\par}}" if block.caption else ""
            return f"\\input{{{name}}}{note}"
        case Figure():
            return _figure(block, folder, files)
        case Listing():
            title = f"\\textbf{{{escaped(block.title)}}}\\par\n" if block.title else ""
            return title + _verbatim(block.text)


def _lead(lead: str) -> str:
    return f"\\textbf{{{escaped(lead)}}} " if lead else ""


def _paragraph(said: Paragraph) -> str:
    text = " \\\\\n".join(escaped(line) for line in said.text.splitlines() if line.strip())
    if said.role == "finding":
        return f"\\begin{{quote}}\n\\large {text}\n\\end{{quote}}"
    return text if said.role == "plain" else f"{{\\small {text}\\par}}"


def table(block: Table) -> str:
    """One table with booktabs' rules, to be read by ``\\input``; it may run over pages."""
    size, columns = _columns(block)
    head = " & ".join(escaped(name) for name in block.heads)
    rows = [" & ".join(escaped(cell) for cell in row) + r" \\" for row in block.rows]
    across = f"\\multicolumn{{{len(block.heads)}}}{{@{{}}l}}"
    title = f"{across}{{\\textbf{{{escaped(block.title)}}}}} \\\\\n" if block.title else ""
    lines = [
        f"{{{size}\\setlength{{\\tabcolsep}}{{4pt}}\\setlength{{\\LTleft}}{{0pt}}"
        "\\setlength{\\LTpost}{2pt}",
        f"\\begin{{longtable}}{{@{{}}{columns}@{{}}}}",
        f"{title}\\toprule",
        f"{head} \\\\",
        "\\midrule\n\\endhead",
        "\\bottomrule\n\\endlastfoot",
        *rows,
        "\\end{longtable}}",
    ]
    return "\n".join(lines) + "\n"


_LINES = {"\\small": 95, "\\footnotesize": 112}
"""Characters that a line holds in each size of type."""
_SHORT = 14
"""Columns of so many characters keep their width."""


def _columns(block: Table) -> tuple[str, str]:
    """Size of type and columns: as wide as their cells; else long texts share what is left."""
    cells = zip(block.heads, *block.rows, strict=True)
    widths = [max(len(cell) for cell in column) for column in cells]
    plain_kinds = ["r" if number else "l" for number in block.numeric]
    for size, line in _LINES.items():
        spare = line - 2 * len(widths)
        if sum(widths) <= spare:
            return size, "".join(plain_kinds)
    long = [width for width in widths if width > _SHORT]
    left = max(spare - sum(widths) + sum(long), line // 3) / line
    # No column may take so much that the others are left with nothing.
    share = left / sum(min(width, 60) for width in long)
    kinds = [
        kind if width <= _SHORT
        else f">{{\\raggedright\\arraybackslash}}p{{{share * min(width, 60):.3f}\\linewidth}}"
        for kind, width in zip(plain_kinds, widths, strict=True)
    ]  # fmt: skip
    return size, "".join(kinds)


def _figure(figure: Figure, folder: str, files: dict[str, bytes]) -> str:
    alone = len(figure.pictures) == 1
    shown = []
    for picture in figure.pictures:
        name = f"{folder}/{picture.name}.pdf"
        svg = figures.svg(picture.chart, picture.name, WIDE if alone else HALF)
        files[name] = pdf.drawing(svg, picture.alt)
        width = "" if alone else "0.49"
        # What a picture says stays in the text, where TeX has no place for alternatives.
        told = escaped(" ".join(plain(picture.alt).split()))
        shown.append(f"% {told}\n\\includegraphics[width={width}\\linewidth]{{{name}}}")
    caption = f"\n\n{{\\small {escaped(figure.caption)}\\par}}" if figure.caption else ""
    return "\\begin{center}\n" + "\n".join(shown) + "\n\\end{center}" + caption


def _verbatim(text: str) -> str:
    """Lines as they are, each of their spaces kept."""
    lines = [escaped(line.replace(" ", "\u00a0")) for line in plain(text).splitlines()]
    body = " \\\\\n".join(line or "\\strut" for line in lines)
    return f"{{\\ttfamily\\footnotesize\\raggedright\n{body}\\par}}"
