"""The reference cases of ``talweg verify``: grids with the numbers that must come of them.

Each YAML file beside this one holds one grid and some cases. A case is a query on what the
grid left in a store, with ``$sweep_id`` for its sweep, and gives rows of ``measured`` and,
where each row has its own, ``expected``. Files are torch-free; what is checked without a grid
is in :mod:`.closed`.
"""

import math
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ruamel.yaml import YAML

FOLDER = Path(str(resources.files(__name__)))


class Case(BaseModel):
    """One reference case: what must be found, how near, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    source: str
    query: str
    expected: float | None = Field(default=None, description="where the query does not give it")
    absolute: float | None = Field(default=None, ge=0, description="tolerance")
    relative: float | None = Field(default=None, ge=0, description="tolerance, of |expected|")
    at_least: float | None = Field(default=None, description="in place of expected")
    roc: bool = Field(
        default=False, description="rows are (score, learned), and the area under the ROC counts"
    )

    @model_validator(mode="after")
    def _one_criterion(self) -> Self:
        given = [t for t in (self.absolute, self.relative, self.at_least) if t is not None]
        if len(given) != 1:
            raise ValueError(f"{self.case}: exactly one of absolute, relative, at_least")
        return self


class Sheet(NamedTuple):
    """The cases of one file, and the grid that they are about."""

    name: str
    grid: dict[str, Any]
    cases: list[Case]


class Measured(NamedTuple):
    """One number that was found, beside the one that was expected."""

    case: str
    source: str
    expected: float
    measured: float
    tolerance: float
    """Absolute; for ``at_least`` the infinite room above is not counted."""
    at_least: bool = False
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the number is near enough; NaN never is."""
        if self.at_least:
            return self.measured >= self.expected
        return abs(self.measured - self.expected) <= self.tolerance


def sheets() -> list[Sheet]:
    """Every file of cases, by name."""
    return [_sheet(path) for path in sorted(FOLDER.glob("*.yaml"))]


def _sheet(path: Path) -> Sheet:
    text = YAML(typ="safe").load(path)
    cases = [Case.model_validate(case) for case in text["cases"]]
    return Sheet(path.stem, {"name": f"verify-{path.stem}", **text["grid"]}, cases)


def judged(case: Case, rows: list[dict[str, Any]]) -> Measured:
    """The row that is farthest from what is expected of it; NaN where nothing was measured."""
    if case.roc:
        return _area(case, rows)
    nothing = {"measured": None, "expected": math.nan}
    return max((_compared(case, row) for row in rows or [nothing]), key=_excess)


def _area(case: Case, rows: list[dict[str, Any]]) -> Measured:
    """How well scores tell the trials that learned; NaN where all did, or none."""
    from . import roc  # scipy takes a second

    assert case.at_least is not None
    try:
        found = roc.area([row["score"] for row in rows], [row["learned"] for row in rows])
    except ValueError as error:
        return Measured(
            case.case, case.source, case.at_least, math.nan, 0.0, at_least=True, detail=str(error)
        )
    return Measured(
        case.case, case.source, case.at_least, found.value, 0.0, at_least=True, detail=str(found)
    )


def _compared(case: Case, row: dict[str, Any]) -> Measured:
    measured = math.nan if row["measured"] is None else float(row["measured"])
    if case.at_least is not None:
        return Measured(case.case, case.source, case.at_least, measured, 0.0, at_least=True)
    expected = float(row["expected"] if case.expected is None else case.expected)
    relative = None if case.relative is None else case.relative * abs(expected)
    tolerance = relative if case.absolute is None else case.absolute
    assert tolerance is not None  # exactly one is given
    return Measured(case.case, case.source, expected, measured, tolerance)


def _excess(found: Measured) -> float:
    """How far off a number is, in units of what is allowed; the worst is the largest."""
    if math.isnan(found.measured):
        return math.inf
    if found.at_least:
        return found.expected - found.measured
    return abs(found.measured - found.expected) / max(found.tolerance, 1e-300)
