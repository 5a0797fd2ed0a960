"""The named queries against NumPy on the same rows, and at their edges."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from talweg.dashboard.metrics import METRICS
from talweg.storage.client import Client

from . import dashboard_data as data
from .storage_helpers import local_store

SWEEP = "descent-1a2b"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("store")) as client:
        data.fill(client, SWEEP)
        data.fill(client, "descent-live", running=True)
        data.fill(client, "isolated", alone=data.everybody)
        data.fill(client, "mixed", alone=lambda trial: trial.seed < 3)
        yield client


def rows(client: Client, query: str, sweep_id: str = SWEEP, **other: Any) -> list[dict[str, Any]]:
    answer = client.query(query, {"sweep_id": sweep_id, **other})
    return list(answer.to_pylist())


def seeds_of(descent: str, lr: float) -> list[data.Trial]:
    return [t for t in data.grid() if (t.descent, t.lr) == (descent, lr) and not t.fails]


CELLS = [("batch", 1.0), ("mini_batch", 0.316), ("mini_batch", 1.0), ("stochastic", 0.316)]


@pytest.mark.parametrize(("descent", "lr"), CELLS)
def test_curves_are_mean_and_deviation_over_seeds(client: Client, descent: str, lr: float) -> None:
    answer = rows(client, "descent", metric="test_score")
    points = {r["updates"]: r for r in answer if (r["descent"], r["lr"]) == (descent, lr)}
    values: dict[int, list[float]] = {}
    for trial in seeds_of(descent, lr):
        for update, error in zip(trial.recorded(), trial.error(), strict=True):
            values.setdefault(int(update), []).append(1 - error)
    assert points.keys() == values.keys()
    for update, seen in values.items():
        point = points[update]
        assert point["n"] == len(seen)
        assert point["mean"] == pytest.approx(np.mean(seen))
        if len(seen) > 1:
            assert point["stddev"] == pytest.approx(np.std(seen, ddof=1))
        assert (point["lowest"], point["highest"]) == pytest.approx((min(seen), max(seen)))
        assert point["trials"] == max(map(len, values.values()))


@pytest.mark.parametrize("along", ["updates", "samples"])
def test_a_part_of_the_curves_is_the_same_rows(client: Client, along: str) -> None:
    whole = rows(client, "descent", metric="test_score")
    part = rows(client, "descent", metric="test_score", along=along, low=100, high=1000)
    inside = [row for row in whole if 100 <= row[along] <= 1000]
    assert len(part) == len(inside) > 20
    for one, other in zip(part, inside, strict=True):
        counted = {row["updates"] for row in inside if key(row) == key(one)}
        assert one | {"recordings": 0} == other | {"recordings": 0}
        assert one["recordings"] == len(counted)


def test_the_curves_of_named_groups_are_the_same_rows(client: Client) -> None:
    wanted = [("batch", None, 1.0), ("mini_batch", 32, 0.316)]
    names: dict[str, Any] = {
        "descents": ["batch", "mini_batch"], "batch_sizes": [None, 32], "lrs": [1.0, 0.316],
    }  # fmt: skip
    whole = rows(client, "descent", metric="test_score")
    found = rows(client, "descent", SWEEP, metric="test_score", **names)
    assert {key(row) for row in found} == set(wanted)
    assert found == [row for row in whole if key(row) in wanted]


def test_costs_may_be_asked_for_at_some_rates_only(client: Client) -> None:
    asked: dict[str, Any] = {"factors": ["$.seed"], "metric": "test_score", "target": 0.5}
    at = len([trial for trial in data.grid() if trial.lr == 1.0 and not trial.fails])
    assert 0 < len(rows(client, "target_costs", SWEEP, lrs=[1.0], **asked)) == at
    assert len(rows(client, "target_costs", SWEEP, **asked)) > at


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["descent"], row["batch_size"], row["lr"]


@pytest.mark.parametrize(("descent", "lr"), CELLS)
def test_time_to_target_is_the_first_recording_that_meets_it(
    client: Client, descent: str, lr: float
) -> None:
    answer = rows(client, "time_to_target", metric="test_score", target=data.TARGET)
    cell = {r["unit"]: r for r in answer if (r["descent"], r["lr"]) == (descent, lr)}
    costs = []
    for trial in seeds_of(descent, lr):
        met = np.flatnonzero(1 - trial.error() >= data.TARGET)
        costs += [int(trial.recorded()[met[0]])] if len(met) else []
    updates, samples = cell["updates"], cell["samples"]
    assert updates["trials"] == len(seeds_of(descent, lr))
    assert updates["reached"] == len(costs)
    if costs:
        assert updates["mean"] == pytest.approx(np.mean(costs))
        size = seeds_of(descent, lr)[0].batch_size or data.TRAIN_SAMPLES
        assert samples["mean"] == pytest.approx(size * np.mean(costs))
        assert 0 < samples["gap"] < 0.5


@pytest.mark.parametrize(("descent", "lr"), CELLS)
def test_seconds_to_target_are_those_of_that_recording(
    client: Client, descent: str, lr: float
) -> None:
    answer = rows(client, "time_to_target", "isolated", metric="test_score", target=data.TARGET)
    cell = {r["unit"]: r for r in answer if (r["descent"], r["lr"]) == (descent, lr)}["seconds"]
    costs = []
    for trial in seeds_of(descent, lr):
        met = np.flatnonzero(1 - trial.error() >= data.TARGET)
        costs += [trial.seconds()[met[0]]] if len(met) else []
    assert cell["reached"] == len(costs)
    if costs:
        assert cell["mean"] == pytest.approx(np.mean(costs))
        assert cell["stddev"] == pytest.approx(np.std(costs, ddof=1))
    else:
        assert cell["mean"] is None


# sweep -> (isolated, shared) of the five trials of a group
TIMINGS = {SWEEP: (0, 5), "isolated": (5, 0), "mixed": (3, 2)}


@pytest.mark.parametrize("sweep_id", TIMINGS)
@pytest.mark.parametrize("query", ["descent", "time_to_target"])
def test_groups_say_whose_their_seconds_are(client: Client, query: str, sweep_id: str) -> None:
    target = {"target": data.TARGET} if query == "time_to_target" else {}
    answer = rows(client, query, sweep_id, metric="test_score", **target)
    found = {(r["isolated"], r["shared"]) for r in answer if r["lr"] == 0.1}
    assert found == {TIMINGS[sweep_id]}


def test_a_failed_trial_says_nothing_of_the_seconds_of_the_others(client: Client) -> None:
    found = {r["isolated"]: r["trials"] for r in rows(client, "hardware", "isolated")}
    assert found == {True: 74, None: 1}
    answer = rows(client, "time_to_target", "isolated", metric="test_score", target=data.TARGET)
    assert {r["shared"] for r in answer} == {0}


def test_a_falling_metric_is_met_from_above(client: Client) -> None:
    answer = rows(client, "time_to_target", metric="test_loss", target=0.2)
    reached = {(r["descent"], r["lr"]): r["reached"] for r in answer if r["unit"] == "updates"}
    assert reached["mini_batch", 0.316] == 5
    assert reached["batch", 0.01] == 0


def test_diverged_trials_are_counted_and_not_averaged(client: Client) -> None:
    answer = rows(client, "learning_rates", metric="test_score")
    cells = {(r["descent"], r["lr"]): r for r in answer}
    assert cells["stochastic", 1.0]["diverged"] == 5
    assert cells["stochastic", 1.0]["mean"] is None
    partly = cells["stochastic", 0.316]
    last = [1 - t.error()[-1] for t in seeds_of("stochastic", 0.316) if not t.diverges]
    assert (partly["diverged"], partly["n"]) == (2, 3)
    assert partly["mean"] == pytest.approx(np.mean(last))


def test_failed_trials_are_missing_with_their_reason(client: Client) -> None:
    cells = {(r["descent"], r["lr"]): r for r in rows(client, "learning_rates", metric="test_loss")}
    cell = cells["mini_batch", 1.0]
    assert (cell["planned"], cell["finished"], cell["failed"], cell["missing"]) == (5, 4, 1, 1)
    (failure,) = rows(client, "failures")
    assert failure["reason"] == data.FAILURE
    assert failure["example"] == "mini_batch32-lr1-s4"


def test_progress_and_outcomes_of_a_running_sweep_add_up(client: Client) -> None:
    (progress,) = rows(client, "sweep_progress", "descent-live")
    outcomes = {r["outcome"]: r["trials"] for r in rows(client, "outcomes", "descent-live")}
    assert outcomes == {"done": 66, "diverged": 7, "failed": 1, "running": 1}
    assert (progress["finished"], progress["failed"], progress["under_way"]) == (73, 1, 1)
    assert progress["trials"] == sum(outcomes.values())
    assert progress["recent_trials"] == 64
    assert progress["recent_s"] > 0


def test_a_trial_under_way_stays_out_while_others_of_its_group_have_ended(client: Client) -> None:
    points = rows(client, "descent", "descent-live", metric="test_loss")
    cell = [r for r in points if (r["descent"], r["lr"]) == ("batch", 0.01)]
    assert {r["n"] for r in cell} == {4}


def test_a_group_of_trials_under_way_is_shown_as_far_as_it_is(client: Client) -> None:
    trial = data.Trial("batch", None, 0.1, 0)
    client.register(data.sweep_row("young", "young"), data.trial_columns("young", [trial]))
    client.begin("young", [data.identity("young", trial)])
    client.append("young", 1, {"steps": data.step_columns("young", trial, upto=3)})
    points = rows(client, "descent", "young", metric="train_loss")
    assert [(r["updates"], r["n"]) for r in points] == [(0, 1), (1, 1), (2, 1)]
    assert points[0]["stddev"] is None
    assert (points[0]["isolated"], points[0]["shared"]) == (0, 0)


def test_only_what_varies_is_listed_and_numbers_are_in_order(client: Client) -> None:
    factors = {r["factor"]: r["values"] for r in rows(client, "factors")}
    assert factors.keys() == {"batch_size", "budget_updates", "descent", "lr", "seed"}
    assert factors["budget_updates"] == ["20", "900", "28740"]
    assert factors["batch_size"] == ["1", "32", "all"]


def test_target_comes_from_the_trials_configuration(client: Client) -> None:
    (target,) = rows(client, "target")
    assert (target["metric"], target["value"]) == ("test_accuracy", data.TARGET)


def test_equal_results_have_equal_fingerprints_and_one_bit_changes_them(client: Client) -> None:
    first = {r["table"]: r["fingerprint"] for r in rows(client, "fingerprint")}
    again = {r["table"]: r["fingerprint"] for r in rows(client, "fingerprint")}
    assert first == again
    other = {r["table"]: r["fingerprint"] for r in rows(client, "fingerprint", "descent-live")}
    assert first["steps"] != other["steps"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("query", ["descent", "learning_rates", "time_to_target"])
def test_a_sweep_that_does_not_exist_has_no_rows(client: Client, query: str, metric: str) -> None:
    target = {"target": 0.5} if query == "time_to_target" else {}
    assert rows(client, query, "nope", metric=metric, **target) == []


def test_activity_names_what_runs(client: Client) -> None:
    (activity,) = client.query("activity").to_pylist()
    assert "descent-live" in activity["running"].split()
    assert SWEEP not in activity["running"].split()
