"""Continuing an attempt from a checkpoint: what stays, what goes, and who may write then."""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from talweg.storage.client import Client
from talweg.storage.errors import Fenced, StoreError

from .storage_helpers import (
    Rows,
    begun,
    child_store,
    ending,
    local_store,
    python,
    rows,
    steps,
    sweep,
    trials,
    updates,
)

WORKER = """
import sys
from talweg.storage.client import connect
from talweg.storage.sender import Sender

with connect(sys.argv[1]) as client, Sender(client, "w") as sender:
    client.begin("w", ["a", "b"])
    both = {"trial_id": ["a", "b"], "epoch": [0.0] * 2, "lr": [0.1] * 2}
    for n in range(1, 10**9):
        number = {name: [n] * 2 for name in ("update", "samples", "gradient_evaluations")}
        sender.put({"steps": both | number})
        if n % 7 == 0:
            sender.wait()
            print(n, flush=True)
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with local_store(tmp_path) as client:
        yield begun(client, "w", ["a", "b", "c"])


def everything(ids: Sequence[str], update: int) -> Rows:
    """A row of every table."""
    n = len(ids)
    key: Rows = {"trial_id": list(ids), "update": [update] * n}
    return {
        "steps": steps(ids, update),
        "layers": key | {"layer": [1] * n, "name": ["hidden"] * n},
        "probes": key | {"probe": ["p"] * n, "key": ["k"] * n},
        "verdicts": key | {"verdict": ["dead"] * n, "reason": ["r"] * n, "evidence": ["{}"] * n},
        "predictions": {"trial_id": list(ids), "key": ["k"] * n, "source": ["theory"] * n},
        "summaries": {"trial_id": list(ids), "metric": ["train_loss"] * n},
    }


def stored(client: Client, table: str, trial_id: str) -> list[int]:
    sql = f"select update from {table} where trial_id = $t order by 1"
    return [row["update"] for row in rows(client, sql, t=trial_id)]


@pytest.mark.parametrize(
    ("update", "left"), [(0, [0]), (4, [0, 4]), (5, [0, 4]), (8, [0, 4, 8]), (2**40, [0, 4, 8, 9])]
)
def test_rows_up_to_the_update_stay_in_every_table(
    client: Client, update: int, left: list[int]
) -> None:
    for sequence, recorded in enumerate([0, 4, 8, 9], 1):
        client.append("w", sequence, everything(["a", "b"], recorded))
    sql = "select trial_id, attempt, started_at from trials order by trial_id"
    before = rows(client, sql)
    assert client.resume("w2", ["a"], "w", update) == ["a"]
    for table in ("steps", "layers", "probes", "verdicts"):
        assert stored(client, table, "a") == left, table
        assert stored(client, table, "b") == [0, 4, 8, 9], table
    for table in ("predictions", "summaries"):
        assert len(rows(client, f"from {table} where trial_id = 'a'")) == (
            4 if table == "predictions" else 1
        )
    assert rows(client, sql) == before
    assert [row["attempt"] for row in before] == [1, 1, 1]


@pytest.mark.parametrize(
    ("owner", "outcome", "goes_on"),
    [
        ("w", None, True),
        ("w", "failed", True),
        ("w", "cancelled", True),
        ("w", "done", False),
        ("w", "reached_target", False),
        ("w", "diverged", False),
        ("other", None, False),
        ("other", "failed", False),
        ("other", "done", False),
        (None, None, False),
    ],
)
def test_only_what_is_unfinished_and_still_the_predecessors_goes_on(
    tmp_path: Path, owner: str | None, outcome: str | None, goes_on: bool
) -> None:
    with local_store(tmp_path) as client:
        begun(client, "w", ["b"]).register(sweep(), trials(["a"]))
        if owner is not None:
            client.begin(owner, ["a"])
            client.append(owner, 1, {"steps": steps(["a"], 1)})
        if owner is not None and outcome is not None:
            client.append(owner, 2, {"endings": ending(["a"], outcome, error=["why"])})
        before = rows(client, "from trials where trial_id = 'a'")
        assert client.resume("w2", ["a", "b"], "w", 0) == (["a", "b"] if goes_on else ["b"])
        (now,) = rows(client, "from trials where trial_id = 'a'")
        if goes_on:
            assert (now["writer"], now["outcome"], now["error"]) == ("w2", None, None)
            assert (now["attempt"], now["started_at"]) == (1, before[0]["started_at"])
            assert updates(client, "a") == []
        else:
            assert [now] == before
            assert updates(client, "a") == ([1] if owner else [])


def test_the_answer_has_the_order_of_the_question_and_each_trial_once(client: Client) -> None:
    assert client.resume("w2", ["c", "a", "c", "b"], "w", 0) == ["c", "a", "b"]
    assert client.resume("w3", [], "w2", 0) == []


def test_from_then_on_the_predecessor_is_refused_and_the_successor_accepted(
    client: Client,
) -> None:
    client.append("w", 1, {"steps": steps(["a"], 1)})
    client.resume("w2", ["a"], "w", 1)
    with pytest.raises(Fenced, match="'w' may not add rows to trial 'a', which belongs to 'w2'"):
        client.append("w", 2, {"steps": steps(["a"], 2)})
    client.append("w", 1, {"steps": steps(["a"], 1)})  # acknowledged before: no offence
    client.append("w", 2, {"steps": steps(["b"], 2)})
    client.append("w2", 1, {"steps": steps(["a"], 2), "endings": ending(["a"])})
    assert (updates(client, "a"), updates(client, "b")) == ([1, 2], [2])
    assert client.finished(["a", "b"]) == {"a": "done"}


def test_a_repeated_call_says_the_same_and_deletes_nothing_that_came_since(
    client: Client,
) -> None:
    client.append("w", 1, {"steps": steps(["a", "b"], 1)})
    client.append("w", 2, {"steps": steps(["a", "b"], 2)})
    answers = [client.resume("w2", ["b", "a"], "w", 1) for _ in range(2)]
    client.append("w2", 1, {"steps": steps(["a"], 2)})
    before = rows(client, "from trials order by all")
    answers.append(client.resume("w2", ["b", "a"], "w", 1))
    assert answers == [["b", "a"]] * 3
    assert rows(client, "from trials order by all") == before
    assert (updates(client, "a"), updates(client, "b")) == ([1, 2], [1])


def test_of_two_successors_the_second_gets_nothing(client: Client) -> None:
    client.append("w", 1, {"steps": steps(["a"], 1)})
    assert client.resume("w2", ["a"], "w", 1) == ["a"]
    assert client.resume("w3", ["a"], "w", 0) == []
    assert updates(client, "a") == [1]
    assert client.begin("w3", ["a"]) == ["a"]
    assert client.resume("w2", ["a"], "w", 1) == []
    assert updates(client, "a") == []


def test_a_successor_can_be_succeeded(client: Client) -> None:
    for number, (previous, writer) in enumerate([("w", "w2"), ("w2", "w3"), ("w3", "w4")]):
        client.append(previous, 1, {"steps": steps(["a"] * 2, 0, update=[number, 99])})
        assert client.resume(writer, ["a"], previous, number) == ["a"]
    assert updates(client, "a") == [0, 1, 2]
    assert rows(client, "select attempt, writer from trials where trial_id = 'a'") == [
        {"attempt": 1, "writer": "w4"}
    ]


@pytest.mark.parametrize(
    ("writer", "trial_ids", "previous", "update", "why"),
    [
        ("w2", ["a", "nobody"], "w", 1, "no sweep registered cannot begin: 'nobody'; register"),
        ("w", ["a"], "w", 1, "'w' cannot resume what it owns itself: take a fresh writer name"),
        ("", ["a"], "w", 1, "writer: '' is not a name"),
        ("w2", ["a"], "", 1, "previous: '' is not a name"),
        ("w2", [3], "w", 1, "trial_ids: not a list of names"),
        ("w2", ["a"], "w", -1, "update: -1 is not a number of updates"),
        ("w2", ["a"], "w", 1.5, r"update: 1\.5 is not a number of updates"),
        ("w2", ["a"], "w", True, "update: True is not a number of updates"),
        ("w2", ["a"], "w", None, "update: None is not a number of updates"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    client: Client, writer: str, trial_ids: list[str], previous: str, update: int, why: str
) -> None:
    client.append("w", 1, {"steps": steps(["a"], 2)})
    with pytest.raises(StoreError, match=why):
        client.resume(writer, trial_ids, previous, update)
    assert updates(client, "a") == [2]
    client.append("w", 2, {"steps": steps(["a"], 3)})


@pytest.mark.parametrize("flushes", [-1, 1.5, True, None])
def test_a_number_of_flushes_that_makes_no_sense_is_refused(client: Client, flushes: int) -> None:
    with pytest.raises(StoreError, match=f"flushes: {flushes!r} is not a number of flushes"):
        client.resume("w2", ["a"], "w", 0, flushes)


def test_a_checkpoint_whose_flushes_are_not_all_there_is_not_gone_on_from(client: Client) -> None:
    client.append("w", 1, {"steps": steps(["a"], 1)})
    client.append("w", 2, {"steps": steps(["a"], 2)})
    assert client.resume("w2", ["a"], "w", 2, 3) == []
    assert updates(client, "a") == [1, 2]
    assert client.resume("w2", ["a"], "w", 2, 2) == ["a"]
    assert client.resume("w3", ["b"], "unknown", 0, 1) == []


def test_what_was_resumed_survives_the_death_of_the_store(tmp_path: Path) -> None:
    with child_store(tmp_path) as client:
        begun(client, "w", ["a"]).append("w", 1, {"steps": steps(["a"] * 2, 0, update=[1, 2])})
        assert client.resume("w2", ["a"], "w", 1) == ["a"]
        os.kill(client.status()["pid"], signal.SIGKILL)
        assert client.resume("w2", ["a"], "w", 1) == ["a"]
        with pytest.raises(Fenced):
            client.append("w", 2, {"steps": steps(["a"], 3)})
        client.append("w2", 1, {"steps": steps(["a"], 2)})
        assert updates(client, "a") == [1, 2]


def test_a_killed_worker_is_continued_from_its_checkpoint_without_a_gap_or_a_double(
    tmp_path: Path,
) -> None:
    with child_store(tmp_path) as client:
        begun(client, "w0", ["a", "b"])
        worker = python(WORKER, client.where)
        assert worker.stdout is not None
        checkpoints = [int(worker.stdout.readline()) for _ in range(3)]
        worker.kill()
        worker.communicate(timeout=20)
        assert checkpoints == [7, 14, 21]
        # The store may not have come to what the dead worker sent last: it is refused later on.
        assert client.resume("w2", ["a", "b"], "w", 14) == ["a", "b"]
        assert (updates(client, "a"), updates(client, "b")) == ([*range(1, 15)],) * 2
        for sequence, update in enumerate(range(15, 20), 1):
            client.append("w2", sequence, {"steps": steps(["a", "b"], update)})
        assert (updates(client, "a"), updates(client, "b")) == ([*range(1, 20)],) * 2
        assert rows(client, "select distinct attempt, writer from trials") == [
            {"attempt": 2, "writer": "w2"}
        ]
