"""The reference cases as a user checks them, and that a wrong number fails."""

import json
import math
from typing import Any

import pytest

from talweg.services.cli import main
from talweg.workloads import grid, verification
from talweg.workloads.gridfile import Document
from talweg.workloads.verification import Case, Measured, judged


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["verify", *arguments])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


@pytest.mark.timeout(600)
def test_every_reference_case_holds_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, "--json")
    found = json.loads(out)
    wrong = [case for case in found["cases"] if not case["passed"]]
    assert not wrong
    assert code == found["failed"] == 0
    names = [case["case"] for case in found["cases"]]
    assert len(names) == len(set(names))
    expected = sum(len(sheet.cases) for sheet in verification.sheets())
    assert len(names) > expected + 10
    (health,) = (case for case in found["cases"] if case["at_least"] and "ROC" in case["case"])
    assert "95 % interval" in health["detail"]
    assert "n = 360" in health["detail"]


def test_what_it_prints_and_what_it_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = say(capsys, "--only", "recurrence")
    assert code == 0
    assert "2.65614e-05, expected 2.65614e-05" in out
    assert "1 of 1 cases pass" in out
    code, _, err = say(capsys, "--only", "quadratic")
    assert code == 2
    assert "did you mean 'quadratics'?" in err


def test_a_wrong_number_makes_the_exit_code_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (sheet,) = (s for s in verification.sheets() if s.name == "recurrence")
    case = sheet.cases[0].model_copy(update={"expected": 3e-5})
    monkeypatch.setattr(verification, "sheets", lambda: [sheet._replace(cases=[case])])
    code, out, _ = say(capsys, "--only", "recurrence")
    assert code == 1
    assert "FAIL" in out
    assert "0 of 1 cases pass" in out


@pytest.mark.parametrize("sheet", verification.sheets(), ids=lambda sheet: str(sheet.name))
def test_the_grid_of_a_sheet_is_a_grid_file(sheet: verification.Sheet) -> None:
    assert grid.expand(Document(sheet.name, sheet.grid, {})).trials
    assert sheet.cases
    assert all("$sweep_id" in case.query for case in sheet.cases)


def case(**given: Any) -> Case:
    return Case.model_validate({"case": "c", "source": "s", "query": "q", **given})


@pytest.mark.parametrize(
    ("given", "rows", "measured", "passed"),
    [
        ({"expected": 1, "absolute": 0.1}, [1.05, 1.2, 0.95], 1.2, False),
        ({"expected": 2, "relative": 0.1}, [1.9, 2.1], 1.9, True),
        ({"expected": 2, "relative": 0.1}, [1.7], 1.7, False),
        ({"at_least": 0.5}, [0.7, 0.6], 0.6, True),
        ({"at_least": 0.5}, [0.7, 0.4], 0.4, False),
        ({"expected": 66, "absolute": 0}, [66], 66, True),
    ],
)
def test_the_worst_row_counts(
    given: dict[str, float], rows: list[float], measured: float, passed: bool
) -> None:
    found = judged(case(**given), [{"measured": value} for value in rows])
    assert found.measured == pytest.approx(measured)
    assert found.passed is passed


@pytest.mark.parametrize("rows", [[], [{"measured": None}], [{"measured": math.nan}]])
@pytest.mark.parametrize("given", [{"expected": 0, "absolute": 1}, {"at_least": -1}])
def test_what_was_not_measured_fails(
    given: dict[str, float], rows: list[dict[str, float | None]]
) -> None:
    assert not judged(case(**given), rows).passed


def test_each_row_may_expect_its_own() -> None:
    rows = [{"measured": 1.0, "expected": 1.0}, {"measured": 2.3, "expected": 2.0}]
    found = judged(case(relative=0.1), rows)
    assert found._replace(tolerance=0.2) == Measured("c", "s", 2.0, 2.3, 0.2)
    assert found.tolerance == pytest.approx(0.2)
    assert not found.passed


def test_the_area_of_scores_that_tell_nothing_is_one_half() -> None:
    rows = [{"score": s, "learned": k} for s in (0.0, 1.0) for k in (True, False)]
    found = judged(case(at_least=0.6, roc=True), rows)
    assert (found.measured, found.passed) == (0.5, False)
    assert "n = 4 (2 learned)" in found.detail
    alike = judged(case(at_least=0.6, roc=True), [{"score": 1.0, "learned": True}])
    assert math.isnan(alike.measured)
    assert not alike.passed
