"""Aggregates over tasks, and protocols of choosing a learning rate."""

import math

import numpy as np
import pytest
from scipy import stats

from talweg.dashboard.statistics import aggregates, tuning

ONE = [[1, 2, 1, 2], [2, 2, 1, 1]]
OTHER = [[1, 2, 3], [1, 2, 3]]
"""Two tasks with four and three runs: the example of rliable's own tests."""
NAMES = ("mean", "median", "iqm", "optimality gap")


@pytest.mark.parametrize("name", ["mean", "median", "iqm"])
def test_rliables_example_of_aggregates(name: aggregates.Name) -> None:
    assert aggregates.stratified(ONE, name).value == 1.5  # type: ignore[arg-type]
    assert aggregates.stratified(OTHER, name).value == 2  # type: ignore[arg-type]


def test_rliables_example_of_an_improvement() -> None:
    found = aggregates.improvement(ONE, OTHER)
    assert found.value == pytest.approx(1 / 3)
    assert (found.name, found.tasks, found.runs) == ("probability of improvement", 2, 14)
    assert aggregates.improvement(OTHER, ONE).value == pytest.approx(2 / 3)


def test_aggregates_by_hand() -> None:
    scores = [[0.0, 1.0], [0.5, 0.7], [2.0, 2.0]]
    values = {name: aggregates.stratified(scores, name).value for name in NAMES}  # type: ignore[arg-type]
    # Task means 0.5, 0.6, 2.0; of the six runs 0, 0.5, 0.7, 1, 2, 2 one goes at either end.
    assert values == pytest.approx(
        {
            "mean": 3.1 / 3,
            "median": 0.6,
            "iqm": 4.2 / 4,
            "optimality gap": 1 - (0.5 + 0.6 + 1) / 3,
        }
    )
    assert aggregates.stratified(scores, "optimality gap", gamma=2).value == pytest.approx(2.9 / 3)


def test_one_task_is_the_plain_bootstrap_of_scipy() -> None:
    runs = np.random.default_rng(0).normal(0, 1, 12)
    found = aggregates.stratified([runs], "mean")
    expected = stats.bootstrap(
        [runs], np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_runs_are_drawn_within_tasks() -> None:
    """Tasks that differ much, runs that do not differ at all: nothing is left to chance."""
    found = aggregates.stratified([[1, 1, 1], [9, 9], [50, 50]], "mean")
    assert (found.low, found.value, found.high) == (20, 20, 20)
    found = aggregates.improvement([[1, 1], [9, 9]], [[0, 0], [9, 9]])
    assert (found.low, found.value, found.high) == (0.75, 0.75, 0.75)


def test_the_interval_of_many_tasks_has_the_spread_that_theory_gives() -> None:
    """The mean of 20 tasks of 10 normal runs has a standard error of 1/√200, shrunk by √0.9."""
    scores = np.random.default_rng(1).normal(0, 1, (20, 10))
    found = aggregates.stratified(list(scores), "mean")
    within = scores.std(axis=1)  # what resampling within a task sees
    half = 1.96 * math.sqrt((within**2 / 10).sum()) / 20
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.05)
    assert found == aggregates.stratified(list(scores), "mean")


def test_resamples_are_drawn_in_parts_where_there_are_many_runs() -> None:
    scores = np.random.default_rng(1).normal(0, 1, (4, 1000))
    found = aggregates.stratified(list(scores), "mean")
    assert (found.high - found.low) / 2 == pytest.approx(1.96 / math.sqrt(4000), rel=0.1)


def test_a_single_run_of_a_task_says_nothing_about_its_spread() -> None:
    found = aggregates.stratified([[1, 2, 3], [4]], "mean")
    assert found.value == 3
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_scores_that_are_none_are_refused() -> None:
    for scores in ([], [[1.0], []]):
        with pytest.raises(ValueError, match="there must be one at least, each with a run"):
            aggregates.stratified(scores)
    with pytest.raises(ValueError, match="say first what a diverged run is worth"):
        aggregates.stratified([[1.0, math.nan]])
    with pytest.raises(ValueError, match="1 and 2 tasks: both methods need the same ones"):
        aggregates.improvement([[1, 2]], [[1, 2], [3, 4]])


# --- Protocols -----------------------------------------------------------------------------------

