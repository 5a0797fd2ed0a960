"""Results of other tools in the tables: what becomes of each name and number, and only once."""

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from talweg.storage.client import Client
from talweg.storage.importers import names, spool, tensorboard
from talweg.storage.importers.bring import MODEL, NO_SEED, Asked, Brought, bring
from talweg.storage.importers.framing import masked
from talweg.storage.importers.runs import Unfit

from . import foreign_files as files
from .archive_data import HOSTILE, tables
from .storage_helpers import local_store, rows


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "store").mkdir()
    with local_store(tmp_path / "store") as client:
        yield client


def brought(client: Client, kind: str, path: Path, *metrics: str, name: str = "runs") -> Brought:
    found = bring(client, kind, path, Asked(name, "guests", "ada", names.chosen(metrics)))
    assert not found.bad
    return found


def trial(client: Client) -> dict[str, Any]:
    """The one trial of the store."""
    (found,) = rows(client, "select * from trials")
    return {**found, "config": json.loads(found["config"])}


def column(client: Client, name: str, table: str = "steps") -> list[tuple[int, Any]]:
    found = rows(client, f"select update, {name} as value from {table} order by update")
    return [(row["update"], row["value"]) for row in found]


def probed(client: Client, key: str) -> list[tuple[int, float | None]]:
    asked = "select update, value from probes where key = $key order by update"
    return [(row["update"], row["value"]) for row in rows(client, asked, key=key)]


def test_event_files_become_steps_and_probes(client: Client, tmp_path: Path) -> None:
    scalars = [
        (0, "train/loss", 4.0), (10, "train/loss", 2.0), (20, "train/loss", 1.0),
        (0, "val/acc", 0.25), (20, "val/acc", 0.5), (0, HOSTILE, 3.0), (10, HOSTILE, math.nan),
    ]  # fmt: skip
    settings: files.Settings = {
        "lr": 0.1,
        "batch_size": 32.0,
        "optimizer": "adam",
        "seed": 7.0,
        "my.own": True,
    }
    files.event_file(tmp_path / "runs" / "a", scalars, settings)
    found = brought(client, "tensorboard", tmp_path / "runs")
    assert found.columns == {("train_loss", "train/loss"): 1, ("test_score", "val/acc"): 1}
    assert column(client, "train_loss") == [(0, 4.0), (10, 2.0), (20, 1.0)]
    assert column(client, "test_score") == [(0, 0.25), (10, None), (20, 0.5)]
    assert column(client, "samples") == [(0, 0), (10, 320), (20, 640)]
    assert column(client, "lr") == [(0, 0.1), (10, 0.1), (20, 0.1)]
    assert probed(client, HOSTILE) == [(0, 3.0), (10, None)]
    row = trial(client)
    assert row["config"] == {
        "imported": {"from": "tensorboard"}, "optimizer": {"lr": 0.1, "name": "adam"},
        "descent": {"name": "mini_batch", "batch_size": 32}, "seed": 7,
        "hyperparameters": {"my_own": True},
    }  # fmt: skip
    assert (row["slug"], row["model"], row["outcome"]) == ("tensorboard/a", MODEL, "done")
    assert (row["lr"], row["batch_size"], row["descent"], row["seed"]) == (0.1, 32, "mini_batch", 7)
    assert (row["updates"], row["samples"], row["budget_updates"]) == (20, 640, 20)
    # Nothing says that it was trained here.
    assert [row[name] for name in ("node", "device", "seconds", "isolated")] == [None] * 4


def test_summaries_are_over_the_recordings_that_have_the_metric(
    client: Client, tmp_path: Path
) -> None:
    scalars = [(2, "loss", 4.0), (10, "loss", 1.0), (20, "loss", 3.0), (25, "other", 0.0)]
    files.event_file(tmp_path / "a", scalars)
    brought(client, "tensorboard", tmp_path / "a")
    found = rows(client, "select * from summaries where metric = 'train_loss'")[0]
    # (10 − 2)·(4 + 1)/2 + (20 − 10)·(1 + 3)/2
    expected = {"first": 4.0, "last": 3.0, "best": 1.0, "best_update": 10, "area": 40.0}
    assert {name: found[name] for name in expected} == expected


def test_what_is_not_known_stays_unknown(client: Client, tmp_path: Path) -> None:
    files.event_file(tmp_path / "a", [(5, "loss", 1.0)])
    brought(client, "tensorboard", tmp_path / "a")
    row = trial(client)
    assert (row["lr"], row["batch_size"], row["samples"]) == (None, None, None)
    words = ("problem", "loss", "descent", "optimizer", "dtype")
    assert [row[word] for word in words] == ["unknown"] * 5
    assert row["seed"] == NO_SEED
    assert [column(client, name) for name in ("samples", "epoch", "lr")] == [[(5, 0)]] * 3


