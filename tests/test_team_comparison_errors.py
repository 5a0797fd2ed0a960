"""What the tests of a comparison promise, on simulated seeds: wrong claims, power, coverage."""

import numpy as np
import pytest
from numpy.typing import NDArray

from talweg.dashboard.comparison_tests import (
    Contest,
    Verdict,
    divergence,
    judge,
    mean_improvement,
    over_cells,
)

CELLS, SEEDS, FAMILIES = 8, 10, 400
ALPHA = 0.05


def family(
    random: np.random.Generator, effects: NDArray[np.float64], paired: bool
) -> list[Contest]:
    """A contest per effect: normal seeds, which move both sides where they are shared."""
    shared = random.normal(0, 2.0, (len(effects), SEEDS))
    one, other = random.normal(0, 1.0, (2, len(effects), SEEDS))
    a = one + effects[:, np.newaxis] + (shared if paired else 0)
    b = other + (shared if paired else 0)
    return [Contest(f"cell {i}", "a", "b", a[i], b[i], paired, False) for i in range(len(effects))]


@pytest.mark.parametrize(("paired", "families"), [(True, FAMILIES), (False, FAMILIES // 2)])
def test_families_without_a_difference_have_few_wrong_claims(paired: bool, families: int) -> None:
    random = np.random.default_rng(7)
    wrong = sum(
        any(j.ahead for j in judge(family(random, np.zeros(CELLS), paired)))
        for _ in range(families)
    )
    # Two standard errors of the simulation above 5 %.
    margin = 2 * np.sqrt(ALPHA * (1 - ALPHA) / families)
    assert wrong / families <= ALPHA + margin
    assert wrong > 0  # the simulation can fail: uncorrected, about a third of families would


def test_uncorrected_the_same_families_are_often_wrong() -> None:
    random = np.random.default_rng(7)
    wrong = sum(
        min(c.test().p for c in family(random, np.zeros(CELLS), True)) < ALPHA for _ in range(100)
    )
    assert wrong / 100 > 0.2  # 1 − 0.95⁸ = 0.34


def test_a_true_difference_is_found_on_the_right_side_and_only_there() -> None:
    random = np.random.default_rng(3)
    effects = np.array([2.5, 2.5, -2.5, *[0.0] * (CELLS - 3)])
    found = [[j.verdict for j in judge(family(random, effects, True))] for _ in range(100)]
    shares = [sum(v[i] is Verdict.ONE for v in found) / 100 for i in (0, 1)]
    shares.append(sum(v[2] is Verdict.OTHER for v in found) / 100)
    assert min(shares) > 0.9
    assert not any(v[0] is Verdict.OTHER or v[2] is Verdict.ONE for v in found)
    wrong = sum(any(x in (Verdict.ONE, Verdict.OTHER) for x in v[3:]) for v in found)
    assert wrong / 100 <= ALPHA + 0.05


def test_smaller_is_ahead_where_smaller_is_better() -> None:
    a, b = np.arange(10.0), np.arange(10.0) + 5 + 0.1 * (np.arange(10) % 3)
    (judged,) = judge([Contest("c", "a", "b", a, b, True, True)])
    assert judged.ahead == "a"
    assert mean_improvement([judged.contest]) is not None


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("seeds", [3])
def test_intervals_over_cells_cover_the_truth(paired: bool, seeds: int) -> None:
    random = np.random.default_rng(11)
    spreads = np.linspace(0.5, 2.0, CELLS)[:, np.newaxis]
    covered = 0
    for _ in range(600):
        a, b = random.normal(0, 1, (2, CELLS, seeds)) * spreads
        contests = [Contest("c", "a", "b", a[i], b[i], paired, False) for i in range(CELLS)]
        mean = over_cells(contests)
        assert mean is not None
        covered += mean.low <= 0 <= mean.high
    assert 0.93 <= covered / 600 <= 0.975


def test_over_cells_is_a_mean_of_means_with_hand_computed_ends() -> None:
    # Differences 1, 3 and 2, 2, 5: means 2 and 3, variances 2 and 3, squared errors 1 and 1.
    contests = [
        Contest("c", "a", "b", np.array(d), np.zeros(len(d)), True, False)
        for d in ([1.0, 3.0], [2.0, 2.0, 5.0])
    ]
    mean = over_cells(contests)
    assert mean is not None
    assert (mean.value, mean.cells) == (2.5, 2)
    # (1 + 1)² / (1²/1 + 1²/2) = 8/3 degrees of freedom; t(0.975, 8/3) = 3.4223.
    assert mean.high - mean.value == pytest.approx(3.4223 * np.sqrt(2) / 2, rel=1e-3)


def test_a_side_that_never_diverged_is_told_from_one_that_did() -> None:
    one, other = [True] * 6 + [False] * 4, [False] * 10
    found = divergence(one, other)
    assert (found.one, found.other, found.pairs) == (6, 0, 10)
    assert found.p == pytest.approx(2 * 0.5**6)
    assert np.isnan(divergence(other, other).p)
