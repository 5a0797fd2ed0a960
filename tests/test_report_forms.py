"""The forms of a report: golden files, hostile names as text, the same bytes, pages of the PDF.

``RENEW_GOLDEN=1 pytest tests/test_report_forms.py`` writes the golden files anew; read their
diff before you commit it.
"""

import datetime
import hashlib
import io
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import altair as alt
import pandas as pd
import pyarrow as pa
import pypdf
import pytest
from markdown_it import MarkdownIt

from talweg.dashboard.report import latex, making, markdown, pdf, references, tex_text
from talweg.dashboard.report.document import (
    Bullets,
    Document,
    Figure,
    Listing,
    Paragraph,
    Picture,
    Section,
    Table,
)
from talweg.dashboard.report.order import ENDINGS, Order
from talweg.dashboard.report.software import VERSION
from talweg.dashboard.report_formats import FORMATS, text_of
from talweg.dashboard.report_formats import made as packed
from talweg.dashboard.tables import Ask
from talweg.storage.client import Client

from . import dashboard_data as data
from .browsers import chromium
from .storage_helpers import local_store
from .test_report import Outline

SWEEP, OTHER = "descent-1a2b", "nasty-5c1d"
GOLDEN = Path(__file__).parent / "golden"
STAMP = "talweg-report:%7B%7D:" + "0" * 64
THEN = datetime.datetime(2026, 6, 1, 12, 0, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("store")) as client:
        data.fill(client, SWEEP)
        data.fill(client, OTHER, name='a & b "quoted"', running=True)
        yield client


def unclocked(client: Client) -> Ask:
    """Ask as the report does, with the clock times of the test's own sweep fixed."""

    def ask(question: str, **parameters: object) -> pa.Table:
        answer = making.asking(client)(question, **parameters)
        for name in ("created_at", "started_at", "finished_at"):
            if name in answer.column_names and question in ("sweep", "hardware"):
                place = answer.column_names.index(name)
                times = pa.array([THEN] * answer.num_rows, pa.timestamp("us", "UTC"))
                answer = answer.set_column(place, name, times)
        return answer

    return ask


@pytest.fixture(scope="module")
def made(client: Client) -> dict[str, dict[str, bytes]]:
    """Ending -> the files of the report of one sweep."""
    ask = making.once(unclocked(client))
    return {ending: making.make(ask, Order((SWEEP,)), ending) for ending in ENDINGS}


def told(text: bytes) -> str:
    """What a golden file holds: no drawings, no versions, no hash of the whole."""
    plain = re.sub(r"<svg .*?</svg>", "<svg/>", text.decode(), flags=re.S)
    plain = re.sub(r"talweg-report:\S+", "talweg-report:SEAL", plain)
    return plain.replace(VERSION, "VERSION")


GOLDEN_FILES = {
    "report.html": "html",
    "report.md": "md",
    "report.tex": "tex",
    "report.files/time-to-95-test-accuracy-in-numbers.tex": "tex",
    "report.files/learning-rate-sensitivity-in-numbers.tex": "tex",
}


