"""Performance profiles on pages: workloads, censored trials, scores computed by hand."""

import numpy as np
import pandas as pd
import pytest

from talweg.dashboard.findings import descent_result
from talweg.dashboard.metrics import DEFAULT_TARGET
from talweg.dashboard.profiles import of_descents, profile
from talweg.dashboard.tables import Ask
from talweg.storage.client import Client

from . import dashboard_data as data
from .storage_helpers import local_store

NEVER = np.nan


def costs(**updates: list[float]) -> pd.DataFrame:
    """One row per series and seed; samples are ten times the updates."""
    rows = [
        {"series": name, "seed": seed, "updates": cost, "samples": 10 * cost}
        for name, each in updates.items()
        for seed, cost in enumerate(each)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(series=pd.Categorical(frame["series"], categories=list(updates)))


def test_scores_are_the_area_below_the_curve() -> None:
    shown = profile(costs(fast=[10, 30], slow=[20, 15]), "it")
    assert shown.table is not None
    # Each is fastest once and twice as slow once: (1 + 2/3) / 2.
    assert shown.table["score in updates"].tolist() == pytest.approx([5 / 6, 5 / 6], abs=1e-3)
    assert "2 workloads (2 seeds)" in shown.caption
    drawn = shown.pictures[0].chart.to_dict()
    (values,) = drawn["datasets"].values()
    at_two = {row["series"]: row["share"] for row in values if row["tau"] == 2}
    assert at_two == {"fast": 1.0, "slow": 1.0}


def test_a_trial_that_never_met_the_target_stays_and_a_missing_one_goes() -> None:
    frame = costs(sure=[10, 10, 10], lucky=[10, NEVER, 10])
    censored = profile(frame, "it")
    assert censored.table is not None
    assert censored.table["score in samples"].tolist() == pytest.approx([1.0, 2 / 3], abs=1e-3)
    assert censored.table["met the target in"].tolist() == [3, 2]
    fewer = profile(frame[:-1], "it")
    assert "Of 2 workloads" in fewer.caption
    assert "1 workload without a trial of every series left out" in fewer.caption


def test_one_series_is_no_comparison() -> None:
    assert profile(costs(alone=[10, 20]), "it").pictures == []


def test_costs_are_those_of_the_store(tmp_path_factory: pytest.TempPathFactory) -> None:
    with local_store(tmp_path_factory.mktemp("store")) as client:
        sweep = data.fill(client, "descent-1a2b")
        result = descent_result(asking(client), sweep)
        shown = of_descents(asking(client), sweep, DEFAULT_TARGET, result.rates)
        finished = {
            (name, rate): client.query(
                "select count(distinct trial_id) as n from trials t join steps s using (trial_id) "
                f"where descent = '{name}' and t.lr = {rate} and test_score >= 0.95 "
                "and t.outcome <> 'failed'"
            ).to_pylist()[0]["n"]
            for name, rate in (
                ("mini_batch", result.rates["mini-batch 32"]),
                ("batch", result.rates["batch"]),
            )
        }
    assert shown.table is not None
    met = dict(zip(shown.table["trials with"], shown.table["met the target in"], strict=True))
    assert [met["mini-batch 32"], met["batch"]] == list(finished.values())
    assert max(finished.values()) > 0


def asking(client: Client) -> Ask:
    return lambda name, **parameters: client.query(name, parameters)
