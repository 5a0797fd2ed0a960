"""Backups: of one moment, while writers write, and only where the store says."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from talweg.storage import backup, check
from talweg.storage.client import Client, connect
from talweg.storage.errors import AccessDenied, StoreError
from talweg.storage.store import Store

from .archive_data import fill, tables
from .storage_helpers import begun, local_store, rows, steps


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with local_store(tmp_path) as client:
        yield fill(client)


def folder_of(client: Client) -> Path:
    return Path(f"{client.where}.backups")


def test_a_backup_is_a_database_with_the_same_rows(client: Client, tmp_path: Path) -> None:
    facts = client.backup("first.duckdb")
    path = folder_of(client) / "first.duckdb"
    assert (facts["path"], facts["bytes"]) == (str(path), path.stat().st_size)
    assert facts["rows"] == client.status()["rows"]
    assert [file.name for file in path.parent.iterdir()] == ["first.duckdb"]
    (tmp_path / "copy").mkdir()
    shutil.copy(path, tmp_path / "copy" / "test.duckdb")
    with local_store(tmp_path / "copy") as other:
        assert tables(other) == tables(client)
        for table in ("ledger", "schema_version", "trials"):
            asked = f"select * from {table} order by all"
            assert rows(other, asked) == rows(client, asked), table
        assert [one for one in check.examine(other) if not one.ok] == []
        # The ledger came along: what was committed is known, and the next flush is the fifth.
        other.append("w", 4, {"steps": steps(["a"], 99)})
        assert rows(other, "select count(*) as n from steps where update = 99") == [{"n": 0}]


def test_a_backup_is_of_one_moment_while_writers_write(client: Client) -> None:
    begun(client, "busy", ["x"])
    stop = threading.Event()
    sent: list[int] = []

    def write() -> None:
        while not stop.is_set():
            number = len(sent) + 1
            client.append("busy", number, {"steps": steps(["x"] * 50, number)})
            sent.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for name in ("one", "two"):
            before = len(sent)
            client.backup(name)
            with duckdb.connect(folder_of(client) / name, read_only=True) as con:
                asked = "select count(*), max(update) from steps where trial_id = 'x'"
                ((count, last),) = con.execute(asked).fetchall()
                ledger = "select sequence from ledger where writer = 'busy'"
                # Whole flushes, all of those acknowledged before, and the ledger of that moment.
                assert con.execute(ledger).fetchall() == [(last,)]
            assert count == 50 * last
            assert before <= last <= len(sent) + 1
        assert len(sent) > before  # nobody waited for the end of a backup
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize(
    "name", ["../x", "/tmp/x", "a/b", "", ".hidden", "x" * 200, "a b", "a\n", "größe", "~x"]
)
def test_callers_choose_a_name_and_not_a_place(client: Client, name: str) -> None:
    with pytest.raises(StoreError, match=r"is not a (plain file )?name"):
        client.backup(name)
    assert not folder_of(client).exists()


def test_a_backup_is_never_overwritten(client: Client) -> None:
    client.backup("b")
    before = (folder_of(client) / "b").read_bytes()
    with pytest.raises(StoreError, match=r"there is a backup .* already: choose another name"):
        client.backup("b")
    assert (folder_of(client) / "b").read_bytes() == before


def test_what_a_killed_store_left_is_cleared_away(client: Client) -> None:
    folder_of(client).mkdir()
    (folder_of(client) / ".old.part").write_text("half")
    (folder_of(client) / ".new.part").write_text("half")
    client.backup("new")
    assert [file.name for file in folder_of(client).iterdir()] == ["new"]


class Usage(NamedTuple):
    free: int


def test_a_backup_leaves_room_for_commits(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(backup.SPARE_BYTES))
    with pytest.raises(StoreError, match=r"bytes free, a backup may take .* make room"):
        client.backup("b")
    assert list(folder_of(client).iterdir()) == []


def test_one_backup_at_a_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go_on = threading.Event(), threading.Event()
    write = backup.Backups._write

    def slow(self: backup.Backups, target: Path) -> object:
        inside.set()
        assert go_on.wait(30)
        return write(self, target)

    monkeypatch.setattr(backup.Backups, "_write", slow)
    first = threading.Thread(target=client.backup, args=["one"])
    first.start()
    assert inside.wait(30)
    with pytest.raises(StoreError, match="another backup is being written"):
        client.backup("two")
    go_on.set()
    first.join()
    assert [file.name for file in folder_of(client).iterdir()] == ["one"]


def test_backups_take_the_token_that_may_write_and_the_folder_of_the_store(
    tmp_path: Path,
) -> None:
    place = tmp_path / "elsewhere" / "deep"
    store = Store(tmp_path / "test.duckdb", read_token="look", write_token="change", backups=place)
    with store, connect(store.url, token="look") as reader:
        with pytest.raises(AccessDenied, match="backup needs the write token"):
            reader.backup("b")
        with connect(store.url, token="change") as client:
            client.backup("b")
    assert (place / "b").exists()
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_store_that_leaves_gives_up_its_backup(tmp_path: Path) -> None:
    with Store(tmp_path / "test.duckdb") as store:
        store._backups.close()
        with pytest.raises(StoreError, match="the store is leaving"):
            store._backups.write("b")
    assert list((tmp_path / "test.duckdb.backups").iterdir()) == []
