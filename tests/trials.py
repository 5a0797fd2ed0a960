"""Small trials and packs that several test modules share."""

from collections import defaultdict
from typing import Any

import torch

from talweg.workloads import engine, problems
from talweg.workloads.options import Options
from talweg.workloads.records import Outcome, Records, columns_of
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack
from talweg.workloads.updaters import Taped

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


def probed(probe: str, *trials: TrialSpec) -> list[dict[tuple[str, int | None], float | None]]:
    """What a probe says of every trial of one pack at its last recording, by key and layer."""
    _, rows = run(list(trials))
    found = []
    for one in trials:
        own = [r for r in rows.rows("probes", one.trial_id) if r["probe"] == probe]
        last = max((r["update"] for r in own), default=0)
        found.append({(r["key"], r["layer"]): r["value"] for r in own if r["update"] == last})
    return found


def assert_every_path_makes_the_same_updates(pack: list[TrialSpec], updates: int) -> None:
    """Tape and eager path agree to rounding, and so does what is left of a stack of three."""
    data = problems.load(pack[0].problem)
    taped, eager, fewer = (Stack(pack, data, torch.device("cpu")) for _ in range(3))
    eager.updater = eager.eager()
    for stack in (taped, eager, fewer):
        stack.descend(10)
    fewer.keep([0, 2])
    for stack in (taped, eager, fewer):
        stack.descend(updates)
    assert isinstance(taped.updater, Taped)
    assert None not in taped.updater.one.tapes.values()
    for one, other, third in zip(taped.params, eager.params, fewer.params, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(third, one[[0, 2]], rtol=1e-12, atol=1e-12)
