"""Tables of the user's own, and of OpenML."""

import gzip
import json
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from pydantic import ValidationError

from talweg.workloads import problems
from talweg.workloads.problems.shapes import Task
from talweg.workloads.spec import TrialSpec

from .problem_helpers import load, spec
from .trials import trial

ROWS = 60


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def columns() -> dict[str, list[Any]]:
    draw = np.random.RandomState(0)
    return {
        "price": draw.randn(ROWS).tolist(),
        "area": draw.rand(ROWS).tolist(),
        "rooms": [1 + i % 4 for i in range(ROWS)],
        "city": ["York", "Bath", "Hull"] * (ROWS // 3),
        "sold": [i % 2 == 0 for i in range(ROWS)],
        "street": [f"no {i}" for i in range(ROWS)],
    }


@pytest.fixture(params=["csv", "parquet"])
def houses(here: Path, request: pytest.FixtureRequest) -> str:
    table, name = pa.table(columns()), f"houses.{request.param}"
    if request.param == "csv":
        csv.write_csv(table, here / name)
    else:
        city = table.column("city").dictionary_encode()
        parquet.write_table(table.set_column(3, "city", city), here / name)
    return name


def test_numbers_are_predicted_as_such(houses: str) -> None:
    wanted = spec("file", path=houses, target="price", without=["street"], standardise=False)
    data, held = problems.load(wanted), columns()
    assert wanted.task is Task.REGRESSION
    assert wanted.shape[:3] == (ROWS, 6, 1)
    train = np.random.RandomState(0).permutation(ROWS)[: wanted.train_samples]
    words = [[float(word == c) for c in ("Bath", "Hull", "York")] for word in held["city"]]
    x = np.column_stack([held["area"], held["rooms"], words, held["sold"]])
    assert np.allclose(data.x_train, x[train], atol=1e-15)
    assert np.allclose(data.y_train[:, 0], np.array(held["price"])[train], atol=1e-15)
    scaled = load("file", path=houses, target="price", without=["street"])
    assert np.allclose(scaled.y_train.mean(), 0)
    assert np.allclose(scaled.x_train.std(0), 1)


@pytest.mark.parametrize(("target", "classes"), [("city", 3), ("rooms", 4), ("sold", 2)])
def test_words_few_whole_numbers_and_truth_values_are_classes(
    houses: str, target: str, classes: int
) -> None:
    wanted = spec("file", path=houses, target=target, without=["street"])
    data, held = problems.load(wanted), columns()[target]
    assert (wanted.task, wanted.shape.outputs) == (Task.CLASSIFICATION, classes)
    test = np.random.RandomState(0).permutation(ROWS)[wanted.train_samples :]
    assert data.y_test.tolist() == [sorted(set(held)).index(held[i]) for i in test]
    assert data.y_test.dtype == np.int64
    if target == "rooms":
        told = spec("file", path=houses, target=target, without=["street"], kind="regression")
        assert told.task is Task.REGRESSION


def test_a_changed_file_is_another_trial_and_is_not_trained_as_the_old_one(houses: str) -> None:
    fields = {"path": houses, "target": "city", "without": ("street",)}
    wanted = trial(problem={"name": "file", **fields})
    stored = TrialSpec.model_validate_json(wanted.model_dump_json())
    assert stored.trial_id == wanted.trial_id
    Path(houses).write_bytes(Path(houses).read_bytes() + b" ")
    with pytest.raises(ValueError, match="has changed since this trial was planned"):
        problems.load(wanted.problem)
    Path("houses.csv").write_text("area,city\n1,a\n2,b\n3,a\n4,b\n")
    other = trial(problem={"name": "file", "path": "houses.csv", "target": "city"})
    assert other.trial_id != wanted.trial_id
    # What a store holds can be read where the data is not.
    Path(houses).unlink(missing_ok=True)
    assert TrialSpec.model_validate_json(wanted.model_dump_json()) == wanted


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "no target": ("a,b\n1,2\n", {}, "needs a target; its columns are a, b"),
    "unknown target": ("a,b\n1,2\n", {"target": "c"}, "has no column 'c'; its columns are a, b"),
    "unknown column": ("a,b\n1,2\n", {"target": "b", "without": ["c"]}, "has no column 'c'"),
    "missing number": ("a,b\n1,2\n,3\n", {"target": "b"}, r"lacks values.* 'a' \(1\)"),
    "missing word": ("a,b\nx,2\n,3\n", {"target": "b"}, r"lacks values.* 'a' \(1\)"),
    "missing target": ("a,b\nx,2\ny,\n", {"target": "b"}, r"lacks values.* 'b' \(1\)"),
    "nothing to learn from": ("b\n1\n2\n", {"target": "b"}, "has no column beside 'b'"),
    "words for numbers": (
        "a,b\n1,x\n2,y\n", {"target": "b", "kind": "regression"}, "holds words, no numbers",
    ),
    "one class": ("a,b\n1,x\n2,x\n", {"target": "b"}, "1 different values in 2 rows"),
    "only classes": ("a,b\n1,x\n2,y\n", {"target": "b"}, "2 different values in 2 rows"),
    "too few rows": ("a,b\n1,1.5\n2,2.5\n", {"target": "b"}, "leave 1 for training"),
    "dates": ("a,b\n2020-01-01,2.5\n", {"target": "b"}, "column 'a' is of type date32"),
    "ragged": ("a,b\n1,2,3\n", {"target": "b"}, "is no csv file"),
    "many words": (
        "a,b\n" + "".join(f"w{i},{i}.5\n" for i in range(51)), {"target": "b"},
        r"51 different words.*without: \[a\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_used_is_refused_at_planning(case: str, here: Path) -> None:
    text, fields, message = REFUSED[case]
    (here / "t.csv").write_text(text)
    with pytest.raises(ValidationError, match=message):
        spec("file", path="t.csv", **fields)


def test_a_file_that_is_not_there_or_of_no_known_kind_is_refused(here: Path) -> None:
    with pytest.raises(ValidationError, match=r"gone\.csv cannot be read \(No such file"):
        spec("file", path="gone.csv", target="a")
    with pytest.raises(ValidationError, match=r"not one of \.csv, \.parquet, \.npz"):
        spec("file", path="t.xlsx", target="a")


def test_arrays_are_taken_as_they_are(here: Path) -> None:
    x = np.arange(120).reshape(20, 3, 2)
    np.savez(here / "a.npz", x=x, y=np.arange(20) % 2)
    np.savez(here / "b.npz", x=x, y=x[:, :, 0] / 7)
    classes, numbers = (spec("file", path=name, standardise=False) for name in ("a.npz", "b.npz"))
    assert (classes.task, classes.shape[:3]) == (Task.CLASSIFICATION, (20, 6, 2))
    assert (numbers.task, numbers.shape[:3]) == (Task.REGRESSION, (20, 6, 3))
    data = problems.load(numbers)
    assert np.allclose(data.x_test[:, ::2] / 7, data.y_test)
    np.savez(here / "c.npz", x=x)
    with pytest.raises(ValidationError, match=r"has no array 'y'"):
        spec("file", path="c.npz")
    with pytest.raises(ValidationError, match="leave target and without out"):
        spec("file", path="a.npz", target="y")


ARFF = """@RELATION cars
@ATTRIBUTE id NUMERIC
@ATTRIBUTE weight NUMERIC
@ATTRIBUTE colour {red,blue}
@ATTRIBUTE fast {no,yes}
@DATA
"""


def openml(home: Path, rows: list[str]) -> None:
    """Data set 7 as scikit-learn keeps it."""
    arff = ARFF + "\n".join(rows) + "\n"
    kinds = {"id": "numeric", "weight": "numeric", "colour": "nominal", "fast": "nominal"}
    values = {"colour": ["red", "blue"], "fast": ["no", "yes"]}
    features = [
        {
            "index": str(i),
            "name": name,
            "data_type": kind,
            "is_target": str(name == "fast").lower(),
            "is_ignore": "false",
            "is_row_identifier": str(name == "id").lower(),
            "number_of_missing_values": "0",
        }
        | ({"nominal_value": values[name]} if name in values else {})
        for i, (name, kind) in enumerate(kinds.items())
    ]
    description = {
        "id": "7", "name": "cars", "version": "1", "status": "active", "format": "ARFF",
        "description": "", "url": "https://www.openml.org/data/v1/download/70/cars.arff",
        "md5_checksum": md5(arff.encode()).hexdigest(), "default_target_attribute": "fast",
    }  # fmt: skip
    qualities = [{"name": "NumberOfInstances", "value": str(len(rows))}]
    kept = {
        "api/v1/json/data/7": json.dumps({"data_set_description": description}),
        "api/v1/json/data/features/7": json.dumps({"data_features": {"feature": features}}),
        "api/v1/json/data/qualities/7": json.dumps({"data_qualities": {"quality": qualities}}),
        "data/v1/download/70/cars.arff": arff,
    }
    for path, text in kept.items():
        file = home / ".cache" / "talweg" / "data" / "openml" / "openml.org" / f"{path}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(text.encode()))


def test_an_openml_table_is_read_from_its_cache_by_its_default_target(here: Path) -> None:
    rows = [f"{i},{i / 8},{('red', 'blue')[i % 2]},{('no', 'yes')[i % 3 == 0]}" for i in range(20)]
    openml(here, rows)
    wanted = spec("openml", id=7, standardise=False)
    data = problems.load(wanted)
    assert (wanted.task, wanted.shape[:3]) == (Task.CLASSIFICATION, (20, 3, 2))
    order = np.random.RandomState(0).permutation(20)
    expected = [[i / 8, float(i % 2 == 1), float(i % 2 == 0)] for i in order]
    assert np.concatenate([data.x_train, data.x_test]).tolist() == expected
    assert np.concatenate([data.y_train, data.y_test]).tolist() == [int(i % 3 == 0) for i in order]
    numbers = spec("openml", id=7, target="weight")
    assert (numbers.task, numbers.shape[:3]) == (Task.REGRESSION, (20, 4, 1))
    assert len(wanted.source) == 12


def test_an_openml_table_with_missing_values_is_refused(here: Path) -> None:
    openml(here, ["1,?,red,no", "2,1.5,?,yes"])
    with pytest.raises(ValidationError, match=r"OpenML 7 lacks values.*'weight' \(1\)"):
        spec("openml", id=7)
