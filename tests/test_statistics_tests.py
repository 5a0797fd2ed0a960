"""Tests, effect sizes and corrections against textbook examples and hand-computed values."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from benchmarks import coverage
from talweg.dashboard.statistics import corrections, effects, paired, unpaired

SLEEP_A = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_B = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
"""Student 1908: hours of sleep gained by two drugs, ten patients."""
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Crossed less self-fertilised maize, eighths of an inch: Fisher 1935, section 17."""
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
"""Hollander and Wolfe 1999, table 3.1: depression before and after a tranquilliser."""


def test_students_sleep_data_give_students_t() -> None:
    found = paired.paired_t(SLEEP_A, SLEEP_B)
    assert (found.statistic, found.p) == pytest.approx((-4.0621, 0.002833), abs=5e-5)
    assert (found.name, found.n, found.note) == ("paired t", 10, "")


def test_welchs_test_of_the_sleep_data_as_if_unpaired() -> None:
    found = unpaired.welch_t(SLEEP_A, SLEEP_B)
    assert (found.statistic, found.p) == pytest.approx((-1.8608, 0.07939), abs=5e-5)
    assert found.n == 20


def test_fishers_count_of_darwins_maize() -> None:
    """863 of the 32,768 patterns reach the sum of 314, and as many reach -314."""
    found = paired.permutation(DARWIN, [0] * 15)
    assert found.p == 2 * 863 / 32768
    assert found.statistic == pytest.approx(314 / 15)
    assert paired.paired_t(DARWIN, [0] * 15).statistic == pytest.approx(2.148, abs=5e-4)


def test_hollander_and_wolfes_signed_ranks() -> None:
    found = paired.wilcoxon(BEFORE, AFTER)
    assert (found.statistic, found.n) == (40, 9)
    assert found.p == pytest.approx(2 * 0.01953, abs=1e-5)


@pytest.mark.parametrize("n", [1, 2, 5, 9, 12])
@pytest.mark.parametrize("tied", [False, True])
def test_exact_tests_count_every_pattern_of_signs(n: int, tied: bool) -> None:
    random = np.random.default_rng(n)
    a = np.asarray(random.integers(1, 4, n) if tied else random.normal(0.5, 1, n), np.float64)
    ranks = stats.rankdata(abs(a))
    patterns = np.array(list(itertools.product([-1, 1], repeat=n)))

    def share(scores: NDArray[np.float64]) -> float:
        """Of the patterns whose signed sum is as far from 0 as the observed one."""
        reached = abs(patterns @ abs(scores)) >= abs(scores.sum()) - 1e-9
        return float(reached.mean())

    assert paired.permutation(a, np.zeros(n)).p == pytest.approx(share(a))
    assert paired.wilcoxon(a, np.zeros(n)).p == pytest.approx(share(np.sign(a) * ranks))


@pytest.mark.parametrize("n", [13, 30, 50])
def test_signed_ranks_without_ties_are_scipys(n: int) -> None:
    a, b = np.random.default_rng(n).normal(0, 1, (2, n))
    expected = stats.wilcoxon(a, b, method="exact")
    assert paired.wilcoxon(a, b).p == pytest.approx(float(expected.pvalue), rel=1e-10)


def test_many_signed_ranks_are_approximated_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = np.random.default_rng(1).normal(0, 1, (2, paired.EXACT_RANKS + 1))
    found = paired.wilcoxon(a, b)
    assert found.note == "normal approximation"
    monkeypatch.setattr(paired, "EXACT_RANKS", 1000)
    exact = paired.wilcoxon(a, b)
    assert exact.note == ""
    assert found.p == pytest.approx(exact.p, abs=0.002)


def test_zeros_and_ties_of_signed_ranks_are_said() -> None:
    found = paired.wilcoxon(SLEEP_A, SLEEP_B)
    # All nine that differ have one sign: 2 of 512 patterns.
    assert (found.statistic, found.p, found.n) == (0, 2 / 512, 9)
    assert found.note == "1 of 10 differences are 0; ties share their mean rank"


def test_a_difference_that_is_only_rounding_is_none() -> None:
    found = paired.wilcoxon([0.1 + 0.2, 2.0, 5.0], [0.3, 1.0, 3.0])
    assert (found.n, found.note[:26]) == (2, "1 of 3 differences are 0; ")


def test_random_patterns_are_the_same_each_time_and_near_the_exact_p() -> None:
    """A true p of 0.0527 (Darwin's), by pairs that are 0 beside it: 9,999 flips, error 0.0045."""
    differences = [*DARWIN, 0, 0]
    found = paired.permutation(differences, np.zeros(17))
    assert found.note == "9999 random patterns of signs"
    assert found.p == pytest.approx(2 * 863 / 32768, abs=0.007)
    assert found == paired.permutation(differences, np.zeros(17))
    assert (found.p * 10_000) % 1 == pytest.approx(0, abs=1e-6)


