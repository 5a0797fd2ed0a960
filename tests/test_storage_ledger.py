"""Exactly once, all or nothing, and one owner per trial."""

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from talweg.storage.client import Client
from talweg.storage.errors import Fenced, StoreError
from talweg.storage.sender import Sender

from .storage_helpers import Rows, begun, ending, local_store, rows, steps, sweep, trials, updates


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with local_store(tmp_path) as client:
        yield begun(client, "w", ["a", "b"])


def test_a_flush_sent_three_times_is_stored_once(client: Client) -> None:
    for _ in range(3):
        client.append("w", 1, {"steps": steps(["a"], 0)})
    assert updates(client, "a") == [0]


def test_an_old_flush_resent_later_is_dropped_even_with_other_rows(client: Client) -> None:
    for sequence in (1, 2, 1, 2, 3, 1):
        client.append("w", sequence, {"steps": steps(["a"], sequence)})
    assert updates(client, "a") == [1, 2, 3]


def test_a_gap_is_refused_and_the_missing_flush_still_welcome(client: Client) -> None:
    client.append("w", 1, {"steps": steps(["a"], 1)})
    with pytest.raises(StoreError, match="flush 3 of writer 'w' came too early: 2 is next"):
        client.append("w", 3, {"steps": steps(["a"], 3)})
    client.append("w", 2, {"steps": steps(["a"], 2)})
    assert updates(client, "a") == [1, 2]


def test_the_same_flush_from_many_threads_at_once_is_stored_once(client: Client) -> None:
    together = threading.Barrier(8)

    def send(_: int) -> None:
        together.wait()
        client.append("w", 1, {"steps": steps(["a"], 1)})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    assert updates(client, "a") == [1]


