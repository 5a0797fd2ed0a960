"""The commands that tell: query, schema, studies, status, plan, report, doctor, store, settings."""

import csv
import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pyarrow.parquet as parquet
import pytest

from talweg.services.cli import main
from talweg.services.settings import Settings, explain
from talweg.storage.client import Client
from talweg.workloads import studies

from .sweeps import run_json, store, talweg, write_grid


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store with one finished sweep of 18 trials."""
    folder = tmp_path_factory.mktemp("swept")
    with store(folder / "talweg.duckdb") as client:
        run_json(write_grid(folder), "--store", client.where, "--executor", "inline")
        yield client


def say(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    """Run a command in this process; what it printed."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    said = capsys.readouterr()
    assert (stop.value.code or 0) == code, said.err
    return said.out if code == 0 else said.err


COUNT = "select outcome, count(*) as n from trials group by 1"


def test_query_writes_every_format(
    swept: Client, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    where = ("--store", swept.where)
    assert "done" in say(capsys, "query", COUNT, *where)
    rows = json.loads(say(capsys, "query", COUNT, *where, "--format", "json"))
    assert rows == [{"outcome": "done", "n": 18}]
    text = say(capsys, "query", COUNT, *where, "--format", "csv", "-o", tmp_path / "x.csv")
    assert text == ""
    listed = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text())))
    assert listed == [{"outcome": "done", "n": "18"}]
    say(capsys, "query", COUNT, *where, "--format", "parquet", "-o", tmp_path / "x.parquet")
    assert parquet.read_table(tmp_path / "x.parquet").to_pylist() == rows


