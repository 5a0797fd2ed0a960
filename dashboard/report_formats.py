"""The forms that a report can be made in on the dashboard, and how each one is looked at."""

import dataclasses
import html
from collections.abc import Callable, Mapping

from . import report
from .tables import Ask


@dataclasses.dataclass(frozen=True)
class Format:
    """One form of a report: its file ending, its media type, and how it is made."""

    ending: str
    mime: str
    make: Callable[[Ask, str], str]


FORMATS: Mapping[str, Format] = {"HTML": Format("html", "text/html", report.html)}

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