def test_the_ledger_survives_a_restart(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        begun(client, "w", ["a"]).append("w", 1, {"steps": steps(["a"], 1)})
    with local_store(tmp_path) as client:
        client.append("w", 1, {"steps": steps(["a"], 1)})
        client.append("w", 2, {"steps": steps(["a"], 2)})
        with pytest.raises(Fenced):
            client.append("stranger", 1, {"steps": steps(["a"], 1)})
        assert updates(client, "a") == [1, 2]
        assert rows(client, "select * from ledger") == [{"writer": "w", "sequence": 2}]


def test_a_flush_is_stored_with_all_its_tables_or_not_at_all(client: Client) -> None:
    verdict: Rows = {"trial_id": ["a"], "update": [1], "verdict": ["dead"], "reason": ["units"]}
    flush = {"steps": steps(["a"], 1), "verdicts": verdict | {"evidence": ["{not json"]}}
    with pytest.raises(StoreError, match="JSON"):
        client.append("w", 1, flush)
    assert updates(client, "a") == []
    client.append("w", 1, flush | {"verdicts": verdict | {"evidence": ["{}"]}})
    assert updates(client, "a") == [1]
    assert rows(client, "select evidence from verdicts") == [{"evidence": "{}"}]


def test_of_flushes_committed_together_only_the_bad_one_is_refused(client: Client) -> None:
    writers = [f"w{i}" for i in range(16)]
    client.register(sweep("many"), trials(writers))
    for writer in writers:
        client.begin(writer, [writer])
    together = threading.Barrier(len(writers))

    def send(writer: str) -> bool:
        layer = 2**40 if writer == "w7" else 1  # does not fit the column
        row: Rows = {"trial_id": [writer], "update": [0], "layer": [layer], "name": ["hidden"]}
        together.wait()
        try:
            client.append(writer, 1, {"layers": row, "steps": steps([writer], 0)})
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(len(writers)) as pool:
        accepted = dict(zip(writers, pool.map(send, writers), strict=True))
    assert [writer for writer in writers if not accepted[writer]] == ["w7"]
    stored = {row["trial_id"] for row in rows(client, "select trial_id from steps")}
    assert stored == set(writers) - {"w7"}


def test_rows_of_a_trial_that_another_writer_took_over_are_fenced_off(client: Client) -> None:
    client.append("w", 1, {"steps": steps(["a"], 1)})
    assert client.begin("w2", ["a"]) == ["a"]
    with pytest.raises(Fenced, match="'w' may not add rows to trial 'a', which belongs to 'w2'"):
        client.append("w", 2, {"steps": steps(["b", "a"], 2)})
    client.append("w", 2, {"steps": steps(["b"], 2)})
    assert (updates(client, "a"), updates(client, "b")) == ([], [2])


def test_rows_of_a_trial_that_nobody_began_are_refused(client: Client) -> None:
    with pytest.raises(Fenced, match="'c', which was begun by nobody"):
        client.append("w", 1, {"steps": steps(["c"], 1)})


def test_begin_deletes_the_rows_of_an_unfinished_attempt_from_every_table(client: Client) -> None:
    key: Rows = {"trial_id": ["a"], "update": [1]}
    first: Rows = {
        "steps": steps(["a", "b"], 1),
        "layers": key | {"layer": [1], "name": ["hidden"]},
        "probes": key | {"probe": ["p"], "key": ["k"]},
        "predictions": {"trial_id": ["a"], "key": ["k"], "source": ["theory"]},
        "verdicts": key | {"verdict": ["dead"], "reason": ["r"], "evidence": ["{}"]},
        "summaries": {"trial_id": ["a"], "metric": ["train_loss"]},
    }
    client.append("w", 1, first)
    client.append("w", 2, {"endings": ending(["a"], "failed", error=["out of memory"])})
    assert client.begin("w2", ["a"]) == ["a"]
    for table in first:
        assert rows(client, f"select * from {table} where trial_id = 'a'") == []
    assert updates(client, "b") == [1]
    (trial,) = rows(client, "select * from trials where trial_id = 'a'")
    assert (trial["attempt"], trial["writer"]) == (2, "w2")
    assert (trial["outcome"], trial["error"], trial["updates"]) == (None, None, None)
    assert trial["started_at"].tzinfo is not None


def test_begin_again_by_the_same_writer_changes_nothing(client: Client) -> None:
    client.append("w", 1, {"steps": steps(["a"], 1)})
    before = rows(client, "select * from trials order by trial_id")
    assert client.begin("w", ["b", "a"]) == ["b", "a"]
    assert rows(client, "select * from trials order by trial_id") == before
    assert updates(client, "a") == [1]


@pytest.mark.parametrize("outcome", ["done", "reached_target", "diverged"])
def test_a_finished_trial_is_left_alone(client: Client, outcome: str) -> None:
    client.append("w", 1, {"steps": steps(["a"], 1), "endings": ending(["a"], outcome)})
    assert client.begin("w2", ["a", "b"]) == ["b"]
    assert updates(client, "a") == [1]
    assert client.finished(["a", "b", "c"]) == {"a": outcome}


def test_begin_refuses_a_trial_that_no_sweep_registered(client: Client) -> None:
    with pytest.raises(StoreError, match="no sweep registered cannot begin: 'nobody'"):
        client.begin("w", ["a", "nobody"])


def test_a_later_summary_takes_the_place_of_the_one_before(client: Client) -> None:
    def summary(metric: str, last: float) -> Rows:
        return {"trial_id": ["a"], "metric": [metric], "last": [last]}

    client.append("w", 1, {"summaries": summary("train_loss", 3.0)})
    twice: Rows = {"trial_id": ["a"] * 2, "metric": ["train_loss"] * 2, "last": [2.0, 1.0]}
    client.append("w", 2, {"summaries": twice})
    client.append("w", 3, {"summaries": summary("test_loss", 9.0)})
    found = rows(client, "select metric, last from summaries order by metric desc")
    assert found == [{"metric": "train_loss", "last": 1.0}, {"metric": "test_loss", "last": 9.0}]


def test_numbers_that_are_not_finite_become_null(client: Client) -> None:
    losses = [math.nan, math.inf, -math.inf, None, 0.25]
    client.append("w", 1, {"steps": steps(["a"] * 5, 1, train_loss=losses)})
    stored = rows(client, "select train_loss from steps order by train_loss nulls last")
    assert [row["train_loss"] for row in stored] == [0.25, None, None, None, None]


def test_a_sender_delivers_everything_in_order_before_it_leaves(client: Client) -> None:
    with Sender(client, "w", max_waiting=2) as sender:
        for update in range(50):
            sender.put({"steps": steps(["a", "b"], update)})
        sender.put({"steps": steps([], 0)})
    assert updates(client, "a") == list(range(50))
    assert rows(client, "select sequence from ledger") == [{"sequence": 50}]


def test_a_sender_says_at_once_which_rows_do_not_fit(client: Client) -> None:
    with Sender(client, "w") as sender:
        with pytest.raises(StoreError, match=r"no column 'trian_loss'; did you mean 'train_loss'"):
            sender.put({"steps": steps(["a"], 1) | {"trian_loss": [1.0]}})
        sender.put({"steps": steps(["a"], 1)})
    assert updates(client, "a") == [1]


def test_a_sender_whose_trials_were_taken_over_raises_and_never_blocks(client: Client) -> None:
    client.begin("w2", ["a"])
    sender = Sender(client, "w", max_waiting=1)

    def send_for_ever() -> None:
        while True:
            sender.put({"steps": steps(["a"], 1)})

    with pytest.raises(Fenced):
        send_for_ever()
    with pytest.raises(Fenced):
        sender.close()
    assert updates(client, "a") == []
