"""Archives and grid files made to do harm: refused in one message, and nothing is changed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.hostile_files import ARCHIVES, GRIDS
from talweg.services.cli import main
from talweg.storage import archive_import
from talweg.storage.archive_export import export
from talweg.storage.archive_import import restore
from talweg.storage.client import Client
from talweg.storage.errors import ArchiveError, StoreError

from .archive_data import tables
from .storage_helpers import begun, local_store, steps


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound archive."""
    target = tmp_path_factory.mktemp("archive") / "sound"
    with local_store(tmp_path_factory.mktemp("source")) as client:
        begun(client, "w", ["a"]).append("w", 1, {"steps": steps(["a"], 1)})
        export(client, ["s"], target, partial=True)
    return target


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """An empty store."""
    with local_store(tmp_path_factory.mktemp("store")) as client:
        yield client


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_not_imported(
    name: str, folder: Path, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_import, "MOST_ROWS", 10_000)  # a small bomb is a bomb, too
    spoilt = shutil.copytree(folder, tmp_path / "spoilt")
    (tmp_path / "endpoint").write_text("secret")
    ARCHIVES[name](spoilt)
    with pytest.raises((ArchiveError, StoreError)) as refusal:
        restore(client, spoilt)
    said = str(refusal.value)
    assert "Traceback" not in said
    assert "secret" not in said
    assert len(said) < 2_000
    assert not any(tables(client).values())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["endpoint", "spoilt"]


def test_the_archive_is_sound_before_it_is_spoilt(folder: Path, tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        assert restore(client, folder).restored == 1


@pytest.mark.parametrize("name", GRIDS)
def test_a_hostile_grid_file_ends_in_one_message(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(GRIDS[name])
    with pytest.raises(SystemExit) as stop:
        main(["plan", str(path), "--store", str(tmp_path / "x.duckdb")])
    said = capsys.readouterr()
    assert stop.value.code == 2
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.count("\n") <= 2
    assert "\x1b" not in said.err
    assert len(said.err) < 2_000
    assert [p.name for p in tmp_path.iterdir()] == ["g.yaml"]