def test_files_of_a_folder_are_one_run_and_the_last_of_a_step_counts(
    client: Client, tmp_path: Path
) -> None:
    files.event_file(tmp_path / "a", [(0, "loss", 1.0), (4, "loss", 9.0), (2, "loss", 2.0)])
    again = "events.out.tfevents.2.host.1.0"
    files.event_file(tmp_path / "a", [(4, "loss", 3.0), (6, "loss", math.inf)], name=again)
    brought(client, "tensorboard", tmp_path)
    assert column(client, "train_loss") == [(0, 1.0), (2, 2.0), (4, 3.0), (6, None)]


def test_the_folders_of_keras_are_one_run(client: Client, tmp_path: Path) -> None:
    files.event_file(tmp_path / "k" / "train", [(0, "epoch_loss", 2.0)])
    files.event_file(tmp_path / "k" / "validation", [(0, "epoch_loss", 3.0)])
    brought(client, "tensorboard", tmp_path)
    assert column(client, "train_loss") == [(0, 2.0)]
    assert column(client, "test_loss") == [(0, 3.0)]


@pytest.mark.parametrize(
    ("dtype", "content", "shape", "expected"),
    [
        (1, struct.pack("<f", 0.5), (), 0.5),
        (2, struct.pack("<d", 0.1), (1,), 0.1),
        (9, struct.pack("<q", -3), (), -3.0),
        (1, struct.pack("<ff", 0.5, 1.0), (2,), None),
        (7, b"a text", (), None),
    ],
)  # fmt: skip
def test_tensors_of_one_number_are_scalars(
    dtype: int, content: bytes, shape: tuple[int, ...], expected: float | None, tmp_path: Path
) -> None:
    file = tmp_path / "events.out.tfevents.1"
    file.write_bytes(files.event(3, files.tensor("x", dtype, content, shape)))
    found: list[tuple[str, int, float | None]] = []
    (source,) = tensorboard.sources(tmp_path)
    source.read(lambda *point: found.append(point))
    assert found == ([] if expected is None else [("x", 3, expected)])


def test_the_check_sum_of_event_files_is_that_of_its_definition() -> None:
    assert files.crc32c(b"123456789") == 0xE3069283  # RFC 3720, B.4, of the usual test word
    for data in (b"", b"\0" * 32, b"123456789"):
        assert struct.pack("<I", masked(data)) == files.masked(data)


def test_offline_runs_of_wandb(client: Client, tmp_path: Path) -> None:
    config = {"learning_rate": 0.01, "batch_size": 8, "_wandb": {"a": 1}, "long": "x" * 100_000}
    records = [
        files.run_record("r1", "quick <b>fox</b>", config),
        files.history(0, train_loss="2.5", **{"eval/loss": "3", "_timestamp": "1e9"}),
        files.history(1, train_loss="NaN", note='"words"'),
        files.history(2, train_loss="1.5", depths='{"_type": "histogram"}'),
        # Longer than a block of the log, so that its chunks are put together again.
        files.history(3, train_loss="0.5", huge=json.dumps("y" * 100_000)),
        files.field(18, files.field(1, 0)),
    ]
    files.wandb_file(tmp_path / "wandb", "r1", records)
    brought(client, "wandb", tmp_path / "wandb")
    assert column(client, "train_loss") == [(0, 2.5), (1, None), (2, 1.5), (3, 0.5)]
    assert column(client, "test_loss")[0] == (0, 3.0)
    assert rows(client, "select key from probes") == []
    row = trial(client)
    assert row["slug"] == "wandb/demo/quick <b>fox</b>/r1"
    assert (row["outcome"], row["lr"], row["samples"]) == ("done", 0.01, 24)
    assert row["config"]["hyperparameters"] == {"long": "x" * names.MOST_TEXT}


@pytest.mark.parametrize(
    ("end", "outcome", "error"),
    [
        ([files.field(18, files.field(1, 1))], "failed", "exit code 1"),
        ([], "cancelled", "the file has no record of the run's end"),
    ],
)
def test_how_a_run_of_wandb_ended(
    client: Client, tmp_path: Path, end: list[bytes], outcome: str, error: str
) -> None:
    records = [files.run_record("r", "n", {}), files.history(0, loss="1"), *end]
    files.wandb_file(tmp_path, "r", records)
    brought(client, "wandb", tmp_path)
    row = trial(client)
    assert (row["outcome"], row["error"]) == (outcome, error)


