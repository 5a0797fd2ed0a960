"""MLflow: its tracking store in a file of SQLite, whichever program wrote it."""

import contextlib
import functools
import json
import sqlite3
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...workloads.records import Outcome
from .runs import Damaged, Run, Sink, Source, Unfit, files_under, number

ENDINGS = (".db", ".sqlite", ".sqlite3")
TABLES = {"experiments", "runs", "metrics", "params", "tags"}
MOST_TEXT = 16 << 20
"""Bytes of a text in the database; MLflow's own are at most 8,000 characters."""

_MAGIC = b"SQLite format 3\x00"
_OUTCOMES = {"FINISHED": Outcome.DONE, "FAILED": Outcome.FAILED}
_RUNS = (
    "select r.run_uuid, coalesce(nullif(r.name, ''), t.value), r.status, e.name from runs r "
    "left join tags t on t.run_uuid = r.run_uuid and t.key = 'mlflow.runName' "
    "left join experiments e on e.experiment_id = r.experiment_id "
    "where r.lifecycle_stage = 'active' order by r.start_time, r.run_uuid"
)
# Of equal steps the last one logged is taken.
_METRICS = (
    "select key, step, value, is_nan from metrics where run_uuid = ? order by timestamp, rowid"
)


def fits(name: str) -> bool:
    """Whether files of SQLite are called so."""
    return name.endswith(ENDINGS)


def databases(root: Path) -> Iterator[Path]:
    """The files of SQLite below a folder."""
    for file in files_under(root, fits):
        with contextlib.suppress(OSError), file.open("rb") as opened:
            if opened.read(len(_MAGIC)) == _MAGIC:
                yield file


def sources(root: Path) -> Iterator[Source]:
    """The runs of each database, without deleted ones; the step of a metric is the update.

    A database that cannot be read is one source, which says so.
    """
    for file in databases(root):
        try:
            with _opened(file) as con:
                found = con.execute(_RUNS).fetchall()
        except Unfit as error:
            yield Source(file, functools.partial(_refuse, error))
            continue
        for run in found:
            yield Source(file, functools.partial(_read, file, *run))


def _refuse(error: Unfit, sink: Sink) -> Run:
    raise error


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """The database, opened to read alone; raises Damaged for what SQLite says of it."""
    where = f"file:{urllib.parse.quote(str(file.resolve()))}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(where, uri=True)) as con:
            con.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_TEXT)
            con.text_factory = functools.partial(str, encoding="utf-8", errors="replace")
            # A view by one of these names could compute without end.
            found = con.execute("select name from sqlite_master where type = 'table'")
            if missing := TABLES - {name for (name,) in found}:
                raise Unfit(f"{file} is no database of MLflow: no table {', '.join(missing)}")
            yield con
    except sqlite3.Error as error:
        raise Damaged(file, str(error)) from error


def _read(file: Path, run_id: str, name: str, status: str, experiment: str, sink: Sink) -> Run:
    with _opened(file) as con:
        params = con.execute("select key, value from params where run_uuid = ?", [run_id])
        settings = {str(key): _setting(value) for key, value in params}
        for key, step, value, is_nan in con.execute(_METRICS, [run_id]):
            if not isinstance(step, int):
                raise Unfit(f"{file}: run {run_id}: {step!r} is no step")
            # MLflow has no infinity in SQLite: it writes the largest double.
            real = number(value)
            lost = is_nan or real is None or abs(real) >= sys.float_info.max
            sink(str(key), step, None if lost else real)
    words = (experiment, name, run_id)
    outcome = _OUTCOMES.get(status, Outcome.CANCELLED)
    error = None if outcome is Outcome.DONE else f"MLflow says: {status}"
    label = "/".join(str(word) for word in words if word)
    return Run(str(run_id), label, settings, outcome, error)


def _setting(value: Any) -> Any:
    """A parameter, which MLflow keeps as a text: numbers and flags as what they are."""
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        found = json.loads(value.lower() if value in ("True", "False") else value)
        if isinstance(found, int | float):
            return found
    return value
