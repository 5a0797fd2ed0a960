"""Problems by their name, for the test modules that are about them."""

from typing import Any

from pydantic import TypeAdapter

from talweg.workloads import problems
from talweg.workloads.problems.data import Data
from talweg.workloads.problemspecs import Problem

PROBLEM: TypeAdapter[Any] = TypeAdapter(Problem)


def spec(name: str, **fields: Any) -> Any:
    return PROBLEM.validate_python({"name": name, **fields})


def load(name: str, **fields: Any) -> Data:
    return problems.load(spec(name, **fields))
