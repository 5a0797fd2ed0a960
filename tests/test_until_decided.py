"""The rule that says when seeds are enough: its tests, its looks, its errors, its stops."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from benchmarks import sequential_rules, until_decided
from talweg.dashboard import sequential
from talweg.dashboard.race import Race, Rule, Verdict
from talweg.dashboard.sequential import Floats
from talweg.dashboard.statistics import corrections, paired

LOOKS = tuple(sequential.schedule(30))
FIVE = range(1, 6)
NORMALS = np.random.default_rng(3)


def values(*effects: float, seeds: int = 30, shared: float = 1.0, seed: int = 0) -> Floats:
    """Normal values of unit deviation around each effect, with a common part for each seed."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(len(effects), seeds)) + shared * rng.normal(size=(1, seeds))
    found: Floats = noise + np.array(effects)[:, None]
    return found


@pytest.mark.parametrize(
    ("published", "bounds"),
    [
        # Jennison and Turnbull 2000, tables 2.1 and 2.3: two-sided 5 %, five looks.
        ("Pocock", [2.413] * 5),
        ("O'Brien and Fleming", [2.040 * math.sqrt(5 / k) for k in FIVE]),
    ],
)
def test_published_boundaries_spend_five_per_cent(published: str, bounds: list[float]) -> None:
    assert sum(sequential_rules.crossing(bounds, FIVE)) == pytest.approx(0.05, abs=1e-4)
    if published == "O'Brien and Fleming":
        assert [round(b, 2) for b in bounds] == [4.56, 3.23, 2.63, 2.28, 2.04]


