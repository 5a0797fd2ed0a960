"""The report of a sweep: one HTML file that needs nothing else, conclusion first.

The same data give the same bytes: no clock, no random ids, numbers cut to the digits that
survive a change in the order of summation.
"""

import dataclasses
import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import pandas as pd
import pyarrow as pa

from ..storage.client import Client
from . import captions, charts, figures, studies
from .findings import DescentResult, cost_table, descent_result, level
from .formats import compact, count, duration, interval, rate
from .metrics import METRICS, SAMPLES, UNITS, UPDATES, Metric
from .selection import RULE, at_rates
from .tables import Ask, complete_curves, final_values, rounded

_TEMPLATES = Path(__file__).with_name("templates")
_WIDE, _HALF, _THIRD = 900, 480, 320  # pixels that a figure takes of the page's 62 rem


@dataclasses.dataclass(frozen=True)
class Figure:
    """One chart as SVG with its text for screen readers."""

    svg: markupsafe.Markup
    alt: str


@dataclasses.dataclass(frozen=True)
class Section:
    """Figures side by side with one caption, and a table below."""

    title: str
    figures: list[Figure]
    caption: str = ""
    table: pd.DataFrame | None = None


def write(client: Client, sweep_id: str, path: str | Path) -> Path:
    """Write the report of one sweep as a self-contained HTML file; returns its path.

    Raises:
        LookupError: the store holds no such sweep.
        StoreError: the store is away, or refused.
    """

    def ask(question: str, **parameters: object) -> pa.Table:
        return rounded(client.query(question, parameters))

    target = Path(path)
    target.write_text(html(ask, sweep_id), encoding="utf-8")
    return target


def html(ask: Ask, sweep_id: str) -> str:
    """The report as text; ``ask`` answers the named queries."""
    found = ask("sweep", sweep_id=sweep_id).to_pylist()
    if not found:
        known = ", ".join(row["sweep_id"] for row in ask("sweeps").to_pylist()[:5])
        raise LookupError(f"no sweep {sweep_id!r} in this store; the newest are: {known or 'none'}")
    sweep = found[0]
    result = descent_result(ask, sweep_id)
    words = studies.words(sweep["study"]) if studies.exists(sweep["study"]) else None
    context: dict[str, Any] = {
        "sweep": sweep,
        "created": f"{sweep['created_at']:%d %B %Y, %H:%M} UTC",
        "finding": result.sentence,
        "question": words.question if words else None,
        "how_to_read": words.how_to_read if words else None,
        "rule": RULE,
        "what_would_change": captions.WHAT_WOULD_CHANGE,
        "sections": _sections(ask, sweep_id, result),
        **_run(ask, sweep_id, result),
        **_again(ask, sweep),
    }
    return _environment().get_template("report.html").render(context)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    environment.globals["style"] = markupsafe.Markup(style)
    environment.globals["grid"] = _html_table
    return environment


def _html_table(table: pd.DataFrame) -> markupsafe.Markup:
    """A table of texts and whole numbers; numbers to the right. Everything is escaped."""
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    kinds = ["number" if number else "text" for number in numeric]
    head = _cells("th", list(table.columns), kinds)
    body = [_cells("td", list(row), kinds) for row in table.itertuples(index=False)]
    rows = markupsafe.Markup("").join(
        markupsafe.Markup("<tr>{}</tr>\n").format(row) for row in [head, *body]
    )
    return markupsafe.Markup('<div class="table"><table>\n{}</table></div>').format(rows)


def _cells(tag: str, values: list[Any], kinds: list[str]) -> markupsafe.Markup:
    cell = markupsafe.Markup(f'<{tag} class="{{}}">{{}}</{tag}>')
    return markupsafe.Markup("").join(
        cell.format(kind, value) for kind, value in zip(kinds, values, strict=True)
    )


def _figure(chart: charts.Chart, name: str, width: int, alt: str) -> Figure:
    return Figure(markupsafe.Markup(figures.svg(chart, name, width)), alt)


def _sections(ask: Ask, sweep_id: str, result: DescentResult) -> list[Section]:
    if result.best.empty:
        return []
    shown = [METRICS["test_score"], METRICS["train_loss"]]
    return [
        _costs(result),
        *(_curves(ask, sweep_id, metric, result) for metric in shown),
        _sensitivity(ask, sweep_id, result.target.metric),
    ]


def _costs(result: DescentResult) -> Section:
    parts = []
    for unit in UNITS:
        rows = result.best[result.best["unit"] == unit.column]
        chart, alt = charts.time_to_target(rows, unit), captions.costs_alt(rows, unit)
        parts.append(_figure(chart, f"cost-{unit.column}", _THIRD, alt))
    caption = captions.costs_caption(result.best, result.target)
    return Section(f"Time to {level(result.target)}", parts, caption, cost_table(result.best))


