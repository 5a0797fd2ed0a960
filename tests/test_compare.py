"""Comparing sweeps: every number against one computed here, on a real store."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from talweg.dashboard import compare_blocks, compare_curves, compare_parallel
from talweg.dashboard.compare import ESTIMATORS, Comparison, Estimator
from talweg.dashboard.compare_deltas import (
    NO_BASELINE,
    NO_VALUE,
    Baseline,
    baselines,
    deltas,
    signed,
)
from talweg.dashboard.compare_keys import Key, default_keys, keys_of, label, place, shown
from talweg.dashboard.compare_measures import Measure, measures
from talweg.dashboard.compare_pivot import heat_map, pivot, pivot_caption, pivot_table
from talweg.dashboard.compare_tables import differs_table, groups_caption, groups_table
from talweg.dashboard.compare_verdict import verdict
from talweg.dashboard.metrics import SAMPLES, UPDATES
from talweg.dashboard.tables import Ask
from talweg.storage.client import Client

from . import compare_data as data
from .storage_helpers import local_store, sweep, trials

BOTH = (data.ONE, data.TWO)
T, BCA, IQM = ESTIMATORS.values()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("compare")) as client:
        data.fill(client)
        yield client


@pytest.fixture(scope="module")
def ask(client: Client) -> Ask:
    def asked(question: str, **parameters: object) -> pa.Table:
        return client.query(question, parameters)

    return asked


def keys(ask: Ask, sweeps: tuple[str, ...] = (data.ONE,)) -> dict[str, Key]:
    return {key.title: key for key in keys_of(ask("compare_keys", sweeps=list(sweeps)))}


def measure(title: str = "final test accuracy") -> Measure:
    return {m.title: m for m in measures([None], ["chi"])}[title]


def comparison(
    ask: Ask,
    *titles: str,
    sweeps: tuple[str, ...] = (data.ONE,),
    by: str = "final test accuracy",
    estimator: Estimator = T,
) -> Comparison:
    known = keys(ask, sweeps)
    return Comparison(sweeps, tuple(known[title] for title in titles), measure(by), estimator)


def scores(optimizer: str, lr: float | None = None) -> list[float]:
    """The final scores of the trials of ``one`` that ended without diverging."""
    made = [t for t in data.FIRST if t.optimizer == optimizer and lr in (None, t.lr)]
    return [trial.score for trial in made if trial.outcome == "done"]


def of(frame: pd.DataFrame, name: str) -> pd.Series:
    """The row of a group."""
    (row,) = [row for _, row in frame.iterrows() if str(row["series"]) == name]
    return row


# What differs


def test_only_keys_that_vary_are_listed_however_deep(ask: Ask) -> None:
    found = keys(ask)
    assert list(found) == ["optimizer.beta1", "optimizer.lr", "optimizer.name", "seed"]
    assert [key.levels for key in found.values()] == [2, 2, 2, 6]
    assert found["optimizer.lr"].examples == ("0.01", "0.1")


def test_a_key_that_trials_lack_has_a_level_of_its_own(ask: Ask) -> None:
    beta = keys(ask)["optimizer.beta1"]
    assert (beta.absent, beta.examples) == (12, ("0.9",))
    table = differs_table([beta])
    assert table["which"].tolist() == ["0.9, absent"]


def test_sweeps_and_teams_are_keys_where_they_differ(ask: Ask) -> None:
    found = keys(ask, BOTH)
    assert list(found)[:2] == ["sweep", "team"]
    assert found["sweep"].examples == ("one", "two")
    assert data.TEAM in found["team"].examples
    assert "owner" not in found
    assert default_keys(list(found.values()), {None}) == [found["sweep"]]


def test_trials_of_two_sweeps_count_once(ask: Ask) -> None:
    answer = ask("compare_keys", sweeps=list(BOTH))
    assert set(answer["trials"].to_pylist()) == {len(data.FIRST) + len(data.MORE)}
    whole = comparison(ask, sweeps=BOTH).groups(ask)
    assert whole["trials"].tolist() == [28]
    apart = comparison(ask, "sweep", sweeps=BOTH).groups(ask)
    assert apart["trials"].tolist() == [24, 6]
    caption = groups_caption(apart, comparison(ask, "sweep", sweeps=BOTH), [], 28)
    assert "2 trials of several sweeps stand in more than one group." in caption


def test_a_null_is_a_level_and_not_absence(tmp_path_factory: pytest.TempPathFactory) -> None:
    configs = ['{"a": null}', '{"a": 1}', "{}", '{"a": {"b.c": [3, {"d": "null"}]}}']
    with local_store(tmp_path_factory.mktemp("null")) as store:
        ids = [f"t{n}" for n in range(4)]
        store.register(sweep("s"), trials(ids, config=configs))

        def asked(question: str, **parameters: object) -> pa.Table:
            return store.query(question, parameters)

        found = {key.path: key for key in keys_of(asked("compare_keys", sweeps=["s"]))}
        assert set(found) == {"$.a", '$.a."b.c"[0]', '$.a."b.c"[1].d'}
        assert (found["$.a"].levels, found["$.a"].absent) == (3, 2)
        deep = Comparison(("s",), (found['$.a."b.c"[0]'],), measure(), T).groups(asked)
        assert deep["levels"].tolist() == [("3",), (None,)]
        flat = Comparison(("s",), (found["$.a"],), measure(), T).groups(asked)
        assert ("null",) in flat["levels"].tolist()
        assert (None,) in flat["levels"].tolist()


def test_levels_are_ordered_numbers_first_and_absent_last() -> None:
    levels = [None, "relu", "10", "9", "nan", "null"]
    assert sorted(levels, key=place) == ["9", "10", "nan", "null", "relu", None]


def test_names_tell_groups_apart(ask: Ask) -> None:
    name, lr = Key("$.optimizer.name", 2, 0, ()), Key("$.optimizer.lr", 2, 0, ())
    assert label(("adam", "0.0316227766017"), [name, lr]) == "adam, learning rate 0.03162"
    depths = [Key("$.model.depth", 2, 0, ()), Key("$.problem.depth", 2, 0, ())]
    assert label(("3", None), depths) == "model.depth 3, problem.depth absent"
    assert (shown(None), shown("absent"), shown("12345678901")) == (
        "absent", '"absent"', "12345678901",
    )  # fmt: skip
    assert label((), []) == "all trials"


def test_a_study_is_grouped_by_what_it_compares() -> None:
    found = [Key(f"$.{path}", 2, 0, ()) for path in ("loss.delta", "loss.name", "problem.name")]
    assert default_keys(found, {"regression_losses"}) == [found[1], found[0]]
    assert default_keys(found, {None}) == [found[1]]
    assert default_keys([], {None}) == []


# Groups


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_groups_hold_the_numbers_of_their_trials(ask: Ask, optimizer: str) -> None:
    row = of(comparison(ask, "optimizer.name", estimator=BCA).groups(ask), optimizer)
    expected = scores(optimizer)
    assert row["n"] == len(expected)
    assert row["mean"] == pytest.approx(np.mean(expected))
    assert row["stddev"] == pytest.approx(np.std(expected, ddof=1))
    assert row["median"] == pytest.approx(np.median(expected))
    assert row["iqm"] == pytest.approx(stats.trim_mean(expected, 0.25))
    assert sorted(row["values"]) == pytest.approx(sorted(expected))


def test_every_trial_is_counted_once_with_its_fate(ask: Ask) -> None:
    groups = comparison(ask, "optimizer.name", "optimizer.lr").groups(ask)
    fates = ["trials", "n", "diverged", "failed", "missing"]
    assert of(groups, "adam, learning rate 0.01")[fates].tolist() == [6, 4, 1, 1, 0]
    assert of(groups, "adam, learning rate 0.1")[fates].tolist() == [6, 5, 0, 0, 1]
    assert of(groups, "sgd, learning rate 0.1")[fates].tolist() == [6, 6, 0, 0, 0]


# measure -> its value of a trial
VALUES: dict[str, Callable[[data.Made], float]] = {
    "final test accuracy": lambda trial: trial.score,
    "best test accuracy": lambda trial: trial.score + 0.05,
    "chi": lambda trial: 1.0 + trial.seed,
    "updates": lambda trial: 10.0,
    "samples": lambda trial: 100.0,
}


@pytest.mark.parametrize("title", VALUES)
def test_every_kind_of_measure_is_read_where_it_is_stored(ask: Ask, title: str) -> None:
    row = of(comparison(ask, "optimizer.name", by=title).groups(ask), "adam")
    made = [t for t in data.FIRST if t.optimizer == "adam" and t.outcome == "done"]
    assert row["n"] == len(made)
    assert row["mean"] == pytest.approx(np.mean([VALUES[title](trial) for trial in made]))


def test_seconds_of_trials_that_shared_a_machine_are_refused(ask: Ask) -> None:
    seconds = comparison(ask, "optimizer.name", by="seconds")
    groups = seconds.groups(ask)
    assert groups["n"].tolist() == [0, 0]
    assert "shared a machine: their seconds are the pack's" in groups_caption(
        groups, seconds, [], 24
    )
    assert "none has a value of seconds yet" in verdict(seconds, groups, [])


def test_scores_are_called_as_all_their_studies_call_them() -> None:
    def title(*studies: str | None) -> str:
        (found,) = [
            m.title for m in measures(studies, [])
            if (m.kind, m.metric.column) == ("last", "test_score")
        ]  # fmt: skip
        return found

    assert title("descent") == "final test accuracy"
    assert title("regression_losses") == "final test R²"
    assert title("regression_losses", "descent") == "final test score"
    assert [m.mixed for m in measures(["regression_losses", "descent"], [])][:1] == [True]
    first = measures(["regression_losses"], ["parameter_error", "chi"])[0]
    assert (first.title, first.metric.falling) == ("error of the weights", True)


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=list(ESTIMATORS))
def test_intervals_follow_the_estimator(ask: Ask, estimator: Estimator) -> None:
    chosen = comparison(ask, "optimizer.name", estimator=estimator)
    row = of(chosen.groups(ask), "sgd")
    values = scores("sgd")
    if estimator is T:
        expected = stats.t.interval(0.95, 11, np.mean(values), stats.sem(values))
        assert (row["low"], row["high"]) == pytest.approx(expected)
        assert row["values"] is None
    assert row["low"] < row["centre"] < row["high"]
    assert row["centre"] == pytest.approx(
        stats.trim_mean(values, 0.25) if estimator is IQM else np.mean(values)
    )
    caption = groups_caption(chosen.groups(ask), chosen, [], 24)
    assert estimator.method in caption
    assert "n = 9 to 12" in caption
    assert "Groups have unequal n." in caption


def test_tables_flag_what_is_uneven_in_words(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name", "optimizer.lr")
    table = groups_table(chosen.groups(ask), chosen)
    assert table["flag"].tolist() == [
        "unequal n: 4, not 6", "unequal n: 5, not 6", "", "",
    ]  # fmt: skip


def test_what_else_varies_inside_groups_is_told_and_whether_evenly(ask: Ask) -> None:
    one = comparison(ask, "optimizer.name")
    inside = one.inside(ask, list(keys(ask).values()))
    assert [(i.title, i.levels, i.uneven) for i in inside] == [("optimizer.lr", 2, False)]
    both = comparison(ask, "sweep", sweeps=BOTH)
    found = {i.title: i for i in both.inside(ask, list(keys(ask, BOTH).values()))}
    assert found["optimizer.name"].uneven
    said = verdict(both, both.groups(ask), list(found.values()))
    assert "Not like for like: the groups do not hold the same levels of" in said
    assert "optimizer.name" in said


# Baseline


def test_deltas_are_taken_inside_groups(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name", "optimizer.lr")
    groups = chosen.groups(ask)
    found = deltas(chosen, groups, Baseline(chosen.keys[0], "sgd"))
    assert found["series"].tolist() == ["adam, learning rate 0.01", "adam, learning rate 0.1"]
    row = found.iloc[0]
    one, other = scores("adam", 0.01), scores("sgd", 0.01)
    delta = np.mean(one) - np.mean(other)
    assert row["delta"] == pytest.approx(delta)
    assert row["percent"] == pytest.approx(100 * delta / np.mean(other))
    welch = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((welch.low, welch.high))
    assert row["flag"] == "unequal n: 4 against 6"
    block = compare_blocks.deltas_block(ask, chosen, Baseline(chosen.keys[0], "sgd"))
    assert block.table is not None
    assert block.table["Δ %"].tolist()[0].startswith("+")
    assert "with equal optimizer.lr" in block.caption
    assert "(Welch)" in block.caption


def test_cells_without_a_counterpart_are_flagged(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name", "optimizer.lr", sweeps=BOTH)
    found = deltas(chosen, chosen.groups(ask), Baseline(chosen.keys[0], "momentum"))
    flags = dict(zip(found["series"], found["flag"], strict=True))
    assert flags["sgd, learning rate 0.01"] == NO_BASELINE
    assert flags["sgd, learning rate 0.1"] == "unequal n: 6 against 4"
    assert found["delta"].isna().sum() == 2
    void = chosen.groups(ask).assign(n=0)
    assert set(deltas(chosen, void, Baseline(chosen.keys[0], "sgd"))["flag"]) == {NO_VALUE}


def test_every_level_of_every_key_can_be_the_baseline(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name", "optimizer.beta1")
    titles = [b.title for b in baselines(chosen.groups(ask), chosen.keys)]
    assert titles == [
        "optimizer.name = adam", "optimizer.name = sgd",
        "optimizer.beta1 = 0.9", "optimizer.beta1 = absent",
    ]  # fmt: skip


def test_signs_are_printed() -> None:
    assert [signed(v) for v in (0.0123, -4.5, 0.0, math.nan)] == ["+0.0123", "−4.50", "±0", "–"]


# The sentence


def test_who_is_ahead_is_said_with_the_difference_and_its_interval(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name")
    said = verdict(chosen, chosen.groups(ask), [])
    one, other = scores("adam"), scores("sgd")
    welch = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert said.startswith("adam is ahead in final test accuracy: adam at 0.758 (n = 9)")
    assert f"a difference of {signed(float(np.mean(one) - np.mean(other)))} " in said
    assert f"(95 % Welch interval {signed(welch.low)} to {signed(welch.high)})" in said
    assert said.endswith("Left out of 24 trials: 1 diverged, 1 failed, 1 without a value.")


def test_groups_of_one_distribution_are_too_close_to_call(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name", by="chi")
    said = verdict(chosen, chosen.groups(ask), [])
    assert said.startswith("Too close to call: sgd at 3.50 (n = 12) against adam")
    assert "Not told apart from the first: adam." in said


def test_the_level_allows_for_the_number_of_comparisons(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name", "optimizer.lr")
    said = verdict(chosen, chosen.groups(ask), [])
    assert "adam, learning rate 0.1 is ahead of all 3 others" in said
    assert "(98.33 % Welch interval " in said
    assert "for 3 comparisons at once" in said


def test_a_bootstrap_of_few_values_claims_no_order(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name", "optimizer.lr", estimator=IQM)
    groups = chosen.groups(ask)
    few = groups[groups["n"] < 6]
    assert verdict(chosen, few, []).startswith("Too close to call")
    enough = groups[groups["n"] >= 5]
    assert "is ahead of all 2 others" in verdict(chosen, enough, [])


def test_one_group_is_ahead_of_nobody(ask: Ask) -> None:
    chosen = comparison(ask)
    assert verdict(chosen, chosen.groups(ask), []) == (
        "all trials at 0.642 (n = 21) is the only group with a value. "
        "Left out of 24 trials: 1 diverged, 1 failed, 1 without a value."
    )


def test_a_measure_without_a_better_end_has_a_highest_group(ask: Ask) -> None:
    chosen = comparison(ask, "seed", by="chi")
    groups = chosen.groups(ask).assign(stddev=1e-3)
    assert " is highest of all 5 others in chi" in verdict(chosen, groups, [])


def test_values_of_different_quantities_are_warned_of(ask: Ask) -> None:
    loss = comparison(ask, "optimizer.name", by="final test loss")
    groups = comparison(ask, "optimizer.name").groups(ask)
    delta = Key("$.loss.delta", 2, 0, ())
    assert verdict(loss, groups, [], [delta]).endswith("whose values do not compare.")
    assert "do not compare" not in verdict(loss, groups, [], loss.keys)
    score = measures(["regression_losses", "descent"], [])[0]
    mixed = Comparison(loss.sweeps, loss.keys, score, T)
    assert verdict(mixed, groups).endswith("measure different things as test score.")


# Pivot


def test_the_pivot_has_every_cell_and_says_what_is_wrong_with_it(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name", "optimizer.lr", sweeps=BOTH)
    down, across = chosen.keys
    crossed = pivot(chosen, chosen.groups(ask, [down, across]), down, across)
    flags = {(c["row"], c["column"]): c["flag"] for _, c in crossed.cells.iterrows()}
    assert flags == {
        ("adam", "0.01"): "n = 4, not 6",
        ("adam", "0.1"): "n = 5, not 6",
        ("momentum", "0.01"): "no trials",
        ("momentum", "0.1"): "n = 4, not 6",
        ("sgd", "0.01"): "",
        ("sgd", "0.1"): "",
    }
    table = pivot_table(crossed).set_index("optimizer.name ＼ optimizer.lr")
    ends = stats.t.interval(0.95, 5, np.mean(scores("sgd", 0.1)), stats.sem(scores("sgd", 0.1)))
    assert table.loc["sgd", "0.1"] == f"0.605 ({ends[0]:.3f} to {ends[1]:.3f}), n = 6"
    assert table.loc["momentum", "0.01"] == "no trials"
    assert str(table.loc["adam", "0.01"]).endswith("⚠ n = 4, not 6")
    caption = pivot_caption(crossed, chosen)
    assert "n = 6 unless a cell says otherwise. 1 cell with no trials. 3 cells with" in caption
    texts = {row["text"] for row in _data(heat_map(crossed, chosen))}
    assert {"no trials", "0.605", "0.705\nn = 4"} <= texts


def test_a_cell_that_lost_all_its_trials_says_to_what(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.lr", "seed")
    lost = Comparison(chosen.sweeps, chosen.keys, measure("seconds"), T)
    crossed = pivot(lost, lost.groups(ask), *lost.keys)
    flags = set(crossed.cells["flag"])
    assert "no value (1 diverged, 1 without a value)" in flags
    assert "no value (2 without a value)" in flags


def _data(chart: alt.TopLevelMixin) -> list[dict[str, Any]]:
    """All rows that a chart carries."""
    sets = chart.to_dict()["datasets"].values()
    return [row for rows in sets for row in rows]


# Parallel coordinates


def test_lines_run_through_levels_to_the_value(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name", "optimizer.lr")
    ranked = chosen.ranked(chosen.groups(ask))
    drawn = compare_parallel.lines(ranked, chosen.keys, chosen)
    assert list(dict.fromkeys(drawn["axis"])) == [
        "optimizer.name", "optimizer.lr", "final test accuracy",
    ]  # fmt: skip
    best = drawn[drawn["group"] == "adam, learning rate 0.1"].sort_values("index")
    assert best["position"].tolist() == [0.0, 1.0, 1.0]
    assert best["level"].tolist() == ["adam", "0.1", "0.800"]
    worst = drawn[drawn["group"] == "sgd, learning rate 0.01"].sort_values("index")
    assert worst["position"].tolist() == [1.0, 0.0, 0.0]


def test_with_one_key_the_axes_are_all_that_vary_in_all_trials(ask: Ask) -> None:
    known = keys(ask)
    axes = compare_blocks.parallel_keys(list(known.values()), [known["optimizer.name"]])
    assert [key.title for key in axes] == ["optimizer.name", "optimizer.lr"]


# Curves


def curves_of(ask: Ask, chosen: Comparison) -> pd.DataFrame:
    return compare_curves.curves(ask, chosen, chosen.ranked(chosen.groups(ask)))


def test_curves_are_means_over_the_trials_that_ended_well(ask: Ask) -> None:
    found = curves_of(ask, comparison(ask, "optimizer.name"))
    row = found[(found["series"] == "adam") & (found["updates"] == 16)].iloc[0]
    values = [score * 16 / 64 for score in scores("adam")]
    assert row["n"] == 9
    assert row["mean"] == pytest.approx(np.mean(values))
    assert row["stddev"] == pytest.approx(np.std(values, ddof=1))
    assert set(found["updates"]) == set(data.RECORDED)


def test_long_curves_keep_the_extremes_of_their_buckets(ask: Ask) -> None:
    chosen = comparison(ask, "optimizer.name", sweeps=(data.TWO,))
    found = curves_of(ask, chosen)
    long = found[found["series"] == "momentum"]
    assert len(long) <= compare_curves.POINTS < long["recorded"].iloc[0] == data.LONG
    assert {0, 201, data.LONG - 1} <= set(long["updates"])  # ends, and the bump of one trial
    caption = compare_curves.curves_caption(found, None, 2, log=False)
    assert f"{len(found)} points of {data.LONG + len(data.RECORDED)}" in caption


def test_samples_that_differ_inside_a_group_are_no_axis(ask: Ask) -> None:
    mixed = curves_of(ask, comparison(ask, "optimizer.name"))
    assert "descent.batch_size" in (compare_curves.refusal(mixed, SAMPLES) or "")
    assert compare_curves.refusal(mixed, UPDATES) is None
    apart = curves_of(ask, comparison(ask, "optimizer.name", "optimizer.lr"))
    assert compare_curves.refusal(apart, SAMPLES) is None


def test_traces_say_how_many_of_how_many(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_curves, "TRACES", 6)
    chosen = comparison(ask, "optimizer.name")
    ranked = chosen.ranked(chosen.groups(ask))
    single = compare_curves.traces(ask, chosen, ranked)
    assert single.groupby("series", observed=True)["trial_id"].nunique().tolist() == [3, 3]
    trial = next(t for t in data.FIRST if t.trial_id == single["trial_id"].iloc[0])
    rows = single[single["trial_id"] == trial.trial_id]
    expected = [trial.score * update / 64 for update in rows["updates"]]
    assert rows["value"].tolist() == pytest.approx(expected)
    found = curves_of(ask, chosen)
    caption = compare_curves.curves_caption(found, single, 2, log=True)
    assert "Thin lines: 6 of 21 trials, equally many of each group" in caption
    chart = compare_curves.curve_chart(found, single, chosen, UPDATES, log=False)
    assert {row.get("trial_id") for row in _data(chart)} >= set(single["trial_id"])
    assert any("mean" in row for row in _data(chart))


def test_what_has_no_curve_says_so(ask: Ask) -> None:
    block = compare_blocks.curves_block(
        ask, comparison(ask, "optimizer.name", by="updates"), UPDATES, False, False
    )
    assert (block.pictures, block.caption) == ([], "Updates have no curve.")