def test_query_takes_names_and_parameters(
    swept: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--store", swept.where, "--format", "json")
    (row,) = json.loads(say(capsys, "query", "sweeps", *where))
    named = json.loads(
        say(capsys, "query", "sweep", *where, "--param", f"sweep_id={row['sweep_id']}")
    )
    assert named[0]["name"] == "test"
    limited = "select seed from trials where seed >= $least order by 1"
    seeds = json.loads(say(capsys, "query", limited, *where, "--param", "least=1"))
    assert {r["seed"] for r in seeds} == {1}


def test_lists_and_structs_are_json_text_in_csv(
    swept: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    nested = "{'b': 1.5::double, 'c': [null, 'x']}"
    sql = f"select [1, 2] as a, {nested} as s, [now()] as t, null::int[] as n, 3"
    text = say(capsys, "query", sql, "--store", swept.where, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(text))
    assert json.loads(row["a"]) == [1, 2]
    assert json.loads(row["s"]) == {"b": 1.5, "c": [None, "x"]}
    assert len(json.loads(row["t"])) == 1
    assert (row["n"], row["3"]) == ("", "3")


def test_an_answer_that_cannot_be_written_is_one_message(
    swept: Client, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    where = ("--store", swept.where)
    for form in ("csv", "json", "parquet"):
        nowhere = ("-o", tmp_path / "none" / "x", "--format", form)
        said = say(capsys, "query", "sweeps", *where, *nowhere, code=2)
        assert "cannot be written" in said
        assert "Traceback" not in said
    # A difference of times has no text in Arrow's CSV.
    said = say(capsys, "query", "select interval 1 day", *where, "--format", "csv", code=2)
    assert "VARCHAR" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["query", "drop table trials"], "SELECT"),
        (["query", "select * from trails"], "trails"),
        (["query", "sweps"], "sweeps"),
        (["report", "nothing-1", "-o", "x.html"], "no sweep 'nothing-1'"),
        (["resume", "nothing-1"], "no sweep 'nothing-1'"),
        (["status", "nothing-1"], "no sweep 'nothing-1'"),
    ],
)
def test_a_wrong_question_is_one_message_and_exit_code_2(
    arguments: list[str], message: str, swept: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    said = say(capsys, *arguments, "--store", swept.where, code=2)
    assert message in said
    assert "Traceback" not in said


def test_schema_describes_the_grids_we_ship(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(say(capsys, "schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == "talweg grid"
    descriptions = json.dumps(schema)
    assert "learning rate" in descriptions


def test_studies_are_listed_with_their_question(capsys: pytest.CaptureFixture[str]) -> None:
    listed = {row["study"]: row for row in json.loads(say(capsys, "studies", "--json"))}
    assert list(listed) == list(studies.names())
    row = listed["descent"]
    assert row["question"].startswith("Which descent")
    assert row["trials"] == 105


def test_plan_counts_without_training(
    swept: Client, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_grid(tmp_path, seeds=3)
    fresh = json.loads(say(capsys, "plan", path, "--store", tmp_path / "no.duckdb", "--json"))
    assert (fresh["trials"], fresh["finished"], fresh["to_train"]) == (27, 0, 27)
    assert fresh["packs"] >= 3
    assert fresh["estimated_seconds"] > 0
    assert not (tmp_path / "no.duckdb").exists()
    known = json.loads(say(capsys, "plan", path, "--store", swept.where, "--json"))
    assert (known["finished"], known["to_train"]) == (18, 9)
    assert "27" in say(capsys, "plan", path, "--store", swept.where)


def test_status_shows_sweeps_and_one_sweep(
    swept: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = json.loads(say(capsys, "status", "--store", swept.where, "--json"))
    assert (row["status"], row["trials"], row["finished"]) == ("done", 18, 18)
    assert row["sweep_id"] in say(capsys, "status", "--store", swept.where)
    one = say(capsys, "status", row["sweep_id"], "--store", swept.where)
    assert "outcomes" in one
    # --watch ends by itself when nothing runs.
    assert "done" in say(capsys, "status", "--store", swept.where, "--watch")


def test_report_is_one_file_that_names_its_sweep(
    swept: Client, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (row,) = swept.query("sweeps").to_pylist()
    path = tmp_path / "report.html"
    say(capsys, "report", row["sweep_id"], "-o", path, "--store", swept.where)
    text = path.read_text()
    assert row["sweep_id"] in text
    assert "<svg" in text
    wrong = say(capsys, "report", row["sweep_id"], "-o", "x.doc", "--store", swept.where, code=2)
    assert ".html" in wrong
    proven = say(capsys, "report", "--check", path, "--store", swept.where)
    assert "byte for byte" in proven
    alone = say(capsys, "report", "--check", path, "-o", "x.html", code=2)
    assert "takes a file alone" in alone


def test_doctor_and_store_status_tell_where_the_store_is(
    swept: Client, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = say(capsys, "doctor", "--store", swept.where)
    assert "schema version" in text
    assert "bad" not in text
    assert "does not exist yet" in say(capsys, "doctor", "--store", tmp_path / "no.duckdb")
    facts = json.loads(say(capsys, "store", "status", "--store", swept.where, "--json"))
    assert facts["rows"]["trials"] == 18


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    environment = os.environ | {"TALWEG_WORKERS": "many"}
    found = subprocess.run(
        talweg("plan", "descent"),
        capture_output=True, text=True, check=False, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert found.returncode == 2
    assert found.stderr.startswith("talweg: TALWEG_WORKERS: 'many' is not allowed")
    assert found.stderr.count("\n") == 1


def test_settings_come_from_arguments_then_variables_then_the_file(tmp_path: Path) -> None:
    (tmp_path / "talweg.toml").write_text('workers = 3\nowner = "file"\n')
    (tmp_path / "secret").write_text("hush\n")
    program = (
        "from talweg.services import settings; s = settings.read();"
        "print(s.workers, s.owner, s.write_secret(), 'hush' in repr(s))"
    )
    environment = os.environ | {
        "TALWEG_OWNER": "variable",
        "TALWEG_TOKEN_FILE": str(tmp_path / "secret"),
    }
    found = subprocess.run(
        [talweg()[0], "-c", program],
        capture_output=True, text=True, check=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert found.stdout.split() == ["3", "variable", "hush", "False"]


def test_a_setting_of_the_wrong_kind_is_explained() -> None:
    import pydantic

    with pytest.raises(pydantic.ValidationError) as wrong:
        Settings(patience_s=-1)
    assert "TALWEG_PATIENCE_S: -1 is not allowed" in explain(wrong.value)