def test_random_patterns_never_say_that_something_cannot_be() -> None:
    assert paired.permutation(np.arange(1, 41), np.zeros(40)).p == 1 / 10_000


def test_patterns_are_drawn_in_parts_where_there_are_many_pairs() -> None:
    a = np.random.default_rng(0).normal(0, 1, 2000)
    p = paired.permutation(a, np.zeros(2000)).p
    assert p == pytest.approx(paired.paired_t(a, np.zeros(2000)).p, abs=0.02)


def test_five_pairs_cannot_be_significant_and_the_tests_say_so() -> None:
    a, b = [1, 2, 3, 4, 5.5], [0, 0, 0, 0, 0]
    for test in (paired.permutation, paired.wilcoxon):
        found = test(a, b)
        assert found.p == paired.smallest_p(5) == 0.0625
        assert found.note == "5 pairs: p cannot be below 0.0625"
    assert paired.permutation([*a, 6.5], [0] * 6).p == 0.03125
    assert paired.permutation([*a, 6.5], [0] * 6).note == ""


@pytest.mark.parametrize(
    ("alpha", "comparisons", "pairs"),
    [(0.05, 1, 6), (0.0625, 1, 5), (0.05, 10, 9), (0.01, 1, 8), (0.99, 1, 2)],
)
def test_fewest_pairs_are_those_whose_smallest_p_is_small_enough(
    alpha: float, comparisons: int, pairs: int
) -> None:
    assert paired.fewest_pairs(alpha, comparisons) == pairs
    assert paired.smallest_p(pairs) <= alpha / comparisons
    assert pairs == 1 or paired.smallest_p(pairs - 1) > alpha / comparisons


def test_questions_without_an_answer_are_refused() -> None:
    with pytest.raises(ValueError, match="0 pairs cannot be tested"):
        paired.smallest_p(0)
    with pytest.raises(ValueError, match=r"alpha 5 must be between 0 and 1"):
        paired.fewest_pairs(5)
    with pytest.raises(ValueError, match="groups of 0 and 3 values"):
        unpaired.smallest_p(0, 3)
    for test in (paired.paired_t, paired.wilcoxon, paired.permutation, effects.paired_d):
        with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\): match the seeds first"):
            test([1, 2], [1, 2, 3])


def test_incomplete_pairs_are_left_out_and_said() -> None:
    found = paired.paired_t([*SLEEP_A, math.nan, 1.0], [*SLEEP_B, 1.0, math.inf])
    assert found.p == paired.paired_t(SLEEP_A, SLEEP_B).p
    assert found.note == "2 of 12 pairs left out: a value is not finite"
    assert effects.paired_d([*SLEEP_A, math.nan], [*SLEEP_B, 1]) == effects.paired_d(
        SLEEP_A, SLEEP_B
    )
    one = unpaired.welch_t([*SLEEP_A, math.nan], SLEEP_B)
    assert (one.n, one.note) == (20, "1 values left out: not finite")


@pytest.mark.parametrize(
    ("test", "a", "b", "why"),
    [
        (paired.paired_t, [1], [2], "fewer than 2 pairs"),
        (paired.paired_t, [1.1, 2.1, 3.1], [1, 2, 3], "all differences are the same"),
        (paired.wilcoxon, [1, 2], [1, 2], "no pair differs"),
        (paired.permutation, [], [], "no pairs"),
        (unpaired.welch_t, [1], [2, 3], "fewer than 2 values in a group"),
        (unpaired.welch_t, [1, 1], [2, 2], "no group has any spread"),
        (unpaired.permutation, [1], [2], "too few values"),
    ],
)
def test_a_test_that_cannot_be_made_has_no_p_and_says_why(
    test: Callable[[list[float], list[float]], paired.Test],
    a: list[float],
    b: list[float],
    why: str,
) -> None:
    found = test(a, b)
    assert math.isnan(found.p)
    assert why in found.note


def test_no_difference_at_all_is_no_evidence_of_one() -> None:
    assert paired.permutation([1, 2, 3], [1, 2, 3]).p == 1


def test_splits_of_two_groups_are_counted() -> None:
    """Of the 20 ways of splitting 1 to 6 in two threes, one is this, and one its mirror."""
    found = unpaired.permutation([1, 2, 3], [4, 5, 6])
    assert (found.p, found.statistic) == pytest.approx((0.1, -3))
    assert found.note == "3 and 3 values: p cannot be below 0.1"
    assert unpaired.smallest_p(4, 4) == pytest.approx(2 / 70)
    # 1, 2, 4 against 3, 5, 6: sums of 6 and 7 are as low, and 14 and 15 as high.
    assert unpaired.permutation([1, 2, 4], [3, 5, 6]).p == pytest.approx(4 / 20)
    many = unpaired.permutation(SLEEP_A, SLEEP_B)
    assert many.note == "9999 random splits"
    assert many.p == pytest.approx(0.0814, abs=0.008)  # of all 184,756 splits
    assert many == unpaired.permutation(SLEEP_A, SLEEP_B)


