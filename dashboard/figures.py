"""Charts as inline SVG for the report: no script, no network, the page's colours and fonts."""

import re
from typing import Any

import vl_convert

from .charts import Chart
from .report.text import plain

# vl-convert brings Liberation Sans: text is measured alike on every machine. Helvetica and Arial
# have its widths, for readers who do not have it.
FONT = "Liberation Sans, Helvetica, Arial, sans-serif"
# Neutral parts get these colours so that print and mail previews work without a style sheet;
# the report's style sheet repaints them for dark pages by their role classes.
INK, MUTED, GRID = "#24292F", "#57606A", "#E4E7EB"

_CONFIG = {
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "titleColor": INK,
        "gridColor": GRID,
        "domainColor": MUTED,
        "tickColor": MUTED,
        "labelFontSize": 12,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "titlePadding": 10,
    },
    "legend": {"labelColor": INK, "labelFontSize": 13, "symbolStrokeWidth": 2},
    "title": {"color": INK, "fontSize": 14, "fontWeight": "normal", "anchor": "start"},
    "text": {"font": FONT},
}


def svg(chart: Chart, name: str, width: int) -> str:
    """One chart as an ``<svg>`` element, ``width`` pixels across its plot.

    ``name`` prefixes the ids inside, which must differ between the figures of one page. The
    same chart gives the same bytes.
    """
    # vl-convert brings its own Vega-Lite, so nothing is fetched.
    drawn = vl_convert.vegalite_to_svg(themed(chart, width))
    return re.sub(r"^<svg ", '<svg role="presentation" ', _renamed(_shorter(drawn), name))


def _shorter(drawn: str) -> str:
    """Paths to a hundredth of a pixel: the digits behind it are most of a curve's bytes."""
    return re.sub(r' d="[^"]*"', lambda path: _LONG.sub(_hundredth, path[0]), drawn)


_LONG = re.compile(r"\d+\.\d{3,}")


def _hundredth(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def themed(chart: Chart, width: int, background: str = "transparent") -> dict[str, Any]:
    """The chart as Vega-Lite with this module's colours and fonts."""
    spec: dict[str, Any] = _still(_plain(chart.properties(width=width).to_dict()))
    return {**spec, "config": {**_CONFIG, "background": background}}


def _still(spec: dict[str, Any]) -> dict[str, Any]:
    """Without what is only there for the pointer: layers of invisible marks."""
    if "layer" not in spec:
        return spec
    kept = [_still(part) for part in spec["layer"] if not _invisible(part.get("mark"))]
    return {**spec, "layer": kept}


def _invisible(mark: Any) -> bool:
    return isinstance(mark, dict) and mark.get("opacity") == 0


def _plain(value: Any) -> Any:
    """The value with every text in it made plain: vl-convert aborts at control characters."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _renamed(drawn: str, name: str) -> str:
    """Ids numbered from 0 in each figure: Vega counts them through the whole process."""
    found = dict.fromkeys(re.findall(r'\bid="([^"]+)"', drawn))
    new = {old: f"{name}-{number}" for number, old in enumerate(found)}
    return re.sub(
        r'(\bid="|url\(#)([^")]+)', lambda match: match[1] + new.get(match[2], match[2]), drawn
    )
