"""Tables of the user's own, and of OpenML, as numbers; no torch. N rows, D inputs.

NPZ files are read without unpickling anything; see ``columns`` for the others.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .columns import READERS, Column
from .data import Floats, Targets

FEW = 20
"""Whole numbers of at most so many kinds are classes, unless the grid says otherwise."""
MOST_WORDS = 50
"""Different words of an input column that become an input each."""


@dataclass(frozen=True)
class Wanted:
    """What is to be made of a table."""

    target: str | None
    kind: str
    without: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Inputs (N, D), and targets: labels (N,) of ``classes``, or numbers (N, T) and no classes."""

    x: Floats
    y: Targets
    classes: tuple[str, ...] = ()


@functools.lru_cache(maxsize=4)
def read(path: Path, digest: str, wanted: Wanted) -> Table:
    """A file as a table; ``digest`` is that of its content, for remembering.

    Raises:
        ValueError: it cannot be used, and why.
    """
    del digest
    if path.suffix == ".npz":
        return _arrays(path, wanted)
    return table(path.name, READERS[path.suffix](path), wanted)


def digest_of(path: Path) -> str:
    """12 hexadecimal digits of the SHA-256 of a file's content."""
    try:
        status = path.stat()
        return _digest(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}); give a file's path, from the folder where "
            "talweg starts"
        ) from error


@functools.lru_cache(maxsize=64)
def _digest(path: Path, modified: int, size: int) -> str:
    """Looked at again when the file was written since."""
    del modified, size
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def table(name: str, columns: Mapping[str, Column], wanted: Wanted) -> Table:
    """Columns as inputs and targets; words become one input for each."""
    target = wanted.target
    if target is None or target not in columns:
        given = "needs a target" if target is None else f"has no column {target!r}"
        raise ValueError(f"{name} {given}; its columns are {_listed(columns)}")
    if unknown := [column for column in wanted.without if column not in columns]:
        raise ValueError(f"{name} has no column {unknown[0]!r}; it has {_listed(columns)}")
    inputs = {c: v for c, v in columns.items() if c != target and c not in wanted.without}
    _complete(name, {**inputs, target: columns[target]})
    parts = [_inputs(name, column, values) for column, values in inputs.items()]
    if not parts:
        raise ValueError(f"{name} has no column beside {target!r} that could be an input")
    y, classes = _targets(name, target, columns[target], wanted.kind)
    return Table(np.concatenate(parts, 1), y, classes)


def _arrays(path: Path, wanted: Wanted) -> Table:
    """The arrays x (N, …) and y (N,) or (N, T) of an NPZ file."""
    if wanted.target is not None or wanted.without:
        raise ValueError(f"{path.name} holds arrays x and y; leave target and without out")
    with np.load(path, allow_pickle=False) as held:
        if missing := {"x", "y"} - set(held.files):
            raise ValueError(f"{path.name} has no array {min(missing)!r}; it has {held.files}")
        x, y = held["x"], held["y"]
    if len(x) != len(y) or x.dtype.kind not in "biuf" or y.ndim > 2:
        raise ValueError(
            f"{path.name}: x {x.shape} must be numbers (N, …), and y {y.shape} (N,) or (N, T)"
        )
    x = x.reshape(len(x), -1).astype(np.float64)
    _complete(path.name, {"x": x, "y": y})
    if y.ndim == 2:
        if y.dtype.kind not in "biuf" or wanted.kind == "classification":
            raise ValueError(f"{path.name}: y {y.shape} must be numbers, or one label per sample")
        return Table(x, y.astype(np.float64))
    return Table(x, *_targets(path.name, "y", y, wanted.kind))


def _complete(name: str, columns: Mapping[str, Column]) -> None:
    """Say which columns lack values."""
    lacking = {column: count for column, values in columns.items() if (count := _missing(values))}
    if lacking:
        told = ", ".join(f"{column!r} ({count})" for column, count in list(lacking.items())[:5])
        raise ValueError(
            f"{name} lacks values, or has infinite ones, in {told}; fill them in, drop those rows, "
            "or leave the columns out with without: […]"
        )


def _missing(values: Column) -> int:
    if values.dtype.kind == "f":
        return int((~np.isfinite(values)).sum())
    if values.dtype == object:
        return sum(value is None for value in values)
    return 0


def _inputs(name: str, column: str, values: Column) -> Floats:
    """One input, or one for each word, in alphabetical order."""
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)[:, None]
    words = np.unique(values)
    if len(words) > MOST_WORDS:
        raise ValueError(
            f"{name}: column {column!r} has {len(words)} different words, more than {MOST_WORDS} "
            f"that would become an input each; leave it out with without: [{column}]"
        )
    one_hot: Floats = (values[:, None] == words).astype(np.float64)
    return one_hot


def _targets(name: str, target: str, values: Column, kind: str) -> tuple[Targets, tuple[str, ...]]:
    """Labels and what they stand for, in order, or numbers (N, 1) and nothing."""
    distinct = np.unique(values)
    number = values.dtype.kind in "iuf"
    if kind == "auto":
        few = values.dtype.kind in "iu" and len(distinct) <= FEW
        kind = "classification" if few or not number else "regression"
    if kind == "regression":
        if values.dtype.kind not in "biuf":
            raise ValueError(
                f"{name}: column {target!r} holds words, no numbers; use kind: classification"
            )
        return values.astype(np.float64)[:, None], ()
    if not 2 <= len(distinct) < len(values):
        raise ValueError(
            f"{name}: column {target!r} has {len(distinct)} different values in {len(values)} "
            "rows, which are no classes; use kind: regression, or another target"
        )
    return np.searchsorted(distinct, values).astype(np.int64), tuple(map(str, distinct))


def _listed(names: Iterable[str]) -> str:
    """The first of them."""
    names = list(names)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
