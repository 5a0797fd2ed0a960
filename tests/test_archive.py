"""Archives: what was written comes back, once, whole, or not at all."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from talweg.dashboard.report import data
from talweg.storage import archive, archive_export, archive_import, check
from talweg.storage.archive_export import export, pieces
from talweg.storage.archive_import import restore
from talweg.storage.client import Client, connect
from talweg.storage.errors import AccessDenied, ArchiveError, Fenced, StoreError, StoreUnreachable
from talweg.storage.restore import TABLES
from talweg.storage.store import Store

from .archive_data import HOSTILE, UPDATES, fill, hashes, tables, train
from .storage_helpers import begun, ending, local_store, rows, steps, sweep, trials, updates


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store with two finished sweeps that share a trial."""
    with local_store(tmp_path_factory.mktemp("source")) as client:
        fill(client, name=HOSTILE, team=HOSTILE)
        fill(client, ["c", "d"], sweep_id="t", writer="v", seed=1, status="failed")
        yield client


@pytest.fixture(scope="module")
def folder(source: Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of both."""
    target = tmp_path_factory.mktemp("archives") / "it's [both] * of? them"
    assert export(source, ["s", "t"], target) == archive.verify(target)
    assert archive.verify(target).complete
    return target


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Client]:
    """A store without anything."""
    (tmp_path / "store").mkdir()
    with local_store(tmp_path / "store") as client:
        yield client


def copied(folder: Path, tmp_path: Path) -> Path:
    """An archive that a test may spoil."""
    target = tmp_path / "copy"
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def edited(folder: Path, **fields: object) -> None:
    """Change fields of the manifest."""
    path = folder / archive.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_lost_database_comes_back_row_for_row(
    source: Client, folder: Path, empty: Client
) -> None:
    assert restore(empty, folder)[1:] == (4, 0, 0)
    assert tables(empty) == tables(source)
    assert all(tables(source).values()), "a table without rows proves nothing"
    assert rows(empty, "select distinct writer from trials") == [{"writer": None}]
    assert [one for one in check.examine(empty, [folder]) if not one.ok] == []


def test_importing_twice_is_importing_once(folder: Path, empty: Client) -> None:
    restore(empty, folder)
    before = tables(empty)
    assert restore(empty, folder)[1:] == (0, 4, 0)
    assert tables(empty) == before


def test_archives_of_single_sweeps_together_are_the_store(
    source: Client, empty: Client, tmp_path: Path
) -> None:
    for sweep_id in ("s", "t"):
        export(source, [sweep_id], tmp_path / sweep_id)
    found = [restore(empty, tmp_path / sweep_id)[1:] for sweep_id in ("t", "s")]
    assert found == [(2, 0, 0), (2, 1, 0)]  # c is in both
    assert tables(empty) == tables(source)


@pytest.mark.parametrize("sweep_id", ["s", "t"])
def test_the_content_hash_is_that_of_the_report(
    source: Client, folder: Path, sweep_id: str
) -> None:
    asked = data.fingerprint(lambda name, **p: source.query(name, p), sweep_id)
    assert hashes(folder)[sweep_id] == asked.data_hash
    # Both sweeps have what is of the table trials under their own names, and other trials.
    assert len(set(hashes(folder).values())) == 2


def test_the_content_hash_knows_neither_order_nor_layout(folder: Path, tmp_path: Path) -> None:
    spoilt = copied(folder, tmp_path)
    before = hashes(spoilt)["s"]
    for table in TABLES:
        path = archive.file_of(spoilt, table)
        read = parquet.read_table(path)
        shuffled = read.take(np.random.default_rng(0).permutation(read.num_rows))
        parquet.write_table(shuffled, path, compression="gzip", row_group_size=2)
    with archive.opened(spoilt) as con:
        assert archive.content_of(con, "s").sha256 == before
    with pytest.raises(ArchiveError, match=r"parquet is damaged: .* use another copy"):
        archive.verify(spoilt)


def test_one_bit_of_one_value_is_another_content(folder: Path, tmp_path: Path) -> None:
    spoilt = copied(folder, tmp_path)
    path = archive.file_of(spoilt, "steps")
    read = parquet.read_table(path)
    place = read.column_names.index("train_loss")
    values = read["train_loss"].to_numpy().copy()
    values[0] = np.nextafter(values[0], 1)
    parquet.write_table(read.set_column(place, "train_loss", pa.array(values)), path)
    # Whoever mends the files' hashes as well still has another content.
    files = json.loads((spoilt / archive.MANIFEST).read_text())["files"]
    files["steps"] = archive.described(path, read.num_rows).model_dump()
    edited(spoilt, files=files)
    with pytest.raises(ArchiveError, match=r"sweep '\w' has the content hash"):
        archive.verify(spoilt)


def flip(folder: Path) -> None:
    path = archive.file_of(folder, "layers")
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)


def cut(folder: Path) -> None:
    path = archive.file_of(folder, "steps")
    path.write_bytes(path.read_bytes()[:-100])


def lie(folder: Path) -> None:
    files = json.loads((folder / archive.MANIFEST).read_text())["files"]
    files["steps"]["rows"] += 1
    edited(folder, files=files)


def replace(folder: Path) -> None:
    path = archive.file_of(folder, "probes")
    path.write_text("no Parquet")
    files = json.loads((folder / archive.MANIFEST).read_text())["files"]
    files["probes"] = archive.described(path, files["probes"]["rows"]).model_dump()
    edited(folder, files=files)


def forget(folder: Path) -> None:
    files = json.loads((folder / archive.MANIFEST).read_text())["files"]
    del files["steps"]
    edited(folder, files=files)


DAMAGE: list[tuple[Callable[[Path], Any], str]] = [
    (flip, "layers.parquet is damaged: .* use another copy"),
    (cut, "steps.parquet is damaged"),
    (lie, "steps has 12 rows instead of 13"),
    (replace, "does not hold the tables of an archive"),
    (forget, "an archive has the tables sweeps, trials, .* this one"),
    (lambda folder: archive.file_of(folder, "trials").unlink(), "trials.parquet cannot be read"),
    (lambda folder: (folder / archive.MANIFEST).unlink(), "is no archive: .* cannot be read"),
    (lambda folder: (folder / archive.MANIFEST).write_text("{"), "is no archive"),
    (lambda folder: (folder / archive.MANIFEST).write_text("[]"), "was it edited"),
    (lambda folder: edited(folder, format_version=2), "archive format 2, .* up to 1: upgrade"),
    (lambda folder: edited(folder, format_version="1"), "format_version: .* was it edited"),
    (lambda folder: edited(folder, schema_version=99), "schema version 99, .* upgrade talweg"),
    (lambda folder: edited(folder, sweeps={"s": {}}), "sweeps.s.sha256: Field required"),
]


@pytest.mark.parametrize(("damage", "why"), DAMAGE)
def test_a_damaged_archive_is_refused(
    folder: Path, tmp_path: Path, damage: Callable[[Path], Any], why: str
) -> None:
    spoilt = copied(folder, tmp_path)
    damage(spoilt)
    with pytest.raises(ArchiveError, match=why):
        archive.verify(spoilt)


def test_nothing_of_a_damaged_archive_reaches_the_store(
    folder: Path, empty: Client, tmp_path: Path
) -> None:
    spoilt = copied(folder, tmp_path)
    flip(spoilt)
    with pytest.raises(ArchiveError):
        restore(empty, spoilt)
    assert not any(tables(empty).values())


def test_what_is_not_finished_is_refused_or_called_partial(empty: Client, tmp_path: Path) -> None:
    client = fill(empty, ["a", "b"], status="running")
    with pytest.raises(ArchiveError, match=r"sweep s is running: wait .* or --partial"):
        export(client, ["s"], tmp_path / "x")
    client.register(sweep(), trials(["a", "b", "u"]))
    client.begin("late", ["u"])
    client.append("late", 1, {"steps": steps(["u"], 0)})
    client.set_status("s", "interrupted")
    with pytest.raises(ArchiveError, match=r"1 trials of s have not ended: `talweg resume`"):
        export(client, ["s"], tmp_path / "x")
    assert list(tmp_path.iterdir()) == [tmp_path / "store"]
    assert not export(client, ["s"], tmp_path / "x", partial=True).complete


def test_a_partial_archive_goes_on_where_it_is_imported(empty: Client, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    client = begun(empty, "w", ["a"])
    client.append("w", 1, {"steps": steps(["a"], 0)})
    export(client, ["s"], tmp_path / "x", partial=True)
    with local_store(tmp_path / "other") as other:
        restore(other, tmp_path / "x")
        assert rows(other, "select status from sweeps") == [{"status": "interrupted"}]
        with pytest.raises(Fenced):
            other.append("w", 1, {"steps": steps(["a"], 1)})
        assert restore(other, tmp_path / "x")[1:] == (0, 1, 0)
        assert other.begin("new", ["a"]) == ["a"]
        assert updates(other, "a") == []
        train(other, ["a"], "new")
        # By now the archive has less than the store, and takes nothing away.
        assert restore(other, tmp_path / "x")[1:] == (0, 0, 1)
        assert updates(other, "a") == list(UPDATES)


def test_other_results_of_the_same_trial_are_a_conflict(
    folder: Path, empty: Client, tmp_path: Path
) -> None:
    fill(empty, ["b", "x"], sweep_id="mine", seed=7)
    before = tables(empty)
    with pytest.raises(ArchiveError, match=r"has other rows of 1 trials, the first is b \(done\)"):
        restore(empty, folder)
    assert tables(empty) == before


def test_a_trial_that_is_being_trained_is_not_taken_away(folder: Path, empty: Client) -> None:
    begun(empty, "w", ["a"])
    with pytest.raises(ArchiveError, match=r"the store is training 1 trials, the first is a"):
        restore(empty, folder)
    empty.append("w", 1, {"steps": steps(["a"], 0)})
    assert tables(empty)["layers"] == []


def test_a_failed_attempt_gives_way_to_an_archived_result(
    source: Client, folder: Path, empty: Client
) -> None:
    begun(empty, "mine", ["a"])
    empty.append("mine", 1, {"steps": steps(["a"], 5), "endings": ending(["a"], "failed")})
    assert restore(empty, folder).restored == 4
    assert updates(empty, "a") == list(UPDATES)
    with pytest.raises(Fenced, match="begun by nobody"):
        empty.append("mine", 2, {"steps": steps(["a"], 6)})
    held, expected = tables(empty), tables(source)
    for table in (name for name in TABLES if name != "sweeps"):  # this store knew s before
        assert held[table] == expected[table], table


def test_an_import_that_was_cut_off_is_completed_by_the_next(
    source: Client, folder: Path, empty: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_import, "PIECE_ROWS", 1)  # a trial at a time
    sent: list[dict[str, pa.Table]] = []
    send = Client.restore

    def cut_off(client: Client, given: dict[str, pa.Table]) -> None:
        if len(sent) == 2:
            raise StoreUnreachable("pulled the plug")
        sent.append(given)
        send(client, given)

    with monkeypatch.context() as patched:
        patched.setattr(Client, "restore", cut_off)
        with pytest.raises(StoreUnreachable):
            restore(empty, folder)
    names = [row["trial_id"] for row in rows(empty, "select trial_id from trials order by 1")]
    assert names == ["a", "b"]
    assert tables(empty)["sweeps"] == []
    send(empty, sent[0])  # an acknowledgement that was lost: the same rows once more
    assert restore(empty, folder)[1:] == (2, 2, 0)
    assert tables(empty) == tables(source)


def test_trials_that_are_trained_again_meanwhile_are_noticed(
    empty: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = fill(empty)
    client.register(sweep(), trials(["f"]))
    client.begin("w2", ["f"])
    client.append("w2", 1, {"endings": ending(["f"], "failed")})
    client.set_status("s", "failed")
    read = archive_export._write

    def interfered(*given: Any) -> dict[str, int]:
        found = read(*given)
        client.begin("w3", ["f"])
        client.append("w3", 1, {"endings": ending(["f"])})
        return found

    monkeypatch.setattr(archive_export, "_write", interfered)
    with pytest.raises(ArchiveError, match=r"trained again meanwhile: export once more"):
        export(client, ["s"], tmp_path / "x")
    assert list(tmp_path.iterdir()) == [tmp_path / "store"]


def test_an_archive_in_pieces_is_the_same_archive(
    source: Client, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_export, "PIECE_ROWS", 30)
    export(source, ["t", "s", "t"], tmp_path / "x")
    assert hashes(tmp_path / "x") == hashes(folder)
    assert parquet.ParquetFile(archive.file_of(tmp_path / "x", "steps")).num_row_groups == 3
    for table in TABLES:
        one, other = (
            parquet.read_table(archive.file_of(d, table)) for d in (tmp_path / "x", folder)
        )
        assert one.equals(other), table


def test_pieces_hold_as_many_as_fit_and_at_least_one() -> None:
    assert list(pieces("abcde", [3, 4, 99, 1, 2], 7)) == [["a", "b"], ["c"], ["d", "e"]]
    assert list(pieces("", [], 7)) == []


def test_a_folder_that_is_there_is_left_alone(source: Client, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArchiveError, match="exists already: give a new folder"):
        export(source, ["s"], tmp_path)
    with pytest.raises(ArchiveError, match=r"no sweep 'z'.* \(known: s, t\)"):
        export(source, ["z"], tmp_path / "x")
    (tmp_path / "empty").mkdir()  # such as a mount point
    export(source, ["s"], tmp_path / "empty")
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "empty"}


def test_importing_takes_the_token_that_may_write(folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "test.duckdb", read_token="look", write_token="change")
    with store, connect(store.url, token="look") as reader:
        with pytest.raises(AccessDenied, match="restore needs the write token"):
            restore(reader, folder)
        with connect(store.url, token="change") as client:
            restore(client, folder)
        export(reader, ["s"], tmp_path / "again")
    assert hashes(tmp_path / "again")["s"] == hashes(folder)["s"]


PLACE = {"sweep_id": ["s"], "trial_id": ["nowhere"], "slug": ["x"], "reused": [False]}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"ledger": {"writer": ["w"]}}, "table 'ledger' cannot be restored"),
    ({"trials": {"trial_id": ["a"], "writer": ["me"]}}, "column 'writer' cannot be"),
    ({"trials": {"trial_id": ["a"], "lrr": [0.1]}}, "'lrr' cannot be .* did you mean 'lr'"),
    ({"trials": {"trial_id": ["new"]}}, "NOT NULL constraint failed: trials.slug"),
    ({"steps": {"trial_id": ["a"], "update": ["1"]}}, "steps.update: expected int64, got string"),
    ({"sweep_trials": PLACE}, "trial 'nowhere', which is not here"),
]


@pytest.mark.parametrize(("given", "why"), WRONG)
def test_rows_that_do_not_fit_are_refused_together(
    source: Client, given: dict[str, Any], why: str
) -> None:
    before = tables(source)
    with pytest.raises(StoreError, match=why):
        source.restore({name: pa.table(columns) for name, columns in given.items()})
    assert tables(source) == before


def test_noise_takes_little_more_than_its_bits(tmp_path: Path) -> None:
    """52 random bits of mantissa are 6.5 bytes that nothing can compress; what is recorded of
    trials repeats more than noise does."""
    draw, trials_, updates_ = np.random.default_rng(0), 200, 200
    columns: dict[str, Any] = {
        "trial_id": np.repeat([f"trial-{i:03}" for i in range(trials_)], updates_),
        "update": np.tile(np.arange(updates_), trials_),
    }
    for metric in ("train_loss", "test_loss", "grad_norm", "param_norm"):
        columns[metric] = np.exp(draw.normal(size=trials_ * updates_))
    table = pa.table(columns)
    with archive_export._writer(tmp_path / "x.parquet", table.schema) as writer:
        writer.write_table(table)
    assert (tmp_path / "x.parquet").stat().st_size / (4 * table.num_rows) < 7.2
    assert parquet.read_table(tmp_path / "x.parquet").equals(table)