@pytest.mark.parametrize(
    ("spend", "published"),
    [
        # As Lan and DeMets 1983 and their program give them (R package ldbounds).
        (sequential_rules.obrien_fleming, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        (sequential_rules.pocock, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_spending_functions_have_their_published_boundaries(
    spend: sequential_rules.Spend, published: list[float]
) -> None:
    assert sequential_rules.lan_demets(FIVE, 0.05, spend) == pytest.approx(published, abs=2e-4)


def test_the_anytime_boundary_is_where_the_bayes_factor_is_one_over_alpha() -> None:
    (t,) = sequential_rules.anytime([10], 0.01)
    # By numerical integration: a normal prior on the effect size, of variance 1.
    effect = np.linspace(-12, 12, 48_001)
    likelihood = stats.nct.pdf(t, 9, effect * math.sqrt(10)) * stats.norm.pdf(effect)
    factor = np.nansum(likelihood) * (effect[1] - effect[0]) / stats.t.pdf(t, 9)
    assert factor == pytest.approx(100, rel=1e-3)


def test_looks_grow_by_equal_ratios_and_spend_all_of_alpha() -> None:
    assert LOOKS == (5, 8, 12, 19, 30)
    shares = sequential.shares(LOOKS)
    assert shares.sum() == pytest.approx(1)
    assert shares[4] == 0.8
    assert shares[3] / shares[0] == pytest.approx(19 / 5)
    assert sequential.shares([30]) == pytest.approx([1])
    assert sequential.schedule(5) == [5]
    assert sequential.schedule(6) == [5, 6]
    with pytest.raises(ValueError, match="below the first look, after 5"):
        sequential.schedule(4)


def test_each_look_makes_the_two_tests_at_their_shares() -> None:
    difference = NORMALS.normal(0.5, 1, (20, 9))
    p, side = sequential.look_p(difference)
    for row, found, direction in zip(difference, p, side, strict=True):
        by_means = paired.paired_t(row, np.zeros(9)).p
        by_signs = stats.binomtest(int((row > 0).sum()), 9).pvalue
        assert found == pytest.approx(min(1, by_means / 0.9, by_signs / 0.1))
        assert direction == (np.sign(row.mean()) if by_means / 0.9 <= by_signs / 0.1 else direction)


def test_equal_differences_have_no_spread_so_signs_alone_count() -> None:
    same = np.array([[0.5] * 8, [0.0] * 8, [0.1 + 0.2 - 0.3 + 0.5] * 8])
    assert list(sequential.means_p(same)) == [1, 1, 1]
    p, side = sequential.look_p(same)
    assert p == pytest.approx([2 * 0.5**8 / 0.1, 1, 2 * 0.5**8 / 0.1])
    assert list(side) == [1, 0, 1]


def test_p_values_are_corrected_as_everywhere() -> None:
    p = NORMALS.uniform(size=42) ** 3
    assert sequential.holm(p) == pytest.approx(corrections.holm(p))
    assert list(sequential.holm([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert sequential.holm([]).shape == (0,)


def test_a_diverged_trial_loses_against_every_finite_one_and_none_against_its_like() -> None:
    never, always = np.zeros(30), np.full(30, -np.inf)
    race = Race(np.array([never, always, always]), ["", "", ""], Rule(LOOKS, order=True))
    verdicts = {(pair.one, pair.other): pair for pair in race.pairs}
    # 2 · 2⁻ⁿ / (0.1 · 0.2 · n/44) is first below 0.05/3 at n = 19.
    assert verdicts[0, 1].verdict is Verdict.DIFFERS
    assert verdicts[0, 1].seeds == 19
    assert verdicts[0, 1].ahead() == 0
    assert verdicts[1, 2].verdict is Verdict.HOPELESS
    assert verdicts[1, 2].seeds == 5


def test_the_predicted_chance_is_that_of_a_simulated_rest() -> None:
    seen = NORMALS.normal(0.7, 1, 12)
    level = 0.02
    (told,) = sequential.chance(seen[None], 30, level)
    rng = np.random.default_rng(5)
    # The posterior of the mean under a flat prior, the spread taken as it was seen.
    spread = seen.std(ddof=1)
    means = seen.mean() + spread / math.sqrt(12) * rng.standard_t(11, 40_000)
    rest = means + spread * rng.normal(size=40_000) / math.sqrt(18)
    final = (12 * seen.mean() + 18 * rest) / 30
    needed = stats.t.isf(level * 0.9 / 2, 29) * spread / math.sqrt(30)
    assert told == pytest.approx((np.abs(final) > needed).mean(), abs=0.02)


@pytest.mark.parametrize("order", [False, True], ids=["best", "order"])
@pytest.mark.parametrize("family", list(until_decided.FAMILIES))
def test_the_chance_of_any_wrong_claim_is_at_most_as_stated(family: str, order: bool) -> None:
    normal, repeats = until_decided.NOISES["normal"], 120
    effects = until_decided.FAMILIES[family]
    wrong, trials, _ = until_decided.families(effects, normal, order, repeats)
    # Four standard errors of a share of 5 % above it.
    assert wrong <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / repeats)
    assert 14 * 5 <= trials < 14 * 30


def test_the_rule_would_err_if_it_looked_as_often_without_a_price() -> None:
    # What the shares are for: the same looks at the full level each.
    difference = np.random.default_rng(2).normal(size=(4_000, 30))
    free = np.zeros(4_000, dtype=bool)
    paid = np.zeros(4_000, dtype=bool)
    for n, share in zip(LOOKS, sequential.shares(LOOKS), strict=True):
        p = sequential.look_p(difference[:, :n])[0]
        free |= p <= 0.05
        paid |= p <= 0.05 * share
    assert free.mean() > 0.09
    assert paid.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4_000)


def test_the_best_needs_few_seeds_and_the_beaten_no_more() -> None:
    race = Race(values(0, -1.5, -6, -8), [""] * 4, Rule(LOOKS))
    assert not race.waiting
    assert race.leaders() == {"": 0}
    assert race.beaten().keys() == {1, 2, 3}
    assert race.seeds_I[2] < race.seeds_I[0]
    assert race.seeds_I[3] < race.seeds_I[0]
    ordered = Race(values(0, -1.5, -6, -8), [""] * 4, Rule(LOOKS, order=True))
    assert sum(ordered.seeds_I) > sum(race.seeds_I)


def test_two_that_are_alike_stop_before_the_cap() -> None:
    races = [Race(values(0, 0, seed=seed), ["", ""], Rule(LOOKS)) for seed in range(40)]
    assert {race.pairs[0].verdict for race in races} <= {Verdict.HOPELESS, Verdict.CAPPED}
    assert sum(race.seeds_I[0] for race in races) / 40 < 25
    capped = Race(values(0, -0.75, seed=4), ["", ""], Rule(LOOKS))
    assert capped.pairs[0].seeds == 30


def test_a_margin_shows_that_two_are_alike_and_costs_half_of_alpha() -> None:
    near = values(0, 0.001, shared=1) * 0.01
    race = Race(near, ["", ""], Rule(LOOKS, margin=0.05))
    assert race.pairs[0].verdict is Verdict.SAME
    assert Rule(LOOKS, margin=0.05).differing == 0.025
    assert Rule(LOOKS).differing == 0.05
    # A margin within the noise shows nothing.
    unsure = Race(near, ["", ""], Rule(LOOKS, margin=0.0005))
    assert unsure.pairs[0].verdict is not Verdict.SAME


def test_groups_are_not_compared_with_each_other_but_share_the_error() -> None:
    four = values(0, -1, -1, 0)
    apart = Race(four, ["a", "a", "b", "b"], Rule(LOOKS))
    assert [(pair.one, pair.other) for pair in apart.pairs] == [(0, 1), (2, 3)]
    alone = Race(four[:2], ["a", "a"], Rule(LOOKS, alpha=0.025))
    assert apart.pairs[0].p == alone.pairs[0].p
    assert Race(four[:1], ["a"], Rule(LOOKS)).demand_I == [0]


def test_what_is_known_beyond_a_look_changes_nothing() -> None:
    every = values(0, -1.5, -6, -8, 0.2)
    whole = Race(every, [""] * 5, Rule(LOOKS))
    known = np.full_like(every, np.nan)
    for _ in LOOKS:
        step = Race(known, [""] * 5, Rule(LOOKS))
        if not step.waiting:
            break
        for place, seeds in enumerate(step.demand_I):
            known[place, :seeds] = every[place, :seeds]
    final = Race(known, [""] * 5, Rule(LOOKS))
    assert not final.waiting
    assert np.isnan(known).any()
    assert repr(final.pairs) == repr(whole.pairs)
    assert final.seeds_I == whole.seeds_I


def test_a_seed_without_a_result_holds_the_look_open() -> None:
    lacking = values(0, -9, 0)
    lacking[1, 3] = np.nan
    race = Race(lacking, ["a", "a", "b"], Rule(LOOKS))
    assert race.waiting
    assert race.demand_I == [5, 5, 0]
    assert race.seeds_I == [0, 0, 0]
    assert {pair.verdict for pair in race.pairs} == {Verdict.OPEN}


def test_rules_are_plain_data() -> None:
    assert dataclasses.asdict(Rule((5, 8)))["looks"] == (5, 8)
    assert Rule((5, 8)).most == 8
