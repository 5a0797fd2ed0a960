"""The report of a sweep: one HTML file that needs nothing else, conclusion first.

The same data give the same bytes: no clock, no random ids, numbers cut to the digits that
survive a change in the order of summation.
"""

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
from . import studies
from .formats import count, duration, tied
from .readings import COUNTS, Reading, reading
from .tables import Ask, rounded
from .timing import sweep_timing

_TEMPLATES = Path(__file__).with_name("templates")


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
    read = reading(ask, sweep_id, sweep["study"])
    words = studies.words(sweep["study"]) if studies.exists(sweep["study"]) else None
    context: dict[str, Any] = {
        "sweep": sweep,
        "created": f"{sweep['created_at']:%d %B %Y, %H:%M} UTC",
        "finding": tied(read.finding),
        "question": words.question if words else None,
        "how_to_read": words.how_to_read if words else None,
        "best": read.best,
        "what_would_change": read.what_would_change,
        "sections": read.sections,
        **_run(ask, sweep_id, read),
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


def _run(ask: Ask, sweep_id: str, read: Reading) -> dict[str, Any]:
    """What was run: outcomes, settings, failures, missing cells, machines."""
    factors = ask("factors", sweep_id=sweep_id).to_pandas()
    factors["values"] = [", ".join(values) for values in factors["values"]]
    failures = ask("failures", sweep_id=sweep_id).to_pandas()
    missing = _missing(read.cells)
    hardware = ask("hardware", sweep_id=sweep_id).to_pylist()
    return {
        "outcomes": ask("outcomes", sweep_id=sweep_id).to_pandas(),
        "factors": factors[["factor", "levels", "values"]],
        "failures": None if failures.empty else failures,
        "missing": None if missing.empty else missing,
        "planned": count(int(read.cells["planned"].max()), "trial") if len(read.cells) else "",
        "machines": _machines(hardware),
        "seconds": sweep_timing(hardware).statement,
    }


def _missing(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells that lack a result, or that were planned smaller than the largest one."""
    uneven = (cells["missing"] > 0) | (cells["planned"] < cells["planned"].max())
    found = cells[uneven]
    counts = pd.DataFrame(
        {
            "planned": found["planned"],
            "with a result": found["finished"],
            "failed": found["failed"],
            "not finished": found["missing"] - found["failed"],
        }
    )
    names: pd.DataFrame = found.drop(columns=COUNTS)
    return names.join(counts)


_TIMING = {True: "isolated", False: "fused (seconds are shared)", None: "none (failed)"}


def _machines(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "node": row["node"],
            "device": row["device"],
            "dtype": row["dtype"],
            "timing": _TIMING[row["isolated"]],
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
