"""The axes of a grid: their forms in a file, their values, and which of them vary together."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import Field

from . import gridfile
from .gridfile import Document, Path_
from .parts import Part

MAX_TRIALS = 1_000_000


class LogSpace(Part):
    """``{logspace: [first, last, n]}``: n values with equal ratios, ends included."""

    logspace: list[Any] = Field(min_length=3, max_length=3)


class LinSpace(Part):
    """``{linspace: [first, last, n]}``: n values with equal differences, ends included."""

    linspace: list[Any] = Field(min_length=3, max_length=3)


class Range(Part):
    """``{range: n}`` is 0 … n−1; ``{range: [start, stop]}``, ``{range: [start, stop, step]}``."""

    range: int | list[int]


class Values(Part):
    """``{values: [...]}``, the same as a plain list."""

    values: list[Any]


Axis = list[Any] | LogSpace | LinSpace | Range | Values


def values(document: Document, key: str) -> list[Any]:
    """The values of one axis."""
    path: Path_ = ("grid", key)
    axis = document.value["grid"][key]
    form, content = (
        next(iter(axis.items())) if isinstance(axis, dict) and axis else ("values", axis)
    )
    makers: dict[str, Callable[[Any], list[Any]]] = {
        "logspace": _logspace,
        "linspace": _linspace,
        "range": _range,
        "values": list,
    }
    if form not in makers or (isinstance(axis, dict) and len(axis) != 1):
        raise document.error(
            path, gridfile.not_allowed(axis, f"a list or one of {', '.join(makers)}")
        )
    try:
        values = makers[form](content)
    except (TypeError, ValueError, ArithmeticError) as error:
        reason = f"{form} takes {_FORMS[form]}"
        raise document.error(path, gridfile.not_allowed(content, reason)) from error
    if not values:
        raise document.error(path, "is empty: an axis needs at least one value")
    if len(values) > MAX_TRIALS:
        raise document.error(path, f"{len(values):,} values are more than {MAX_TRIALS:,}")
    return values


_FORMS = {
    "logspace": "[first > 0, last > 0, n ≥ 1]",
    "linspace": "[first, last, n ≥ 1]",
    "range": "n or [start, stop] or [start, stop, step]",
    "values": "a list",
}


def _spaced(first: float, last: float, n: object) -> list[float]:
    if type(n) is not int or not 1 <= n <= MAX_TRIALS or not math.isfinite(first + last):
        raise ValueError(n)
    # 12 digits: the last bits of pow differ between machines, and a trial's id must not.
    step = (last - first) / max(1, n - 1)
    return [first + step * i for i in range(n)]


def _round(value: float) -> float:
    return float(f"{value:.12g}")


def _logspace(content: Sequence[Any]) -> list[float]:
    first, last, n = content
    return [_round(10**e) for e in _spaced(math.log10(first), math.log10(last), n)]


def _linspace(content: Sequence[Any]) -> list[float]:
    first, last, n = content
    return [_round(v) for v in _spaced(first, last, n)]


def _range(content: int | Sequence[int]) -> list[int]:
    bounds = [content] if isinstance(content, int) else list(content)
    if any(type(b) is not int for b in bounds):
        raise TypeError(content)
    span = range(*bounds)
    if len(span) > MAX_TRIALS:
        raise ValueError(content)
    return list(span)


Cell = tuple[tuple[str, int], ...]


def groups(document: Document) -> list[list[Cell]]:
    """The factors of the cross product: one per axis, or one per zipped list of axes."""
    lengths = {key: len(values(document, key)) for key in document.value.get("grid", {})}
    zipped: dict[str, tuple[str, ...]] = {}
    for i, keys in enumerate(document.value.get("zip", [])):
        _check_zip(document, ("zip", i), keys, lengths, zipped)
        zipped |= dict.fromkeys(keys, tuple(keys))
    groups = dict.fromkeys(zipped.get(key, (key,)) for key in lengths)
    return [[tuple((key, i) for key in keys) for i in range(lengths[keys[0]])] for keys in groups]


def _check_zip(
    document: Document,
    path: Path_,
    keys: Sequence[str],
    lengths: Mapping[str, int],
    taken: Mapping[str, object],
) -> None:
    for key in keys:
        if key not in lengths:
            raise document.error(
                path, gridfile.not_allowed(key, "not an axis of grid", list(lengths))
            )
        if key in taken:
            raise document.error(path, gridfile.not_allowed(key, "zipped twice"))
    if len({lengths[key] for key in keys}) != 1:
        sizes = ", ".join(f"{key}: {lengths[key]}" for key in keys)
        raise document.error(path, f"axes that vary together need equal lengths ({sizes})")
