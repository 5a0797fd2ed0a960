"""Numbers and times as people read them, in sentences, tables and captions alike."""

import math
import re

_PREFIXES = ((1e9, " G"), (1e6, " M"), (1e3, " k"))
ABSENT = "–"


def compact(value: float | None, digits: int = 3) -> str:
    """Three significant digits and a prefix: ``12.3 k``, ``950``, ``0.0316``; absent as a dash."""
    if value is None or not math.isfinite(value):
        return ABSENT
    rounded = float(f"{value:.{digits}g}")
    for scale, prefix in _PREFIXES:
        if abs(rounded) >= scale:
            return _plain(rounded / scale, digits) + prefix
    return _plain(rounded, digits)


def _plain(value: float, digits: int) -> str:
    """Significant digits with trailing zeros kept below 100 (11.0, not 11), never 1e-05 style."""
    if value == 0 or abs(value) < 1e-3 or abs(value) >= 10**digits:
        return f"{value:.{digits}g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:.{decimals}f}"


def rate(value: float | None) -> str:
    """A learning rate or level without trailing zeros: ``0.1``, ``0.316``, ``1``."""
    if value is None or not math.isfinite(value):
        return "none"
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share as per cent: ``95 %``, ``97.5 %``."""
    return f"{100 * value:.3g} %"


def interval(low: float | None, high: float | None) -> str:
    """``11.0 k to 13.6 k``; a dash where there is none."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ABSENT
    return f"{compact(low)} to {compact(high)}"


def duration(seconds: float | None) -> str:
    """A time span in its two largest units: ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
    total = max(round(seconds), 0)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    if total < 86400:
        return f"{total // 3600} h {total % 3600 // 60} min"
    return f"{total // 86400} d {total % 86400 // 3600} h"


def count(number: int, noun: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}".replace(",", " ")


def tied(text: str) -> str:
    """The text with numbers and their units tied by no-break spaces, for pages that wrap."""
    return re.sub(r"(?<=\d) (?=(?:[kMG]|%)(?!\w))", "\u00a0", text)


def file_name(title: str) -> str:
    """A heading as a file name without ending: ``where-test-accuracy-ends``."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
