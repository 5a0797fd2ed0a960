"""The large store, and the queries made fast on it, against plain SQL over the same rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from benchmarks.large_store import SHARES, Size, make
from talweg.dashboard.captions import fewer
from talweg.storage import named

Row = dict[str, Any]
SIZE = Size(120, 260)
"""More recordings than a curve has points."""


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    path = tmp_path_factory.mktemp("large") / "large.duckdb"
    make(path, SIZE)
    with duckdb.connect(path, read_only=True) as con:
        yield con


def rows(con: duckdb.DuckDBPyConnection, sql: str, **params: object) -> list[Row]:
    return list(con.sql(sql, params=params).to_arrow_table().to_pylist())


def ask(con: duckdb.DuckDBPyConnection, query: str, study: str, **params: object) -> list[Row]:
    given = dict.fromkeys(named.optional(query)) | params
    return rows(con, named.sql_of(query), sweep_id=f"{study}-large", **given)


def test_a_large_store_holds_what_was_asked_for(con: duckdb.DuckDBPyConnection) -> None:
    counts = rows(con, "select sweep_id, count(*) as n from sweep_trials group by all")
    wanted = {f"{study}-large": share * SIZE.trials for study, share in SHARES.items()}
    assert {r["sweep_id"]: r["n"] for r in counts} == wanted
    recorded = rows(
        con,
        "select t.outcome, count(*) as n from steps join trials t using (trial_id) "
        "group by t.trial_id, t.outcome",
    )
    assert {r["n"] for r in recorded if r["outcome"] == "done"} == {SIZE.recordings}
    (orphans,) = rows(
        con, "select count(*) as n from steps where trial_id not in (select trial_id from trials)"
    )
    assert orphans["n"] == 0


def test_a_store_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.touch()
    with pytest.raises(FileExistsError, match="exists already; remove it"):
        make(path, SIZE)


NAIVE = """
with points as (
    select {group} as g, t.seed, x.update, x.samples, x.{metric} as value
    from sweep_trials s join trials t using (trial_id) join steps x using (trial_id)
    where s.sweep_id = $sweep_id and t.outcome in ('done', 'reached_target', 'diverged')
)
select
    g, update as updates, max(samples) as samples, count(*) as n, count(distinct seed) as seeds,
    avg(value) as mean, stddev_samp(value) as stddev, min(value) as lowest, max(value) as highest
from points where isfinite(value) group by g, update
"""
"""Every recording of every group, without a thought of speed."""

FACTORS = ["$.model.activation", "$.optimizer.lr"]
PATHS = ", ".join(f"t.config ->> '{path}'" for path in FACTORS)
CURVES: dict[str, tuple[str, str, str, Row]] = {
    "descent": ("descent", "descent", "[t.descent, t.batch_size::varchar, t.lr::varchar]", {}),
    "repeated seeds": (
        "descent", "depth_and_activation", "[t.descent, t.batch_size::varchar, t.lr::varchar]", {},
    ),
    "study_curves": (
        "study_curves", "depth_and_activation", f"[{PATHS}]",
        {"factors": FACTORS, "groups": None},
    ),
}  # fmt: skip


def group_of(row: Row) -> tuple[str | None, ...]:
    if "levels" in row:
        return tuple(row["levels"])
    size = row["batch_size"]
    return row["descent"], None if size is None else str(size), str(row["lr"])


@pytest.mark.parametrize("metric", ["test_loss", "test_score"])
@pytest.mark.parametrize("case", CURVES)
def test_curves_keep_the_ends_and_every_extreme(
    con: duckdb.DuckDBPyConnection, case: str, metric: str
) -> None:
    query, study, group, more = CURVES[case]
    naive: dict[tuple[str | None, ...], dict[int, Row]] = {}
    plain = NAIVE.format(group=group, metric=metric)
    for row in rows(con, plain, sweep_id=f"{study}-large"):
        naive.setdefault(tuple(row.pop("g")), {})[row["updates"]] = row
    answer: dict[tuple[str | None, ...], list[Row]] = {}
    for row in ask(con, query, study, metric=metric, **more):
        answer.setdefault(group_of(row), []).append(row)
    assert answer.keys() == naive.keys()
    for levels, points in answer.items():
        truth = naive[levels]
        most = max(row["n"] for row in truth.values())
        shared = [row for row in truth.values() if row["n"] == most]
        for point in points:
            found = truth[point["updates"]]
            known = {key: value for key, value in found.items() if value is not None}
            assert [point[key] for key in known] == pytest.approx(list(known.values()), rel=1e-12)
            assert {key for key in found if point[key] is None} == found.keys() - known.keys()
            assert point["recordings"] == len(truth)
            assert point["trials"] == most
        assert len(points) <= 200
        means = [row["mean"] for row in points]
        assert min(means) == pytest.approx(min(row["mean"] for row in shared))
        assert max(means) == pytest.approx(max(row["mean"] for row in shared))
        at = [row["updates"] for row in points]
        assert (min(at), max(at)) == (0, max(row["updates"] for row in shared))


def test_groups_that_are_asked_for_are_those_of_all(con: duckdb.DuckDBPyConnection) -> None:
    study = "depth_and_activation"
    asked: Row = {"factors": [*FACTORS, "$.no.such"], "metric": "test_loss"}
    every = ask(con, "study_curves", study, groups=None, **asked)
    wanted = [every[0]["levels"], every[-1]["levels"]]
    assert wanted[0][-1] is None
    some = ask(con, "study_curves", study, groups=wanted, **asked)
    assert some == [row for row in every if row["levels"] in wanted]
    assert ask(con, "study_curves", study, groups=[], **asked) == []


FIRST_MET = """
with recorded as (
    select
        t.lr, t.descent, x.trial_id, x.update, x.seconds,
        lag(x.update) over (partition by x.trial_id order by x.update) as before,
        x.test_score >= 0.9 as met
    from sweep_trials s join trials t using (trial_id) join steps x using (trial_id)
    where s.sweep_id = 'descent-large' and t.outcome in ('done', 'reached_target', 'diverged')
),
first as (
    select * from recorded where met
    qualify row_number() over (partition by trial_id order by update) = 1
)
select
    descent, lr, count(*) as reached, avg(update) as mean, avg(seconds) as seconds,
    max((update - before) / update) as gap
from first group by all
"""


def test_time_to_target_is_that_of_the_first_recording_in_order(
    con: duckdb.DuckDBPyConnection,
) -> None:
    asked: Row = {"metric": "test_score", "target": 0.9}
    answer = ask(con, "time_to_target", "descent", **asked)
    cells = {(r["descent"], r["lr"], r["unit"]): r for r in answer if r["reached"]}
    truth = rows(con, FIRST_MET)
    assert len(truth) > 5
    assert {key[:2] for key in cells} == {(r["descent"], r["lr"]) for r in truth}
    for row in truth:
        updates = cells[row["descent"], row["lr"], "updates"]
        assert {k: updates[k] for k in ("reached", "mean", "gap")} == pytest.approx(
            {k: row[k] for k in ("reached", "mean", "gap")}
        )
        seconds = cells[row["descent"], row["lr"], "seconds"]
        assert seconds["mean"] == pytest.approx(row["seconds"])


def test_captions_say_where_a_curve_has_fewer_points(con: duckdb.DuckDBPyConnection) -> None:
    shown = pd.DataFrame(ask(con, "descent", "descent", metric="test_loss"))
    assert fewer(shown).startswith(
        f"Of up to {SIZE.recordings} recordings a line shows at most 200"
    )
    assert fewer(shown.assign(recordings=200)) == ""
