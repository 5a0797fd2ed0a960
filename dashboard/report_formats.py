"""The forms that a report can be made in on the dashboard, and how each one is looked at."""

import dataclasses
import html
import io
import zipfile
from collections.abc import Mapping

from .report import making
from .report.order import Order
from .tables import Ask


@dataclasses.dataclass(frozen=True)
class Format:
    """One form of a report: the ending of its text, of the file to take away, its media type.

    Forms with files beside them are packed into one archive.
    """

    text: str
    ending: str
    mime: str


FORMATS: Mapping[str, Format] = {
    "HTML": Format("html", "html", "text/html"),
    "PDF": Format("pdf", "pdf", "application/pdf"),
    "Markdown": Format("md", "md.zip", "application/zip"),
    "LaTeX": Format("tex", "tex.zip", "application/zip"),
}


def made(ask: Ask, order: Order, form: Format) -> bytes:
    """The report as one file.

    Raises:
        LookupError: the store holds no such sweep.
        ValueError: the order cannot be met.
    """
    files = making.make(ask, order, form.text)
    if form.text == form.ending:
        (content,) = files.values()
        return content
    return _packed(files)


def _packed(files: Mapping[str, bytes]) -> bytes:
    """An archive without clock times: the same files give the same bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            pack.writestr(entry, content)
    return archive.getvalue()


def text_of(content: bytes, form: Format) -> str:
    """The text of a report that is packed with its files.

    Raises:
        zipfile.BadZipFile, KeyError: the file holds no report.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as pack:
        return pack.read(f"report.{form.text}").decode()


_FRAME = """<!doctype html>
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<style>html, body, iframe {{ margin: 0; width: 100%; height: 100%; border: 0 }}
iframe {{ display: block; background: white }}</style>
<iframe sandbox title="{title}" srcdoc="{content}"></iframe>"""


def framed(content: str, title: str) -> str:
    """A page that shows a report without letting it do anything.

    A report holds names that people chose. It has no scripts; should one ever get into it, the
    sandbox does not run it, keeps it away from the dashboard, and nothing is loaded from outside.
    """
    return _FRAME.format(title=html.escape(title), content=html.escape(content))
