"""SQL of sweeps and trials: registering, statuses, what is finished."""

from collections.abc import Iterable, Mapping, Sequence

import duckdb
import pyarrow as pa

from ..workloads.records import FINISHED, columns_of
from .errors import StoreError
from .rows import incoming, newest
from .wire import nearest

Connection = duckdb.DuckDBPyConnection

WHILE_RUNNING = {"attempt", "writer", "started_at", *columns_of("endings")} - {"trial_id"}
"""Columns of ``trials`` that are filled by begin() and by endings, never by register()."""

_FINISHED = "(" + ", ".join(f"'{outcome.value}'" for outcome in FINISHED) + ")"


def columns(con: Connection, table: str) -> list[str]:
    """Column names of a table, in order."""
    # Of an empty result: to ask the catalogue costs several times as much.
    described = con.execute(f"from {table} limit 0").description or []
    return [str(name) for name, *_ in described]


def register(con: Connection, sweep: Mapping[str, object], trials: pa.Table) -> None:
    """Enter a sweep and its trials; raises StoreError for columns that do not exist."""
    demand_known("sweeps", sweep, columns(con, "sweeps"))
    allowed = [name for name in columns(con, "trials") if name not in WHILE_RUNNING]
    demand_known("trials", trials.column_names, allowed)
    if missing := {"trial_id", "slug"} - set(trials.column_names):
        raise StoreError(f"trials: columns are missing: {', '.join(sorted(missing))}")
    _register_sweep(con, {key: value for key, value in sweep.items() if key != "created_at"})
    # A sweep may list a trial twice, for two of its points can be the same work.
    with incoming(con, newest(trials, ["trial_id"])):
        _register_trials(con, trials.column_names, str(sweep["sweep_id"]))


def demand_known(table: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Raises StoreError for a column that is not known."""
    for name in given:
        if name not in known:
            raise StoreError(f"{table}: column {name!r} cannot be registered{nearest(name, known)}")


def _register_sweep(con: Connection, sweep: Mapping[str, object]) -> None:
    if not isinstance(sweep.get("sweep_id"), str):
        raise StoreError("sweeps: sweep_id is missing")
    status = con.execute(
        "update sweeps set status = ? where sweep_id = ?",
        [sweep.get("status"), sweep["sweep_id"]],
    ).fetchall()
    if status == [(1,)]:
        return
    # The names were compared with the catalogue before: no SQL can hide in them.
    names, marks = ", ".join(sweep), ", ".join("?" for _ in sweep)
    con.execute(
        f"insert into sweeps ({names}, created_at) values ({marks}, now())", list(sweep.values())
    )


def _register_trials(con: Connection, names: Sequence[str], sweep_id: str) -> None:
    """Their place in the sweep, while ``trials`` shows what was finished before; then they."""
    con.execute(
        "insert into sweep_trials by name "
        "select ? as sweep_id, new.trial_id, new.slug, "
        f"coalesce(trials.outcome in {_FINISHED}, false) as reused "
        "from incoming as new left join trials using (trial_id) "
        "where new.trial_id not in (select trial_id from sweep_trials where sweep_id = ?)",
        [sweep_id, sweep_id],
    )
    listed = ", ".join(names)
    con.execute(
        f"insert into trials ({listed}) select {listed} from incoming "
        "where trial_id not in (select trial_id from trials)"
    )


def set_status(con: Connection, sweep_id: str, status: str) -> None:
    """Set the status of a sweep; raises StoreError when there is no such sweep."""
    changed = con.execute(
        "update sweeps set status = ? where sweep_id = ?", [status, sweep_id]
    ).fetchall()
    if changed != [(1,)]:
        recent = con.execute("select sweep_id from sweeps order by created_at desc limit 20")
        names = [name for (name,) in recent.fetchall()]
        raise StoreError(f"there is no sweep {sweep_id!r}{nearest(sweep_id, names)}")


def finished(con: Connection, trial_ids: Sequence[str]) -> dict[str, str]:
    """Outcome of those of the trials whose outcome is a result."""
    rows = con.execute(
        "select trial_id, outcome from trials where trial_id in (select unnest($ids::varchar[])) "
        f"and outcome in {_FINISHED}",
        {"ids": trial_ids},
    )
    return dict(rows.fetchall())