def test_exported_histories(client: Client, tmp_path: Path) -> None:
    table = pa.table(
        {
            "_step": [0, 1, 2], "_timestamp": [1e9, 1e9, 1e9], "val_loss": [3.0, None, 1.0],
            "odd": [1, 2, 3], "words": ["a", "b", "c"], "loss": [1.0, math.nan, 0.5],
        }
    )  # fmt: skip
    parquet.write_table(table, tmp_path / "h.parquet")
    brought(client, "wandb", tmp_path)
    assert column(client, "test_loss") == [(0, 3.0), (1, None), (2, 1.0)]
    assert column(client, "train_loss") == [(0, 1.0), (1, None), (2, 0.5)]
    assert probed(client, "odd") == [(0, 1.0), (1, 2.0), (2, 3.0)]


def test_runs_of_mlflow(client: Client, tmp_path: Path) -> None:
    largest = 1.7976931348623157e308  # MLflow's infinity
    metrics = [
        ("train_loss", 2.0, 10, 0, 0), ("train_loss", 9.0, 11, 5, 0), ("train_loss", 1.0, 12, 5, 0),
        ("odd", 0.0, 1, 0, 1), ("odd", largest, 1, 1, 0), ("odd", -1.5, 1, 2, 0),
    ]  # fmt: skip
    params = {"lr": "1e-3", "optimizer": "SGD", "flag": "True", "seed": "4"}
    files.mlflow_file(tmp_path / "mlflow.db", {"r1": ("FINISHED", params, metrics)})
    brought(client, "mlflow", tmp_path)
    assert column(client, "train_loss")[0] == (0, 2.0)
    assert column(client, "train_loss")[-1] == (5, 1.0)  # the last logged at this step
    assert probed(client, "odd") == [(0, None), (1, None), (2, -1.5)]
    row = trial(client)
    assert (row["slug"], row["outcome"]) == ("mlflow/demo/run of r1/r1", "done")
    assert (row["lr"], row["optimizer"], row["seed"]) == (0.001, "SGD", 4)
    assert row["config"]["hyperparameters"] == {"flag": True}


@pytest.mark.parametrize(
    ("status", "outcome"), [("FAILED", "failed"), ("KILLED", "cancelled"), ("RUNNING", "cancelled")]
)
def test_how_a_run_of_mlflow_ended(
    client: Client, tmp_path: Path, status: str, outcome: str
) -> None:
    runs: files.Runs = {"r": (status, {}, [("loss", 1.0, 0, 0, 0)])}
    files.mlflow_file(tmp_path / "mlflow.db", runs)
    brought(client, "mlflow", tmp_path)
    assert trial(client)["outcome"] == outcome


def test_folders_of_deepobs(client: Client, tmp_path: Path) -> None:
    files.deepobs_file(tmp_path / "results", seed=3)
    brought(client, "deepobs", tmp_path / "results")
    assert column(client, "train_loss") == [(0, 2.5), (1, 1.5), (2, 1.0)]
    assert column(client, "test_score") == [(0, 0.1), (1, 0.45), (2, 0.625)]
    assert column(client, "epoch") == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert probed(client, "valid_losses") == [(0, 2.6), (1, 1.8), (2, 1.5)]
    row = trial(client)
    assert (row["problem"], row["optimizer"], row["lr"], row["momentum"], row["seed"]) == (
        "fmnist_2c2d", "SGD", 0.1, 0.9, 3,
    )  # fmt: skip


def test_rate_epoch_and_samples_hold_until_they_are_recorded_again(
    client: Client, tmp_path: Path
) -> None:
    scalars = [
        (0, "learning_rate", 1.0), (1, "loss", 1.0), (2, "epoch", 0.5), (2, "lr", 0.5),
        (3, "loss", 1.0),
    ]  # fmt: skip
    files.event_file(tmp_path / "a", scalars, {"train_samples": 8.0})
    brought(client, "tensorboard", tmp_path, "learning_rate=lr")
    assert column(client, "lr") == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)]
    assert column(client, "epoch") == [(0, 0.0), (1, 0.0), (2, 0.5), (3, 0.5)]
    assert probed(client, "lr") == [(2, 0.5)]


def test_epochs_follow_from_samples_where_those_of_an_epoch_are_known(
    client: Client, tmp_path: Path
) -> None:
    settings = {"batch_size": 2.0, "train_samples": 8.0}
    files.event_file(tmp_path / "a", [(0, "loss", 1.0), (6, "loss", 1.0)], settings)
    brought(client, "tensorboard", tmp_path)
    assert column(client, "epoch") == [(0, 0.0), (6, 1.5)]