@pytest.mark.parametrize("n", [5, 6, 10])
def test_exact_tests_err_as_often_as_their_patterns_say(n: int) -> None:
    """P(p <= 0.05) is the largest share of patterns below it; 4,000 pairs of samples."""
    promised = 100 * math.floor(0.05 * 2 ** (n - 1)) / 2 ** (n - 1)
    found = coverage.errs(paired.permutation, coverage.alike, n, 4000)
    assert found == pytest.approx(promised, abs=1.2)
    assert coverage.errs(paired.wilcoxon, coverage.alike, n, 1000) <= 6


def test_t_tests_err_in_five_of_a_hundred_and_find_what_is_there() -> None:
    assert coverage.errs(paired.paired_t, coverage.alike, 5, 1000) == pytest.approx(5, abs=2)
    assert coverage.errs(unpaired.welch_t, coverage.alike, 10, 1000) == pytest.approx(5, abs=2)
    random = np.random.default_rng(0)
    a, b = random.normal(0, 1, (100, 10)), random.normal(1.5, 1, (100, 10))
    for test in (paired.paired_t, paired.wilcoxon, paired.permutation, unpaired.welch_t):
        found = np.mean([test(x, y).p <= 0.05 for x, y in zip(a, b, strict=True)])
        assert 0.75 < found < 0.95, test


# --- Corrections ---------------------------------------------------------------------------------

REPERFUSION = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
]
"""Benjamini and Hochberg 1995, section 3: fifteen comparisons of two treatments."""


def test_holms_example_by_hand() -> None:
    adjusted = corrections.holm([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])


def test_benjamini_and_hochbergs_example_has_four_findings_and_holms_three() -> None:
    assert (corrections.benjamini_hochberg(REPERFUSION) <= 0.05).sum() == 4
    assert (corrections.holm(REPERFUSION) <= 0.05).sum() == 3
    by_hand = Fraction("0.0095") * 15 / 4
    assert corrections.benjamini_hochberg(REPERFUSION)[3] == pytest.approx(float(by_hand))


@pytest.mark.parametrize("correct", [corrections.holm, corrections.benjamini_hochberg])
def test_what_was_not_compared_does_not_count(
    correct: Callable[[object], NDArray[np.float64]],
) -> None:
    found = correct([[0.01, math.nan], [0.04, 0.03]])
    assert found.shape == (2, 2)
    assert math.isnan(found[0, 1])
    np.testing.assert_array_equal(found[[0, 1, 1], [0, 0, 1]], correct([0.01, 0.04, 0.03]))
    assert correct([]).size == 0
    assert math.isnan(correct([math.nan])[0])
    for wrong in (-0.1, 1.5, math.inf):
        with pytest.raises(ValueError, match="is no probability"):
            correct([0.5, wrong])


def test_corrections_hold_what_they_promise() -> None:
    """Ten comparisons, 1,000 times: Holm any false claim, BH the share of false ones."""
    rows = {(row[0], row[1]): [float(x) for x in row[2:4]] for row in coverage.several(1000)}
    assert rows["none", "0"][0] == pytest.approx(100 * (1 - 0.95**10), abs=5)
    for true in ("0", "3"):
        assert rows["Holm", true][0] <= 6.5
        assert rows["Benjamini–Hochberg", true][1] <= 6.5


# --- Effect sizes --------------------------------------------------------------------------------


def spread_out(mean: float, n: int) -> NDArray[np.float64]:
    """n values with exactly this mean and a standard deviation of 1."""
    x = np.arange(n, dtype=float)
    standard: NDArray[np.float64] = (x - x.mean()) / x.std(ddof=1) + mean
    return standard


def test_cohens_d_by_hand() -> None:
    assert effects.cohen_d([1, 2, 3], [2, 3, 4]).value == pytest.approx(-1)
    # Sums of squares 2 and 8 over 3 degrees of freedom.
    pooled = math.sqrt(10 / 3)
    assert effects.cohen_d([1, 2, 3], [4, 8]).value == pytest.approx((2 - 6) / pooled)


def test_the_interval_of_d_is_the_published_one_of_noncentral_t() -> None:
    """t = 2.83 with 126 degrees of freedom: 0.83375 to 4.81536 (Kelley 2007, MBESS)."""
    root = math.sqrt(32)
    found = effects.cohen_d(spread_out(2.83 / root, 64), spread_out(0, 64))
    assert (found.low * root, found.high * root) == pytest.approx((0.8337502, 4.815359), abs=2e-5)


