"""What a report says, in every form, about the data it belongs to: its seal.

One line of plain ASCII that no form of a report has to escape:
``talweg-report:FACTS:HASH``. FACTS is JSON, percent-encoded; HASH is the SHA-256 sum of the
report, and of the files beside it, with the HASH itself as zeros.
"""

import dataclasses
import hashlib
import json
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

from .data import Fingerprint
from .order import Order

Files = Mapping[str, bytes]
"""Name -> content: the report first, then the files beside it."""

_ZEROS = "0" * 64
_SEAL = re.compile(rb"talweg-report:([A-Za-z0-9_.~%-]+):([0-9a-f]{64})")


@dataclasses.dataclass(frozen=True)
class Seal:
    """What a report was asked for, of which data, and by which software it was made."""

    order: Order
    data: Mapping[str, Fingerprint]
    software: Mapping[str, str]
    content: str = _ZEROS

    def line(self) -> str:
        """The seal as it stands in a report that is not sealed yet."""
        facts = {
            "compare": self.order.compare,
            "summary": self.order.summary,
            "software": dict(self.software),
            "sweeps": {name: dict(found.tables) for name, found in self.data.items()},
        }
        quoted = urllib.parse.quote(json.dumps(facts, separators=(",", ":")), safe="")
        return f"talweg-report:{quoted}:{_ZEROS}"


class NotAReport(ValueError):
    """A file without a seal."""


def read(content: bytes) -> Seal:
    """The seal of a report.

    Raises:
        NotAReport: it has none, or one that this talweg cannot read.
    """
    found = _SEAL.search(content)
    if not found:
        raise NotAReport("it has no line talweg-report:…, so talweg did not make it as it stands")
    try:
        facts = json.loads(urllib.parse.unquote(found[1].decode()))
        return _read(facts, found[2].decode())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAReport(f"its line talweg-report:… cannot be read: {error}") from error


def _read(facts: Mapping[str, Any], content: str) -> Seal:
    data = {
        name: Fingerprint({table: (int(rows), str(p)) for table, (rows, p) in tables.items()})
        for name, tables in facts["sweeps"].items()
    }
    order = Order(tuple(data), facts["compare"], bool(facts["summary"]))
    return Seal(order, data, dict(facts["software"]), content)


def sealed(files: Files) -> dict[str, bytes]:
    """The files with the hash of them all in the seal of the first one."""
    name = next(iter(files))
    digest = _digest(files)
    return {
        **files,
        name: _SEAL.sub(lambda m: m[0][:-64] + digest.encode(), files[name]),
    }


def is_whole(files: Files) -> bool:
    """Whether these are the files as they were sealed."""
    name = next(iter(files))
    blank = _SEAL.sub(lambda m: m[0][:-64] + _ZEROS.encode(), files[name])
    return _digest({**files, name: blank}) == read(files[name]).content


def _digest(files: Files) -> str:
    """SHA-256 of the report, and of the names and contents of the files beside it in order."""
    name, *beside = files
    total = hashlib.sha256(files[name])
    for other in sorted(beside):
        total.update(f"\n{other.rpartition('/')[2]} {len(files[other])}\n".encode())
        total.update(files[other])
    return total.hexdigest()
