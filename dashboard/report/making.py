"""From an order to files: compose the document, render it, seal it."""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from ...storage.client import Client
from ..tables import Ask, rounded
from . import data, html, latex, markdown, pdf, seal, single
from .document import Document
from .order import ENDINGS, Order
from .software import versions

_DRAWN_BY = ("altair", "vl-convert-python")


def asking(client: Client) -> Ask:
    """Ask a store's named queries, with numbers cut to the digits that survive any order."""

    def ask(question: str, **parameters: object) -> pa.Table:
        return rounded(client.query(question, parameters))

    return ask


def once(ask: Ask) -> Ask:
    """Ask each question once, whoever asks first: parts of a report share answers and data.

    Safe to ask from several threads.
    """
    known: dict[str, Future[pa.Table]] = {}

    def remembered(question: str, **parameters: object) -> pa.Table:
        key = json.dumps([question, parameters], sort_keys=True, default=str)
        own: Future[pa.Table] = Future()
        answer = known.setdefault(key, own)
        if answer is own:
            try:
                own.set_result(ask(question, **parameters))
            except Exception as error:
                own.set_exception(error)
        return answer.result()

    return remembered


def compose(ask: Ask, order: Order) -> Document:
    """The document that was ordered.

    Raises:
        LookupError: the store holds no such sweep.
        ValueError: the sweeps cannot be compared by this key.
    """
    if order.compare:
        from . import comparison

        return comparison.document(ask, list(order.sweeps), order.compare)
    if order.summary:
        from . import onepage

        return onepage.document(ask, order.sweeps[0])
    return single.document(ask, order)


def make(ask: Ask, order: Order, ending: str, stem: str = "report") -> dict[str, bytes]:
    """The report as files: ``STEM.ENDING`` first; of md and tex those in ``STEM.files`` after it.

    Raises:
        LookupError: the store holds no such sweep.
        ValueError: no such ending, or an order that cannot be met.
    """
    asked = once(ask)
    # The hash over every row takes the store longest: it works on that while we draw.
    with ThreadPoolExecutor(1, thread_name_prefix="hash") as pool:
        hashing = {sweep: pool.submit(data.fingerprint, asked, sweep) for sweep in order.sweeps}
        document = compose(asked, order)
        prints = {sweep: begun.result() for sweep, begun in hashing.items()}
    stamp = seal.Seal(order, prints, software(ending)).line()
    return seal.sealed(render(document, ending, stem, stamp, one_page=order.summary))


def software(ending: str) -> dict[str, str]:
    """The versions that the bytes of this form depend on."""
    return versions(*_DRAWN_BY, *(["typst"] if ending == "pdf" else []))


def render(
    document: Document, ending: str, stem: str, stamp: str, one_page: bool = False
) -> dict[str, bytes]:
    """The document in one form, not sealed yet.

    Raises:
        ValueError: no such ending.
    """
    name, folder = f"{stem}.{ending}", f"{stem}.files"
    match ending:
        case "html":
            return {name: html.render(document, stamp).encode()}
        case "pdf":
            return {name: pdf.render(document, stamp, one_page)}
        case "md":
            files = markdown.render(document, stamp, folder)
        case "tex":
            files = latex.render(document, stamp, folder)
        case _:
            known = ", ".join(f".{one}" for one in ENDINGS)
            raise ValueError(f"a report ends in one of {known}, not in .{ending}")
    return {name: files.pop(""), **files}


def write(client: Client, order: Order, path: str | Path) -> list[Path]:
    """Write a report and what lies beside it; returns the paths, the report's own first.

    Raises:
        LookupError: the store holds no such sweep.
        ValueError: the path has no ending of a report, or the order cannot be met.
        StoreError: the store is away, or refused.
    """
    target = Path(path)
    files = make(asking(client), order, target.suffix.removeprefix("."), target.stem)
    paths = [target.parent / name for name in files]
    for place, content in zip(paths, files.values(), strict=True):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return paths
