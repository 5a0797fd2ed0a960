"""Small trials and packs that several test modules share."""

from collections import defaultdict
from typing import Any

from talweg.workloads import engine, problems
from talweg.workloads.options import Options
from talweg.workloads.records import Outcome, Records, columns_of
from talweg.workloads.spec import TrialSpec

DESCENTS: dict[str, dict[str, Any]] = {
    "batch": {"name": "batch"},
    "stochastic": {"name": "stochastic"},
    "mini_batch": {"name": "mini_batch", "batch_size": 32},
}


def trial(**parts: Any) -> TrialSpec:
    """A quick trial on iris in float64, with some parts replaced."""
    defaults: dict[str, Any] = {
        "problem": {"name": "iris"},
        "model": {"depth": 2, "width": 16},
        "dtype": "float64",
        "budget": {"updates": 20},
    }
    return TrialSpec.model_validate(defaults | parts)


class Collected:
    """A sink that keeps every column, table by table."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        self.flushes: list[Records] = []

    def wait(self) -> None:
        """Everything is safe here."""

    def put(self, records: Records) -> None:
        """See ``engine.Sink``."""
        self.flushes.append(records)
        for table, columns in records.items():
            length = len(columns["trial_id"])
            for name in columns_of(table):
                self.tables[table][name] += list(columns.get(name, [None] * length))

    def rows(self, table: str, trial_id: str) -> list[dict[str, Any]]:
        """The rows of one trial, in the order they came."""
        columns = self.tables[table]
        picked = [i for i, t in enumerate(columns["trial_id"]) if t == trial_id]
        return [{name: values[i] for name, values in columns.items()} for i in picked]


def run(trials: list[TrialSpec], **options: Any) -> tuple[list[Outcome], Collected]:
    """Train a pack of trials of one shape; returns outcomes and rows."""
    collected = Collected()
    data = problems.load(trials[0].problem)
    done = engine.train(trials, data, collected, Options(**options))
    return [e.outcome for e in done.ended], collected
