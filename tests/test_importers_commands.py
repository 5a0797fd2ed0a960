"""``talweg import`` as people give it: damaged and hostile files, and the pages afterwards."""

import json
import os
import re
import sqlite3
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from talweg.storage.client import Client
from talweg.storage.importers import framing, names

from . import foreign_files as files
from .archive_data import HOSTILE, tables
from .storage_helpers import local_store, rows
from .test_archive_commands import say


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store that damaged files leave as it is."""
    with local_store(tmp_path_factory.mktemp("store")) as client:
        yield client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "store").mkdir()
    with local_store(tmp_path / "store") as client:
        yield client


def tensorboard_file(folder: Path) -> Path:
    return files.event_file(folder, [(n, "loss", 1.0) for n in range(5)])


def wandb_file(folder: Path) -> Path:
    records = [files.run_record("r", "n", {}), *(files.history(n, loss="1") for n in range(5))]
    return files.wandb_file(folder, "r", records)


def mlflow_file(folder: Path) -> Path:
    return files.mlflow_file(folder / "m.db", {"r": ("FINISHED", {}, [("loss", 1.0, 0, 0, 0)])})


Damage = Callable[[bytes], bytes]
CUT: Damage = lambda content: content[:-3]  # noqa: E731
FLIPPED: Damage = lambda content: content[:-8] + bytes([content[-8] ^ 1]) + content[-7:]  # noqa: E731
LONG: Damage = lambda _: struct.pack("<Q", 2**62) + files.masked(struct.pack("<Q", 2**62))  # noqa: E731
LENGTH: Damage = lambda content: struct.pack("<Q", 2**62) + content[8:]  # noqa: E731
HEADER: Damage = lambda content: b"?" + content[1:]  # noqa: E731
HALF: Damage = lambda content: content[:4096] + b"\xff" * (len(content) - 4096)  # noqa: E731


@pytest.mark.parametrize(
    ("make", "damage", "why"),
    [
        (tensorboard_file, CUT, r"damaged at byte \d+: a record of .* the file ends before"),
        (tensorboard_file, FLIPPED, r"at byte \d+: the check sum of a record does not fit"),
        (tensorboard_file, LONG, r"at byte 0: a record of 4,611,686,018,427,387,904 bytes"),
        (tensorboard_file, LENGTH, r"at byte 0: the check sum of a record's length"),
        (wandb_file, CUT, r"damaged at byte \d+: it ends inside a record"),
        (wandb_file, FLIPPED, r"at byte \d+: the check sum of a record does not fit"),
        (wandb_file, HEADER, r"at byte 0: it does not begin as version 0 of a \.wandb file"),
        (mlflow_file, HALF, r"is damaged: .*malformed"),
        (files.deepobs_file, CUT, r"damaged at byte \d+: "),
        (files.deepobs_file, lambda _: b"[" * 100_000, r"damaged"),
    ],
)
def test_damaged_files_are_named_and_the_others_imported(
    shared: Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], Path],
    damage: Damage,
    why: str,
) -> None:
    file = make(tmp_path / "runs" / "bad")
    file.write_bytes(damage(file.read_bytes()))
    given = ("import", tmp_path / "runs", "--store", shared.where, "--json")
    (found,) = json.loads(say(capsys, *given, code=1))
    (said,) = found["bad"]
    assert str(file) in said
    assert re.search(why, said)
    assert (found["imported"], found["same"]) == (0, 0)
    make(tmp_path / "runs" / "good")
    (found,) = json.loads(say(capsys, *given, code=1))
    assert found["imported"] + found["same"] == 1
    assert found["bad"] == [said]


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("scalars", "why"),
    [
        ([(-1, "loss", 1.0)], "'loss' has a value at step -1: updates count from 0"),
        ([(0, "x" * 10_000_000, 1.0)], "is no name of a metric: it has 10,000,000 characters"),
        ([(2**62, "loss", 1.0)], "at step 4611686018427387904"),
        ([], "it holds no numbers"),
    ],
)  # fmt: skip
def test_runs_that_cannot_be_are_bad(
    shared: Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    scalars: list[files.Scalar],
    why: str,
) -> None:
    # The naive check sum of the tests takes its time over ten million bytes.
    monkeypatch.setattr(files, "masked", lambda data: struct.pack("<I", framing.masked(data)))
    files.event_file(tmp_path / "a", scalars)
    said = say(capsys, "import", tmp_path / "a", "--store", shared.where, code=1)
    assert why in said


def test_hostile_runs_are_kept_within_bounds(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {
        HOSTILE: HOSTILE,
        "lr": "no number",
        "batch_size": -4,
        "seed": 2**80,
        "a.b": 1,
        "a b": 2,
    }
    records = [
        files.run_record(HOSTILE, "../../" + HOSTILE, config),
        files.history(0, loss="1", **{HOSTILE: "2", "deep": deep(100_000), "digits": "9" * 9000}),
        files.history(2**61, loss="1e999"),
        # A record of another kind, as long as it likes, is passed over.
        files.field(4, b"z" * 300_000),
    ]
    files.wandb_file(tmp_path / "w", "r", records)
    os.mkfifo(tmp_path / "w" / "run-pipe.wandb")  # to read it would wait for ever
    (tmp_path / "w" / "loop").symlink_to(tmp_path / "w", target_is_directory=True)
    said = say(capsys, "import", tmp_path / "w", "--store", client.where, "--name", HOSTILE)
    assert "\x1b" not in said
    (trial,) = rows(client, "select * from trials")
    assert (trial["lr"], trial["batch_size"], trial["seed"]) == (None, None, -1)
    assert len(trial["slug"]) <= 200
    config = json.loads(trial["config"])
    assert all(re.fullmatch(r"\w+", key) for key in config["hyperparameters"])
    steps = rows(client, "select update, train_loss from steps order by update")
    assert steps == [{"update": 0, "train_loss": 1.0}, {"update": 2**61, "train_loss": None}]
    (sweep,) = rows(client, "select sweep_id, name from sweeps")
    assert sweep["name"] == HOSTILE
    assert re.fullmatch(r"[\w.-]+", sweep["sweep_id"])


def test_a_view_is_no_table_of_mlflow(
    shared: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = mlflow_file(tmp_path)
    con = sqlite3.connect(file)
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"
    con.executescript(f"drop table metrics; create view metrics as {endless};")
    con.close()
    said = say(capsys, "import", file, "--store", shared.where, code=1)
    assert "is no database of MLflow: no table metrics" in said


def test_bad_input_is_said(
    shared: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--store", shared.where)
    (tmp_path / "empty").mkdir()
    given = ("import", tmp_path / "empty", *where)
    assert "is no archive" in say(capsys, *given, code=2)
    assert "holds no results of mlflow" in say(capsys, *given, "--from", "mlflow", code=2)
    assert "no results of wandb" in say(capsys, "import", "none", "--from", "wandb", *where, code=2)
    say(capsys, *given, "--from", "keras", code=2)
    tensorboard_file(tmp_path / "both")
    wandb_file(tmp_path / "both")
    both = ("import", tmp_path / "both", *where)
    assert "tensorboard and of wandb: say which with --from" in say(capsys, *both, code=2)
    named = (*both, "--from", "wandb", "--metric", "loss=train_los")
    assert "steps has no column 'train_los'; did you mean" in say(capsys, *named, code=2)
    assert "into w-" in say(capsys, *both, "--from", "wandb", "--name", "w")


def test_an_imported_sweep_goes_into_an_archive_and_is_never_run(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files.deepobs_file(tmp_path / "results")
    where = ("--store", client.where)
    said = say(capsys, "import", tmp_path / "results", *where, "--team", "guests")
    assert "test_loss is test_losses (1)" in said
    (sweep,) = rows(client, "select * from sweeps")
    assert (sweep["name"], sweep["team"], sweep["status"]) == ("results", "guests", "done")
    assert "bad" not in say(capsys, "store", "check", *where)
    assert "imported" in say(capsys, "resume", sweep["sweep_id"], *where, code=2)
    say(capsys, "export", sweep["sweep_id"], tmp_path / "archive", *where)
    (tmp_path / "other").mkdir()
    with local_store(tmp_path / "other") as other:
        # The archive's own Parquet is no export of W&B.
        say(capsys, "import", tmp_path / "archive", "--store", other.where)
        assert tables(other) == tables(client)


def test_the_report_of_runs_that_say_nothing_of_themselves(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        files.event_file(tmp_path / "runs" / name, [(n, "loss", 1 / (n + 1)) for n in range(9)])
    where = ("--store", client.where)
    (found,) = json.loads(say(capsys, "import", tmp_path / "runs", *where, "--json"))
    say(capsys, "report", found["sweep_id"], "-o", tmp_path / "report.html", *where)
    assert found["sweep_id"] in (tmp_path / "report.html").read_text()


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Two rates with three seeds each, by TensorBoard, with a hostile name among the metrics."""
    folder = tmp_path_factory.mktemp("imported")
    from talweg.storage.importers.bring import Asked, bring

    for lr in (0.01, 0.1):
        for seed in range(3):
            scalars = [
                (step, tag, value)
                for step in range(0, 60, 10)
                for tag, value in (
                    ("train/loss", 2 / (1 + lr * step) + seed / 100),
                    ("val/accuracy", 1 - 1 / (1 + lr * step) - seed / 100),
                    (HOSTILE, float(step)),
                )
            ]
            settings: files.Settings = {"lr": lr, "seed": float(seed), "optimizer": "sgd"}
            files.event_file(folder / "runs" / f"lr{lr}-s{seed}", scalars, settings)
    with local_store(folder) as client:
        asked = Asked("guests", "guests", "ada", names.chosen(()))
        assert bring(client, "tensorboard", folder / "runs", asked).imported == 6
        yield client