@pytest.mark.parametrize("d", [-6.0, -1.0, 0.0, 0.3, 2.0, 12.0])
@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_the_ends_of_d_z_put_what_was_seen_at_the_edge(d: float, n: int) -> None:
    found = effects.paired_d(spread_out(d, n), np.zeros(n))
    assert found.value == pytest.approx(d)
    t, edges = d * math.sqrt(n), np.array([found.low, found.high]) * math.sqrt(n)
    np.testing.assert_allclose(stats.nct.cdf(t, n - 1, edges), [0.975, 0.025], atol=2e-4)


def test_hedges_correction_is_the_printed_one() -> None:
    """c(4) = 0.7979 and c(8) = 0.9027 (Hedges 1981, table 1, exact values)."""
    for n, printed in ((3, 0.7979), (5, 0.9027)):
        a, b = spread_out(1, n), spread_out(0, n)
        d, g = effects.cohen_d(a, b), effects.hedges_g(a, b)
        assert (g.value, g.high) == pytest.approx((printed * d.value, printed * d.high), rel=1e-4)


def test_hedges_g_is_unbiased_where_d_is_not() -> None:
    x, y = np.random.default_rng(0).normal([[[1.0]], [[0.0]]], 1, (2, 3000, 3))
    pairs = list(zip(x, y, strict=True))
    assert np.mean([effects.cohen_d(*pair).value for pair in pairs]) > 1.2
    assert np.mean([effects.hedges_g(*pair).value for pair in pairs]) == pytest.approx(1, abs=0.05)


def test_the_probability_of_improvement_counts_pairs() -> None:
    # Below: 1 of one, 2 of the other pairs; 2 = 2 counts half.
    found = effects.probability_of_improvement([1, 2], [2, 0])
    assert found.value == pytest.approx((1 + 0 + 0.5 + 0) / 4)
    random = np.random.default_rng(0)
    a, b = random.integers(0, 5, 7), random.integers(0, 5, 9)
    below = (a[:, None] < b) + 0.5 * (a[:, None] == b)
    assert effects.probability_of_improvement(a, b).value == pytest.approx(below.mean())
    assert effects.probability_of_improvement([1, 2], [3, math.inf]).value == 1


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (3, 20)])
def test_its_ends_solve_the_score_equation_with_hanley_and_mcneils_variance(n: int, m: int) -> None:
    z = stats.norm.ppf(0.975)
    a, b = np.random.default_rng(n).normal(0, 1, n), np.random.default_rng(m).normal(0.5, 1, m)
    for x, y in ((a, b), (a, b + 100), (a + 100, b)):
        found = effects.probability_of_improvement(x, y)
        for end in {found.low, found.high} - {0.0, 1.0}:
            # Q1 = θ/(2 − θ), Q2 = 2θ²/(1 + θ); each group taken to have the mean size.
            q1, q2, size = end / (2 - end), 2 * end**2 / (1 + end), (n + m) / 2
            variance = end * (1 - end) + (size - 1) * (q1 + q2 - 2 * end**2)
            assert abs(found.value - end) == pytest.approx(z * math.sqrt(variance / (n * m)))
        mirror = effects.probability_of_improvement(y, x)
        assert (mirror.low, mirror.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_groups_that_do_not_overlap_leave_doubt() -> None:
    found = effects.probability_of_improvement([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.6427, abs=1e-4)


def test_normal_groups_give_the_probability_that_theory_gives() -> None:
    x, y = np.random.default_rng(0).normal([[0.0], [1.0]], 1, (2, 3000))
    theory = integrate.quad(lambda t: stats.norm.pdf(t) * stats.norm.sf(t - 1), -9, 9)[0]
    assert theory == pytest.approx(stats.norm.cdf(math.sqrt(0.5)))
    assert effects.probability_of_improvement(x, y).value == pytest.approx(theory, abs=0.015)


@pytest.mark.parametrize("name", ["Cohen's d of −1", "paired d_z of −1/√2"])
@pytest.mark.parametrize("n", [5, 10, 30])
def test_intervals_of_effects_cover_normal_effects(name: str, n: int) -> None:
    covered, _ = coverage.INTERVALS[name]
    assert covered("normal", n, 3000) == pytest.approx(95, abs=1.5)


def test_effects_without_spread_or_values_are_undefined() -> None:
    for found in (
        effects.cohen_d([1, 1], [2, 2]),
        effects.hedges_g([1, 1], [2, 2]),
        effects.cohen_d([1], [2]),
        effects.paired_d([1.1, 2.1], [1, 2]),
        effects.paired_d([1], [2]),
        effects.probability_of_improvement([], [1]),
    ):
        assert all(map(math.isnan, (found.value, found.low, found.high)))
