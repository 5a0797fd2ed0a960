"""The committer's thread: order, doubt, and the way out."""

import functools
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from talweg.storage import attempts, rows, trials, wire
from talweg.storage.committer import Committer
from talweg.storage.database import open_database
from talweg.storage.errors import StoreError, StoreUnreachable
from talweg.storage.wire import Flush

from .storage_helpers import steps, sweep, until
from .storage_helpers import trials as trial_columns


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    con = open_database(tmp_path / "test.duckdb")
    yield con
    con.close()


def flush(writer: str, sequence: int, update: int, trial_id: str = "a") -> Flush:
    batch = wire.encode({"steps": steps([trial_id], update)})
    return wire.decode(writer, sequence, pa.Table.from_batches([batch]))


def begin(committer: Committer, writer: str, trial_id: str = "a") -> None:
    table = wire.arrow_of("trials", trial_columns([trial_id]))
    committer.change(lambda con: trials.register(con, sweep(), table))
    committer.change(
        lambda con: attempts.begin(con, writer, [trial_id]),
        after=lambda ledger, mine: ledger.owned(writer, mine),
    )


@contextmanager
def held(committer: Committer, pool: ThreadPoolExecutor) -> Iterator[None]:
    """The committer does nothing inside the block, so that what comes meanwhile comes together."""
    is_blocked, may_go = threading.Event(), threading.Event()

    def wait(_: duckdb.DuckDBPyConnection) -> None:
        is_blocked.set()
        may_go.wait(20)

    pool.submit(committer.change, wait)
    is_blocked.wait(20)
    try:
        yield
    finally:
        may_go.set()


def has_waiting(committer: Committer, jobs: int) -> bool:
    return committer.waiting == jobs


def count(con: duckdb.DuckDBPyConnection) -> int:
    return int(con.execute("select count(*) from steps").fetchall()[0][0])


def test_a_refused_change_is_undone_and_the_next_one_done(
    con: duckdb.DuckDBPyConnection,
) -> None:
    def half(con: duckdb.DuckDBPyConnection) -> None:
        con.execute("insert into ledger values ('w', 1)")
        raise ZeroDivisionError("unforeseen")

    committer = Committer(con.cursor(), lambda: None)
    with pytest.raises(StoreError, match="ZeroDivisionError: unforeseen"):
        committer.change(half)
    rows_now = committer.change(lambda con: con.execute("from ledger").fetchall())
    assert rows_now == []
    committer.close()


def test_what_was_accepted_is_committed_before_the_committer_leaves(
    con: duckdb.DuckDBPyConnection,
) -> None:
    committer = Committer(con.cursor(), lambda: None)
    begin(committer, "w")
    with ThreadPoolExecutor(8) as pool:
        with held(committer, pool):
            waiting = [pool.submit(committer.append, flush("w", 1, 1)) for _ in range(4)]
            until(functools.partial(has_waiting, committer, 4))
            assert not waiting[0].done()
            leaving = pool.submit(committer.close)
        assert [future.result(timeout=20) for future in waiting] == [None] * 4
        leaving.result(timeout=20)
    assert count(con) == 1
    with pytest.raises(StoreUnreachable, match="the store is leaving"):
        committer.append(flush("w", 2, 2))
    committer.close()


# New writers, a single known one and several known ones are written by different statements.
@pytest.mark.parametrize(
    "rounds",
    [["a"], ["a", "a", "a"], ["abc", "abc"], ["a", "abc", "b"], ["ab", "bc", "abc", "c", "ca"]],
)
def test_writers_committed_together_have_each_its_own_row_in_the_ledger(
    con: duckdb.DuckDBPyConnection, rounds: list[str]
) -> None:
    committer = Committer(con.cursor(), lambda: None)
    for name in "abc":
        begin(committer, name, name)
    sent: Counter[str] = Counter()
    for together in rounds:
        sent.update(together)
        with ThreadPoolExecutor() as pool:
            with held(committer, pool):
                flushes = [flush(name, sent[name], sent[name], name) for name in together]
                answers = [pool.submit(committer.append, one) for one in flushes]
                until(functools.partial(has_waiting, committer, len(together)))
            assert [answer.result(timeout=20) for answer in answers] == [None] * len(answers)
        assert Counter(dict(con.execute("from ledger").fetchall())) == sent
        assert con.execute("select count(*) from ledger").fetchall() == [(len(sent),)]
    assert count(con) == sent.total()
    committer.close()


def test_in_doubt_about_a_commit_the_committer_stops_and_says_nothing_is_done(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """A change that ends its own transaction makes the committer's commit fail."""
    stopped = threading.Event()
    committer = Committer(con.cursor(), stopped.set)
    begin(committer, "w")
    with pytest.raises(StoreUnreachable, match="the store had to stop: commit failed"):
        committer.change(lambda con: con.execute("rollback"))
    assert stopped.wait(20)
    with pytest.raises(StoreUnreachable, match="the store is leaving"):
        committer.append(flush("w", 1, 1))
    committer.close()
    assert count(con) == 0


def test_a_failed_rollback_is_a_doubt_too(con: duckdb.DuckDBPyConnection) -> None:
    def fail() -> None:
        with rows.transaction(con):
            con.execute("commit")
            con.execute("select nonsense")

    with pytest.raises(rows.Uncertain, match="rollback failed"):
        fail()


def test_closing_a_database_in_doubt_leaves_its_log_to_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "test.duckdb"
    con = open_database(path)
    con.execute("insert into ledger values ('w', 7)")
    con.close()
    assert path.with_name("test.duckdb.wal").exists()
    con = open_database(path)
    assert con.execute("from ledger").fetchall() == [("w", 7)]
    con.close()
