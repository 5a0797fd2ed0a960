"""Times to a target with censoring: the leukaemia trial, closed forms, and diverged trials."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks import coverage
from talweg.dashboard.statistics import survival
from talweg.dashboard.statistics.survival import Trials, followed

MET = [6, 6, 6, 7, 10, 13, 16, 22, 23]
CENSORED = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
TREATED = Trials(np.array([*MET, *CENSORED], dtype=float), np.arange(21) < 9)
PLACEBO = Trials(
    np.array([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], dtype=float),
    np.ones(21, dtype=bool),
)
"""Freireich et al. 1963: weeks in remission under 6-MP and placebo (Gehan 1965)."""


def all_met(*times: float) -> Trials:
    return Trials(np.array(times, dtype=float), np.ones(len(times), dtype=bool))


def test_the_leukaemia_curve_is_the_printed_one() -> None:
    """Kalbfleisch and Prentice 2002, table 1.2; the band as R's ``conf.type = "log-log"``."""
    curve = survival.kaplan_meier(TREATED)
    assert curve.times_T.tolist() == [6, 7, 10, 13, 16, 22, 23]
    printed = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    np.testing.assert_allclose(curve.waiting_T, printed, atol=5e-4)
    assert curve.at_risk_T.tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert (curve.low_T[0], curve.high_T[0]) == pytest.approx((0.620, 0.952), abs=5e-4)


def test_the_band_is_scipys_where_that_exists() -> None:
    data: stats.CensoredData = stats.CensoredData(uncensored=MET, right=CENSORED)
    function = stats.ecdf(data).sf
    band: Any = function.confidence_interval(0.9, method="log-log")  # the stubs are wrong here
    curve = survival.kaplan_meier(TREATED, 0.9)
    steps = np.isin(function.quantiles, MET)
    np.testing.assert_allclose(curve.low_T, band.low.probabilities[steps])
    np.testing.assert_allclose(curve.high_T, band.high.probabilities[steps])


def test_the_leukaemia_medians_with_their_intervals() -> None:
    """R's survfit with the log-log interval: 23 (13 to never), 8 (4 to 11)."""
    found = survival.median(TREATED)
    assert (found.value, found.low, found.high) == (23, 13, math.inf)
    found = survival.median(PLACEBO)
    assert (found.value, found.low, found.high) == (8, 4, 11)


def test_the_leukaemia_log_rank_test() -> None:
    found = survival.log_rank(TREATED, PLACEBO)
    assert found.statistic == pytest.approx(16.79, abs=5e-3)
    assert found.p == pytest.approx(4.17e-5, rel=1e-3)
    assert (found.n, found.note) == (42, "30 of 42 trials met the target")
    assert survival.log_rank(PLACEBO, TREATED).p == pytest.approx(found.p)


def test_the_log_rank_test_by_hand() -> None:
    """Times 1, 3 against 2, 4: expected 1/2 + 1/3 + 1/2, variance 1/4 + 2/9 + 1/4."""
    expected, variance = 1 / 2 + 1 / 3 + 1 / 2, 1 / 4 + 2 / 9 + 1 / 4
    found = survival.log_rank(all_met(1, 3), all_met(2, 4))
    assert found.statistic == pytest.approx((2 - expected) ** 2 / variance)


def test_without_censoring_the_curve_and_the_mean_are_the_plain_ones() -> None:
    times = np.random.default_rng(0).exponential(1.0, 12)
    trials, until = all_met(*times), float(np.sort(times)[8]) + 1e-6
    curve = survival.kaplan_meier(trials)
    np.testing.assert_allclose(curve.waiting_T, 1 - np.arange(1, 13) / 12, atol=1e-12)
    assert (curve.low_T[-1], math.isnan(curve.high_T[-1])) == (0, True)
    cut = times.clip(max=until)
    found = survival.restricted_mean(trials, until)
    assert found.value == pytest.approx(cut.mean())
    half = 1.959964 * cut.std() / math.sqrt(12)
    assert (found.low, found.high) == pytest.approx((cut.mean() - half, cut.mean() + half))
    assert survival.restricted_mean(PLACEBO, 23).value == pytest.approx(182 / 21)