@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_the_report_reads_as_the_golden_file(made: dict[str, dict[str, bytes]], name: str) -> None:
    text = told(made[GOLDEN_FILES[name]][name])
    golden = GOLDEN / Path(name).name
    if os.environ.get("RENEW_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_made_again_in_another_order_of_rows_every_form_has_the_same_bytes(
    made: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    with local_store(tmp_path) as other:
        trials = data.grid()
        other.register(data.sweep_row(SWEEP, SWEEP), data.trial_columns(SWEEP, trials[::-1]))
        other.begin("back", [data.identity(SWEEP, trial) for trial in trials])
        flushes = data.flushes(SWEEP, trials[::-1], data.nobody)
        for sequence, records in enumerate(flushes, start=1):
            other.append("back", sequence, records)
        other.set_status(SWEEP, "failed")
        ask = making.once(unclocked(other))
        again = {ending: making.make(ask, Order((SWEEP,)), ending) for ending in ENDINGS}
    differing = [name for e in ENDINGS for name in made[e] if made[e][name] != again[e].get(name)]
    assert differing == []


def test_pdf_has_pages_text_a_title_and_its_own_fonts(made: dict[str, dict[str, bytes]]) -> None:
    reader = pypdf.PdfReader(io.BytesIO(made["pdf"]["report.pdf"]))
    text = "\n".join(page.extract_text() for page in reader.pages)
    assert len(reader.pages) in range(5, 9)
    assert "Time to 95 % test accuracy" in text.replace("\u00a0", " ")
    assert "1.68 k (1.42 k to 1.95 k)" in text.replace("\u00a0", " ")
    assert reader.metadata is not None
    assert reader.metadata.title == SWEEP
    assert b"/MarkInfo<</Marked true" in made["pdf"]["report.pdf"]
    fonts = set(re.findall(rb"/FontName/\w+\+(\w+)", made["pdf"]["report.pdf"]))
    assert fonts == {b"LibertinusSerif", b"DejaVuSansMono"}


@pytest.mark.parametrize("ending", ["html", "pdf", "md", "tex"])
def test_a_summary_is_short_and_of_one_sweep(client: Client, ending: str) -> None:
    order = Order((OTHER,), summary=True)
    files = making.make(unclocked(client), order, ending)
    (name, text), *_ = files.items()
    if ending == "pdf":
        reader = pypdf.PdfReader(io.BytesIO(text))
        assert len(reader.pages) == 1
        said = reader.pages[0].extract_text()
    else:
        said = text.decode()
    for heading in ("Conclusion", "Caveats", "Proof"):
        assert heading in said
    assert "Grid file" not in said
    assert name == f"report.{ending}"


def test_several_sweeps_share_one_document(client: Client) -> None:
    text = making.make(unclocked(client), Order((SWEEP, OTHER)), "html")["report.html"].decode()
    outline = Outline(text)
    assert outline.tags.count("h1") == 1
    assert text.count("<h2>Machines and versions</h2>") == 1
    assert text.count("<h3>How settings were tuned</h3>") == 0
    assert text.count("<h4>How settings were tuned</h4>") == 2
    assert len(re.findall(r"Data hash of \S+: [0-9a-f]{64}", text)) == 2
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


@pytest.mark.parametrize(
    ("sweeps", "more", "why"),
    [
        ((), {}, "one sweep at least"),
        (("a", "a"), {}, "named twice"),
        (("a", "b"), {"summary": True}, "one sweep alone"),
        (("a",), {"summary": True, "compare": "team"}, "without a comparison"),
    ],
)
def test_an_order_that_cannot_be_met_is_refused(
    sweeps: tuple[str, ...], more: dict[str, object], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Order(sweeps, **more)  # type: ignore[arg-type]


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    r"\input{/etc/passwd} \write18{id}",
    "100 % # $x^2$ _a_ {b} ~c & d ^^M",
    "| a | b |",
    "`code` and ```fence```",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "http://evil.example www.evil.example",
    '#eval("1+1") #import "x" *bold* _it_ $x$ @ref <label> \\ // c',
    "-->--!><!--",
    "1. one",
    "- dash",
    "    four spaces",
    "--- ,, ``quotes'' ?`",
    "a\u202eb\x00c",
    "中文 🙂 Ñandú ✕ σ²",
]


def hostile(name: str) -> Document:
    """A document that has the name in every place that takes text."""
    chart = alt.Chart(pd.DataFrame({"x": [0, 1], "y": [1, 2]})).mark_line().encode(x="x", y="y")
    picture = Picture(chart.properties(title=name), "only", name)
    blocks = (
        Paragraph(name), Paragraph(name, "finding"), Paragraph(name, "note"),
        Bullets(((name, name), ("", name))),
        Table(pd.DataFrame({name: [name], "n": [1]}), name, name),
        Figure((picture,), name), Listing(name, "sh", name), Listing(name, title=name, folded=True),
    )  # fmt: skip
    said = (Paragraph(name, "finding"),)
    section = Section(name, blocks)
    return Document(name, name, name, said, (section,), ("student1908",), "talweg")


def shown(name: str) -> str:
    """The name as a reader sees it: without white space, and without what nothing can show."""
    return re.sub(r"\s+", "", re.sub("[\u202e\x00]", "\ufffd", name))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_in_html(name: str) -> None:
    page = making.render(hostile(name), "html", "r", STAMP)["r.html"].decode()
    outline = Outline(page)
    assert {"script", "img", "a", "iframe"}.isdisjoint(outline.tags)
    assert outline.tags.count("h1") == 1
    words = [re.sub(r"\s+", "", word) for word in outline.words]
    assert sum(shown(name) in word for word in words) >= 13


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_in_markdown(name: str) -> None:
    files = making.render(hostile(name), "md", "r", STAMP)
    reader = MarkdownIt("commonmark").enable("table")
    page = reader.render(files["r.md"].decode())
    outline = Outline(page.replace(f"<!-- {STAMP} -->", ""))
    assert {"script", "a", "em"}.isdisjoint(outline.tags)
    assert outline.references == ["r.files/only.svg"]
    assert (outline.tags.count("table"), outline.tags.count("th")) == (1, 2)
    assert outline.tags.count("ul") == 1
    assert "ol" not in outline.tags
    words = re.sub(r"\s+", "", "".join(outline.words))
    assert words.count(shown(name)) >= 14


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_in_latex(name: str) -> None:
    files = latex.render(hostile(name), STAMP, "r.files")
    tables = [content.decode() for file, content in files.items() if file.endswith(".tex")]
    text = "\n".join([files[""].decode(), *tables])
    for command in (r"\input{/", r"\write18", "^^M", "$x^2$", r"\unicodechar{202E}", "\x00"):
        assert command not in text
    assert text.count("{") == text.count("}") + (text.count(r"\{") - text.count(r"\}"))
    assert tex_text.escaped(name) in text


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        (r"\input{a}", r"\textbackslash{}input\{a\}"),
        ("50 % of $3 & #1_a^b~", r"50 \% of \$3 \& \#1\_a\textasciicircum{}b\textasciitilde{}"),
        ("a--b", "a-{}-b"),
        ("[x]*", "{[}x{]}{*}"),
        ("1\u202f000\u00a0k", r"1\,000~k"),
        ("σ ≥ ½", r"$\sigma$ $\geq$ ½"),
        ("中", r"\unicodechar{4E2D}"),
    ],
)
def test_tex_shows_what_was_written(text: str, tex: str) -> None:
    assert tex_text.escaped(text) == tex