def compare_page(where: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import compare

    answers = app.answers_of(where, None)
    frame.show(answers, functools.partial(compare.render, answers))


def trials_page(where: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import trials
    from talweg.workloads.spec import TrialSpec

    answers = app.answers_of(where, None)
    frame.show(answers, functools.partial(trials.render, answers, TrialSpec))


def sql_page(where: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import sql
    from talweg.storage import named

    answers = app.answers_of(where, None)
    frame.show(answers, functools.partial(sql.render, answers, named))


def shown(client: Client, page: Callable[[str], None], **query: str | list[str]) -> AppTest:
    app = AppTest.from_function(page, kwargs={"where": client.where}, default_timeout=60)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    assert not app.error
    return app


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.info])


def test_imported_sweeps_stand_on_the_page_that_compares(imported: Client) -> None:
    (sweep,) = rows(imported, "select sweep_id from sweeps")
    app = shown(imported, compare_page, sweeps=[sweep["sweep_id"]])
    # 1 − 1/(1 + 0.1·50) − 0.01 of three seeds; at the other rate half as much.
    assert "learning rate 0\\.1 is ahead in final test accuracy" in texts(app)
    drawn = [chart.proto.alt for chart in app.get("vega_lite_chart")]
    assert any("0.01 at 0.323" in said and "0.1 at 0.823" in said for said in drawn), drawn


def test_nobody_draws_against_samples_that_are_not_known(imported: Client) -> None:
    (sweep,) = rows(imported, "select sweep_id from sweeps")
    app = shown(imported, compare_page, sweeps=[sweep["sweep_id"]], compare_against="samples")
    assert "imported without a batch size" in texts(app)
    (trial,) = rows(imported, "select trial_id from trials limit 1")
    shown(imported, trials_page, trial=trial["trial_id"], trial_against="samples")


def test_an_imported_trial_opens_and_says_where_it_is_from(imported: Client) -> None:
    (trial,) = rows(imported, "select trial_id, slug from trials order by slug limit 1")
    app = shown(imported, trials_page, trial=trial["trial_id"])
    assert trial["slug"] == "tensorboard/lr0.01-s0" == app.code[0].value
    said = texts(app)
    assert "Imported from another tool" in said
    assert "Test score 0.333" in said
    assert "6 results" in said or "6 trials" in said
    assert len(app.get("vega_lite_chart")) == 2


def test_imported_rows_answer_on_the_page_of_sql(imported: Client) -> None:
    asked = "select probe, count(*) as n from probes group by probe"
    app = shown(imported, sql_page, sql=asked)
    assert app.dataframe[0].value.to_dict("records") == [{"probe": "imported", "n": 36}]