def test_a_budget_censors_and_the_median_needs_half_of_the_trials() -> None:
    trials = followed([10, 20, math.nan, math.nan], [50] * 4, [False] * 4)
    assert survival.median(trials).value == 20
    fewer = followed([10, math.nan, math.nan], [50] * 3, [False] * 3)
    found = survival.median(fewer)
    assert (found.value, found.low, found.high) == (math.inf, 10, math.inf)
    nobody = followed([math.nan] * 3, [50] * 3, [False] * 3)
    found = survival.median(nobody)
    # Later than the budget is all that is known.
    assert (found.value, found.low) == (math.inf, 50)
    assert survival.restricted_mean(nobody, 40).value == 40


def test_a_diverged_trial_waits_for_ever() -> None:
    """Three of five met the target, two diverged early: the curve ends at 2/5, not at 0."""
    costs = [100, 200, 300, math.nan, math.nan]
    ran = [1000, 1000, 1000, 50, 50]
    trials = followed(costs, ran, [False, False, False, True, True])
    curve = survival.kaplan_meier(trials)
    np.testing.assert_allclose(curve.waiting_T, [4 / 5, 3 / 5, 2 / 5])
    assert curve.at_risk_T.tolist() == [5, 4, 3]
    # Censored where they diverged, after 50 updates, they would count as if they went on well.
    flattered = followed(costs, ran, [False] * 5)
    np.testing.assert_allclose(survival.kaplan_meier(flattered).waiting_T, [2 / 3, 1 / 3, 0])
    assert survival.median(trials).value == 300
    assert survival.median(flattered).value == 200


def test_a_trial_that_diverged_after_it_met_the_target_has_met_it() -> None:
    trials = followed([100, 200], [1000, 1000], [True, False])
    assert trials.met_N.all()
    assert survival.median(trials).value == 100


def test_diverged_trials_count_in_the_log_rank_test_up_to_the_end() -> None:
    steady = followed([100, 200, 300, 400], [1000] * 4, [False] * 4)
    wild = followed([100, 200, math.nan, math.nan], [1000, 1000, 9, 9], [False, False, True, True])
    patient = followed([100, 200, math.nan, math.nan], [1000] * 4, [False] * 4)
    assert survival.log_rank(steady, wild) == survival.log_rank(steady, patient)


def test_a_log_rank_test_that_cannot_be_made_says_why() -> None:
    nobody = followed([math.nan], [50], [True])
    assert survival.log_rank(nobody, nobody).note == "no trial met the target"
    together = survival.log_rank(all_met(5, 5), all_met(5, 5))
    assert math.isnan(together.p)
    assert "none before another" in together.note


def test_trials_that_all_meet_the_target_at_one_recording() -> None:
    found = survival.median(all_met(5, 5, 5))
    assert (found.value, found.low, found.high) == (5, 5, math.inf)


@pytest.mark.parametrize("until", [0, 36, math.inf])
def test_nothing_is_said_beyond_the_longest_budget(until: float) -> None:
    with pytest.raises(ValueError, match=r"at most 35, the longest time that a trial was followed"):
        survival.restricted_mean(TREATED, until)


def test_times_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"times must be above 0, and one is 0\.0"):
        followed([0, 1], [5, 5], [False, False])
    with pytest.raises(ValueError, match="above 0, and one is nan"):
        followed([math.nan], [math.nan], [False])
    with pytest.raises(ValueError, match="lists of 1, 2 and 1 trials"):
        followed([1], [5, 5], [False])


@pytest.mark.parametrize("n", [10, 30])
def test_the_interval_of_a_median_time_covers_it(n: int) -> None:
    covered, _ = coverage.INTERVALS["median time, a fifth censored"]
    assert 93 <= covered("exponential", n, 1000) <= 98.5


def test_the_log_rank_test_errs_and_finds_as_it_should() -> None:
    assert coverage.errs(coverage.log_rank, coverage.alike, 30, 600) == pytest.approx(5.5, abs=2.5)
    random = np.random.default_rng(0)
    found = [
        survival.log_rank(
            all_met(*random.exponential(1, 30)), all_met(*random.exponential(3, 30))
        ).p
        for _ in range(100)
    ]
    assert np.mean(np.array(found) <= 0.05) > 0.9
