"""Intervals against SciPy and against values from a printed t table."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from talweg.dashboard.statistics import (
    Statistic,
    area_interval,
    bootstrap_interval,
    interquartile_mean,
    performance_profile,
    performance_score,
    t_interval,
    welch_interval,
    with_interval,
)

PRINTED_T = [(2, 12.706), (3, 4.303), (5, 2.776), (10, 2.262), (30, 2.045)]
"""n and the two-sided 95 % quantile with n - 1 degrees of freedom, as tables print it."""


@pytest.mark.parametrize(("n", "quantile"), PRINTED_T)
def test_half_width_is_the_printed_quantile_times_the_standard_error(
    n: int, quantile: float
) -> None:
    low, high = t_interval([n], [0.0], [math.sqrt(n)])
    assert high[0] == pytest.approx(quantile, abs=5e-4)
    assert low[0] == -high[0]


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_interval_agrees_with_scipy_on_raw_values(level: float) -> None:
    values = np.random.default_rng(0).normal(3, 2, 7)
    low, high = t_interval([7], [values.mean()], [values.std(ddof=1)], level=level)
    expected = stats.t.interval(level, 6, loc=values.mean(), scale=stats.sem(values))
    assert (low[0], high[0]) == pytest.approx(expected)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    samples = np.random.default_rng(1).normal(0, 1, (4000, 5))
    low, high = t_interval(np.full(4000, 5), samples.mean(axis=1), samples.std(axis=1, ddof=1))
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_values_have_no_interval(n: int) -> None:
    low, high = t_interval([n], [1.0], [np.nan])
    assert np.isnan(low[0])
    assert np.isnan(high[0])


def test_bounds_cut_the_interval_and_nothing_else() -> None:
    low, high = t_interval([3, 3], [0.99, 0.5], [0.05, 0.01], bounds=(0, 1))
    assert high[0] == 1
    assert low[0] < 0.99
    assert (low[1], high[1]) == pytest.approx((0.5 - 0.02484, 0.5 + 0.02484), abs=1e-4)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_outside_0_and_1_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match=r"not a confidence between 0 and 1, such as 0\.95"):
        t_interval([5], [0.0], [1.0], level=level)


def test_frame_gets_the_two_ends_as_columns() -> None:
    frame = pd.DataFrame({"n": [5, 1], "mean": [1.0, 2.0], "stddev": [0.1, np.nan]})
    ends = with_interval(frame)
    assert ends["low"][0] == pytest.approx(1 - 0.12417, abs=1e-5)
    assert ends["high"].isna().tolist() == [False, True]


def test_performance_profile_and_score_are_algoperfs() -> None:
    times = [[10, 30], [20, 15]]
    np.testing.assert_allclose(performance_profile(times, [1, 1.99, 2, 4]), [[0.5, 0.5, 1, 1]] * 2)
    np.testing.assert_allclose(performance_score(times), [5 / 6, 5 / 6])


def test_a_target_never_met_counts_as_nothing_and_is_not_dropped() -> None:
    times = [[1, np.inf, np.inf], [4, 2, np.inf]]
    np.testing.assert_allclose(performance_score(times), [1 / 3, 1 / 3])
    # The integral, numerically, of the step function.
    taus = np.linspace(1, 4, 30_001)
    area = np.trapezoid(performance_profile(times, taus), taus) / 3
    np.testing.assert_allclose(area, performance_score(times), atol=1e-4)


@pytest.mark.parametrize("times", [[[0.0], [1.0]], [[np.nan], [1.0]], [[-1.0], [1.0]]])
def test_times_that_are_no_times_are_refused(times: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        performance_score(times)


def test_the_interval_of_an_area_has_the_spread_of_simulated_areas() -> None:
    """Exponential scores, for which the formula is exact; 4,000 draws, tolerance 5 %."""
    random, learned, others, area = np.random.default_rng(0), 30, 40, 0.8
    # P(x > y) of exponentials with means a and 1 is a / (a + 1).
    x_NM = random.exponential(area / (1 - area), (4000, learned, 1))
    y_NM = random.exponential(1.0, (4000, 1, others))
    areas = (x_NM > y_NM).mean(axis=(1, 2))
    low, high = area_interval(area, learned, others)
    assert areas.mean() == pytest.approx(area, abs=0.005)
    assert (high - low) / 2 / 1.95996 == pytest.approx(areas.std(), rel=0.05)
    assert area_interval(1.0, 5, 5) == (1.0, 1.0)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 30])
def test_the_interquartile_mean_trims_as_its_source_does(n: int) -> None:
    values = np.random.default_rng(n).exponential(1.0, (3, n))
    np.testing.assert_allclose(interquartile_mean(values), stats.trim_mean(values, 0.25, axis=1))
    np.testing.assert_allclose(interquartile_mean(values.T, axis=0), interquartile_mean(values))


def test_the_interquartile_mean_does_not_see_outliers() -> None:
    assert interquartile_mean([-1e9, 1, 2, 3, 4, 5, 6, 1e9]) == pytest.approx(3.5)


STATISTICS: list[Statistic] = ["mean", "iqm"]


def naive_bca(values: NDArray[np.float64], resamples: int = 40_000) -> tuple[float, float]:
    """Efron 1987, eqs. 2.3 and 6.6, of the mean, by loops and quantiles."""
    random = np.random.default_rng(99)
    means = values[random.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    bias = stats.norm.ppf(np.mean(means < values.mean()))
    left_out = np.array([np.delete(values, i).mean() for i in range(len(values))])
    gaps = left_out.mean() - left_out
    acceleration = (gaps**3).sum() / (6 * (gaps**2).sum() ** 1.5)
    ends = []
    for z in (-1.959964, 1.959964):
        moved = bias + (bias + z) / (1 - acceleration * (bias + z))
        ends.append(float(np.quantile(means, stats.norm.cdf(moved))))
    return ends[0], ends[1]


def test_the_bootstrap_of_a_mean_is_bias_corrected_and_accelerated() -> None:
    values = np.random.default_rng(5).exponential(1.0, 12)
    low, high = bootstrap_interval([values])
    expected = naive_bca(values)
    width = expected[1] - expected[0]
    assert (low, high) == pytest.approx(expected, abs=0.05 * width)
    # Skewed to the right, it reaches further there than the symmetric interval.
    assert high - values.mean() > 1.2 * (values.mean() - low)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_bootstrap_intervals_cover_about_as_often_as_they_say(statistic: Statistic) -> None:
    samples = np.random.default_rng(2).normal(0, 1, (200, 40))
    ends = np.array([bootstrap_interval([sample], statistic) for sample in samples])
    covered = np.mean((ends[:, 0] <= 0) & (ends[:, 1] >= 0))
    assert covered == pytest.approx(0.95, abs=0.04)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_bootstrap_of_a_difference_moves_with_it(statistic: Statistic) -> None:
    random = np.random.default_rng(3)
    one, other = random.normal(0, 1, 9), random.normal(0, 2, 14)
    low, high = bootstrap_interval([one, other], statistic)
    moved = bootstrap_interval([one + 5, other], statistic)
    assert moved == pytest.approx((low + 5, high + 5))
    wider = bootstrap_interval([one, other], statistic, level=0.99)
    assert wider[0] < low < high < wider[1]


def test_the_bootstrap_gives_the_same_each_time_and_nothing_for_one_value() -> None:
    values = [0.3, 0.1, 0.7, 0.4]
    assert bootstrap_interval([values]) == bootstrap_interval([list(values)])
    assert all(map(math.isnan, bootstrap_interval([[1.0]])))
    assert all(map(math.isnan, bootstrap_interval([values, [1.0]])))
    assert bootstrap_interval([[2.0, 2.0, 2.0]]) == (2.0, 2.0)
    assert bootstrap_interval([[2.0, 2.0], [0.5, 0.5]], "iqm") == (1.5, 1.5)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_welchs_interval_agrees_with_scipy_on_raw_values(level: float) -> None:
    random = np.random.default_rng(4)
    one, other = random.normal(1, 1, 5), random.normal(0, 3, 11)
    parts = [(len(x), float(x.mean()), float(x.std(ddof=1))) for x in (one, other)]
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(level)
    assert welch_interval(parts[0], parts[1], level) == pytest.approx((expected.low, expected.high))


def test_welchs_interval_needs_two_values_on_either_side() -> None:
    assert all(map(math.isnan, welch_interval((1, 0.0, math.nan), (5, 1.0, 1.0))))
    assert welch_interval((3, 2.0, 0.0), (4, 0.5, 0.0)) == (1.5, 1.5)