RATES = [0.01, 0.1, 1.0]
LOSSES = [[5.0, 5.0, 1.0, 1.0], [3.0, 4.0, 8.0, 9.0], [2.0, math.nan, 0.0, 0.0]]
SCORES = [[0.5, 0.5, 0.6, 0.6], [0.7, 0.7, 0.8, 0.9], [0.9, 0.9, 0.9, 0.9]]


def test_half_of_the_seeds_choose_and_the_rest_judge() -> None:
    assert tuning.split_seeds([3, 1, 0, 2, 4, 1]) == ((0, 1), (2, 3, 4))
    assert tuning.split_seeds([7, 5]) == ((5,), (7,))
    with pytest.raises(ValueError, match=r"1 seed cannot be split .* run 2 at least"):
        tuning.split_seeds([4, 4])


def test_the_choice_sees_the_tuning_seeds_only() -> None:
    """By seeds 0 and 1 the second rate is best, for the third diverged; by all the first is."""
    fresh = tuning.fresh_seeds("train_loss", 3, range(4))
    found = tuning.choose(fresh, RATES, range(4), LOSSES, SCORES, falling=True)
    assert (found.rate, found.values.tolist()) == (0.1, [0.8, 0.9])
    same = tuning.same_seeds("train_loss", 3, range(4))
    found = tuning.choose(same, RATES, range(4), LOSSES, SCORES, falling=True)
    assert (found.rate, found.values.tolist()) == (0.01, SCORES[0])


def test_seeds_may_stand_in_any_order_and_ties_go_to_the_lower_rate() -> None:
    fresh = tuning.fresh_seeds("train_score", 2, [8, 6])
    found = tuning.choose(fresh, [1.0, 0.5], [8, 6], [[0, 4], [9, 4]], [[1, 2], [3, 4]], False)
    assert (found.rate, found.values.tolist()) == (0.5, [3])


def test_protocols_say_what_was_done() -> None:
    assert tuning.fresh_seeds("train_loss", 7, range(5)).sentence == (
        "Learning rate: the best of 7 by the mean of train loss over 2 tuning seeds; judged on "
        "3 other seeds, which had no part in the choice."
    )
    assert tuning.same_seeds("train_loss", 7, [0]).sentence == (
        "Learning rate: the best of 7 by the mean of train loss over 1 seed; judged on the same "
        "seeds: values are optimistic."
    )
    said = tuning.same_seeds("test_score", 7, range(5)).sentence
    assert "judged on the same seeds, and on the test set at that: values are optimistic" in said


def test_a_test_score_chooses_nothing_on_fresh_seeds() -> None:
    with pytest.raises(ValueError, match=r"must not be chosen by test_score: .* by train_loss"):
        tuning.fresh_seeds("test_score", 7, range(5))


def test_values_that_do_not_fit_the_protocol_are_refused() -> None:
    fresh = tuning.fresh_seeds("train_loss", 3, range(4))
    with pytest.raises(ValueError, match=r"need values of shape \(3, 4\); there are 2 rates"):
        tuning.choose(fresh, RATES[:2], range(4), LOSSES, SCORES, falling=True)
    with pytest.raises(ValueError, match=r"seeds that were not run: \[2, 3\]"):
        tuning.choose(fresh, RATES, [0, 1, 8, 9], LOSSES, SCORES, falling=True)
    lost = np.full((3, 4), math.nan)
    with pytest.raises(ValueError, match="every tuning trial diverged"):
        tuning.choose(fresh, RATES, range(4), lost, SCORES, falling=True)


def test_fresh_seeds_take_the_luck_out_of_the_best_of_a_grid() -> None:
    """Ten rates without any difference, true loss 0: the best of the same seeds looks better.

    The best of ten means of ten normal values is 1.539/√10 below 0 (Tippett 1925); the mean
    of the five fresh ones is 0.
    """
    losses = np.random.default_rng(0).normal(0, 1, (2000, 10, 10))
    rates, seeds = np.geomspace(0.001, 1, 10), range(10)
    judged = {}
    for make in (tuning.fresh_seeds, tuning.same_seeds):
        protocol = make("train_loss", 10, seeds)
        found = [tuning.choose(protocol, rates, seeds, x, x, True).values.mean() for x in losses]
        judged[make] = np.mean(found)
    assert judged[tuning.same_seeds] == pytest.approx(-1.539 / math.sqrt(10), abs=0.02)
    assert judged[tuning.fresh_seeds] == pytest.approx(0, abs=0.03)
