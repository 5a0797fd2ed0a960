"""``store check`` finds each thing that should not be, and nothing in a sound store."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from talweg.storage import check, named
from talweg.storage.archive_export import export
from talweg.storage.client import Client
from talweg.storage.errors import StoreError
from talweg.storage.store import Store

from .archive_data import fill
from .storage_helpers import begun, local_store, steps, sweep, trials, updates


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a sound store with one finished sweep."""
    folder = tmp_path_factory.mktemp("sound")
    with local_store(folder) as client:
        fill(client)
    return folder / "test.duckdb"


@pytest.fixture(scope="module")
def con(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(shutil.copy(database, database.with_name("broken.duckdb"))) as con:
        yield con


ORPHANS = ("steps", "layers", "probes", "predictions", "verdicts", "summaries")
LINKS: list[tuple[str, str]] = [
    *((f"update {t} set trial_id = 'ghost' where trial_id = 'a'", f"{t} of no trial")
      for t in ORPHANS),
    ("insert into sweep_trials values ('s', 'ghost', 'x', false)", "places of no trial"),
    ("insert into sweep_trials values ('ghost', 'a', 'x', false)", "places of no sweep"),
    ("delete from sweep_trials where trial_id = 'a'", "trials of no sweep"),
    ("insert into sweeps select * replace ('t' as sweep_id) from sweeps", "sweeps of no trial"),
    ("insert into trials from trials where trial_id = 'a'", "trials entered twice"),
    ("insert into sweeps from sweeps", "sweeps entered twice"),
    ("insert into sweep_trials from sweep_trials", "places entered twice"),
    ("insert into ledger from ledger", "writers entered twice or with nothing"),
    ("insert into ledger values ('v', 0)", "writers entered twice or with nothing"),
    ("delete from ledger", "ends that the ledger does not know"),
    ("update trials set attempt = 0 where trial_id = 'a'", "ends of trials that nobody began"),
    (
        "update trials set outcome = null where trial_id = 'a'",
        "trials without an end in a sweep that is done",
    ),
]  # fmt: skip
TRIALS: list[tuple[str, str]] = [
    *((f"insert into {t} from {t} where trial_id = 'a' limit 1", f"{t} there twice")
      for t in ("steps", "layers", "probes", "summaries")),
    *((f"update summaries set {column} = {column} + 1 where metric = 'test_loss'",
       "summaries that are not of the steps")
      for column in ("first", "last", "best", "best_update", "area")),
    ("update steps set train_loss = 0 where update = 1", "summaries that are not of the steps"),
    ("update steps set train_loss = null where update = 10", "summaries that are not of the steps"),
    ("delete from summaries where metric = 'train_score'", "finished trials without summaries"),
]  # fmt: skip


def mistakes(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, tuple[int, str]]:
    given: dict[str, list[str]] = {"trial_ids": []} if query == "check_trials" else {}
    found = con.execute(named.sql_of(query), given).fetchall()
    return {kind: (count, example) for kind, count, example in found if count}


@pytest.mark.parametrize(
    ("sql", "kind", "query"),
    [(*case, "check_links") for case in LINKS] + [(*case, "check_trials") for case in TRIALS],
)
def test_each_kind_of_mistake_is_found(
    con: duckdb.DuckDBPyConnection, sql: str, kind: str, query: str
) -> None:
    assert mistakes(con, query) == {}
    con.execute("begin transaction")
    try:
        con.execute(sql)
        found = mistakes(con, query)
    finally:
        con.execute("rollback")
    count, example = found[kind]
    assert count > 0
    assert example in ("a", "s", "t", "ghost", "v", "w")


def test_every_kind_of_mistake_is_tried(con: duckdb.DuckDBPyConnection) -> None:
    for query, cases in (("check_links", LINKS), ("check_trials", TRIALS)):
        given: dict[str, list[str]] = {"trial_ids": []} if query == "check_trials" else {}
        kinds = [row[0] for row in con.execute(named.sql_of(query), given).fetchall()]
        assert sorted(kinds) == sorted({kind for _, kind in cases})


def test_a_sound_store_with_a_running_sweep_is_sound(database: Path, tmp_path: Path) -> None:
    shutil.copy(database, tmp_path / "test.duckdb")
    with local_store(tmp_path) as client:
        client.register(sweep("r"), trials(["a", "x", "y"]))
        client.begin("v", ["x"])
        client.append("v", 1, {"steps": steps(["x"], 0)})
        client.begin("u", ["x"])  # another attempt, before its first flush
        found = list(check.examine(client))
    assert [one for one in found if not one.ok] == []
    assert found[-1].message == "1 trials were begun and have not ended; `talweg resume` goes on"
    (rows,) = (one.message for one in found if one.name == "rows")
    assert rows == "26 rows of 5 trials can be read"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with local_store(tmp_path) as client:
        yield client


def test_archives_are_compared_with_the_store(client: Client, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with local_store(tmp_path / "other") as other:
        fill(other)
        export(other, ["s"], tmp_path / "x")
    target = [tmp_path / "x"]
    words = ("archive", "in this store")
    missing = [one for one in check.examine(client, target) if one.name.endswith(words[1])]
    assert missing[0].ok
    assert missing[0].message == "3 of its trials are not here; `talweg import` brings them back"
    fill(client, seed=1)
    (other_rows,) = (one for one in check.examine(client, target) if not one.ok)
    assert other_rows.message == "3 trials have other rows here, such as a"
    (tmp_path / "x" / "steps.parquet").write_bytes(b"")
    (damaged,) = (one for one in check.examine(client, target) if not one.ok)
    assert "steps.parquet is damaged" in damaged.message


def test_a_damaged_block_is_met(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        begun(client, "w", ["x"])
        for number in range(1, 11):
            client.append("w", number, {"steps": steps(["x"] * 5000, number)})
    database = tmp_path / "test.duckdb"
    with duckdb.connect(database, read_only=True) as con:
        asked = "select block_id from pragma_storage_info('steps') where persistent"
        block = max(row[0] for row in con.execute(asked).fetchall())
        ((size,),) = con.execute("select block_size from pragma_database_size()").fetchall()
    held = bytearray(database.read_bytes())
    held[3 * 4096 + block * size + size // 100] ^= 0xFF
    database.write_bytes(held)
    with local_store(tmp_path) as client:
        bad = {one.name: one.message for one in check.examine(client) if not one.ok}
    assert "does not match stored checksum" in bad["rows"]


def test_a_file_that_was_cut_off_is_no_riddle(database: Path, tmp_path: Path) -> None:
    held = database.read_bytes()
    (tmp_path / "test.duckdb").write_bytes(held[: len(held) // 2])
    with pytest.raises(StoreError, match=r"test.duckdb cannot be read: .* docs/store.md"):
        Store(tmp_path / "test.duckdb")


def crashed(client: Client, folder: Path) -> Path:
    """The files as a crash would leave them: ten flushes, all of them in the log alone."""
    begun(client, "w", ["x"])
    for number in range(1, 11):
        client.append("w", number, {"steps": steps(["x"], number)})
    folder.mkdir()
    for name in ("test.duckdb", "test.duckdb.wal"):
        shutil.copy(Path(client.where).with_name(name), folder / name)
    return folder / "test.duckdb.wal"


def test_a_log_that_ends_early_is_read_up_to_its_last_whole_commit(
    client: Client, tmp_path: Path
) -> None:
    log = crashed(client, tmp_path / "crash")
    log.write_bytes(log.read_bytes()[:-10])
    with local_store(tmp_path / "crash") as other:
        assert updates(other, "x") == list(range(1, 10))
        assert [one for one in check.examine(other) if not one.ok] == []
        other.append("w", 10, {"steps": steps(["x"], 10)})  # what its sender still holds


def test_a_damaged_log_is_refused_and_can_be_put_aside(client: Client, tmp_path: Path) -> None:
    log = crashed(client, tmp_path / "crash")
    held = bytearray(log.read_bytes())
    held[len(held) // 2] ^= 0xFF
    log.write_bytes(held)
    with pytest.raises(StoreError, match=r"cannot be opened as .* Corrupt WAL file"):
        Store(tmp_path / "crash" / "test.duckdb")
    assert log.read_bytes() == held
    log.rename(tmp_path / "aside")
    with local_store(tmp_path / "crash") as other:
        assert [one for one in check.examine(other) if not one.ok] == []
