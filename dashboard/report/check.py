"""Whether a report belongs to its data: asked of the store that is said to hold them."""

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..tables import Ask
from . import data, making, seal
from .data import Fingerprint
from .order import ENDINGS
from .seal import Files, NotAReport, Seal

# What a report names of the files beside it; a name from outside cannot: its marks are escaped.
_BESIDE = {
    "md": re.compile(r"(?<!\\)\]\(([^()\s]+\.files/[a-z0-9_.-]+\.svg)\)"),
    "tex": re.compile(r"\\(?:input|includegraphics\[[^\]]*\])\{([^{}]+\.files/[A-Za-z0-9_.-]+)\}"),
}
_MOST_LINES = 6


@dataclasses.dataclass(frozen=True)
class Checked:
    """What was found: ``proven`` is said of a report that is byte for byte what its data say."""

    proven: tuple[str, ...]
    wrong: tuple[str, ...]


def check(ask: Ask, path: Path) -> Checked:
    """Compare a report with the data in a store.

    Raises:
        NotAReport: the file is none.
        OSError: the file cannot be read.
        StoreError: the store is away, or refused.
    """
    ending = path.suffix.removeprefix(".")
    if ending not in ENDINGS:
        raise NotAReport(f"its name does not end in {', '.join(f'.{e}' for e in ENDINGS)}")
    files = _read(path, ending)
    found = seal.read(files[path.name])
    wrong = [*_tampered(files), *_software(found, ending)]
    missing, changed = _data(ask, found)
    wrong += [*missing, *changed]
    if not missing:
        wrong += _rendered(ask, found, files, path, told=bool(wrong))
    if wrong:
        return Checked((), tuple(wrong))
    return Checked((_proof(found, len(files)),), ())


def _read(path: Path, ending: str) -> dict[str, bytes]:
    """The report, and the files beside it that it names and that are there."""
    content = path.read_bytes()
    files = {path.name: content}
    if ending in _BESIDE:
        for name in _BESIDE[ending].findall(content.decode(errors="replace")):
            beside = (path.parent / name).resolve()
            inside = beside.is_relative_to(path.parent.resolve())
            files[name] = beside.read_bytes() if inside and beside.is_file() else b""
    return files


def _tampered(files: Files) -> Iterator[str]:
    gone = [name for name, content in files.items() if not content]
    if gone:
        yield f"files: {', '.join(gone[:3])} is missing or empty beside the report"
    if not seal.is_whole(files):
        yield "text: it was changed after it was made (its own hash does not fit any more)"


def _software(found: Seal, ending: str) -> Iterator[str]:
    here = making.software(ending)
    other = [
        f"{name} {version} (here {here.get(name, 'none')})"
        for name, version in found.software.items()
        if here.get(name) != version
    ]
    if other:
        yield f"versions: made by {', '.join(other)}, which may write the same data differently"


def _data(ask: Ask, found: Seal) -> tuple[list[str], list[str]]:
    """What is not in the store, and what is and differs."""
    missing, changed = [], []
    for sweep_id, printed in found.data.items():
        if not ask("sweep", sweep_id=sweep_id).num_rows:
            missing.append(f"data: this store holds no sweep {sweep_id!r}")
            continue
        now = data.fingerprint(ask, sweep_id)
        if now.data_hash != printed.data_hash:
            changed.append(f"data: {sweep_id} has changed: {_difference(printed, now)}")
    return missing, changed


def _difference(then: Fingerprint, now: Fingerprint) -> str:
    said = []
    for table in sorted({*then.tables, *now.tables}):
        old, new = then.tables.get(table), now.tables.get(table)
        if old == new:
            continue
        if old is None or new is None:
            said.append(f"table {table} is hashed by one version of talweg alone")
        elif old[0] != new[0]:
            said.append(f"{table} {old[0]} rows then, {new[0]} now")
        else:
            said.append(f"{table} {old[0]} rows with other values")
    return "; ".join(said)


def _rendered(ask: Ask, found: Seal, files: Files, path: Path, told: bool) -> Iterator[str]:
    """How the report differs from what the store's data give now.

    ``told``: a reason is known already, so that mere difference is no news.
    """
    try:
        again = making.make(ask, found.order, path.suffix.removeprefix("."), path.stem)
    except (LookupError, ValueError) as error:
        yield f"rendering: it cannot be made again: {error}"
        return
    if again == dict(files):
        return
    lines = list(_lines(files, again))
    if lines:
        yield "text: made again from the store it reads differently:\n" + "\n".join(lines)
    elif not told:
        yield "bytes: made again from the store they differ, with the same text"


def _lines(then: Files, now: Files) -> Iterator[str]:
    """The first lines in which texts differ, of the store's rendering and of the file."""
    differing = [n for n in {**then, **now} if then.get(n) != now.get(n)]
    for name in differing:
        if name.endswith(".pdf"):
            continue
        old, new = (_comparable(files.get(name, b"")) for files in (then, now))
        found = [
            line
            for line in difflib.unified_diff(new, old, "the store", "the file", n=0, lineterm="")
            if line[:2] not in ("--", "++", "@@")
        ]
        yield from (f"  {line[:160]}" for line in found[:_MOST_LINES])
        if len(found) > _MOST_LINES:
            yield f"  … {len(found) - _MOST_LINES} more lines in {name}"


def _comparable(content: bytes) -> list[str]:
    text = content.decode(errors="replace")
    return [line for line in text.splitlines() if "talweg-report:" not in line]


def _proof(found: Seal, files: int) -> str:
    sweeps: Mapping[str, Fingerprint] = found.data
    hashes = ", ".join(f"{name} (data hash {p.data_hash[:12]}…)" for name, p in sweeps.items())
    beside = f" and {files - 1} files beside it" if files > 1 else ""
    return f"byte for byte what the store says of {hashes}{beside}"