def test_hostile_names_are_text_in_pdf() -> None:
    whole = "\n".join(name for name in HOSTILE if name.isprintable() and name.isascii())
    found = pdf.render(hostile(whole), STAMP)
    reader = pypdf.PdfReader(io.BytesIO(found))
    text = re.sub(r"\s+", "", "".join(page.extract_text() for page in reader.pages))
    for name in whole.splitlines():
        assert re.sub(r"\s+", "", name) in text, name
    (strange,) = [name for name in HOSTILE if "中" in name]
    reader = pypdf.PdfReader(io.BytesIO(pdf.render(hostile(strange), STAMP)))
    text = "".join(page.extract_text() for page in reader.pages)
    assert "[U+4E2D][U+6587]" in text
    assert "Ñandú × σ²" in text


def test_a_table_too_wide_for_its_page_shares_its_width() -> None:
    long = pd.DataFrame({"reason": ["word " * 60], "where": ["here " * 9], "trials": [3]})
    wide = latex.table(Table(long, title="Wide"))
    widths = [float(w) for w in re.findall(r"p\{([0-9.]+)\\linewidth\}", wide)]
    assert len(widths) == 2
    assert widths[0] > widths[1] > 0.2
    assert sum(widths) + 6 / 112 <= 1
    assert r"\footnotesize" in wide
    narrow = latex.table(Table(pd.DataFrame({"a": ["x"], "n": [1]})))
    assert r"\begin{longtable}{@{}lr@{}}" in narrow
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert narrow.count(rule) == 1


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    (text,) = markdown.render(
        Document("t", "k", "m", (), (Section("s", (Listing("````\nx"),)),), (), "g"), STAMP, "f"
    ).values()
    assert b"\n`````\n````\nx\n`````\n" in text


def test_every_reference_is_an_entry_under_its_own_key() -> None:
    for key, entry in references.ENTRIES.items():
        assert re.match(rf"@\w+\{{{key},\n", entry)
        assert entry.count("{") == entry.count("}")
        assert re.search(r"^  (year)\s+= \{\d{4}\}$", entry, re.M)
        assert key.endswith(re.findall(r"year\s+= \{(\d{4})\}", entry)[0])
    with pytest.raises(KeyError):
        references.bibtex(["nobody1900"])


def test_the_html_opens_without_a_network_or_a_complaint(
    made: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(made["html"]["report.html"])
    complaints: list[str] = []
    with chromium() as browser, browser.new_context(offline=True) as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("h1").inner_text() == SWEEP
        assert page.locator("th:not([scope=col])").count() == 0
        assert page.locator("table:not(:has(caption))").count() == 0
        assert page.locator("figure svg").first.is_visible()
        printed = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
        assert len(printed.pages) < 12
    assert complaints == []
    assert [url for url in asked if not url.startswith("file:")] == []


def test_archives_of_a_report_have_no_clock_in_them(client: Client) -> None:
    form = FORMATS["Markdown"]
    order = Order((SWEEP,), summary=True)
    first, second = (packed(unclocked(client), order, form) for _ in range(2))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
    assert text_of(first, form).startswith("talweg report")
