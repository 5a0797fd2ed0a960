"""Sweeps and trials: registering, reusing, statuses."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talweg.storage.client import Client
from talweg.storage.errors import StoreError

from .storage_helpers import Rows, begun, ending, local_store, rows, sweep, trials


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with local_store(tmp_path) as client:
        yield client


def everything(client: Client) -> list[Any]:
    tables = ("sweeps", "trials", "sweep_trials")
    return [rows(client, f"select * from {table} order by all") for table in tables]


def test_registering_again_changes_nothing(client: Client) -> None:
    client.register(sweep(), trials(["a", "b"]))
    before = everything(client)
    client.register(sweep(), trials(["a", "b"]))
    assert everything(client) == before
    assert [row["reused"] for row in before[2]] == [False, False]
    assert [(row["attempt"], row["outcome"]) for row in before[1]] == [(0, None), (0, None)]


def test_registering_a_known_sweep_sets_its_status_and_adds_new_trials(client: Client) -> None:
    client.register(sweep(), trials(["a"]))
    (created,) = rows(client, "select created_at from sweeps")
    client.set_status("s", "interrupted")
    client.register(sweep(status="running"), trials(["a", "b"]))
    assert rows(client, "select status, created_at from sweeps") == [
        {"status": "running", **created}
    ]
    assert rows(client, "select count(*) as n from sweep_trials") == [{"n": 2}]


def test_a_trial_finished_earlier_is_reused_and_keeps_what_it_has(client: Client) -> None:
    begun(client, "w", ["a", "b"]).append("w", 1, {"endings": ending(["a"], "diverged")})
    client.register(sweep("later"), trials(["a", "b", "c"], slug=["x", "y", "z"]))
    reused = rows(
        client, "select trial_id, slug, reused from sweep_trials where sweep_id = 'later'"
    )
    assert sorted((r["trial_id"], r["slug"], r["reused"]) for r in reused) == [
        ("a", "x", True),
        ("b", "y", False),
        ("c", "z", False),
    ]
    (trial,) = rows(client, "select * from trials where trial_id = 'a'")
    assert (trial["outcome"], trial["slug"], trial["updates"]) == ("diverged", "test/a", 10)
    assert client.finished(["a", "b", "c"]) == {"a": "diverged"}


def test_reused_is_what_held_when_the_sweep_first_asked(client: Client) -> None:
    begun(client, "w", ["a"]).append("w", 1, {"endings": ending(["a"])})
    client.register(sweep(), trials(["a"]))
    assert rows(client, "select reused from sweep_trials") == [{"reused": False}]


def test_a_trial_listed_twice_is_registered_once(client: Client) -> None:
    client.register(sweep(), trials(["a", "a", "b"]))
    assert rows(client, "select count(*) as n from trials") == [{"n": 2}]
    assert rows(client, "select count(*) as n from sweep_trials") == [{"n": 2}]


def test_configurations_may_be_mappings_and_columns_arrays(client: Client) -> None:
    columns: Rows = {"config": [{"lr": 0.1}, {"lr": None}], "lr": np.array([0.1, 1.0])}
    columns |= {"batch_size": [None, 32], "clip_norm": [None, None], "residual": [True, None]}
    client.register(sweep(spec={"grid": {"seed": [1]}}), trials(["a", "b"], **columns))
    found = rows(
        client,
        "select config->>'lr' as text, lr, batch_size, clip_norm, residual, "
        "(select spec->>'$.grid.seed[0]' from sweeps) as seed from trials order by trial_id",
    )
    assert [list(row.values()) for row in found] == [
        ["0.1", 0.1, None, None, True, "1"],
        [None, 1.0, 32, None, None, "1"],
    ]


@pytest.mark.parametrize(
    ("row", "columns", "why"),
    [
        (sweep(colour="red"), trials(["a"]), "sweeps: column 'colour' cannot be registered"),
        (sweep(), trials(["a"], outcome=["done"]), "trials: column 'outcome' cannot be registered"),
        (sweep(), trials(["a"], widht=[3]), "'widht' cannot be registered; did you mean 'width'"),
        (sweep(), {"trial_id": ["a"]}, "trials: columns are missing: slug"),
        (sweep(), {"trial_id": ["a"], "slug": ["x"]}, "NOT NULL"),
        (sweep(), trials(["a"], seed=["one"]), "one"),
        (sweep(), trials(["a"], config=["{"]), "JSON"),
        (sweep(), trials(["a"], lr=[1.0, 2.0]), "differ in length"),
        (sweep(spec="{"), trials(["a"]), "JSON"),
        (sweep(name=None), trials(["a"]), "NOT NULL"),
        ({"name": "nameless"}, trials(["a"]), "sweep_id is missing"),
        (sweep(owner=object()), trials(["a"]), "no JSON form"),
    ],
)
def test_a_sweep_that_does_not_fit_leaves_no_trace(
    client: Client, row: Rows, columns: Rows, why: str
) -> None:
    with pytest.raises(StoreError, match=why):
        client.register(row, columns)
    assert everything(client) == [[], [], []]


def test_the_status_of_an_unknown_sweep_is_refused_with_the_nearest(client: Client) -> None:
    client.register(sweep("descent-digits-1f3a"), trials(["a"]))
    with pytest.raises(
        StoreError, match="no sweep 'descent-digits'; did you mean 'descent-digits-1"
    ):
        client.set_status("descent-digits", "done")
    client.set_status("descent-digits-1f3a", "done")
    assert rows(client, "select status from sweeps") == [{"status": "done"}]


def test_nothing_asked_is_nothing_answered(client: Client) -> None:
    assert client.finished([]) == {}
    assert client.begin("w", []) == []
    client.append("w", 1, {})
    client.append("w", 2, {"steps": {}})


def test_of_many_writers_that_begin_the_same_trial_at_once_the_last_owns_it(client: Client) -> None:
    client.register(sweep(), trials(["a"]))
    writers = [f"w{i}" for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda writer: client.begin(writer, ["a"]), writers))
    assert answers == [["a"]] * 8
    (trial,) = rows(client, "select attempt, writer from trials")
    assert trial["attempt"] == 8
    client.append(trial["writer"], 1, {"endings": ending(["a"])})


def test_a_sweep_of_a_hundred_thousand_trials(client: Client) -> None:
    ids = [f"{i:020x}" for i in range(100_000)]
    config = '{"model": {"name": "mlp", "depth": 2, "width": 64}, "optimizer": {"lr": 0.1}}'
    columns = trials(ids, config=[config] * len(ids))
    client.register(sweep(), columns)
    client.register(sweep(), columns)
    assert client.begin("w", ids[::1000]) == ids[::1000]
    client.append("w", 1, {"endings": ending(ids[::1000])})
    assert client.finished(ids) == dict.fromkeys(ids[::1000], "done")
    assert client.status()["rows"]["sweep_trials"] == 100_000
