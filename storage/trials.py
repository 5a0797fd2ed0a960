"""SQL of sweeps and trials: registering, beginning, what is finished."""

from collections.abc import Iterable, Mapping, Sequence

import duckdb
import pyarrow as pa

from ..workloads.records import FINISHED, TABLES, columns_of
from .errors import StoreError
from .rows import incoming
from .wire import nearest

Connection = duckdb.DuckDBPyConnection

MEASURED = tuple(table for table in TABLES if table != "endings")
"""Tables whose rows belong to one attempt of a trial."""

WHILE_RUNNING = {"attempt", "writer", "started_at", *columns_of("endings")} - {"trial_id"}
"""Columns of ``trials`` that are filled by begin() and by endings, never by register()."""

_UNENDED = ", ".join(f"{name} = null" for name in columns_of("endings") if name != "trial_id")
_FINISHED = "(" + ", ".join(f"'{outcome.value}'" for outcome in FINISHED) + ")"


def columns(con: Connection, table: str) -> list[str]:
    """Column names of a table, in order."""
    rows = con.execute(
        "select column_name from duckdb_columns() where table_name = ? order by column_index",
        [table],
    )
    return [name for (name,) in rows.fetchall()]


def register(con: Connection, sweep: Mapping[str, object], trials: pa.Table) -> None:
    """Enter a sweep and its trials; raises StoreError for columns that do not exist."""
    _demand_known("sweeps", sweep, columns(con, "sweeps"))
    allowed = [name for name in columns(con, "trials") if name not in WHILE_RUNNING]
    _demand_known("trials", trials.column_names, allowed)
    if missing := {"trial_id", "slug"} - set(trials.column_names):
        raise StoreError(f"trials: columns are missing: {', '.join(sorted(missing))}")
    _register_sweep(con, {key: value for key, value in sweep.items() if key != "created_at"})
    with incoming(con, trials):
        _register_trials(con, trials.column_names, str(sweep["sweep_id"]))


def _demand_known(table: str, given: Iterable[str], known: list[str]) -> None:
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
    # A sweep may list a trial twice, for two of its points can be the same work.
    once = "qualify row_number() over (partition by trial_id) = 1"
    con.execute(
        "insert into sweep_trials by name "
        "select ? as sweep_id, new.trial_id, new.slug, "
        f"coalesce(trials.outcome in {_FINISHED}, false) as reused "
        f"from (from incoming {once}) as new left join trials using (trial_id) "
        "where new.trial_id not in (select trial_id from sweep_trials where sweep_id = ?)",
        [sweep_id, sweep_id],
    )
    listed = ", ".join(names)
    con.execute(
        f"insert into trials ({listed}) select {listed} from incoming "
        f"where trial_id not in (select trial_id from trials) {once}"
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


def begin(con: Connection, writer: str, trial_ids: Sequence[str]) -> list[str]:
    """Make ``writer`` the owner of the unfinished ones of these trials, and return those."""
    with incoming(con, pa.table({"trial_id": pa.array(trial_ids, pa.string())})):
        _demand_registered(con)
        taken = con.execute(
            f"update trials set writer = $writer, attempt = attempt + 1, started_at = now(), "
            f"{_UNENDED} where trial_id in (from incoming) and writer is distinct from $writer "
            f"and (outcome is null or outcome not in {_FINISHED}) returning trial_id, attempt",
            {"writer": writer},
        ).fetchall()
        # Not only what was taken: a repeated call, whose first answer was lost, says the same.
        owned = con.execute(
            f"select trial_id from trials where trial_id in (from incoming) "
            f"and writer = ? and (outcome is null or outcome not in {_FINISHED})",
            [writer],
        ).fetchall()
    _forget(con, [trial_id for trial_id, attempt in taken if attempt > 1])
    mine = {trial_id for (trial_id,) in owned}
    return [trial_id for trial_id in dict.fromkeys(trial_ids) if trial_id in mine]


def _demand_registered(con: Connection) -> None:
    unknown = con.execute(
        "select trial_id from incoming where trial_id not in (select trial_id from trials) limit 3"
    ).fetchall()
    if unknown:
        names = ", ".join(repr(trial_id) for (trial_id,) in unknown)
        raise StoreError(f"trials that no sweep registered cannot begin: {names}; register() first")


def _forget(con: Connection, trial_ids: Sequence[str]) -> None:
    """Delete the rows of earlier attempts; first attempts, the usual case, cost nothing."""
    if not trial_ids:
        return
    with incoming(con, pa.table({"trial_id": list(trial_ids)})):
        for table in MEASURED:
            con.execute(f"delete from {table} where trial_id in (from incoming)")


def finished(con: Connection, trial_ids: Sequence[str]) -> dict[str, str]:
    """Outcome of those of the trials whose outcome is a result."""
    with incoming(con, pa.table({"trial_id": pa.array(trial_ids, pa.string())})):
        rows = con.execute(
            f"select trial_id, outcome from trials "
            f"where trial_id in (from incoming) and outcome in {_FINISHED}"
        ).fetchall()
    return dict(rows)