def _curves(ask: Ask, sweep_id: str, metric: Metric, result: DescentResult) -> Section:
    curves = complete_curves(ask("descent", sweep_id=sweep_id, metric=metric.column), metric)
    shown = at_rates(curves, result.rates)
    parts = [
        _figure(
            charts.loss_curves(shown, metric, unit, log=True),
            f"{metric.column}-{unit.column}",
            _HALF,
            captions.curves_alt(shown, metric, unit),
        )
        for unit in (SAMPLES, UPDATES)
    ]
    caption = captions.curves(shown, True, result.rates, best=True)
    return Section(metric.title.capitalize(), parts, caption)


def _sensitivity(ask: Ask, sweep_id: str, metric: Metric) -> Section:
    answer = ask("learning_rates", sweep_id=sweep_id, metric=metric.column)
    finals = final_values(answer, metric)
    chart = charts.learning_rates(finals, metric)
    part = _figure(chart, "rates", _WIDE, captions.rates_alt(finals, metric))
    caption = captions.rates_caption(finals)
    return Section("Learning-rate sensitivity", [part], caption, _final_table(finals, metric))


def _final_table(finals: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    ends = zip(finals["low"], finals["high"], strict=True)
    return pd.DataFrame(
        {
            "descent": finals["series"],
            "learning rate": [rate(lr) for lr in finals["lr"]],
            f"final {metric.title}": [compact(mean) for mean in finals["mean"]],
            "95 % t interval": [interval(low, high) for low, high in ends],
            "n": finals["n"],
            "diverged": finals["diverged"],
            "failed or missing": finals["missing"],
        }
    )


def _run(ask: Ask, sweep_id: str, result: DescentResult) -> dict[str, Any]:
    """What was run: outcomes, settings, failures, missing cells, machines."""
    factors = ask("factors", sweep_id=sweep_id).to_pandas()
    factors["values"] = [", ".join(values) for values in factors["values"]]
    failures = ask("failures", sweep_id=sweep_id).to_pandas()
    missing = _missing(result.finals)
    return {
        "outcomes": ask("outcomes", sweep_id=sweep_id).to_pandas(),
        "factors": factors[["factor", "levels", "values"]],
        "failures": None if failures.empty else failures,
        "missing": None if missing.empty else missing,
        "planned": count(int(result.finals["planned"].max()), "trial")
        if len(result.finals)
        else "",
        "machines": _machines(ask("hardware", sweep_id=sweep_id).to_pylist()),
    }


def _missing(finals: pd.DataFrame) -> pd.DataFrame:
    """Cells that lack a result, or that were planned smaller than the largest one."""
    uneven = (finals["missing"] > 0) | (finals["planned"] < finals["planned"].max())
    cells = finals[uneven]
    return pd.DataFrame(
        {
            "descent": cells["series"],
            "learning rate": [rate(lr) for lr in cells["lr"]],
            "planned": cells["planned"],
            "with a result": cells["finished"],
            "failed": cells["failed"],
            "not finished": cells["missing"] - cells["failed"],
        }
    )


def _machines(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "node": row["node"],
            "device": row["device"],
            "dtype": row["dtype"],
            "timing": "isolated" if row["isolated"] else "fused (seconds are shared)",
            "trials": row["trials"],
            "updates": f"{row['updates'] or 0:,}".replace(",", "\u202f"),
            "from first to last": duration(
                (row["finished_at"] - row["started_at"]).total_seconds()
                if row["finished_at"] and row["started_at"]
                else None
            ),
        }
        for row in rows
    )


def _again(ask: Ask, sweep: dict[str, Any]) -> dict[str, Any]:
    """The data's hash, and the commands that give them again."""
    fingerprint = ask("fingerprint", sweep_id=sweep["sweep_id"])
    lines = [f"{r['table']} {r['row_count']} {r['fingerprint']}" for r in fingerprint.to_pylist()]
    grid_file = shlex.quote(f"{sweep['name']}.yaml")
    commands = [
        f"pip install talweg=={sweep['talweg_version']}",
        f"talweg run {grid_file}",
        f"talweg report {shlex.quote(sweep['sweep_id'])} -o report.html",
    ]
    return {
        "data_hash": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        "fingerprint": fingerprint.to_pandas(),
        "grid_file": f"{sweep['name']}.yaml",
        "command": "\n".join(commands),
        # JSON is YAML, so this is a grid file as it stands.
        "spec": json.dumps(json.loads(sweep["spec"]), indent=2, ensure_ascii=False),
    }
