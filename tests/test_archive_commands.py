"""The commands of archives, backups and checks, as people give them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from talweg.services import archiving, settings
from talweg.services.cli import main
from talweg.storage import archive
from talweg.storage.client import Client, connect
from talweg.storage.store import Store

from .archive_data import HOSTILE, fill, hashes, tables
from .storage_helpers import local_store
from .sweeps import store, write_grid


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with local_store(tmp_path) as client:
        yield fill(client, name=HOSTILE)


def say(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    """Run a command in this process; what it printed, in one line."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    said = capsys.readouterr()
    assert (stop.value.code or 0) == code, said.err + said.out
    return " ".join((said.out + said.err).split())


def test_a_sweep_goes_out_and_comes_back(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = say(capsys, "export", "s", tmp_path / "x", "--store", client.where)
    assert hashes(tmp_path / "x")["s"] in said
    manifest = json.loads(
        say(capsys, "export", "s", tmp_path / "y", "--store", client.where, "--json")
    )
    assert manifest["sweeps"]["s"]["sha256"] == hashes(tmp_path / "x")["s"]
    (tmp_path / "new").mkdir()
    with local_store(tmp_path / "new") as other:
        given = ("import", tmp_path / "x", tmp_path / "y", "--store", other.where)
        said = say(capsys, *given)
        assert "3 trials brought back, 0 were there" in said
        assert "0 trials brought back, 3 were there" in said
        assert [row["same"] for row in json.loads(say(capsys, *given, "--json"))] == [3, 3]
        assert tables(other) == tables(client)


def test_bad_archives_are_bad_input(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--store", client.where)
    assert "is no archive" in say(capsys, "import", tmp_path, *where, code=2)
    assert "exists already" in say(capsys, "export", "s", tmp_path, *where, code=2)
    assert "there is no sweep 'z'" in say(capsys, "export", "z", tmp_path / "x", *where, code=2)
    client.set_status("s", "running")
    assert "is running" in say(capsys, "export", "s", tmp_path / "x", *where, code=2)
    say(capsys, "export", "s", tmp_path / "x", *where, "--partial")


def test_check_says_what_is_wrong_with_its_exit_code(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--store", client.where)
    say(capsys, "export", "s", tmp_path / "x", *where)
    said = say(capsys, "store", "check", tmp_path / "x", *where)
    assert "bad" not in said
    assert "ok archive" in said
    (tmp_path / "x" / "steps.parquet").write_bytes(b"")
    found = json.loads(say(capsys, "store", "check", tmp_path / "x", *where, "--json", code=1))
    assert [one["name"] for one in found if not one["ok"]] == [f"archive {tmp_path / 'x'}"]
    lost = {"sweep_id": ["\x1b[2J[red]"], "trial_id": ["a"], "slug": ["x"], "reused": [False]}
    client.restore({"sweep_trials": pa.table(lost)})
    said = say(capsys, "store", "check", *where, code=1)
    assert "bad places of no sweep: 1, such as �[2J[red]" in said
    assert "\x1b" not in said
    missing = tmp_path / "none.duckdb"
    assert "does not exist" in say(capsys, "store", "check", "--store", missing, code=2)
    assert not missing.exists()


def test_backup_puts_the_file_where_it_was_asked_for(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "safe").mkdir()
    file = tmp_path / "safe" / "test.duckdb"
    said = say(capsys, "store", "backup", file, "--store", client.where)
    assert said.startswith(f"{file}: ")
    assert not Path(f"{client.where}.backups").exists()
    again = say(capsys, "store", "backup", file, "--store", client.where, code=2)
    assert "exists already" in again
    with local_store(tmp_path / "safe") as other:
        assert tables(other) == tables(client)


def test_a_store_elsewhere_takes_a_name_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALWEG_TOKEN", "change")
    settings.read.cache_clear()
    try:
        with Store(tmp_path / "t.duckdb", read_token="look", write_token="change") as served:
            given = ("store", "backup", "--store", served.url)
            assert "give a plain name" in say(capsys, *given, tmp_path / "b", code=2)
            facts = json.loads(say(capsys, *given, "b.duckdb", "--json"))
        assert Path(facts["path"]) == tmp_path / "t.duckdb.backups" / "b.duckdb"
    finally:
        settings.read.cache_clear()


def test_sweeps_go_into_the_folder_of_archives_by_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALWEG_ARCHIVE_FOLDER", str(tmp_path / "archives"))
    settings.read.cache_clear()
    grid = write_grid(tmp_path, updates=3, lrs=1, seeds=1)
    given = ("run", grid, "--store", tmp_path / "t.duckdb", "--executor", "inline", "--json")
    try:
        with store(tmp_path / "t.duckdb") as client:
            sweep_id = json.loads(say(capsys, *given, "--compile", "never"))["sweep_id"]
            found = client.query("fingerprint", {"sweep_id": sweep_id}).to_pylist()
    finally:
        settings.read.cache_clear()
    manifest = archive.verify(tmp_path / "archives" / sweep_id)
    assert manifest.sweeps == {sweep_id: archive.content(row.values() for row in found)}


def test_an_archive_is_made_anew_only_where_it_says_something_else(
    client: Client, tmp_path: Path
) -> None:
    archives = tmp_path / "archives"
    assert archiving.keep(client, "s", archives) == f"Archive: {archives / 's'}"
    assert archiving.keep(client, "s", archives).endswith("holds these results already")
    (archives / "s" / archive.MANIFEST).write_text("{}")
    assert archiving.keep(client, "s", archives) == f"Archive: {archives / 's'}"
    archive.verify(archives / "s")
    assert [path.name for path in archives.iterdir()] == ["s"]
    # A sweep does not fail for the want of an archive.
    (tmp_path / "file").write_text("in the way")
    assert archiving.keep(client, "s", tmp_path / "file").startswith("Archive: none was made: ")


def test_a_lost_database_is_rebuilt_as_the_docs_say(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say(capsys, "export", "s", tmp_path / "archives" / "s", "--store", client.where)
    lost = tmp_path / "rebuilt.duckdb"
    with Store(lost) as served:
        say(capsys, "import", *(tmp_path / "archives").iterdir(), "--store", lost)
        assert "bad" not in say(capsys, "store", "check", "--store", lost)
        with connect(served.database) as rebuilt:
            assert tables(rebuilt) == tables(client)