def test_a_metric_may_take_the_place_of_the_step(client: Client, tmp_path: Path) -> None:
    scalars = [
        (0, "global_step", 0.0), (0, "f1", 0.1), (1, "global_step", 100.0), (1, "f1", 0.2),
        (2, "f1", 0.3), (3, "global_step", 100.0), (3, "f1", 0.4),
    ]  # fmt: skip
    files.event_file(tmp_path / "a", scalars)
    brought(client, "tensorboard", tmp_path, "global_step=update", "f1=test_score")
    # Step 2 has no update; of two steps at update 100 the later counts.
    assert [u for u, _ in column(client, "test_score")] == [0, 100]
    assert [v for _, v in column(client, "test_score")] == pytest.approx([0.1, 0.4])


@pytest.mark.parametrize("said", ["loss", "=train_loss", "loss=train_los"])
def test_columns_that_there_are_not_are_refused(said: str) -> None:
    with pytest.raises(Unfit, match="--metric"):
        names.chosen([said])


def test_every_name_stands_for_one_thing() -> None:
    for table in (names.METRICS, names.SETTINGS):
        every = [name for listed in table.values() for name in listed]
        assert len(set(every)) == len(every)
        assert every == [names.plain(name) for name in every]
    assert set(names.METRICS) <= set(names.TARGETS)


def every_kind(folder: Path) -> dict[str, Path]:
    """A run of each kind, with a metric that is recorded now and then."""
    scalars = [(n, "loss", 1 / (n + 1)) for n in range(5)] + [(2, "val_loss", 0.25)]
    files.event_file(folder / "tensorboard" / "a", scalars, {"lr": 0.1})
    end = files.field(18, files.field(1, 3))
    records = [files.run_record("r", "n", {}), files.history(0, loss="1"), end]
    files.wandb_file(folder / "wandb", "r", records)
    runs: files.Runs = {
        "r": ("FINISHED", {"lr": "0.1"}, [("loss", 1.0, 0, 0, 0), ("own", 2.0, 0, 1, 0)])
    }
    files.mlflow_file(folder / "mlflow" / "mlflow.db", runs)
    files.deepobs_file(folder / "deepobs")
    return {path.name: path for path in folder.iterdir()}


def test_importing_twice_is_importing_once(client: Client, tmp_path: Path) -> None:
    paths = every_kind(tmp_path / "all")
    for kind, path in paths.items():
        found = brought(client, kind, path)
        assert (found.imported, found.same, found.kept) == (1, 0, 0)
    before = tables(client)
    for kind, path in paths.items():
        # The files may have been moved meanwhile.
        found = brought(client, kind, path.rename(path.with_name(f"moved-{kind}")))
        assert (found.imported, found.same, found.kept) == (0, 1, 0)
    assert tables(client) == before
    for query in ("check_links", "check_trials"):
        given: dict[str, object] = {} if query == "check_links" else {"trial_ids": []}
        assert not [row for row in client.query(query, given).to_pylist() if row["found"]]


def test_a_run_that_goes_on_is_imported_anew_unless_it_was_done(
    client: Client, tmp_path: Path
) -> None:
    begun = [files.run_record("r", "n", {}), files.history(0, loss="1")]
    file = files.wandb_file(tmp_path, "r", begun)
    assert brought(client, "wandb", tmp_path).imported == 1
    ended = [*begun, files.history(1, loss="0.5"), files.field(18, files.field(1, 0))]
    file.write_bytes(files.leveldb_log(ended))
    assert brought(client, "wandb", tmp_path).imported == 1
    assert column(client, "train_loss") == [(0, 1.0), (1, 0.5)]
    file.write_bytes(files.leveldb_log([*ended, files.history(2, loss="9")]))
    assert brought(client, "wandb", tmp_path).kept == 1
    assert column(client, "train_loss") == [(0, 1.0), (1, 0.5)]


def test_memory_holds_a_piece_however_long_a_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "BUFFER", 7)
    found = spool.Spool(tmp_path)
    for step in reversed(range(50)):
        found.add("loss", step, float(step))
        found.add("own", step, None)
    assert found.sort({"train_loss": "loss"}) == 49
    pieces = list(found.steps("t", 2**31 - 1, None, None))
    assert max(piece.num_rows for piece in pieces) <= 2048  # DuckDB's own, or those asked for
    whole = pa.concat_tables(pieces)
    assert whole["train_loss"].to_pylist() == [float(step) for step in range(50)]
    assert sum(piece.num_rows for piece in found.probes("t")) == 50
    found.close()
