"""The sentence: what it says for known data, and what it never says."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from talweg.dashboard.findings import cost_table, cost_words, costs_with_interval, descent_finding
from talweg.dashboard.formats import compact, duration, interval, percent, rate, tied
from talweg.dashboard.metrics import DEFAULT_TARGET, METRICS, UNITS, Target
from talweg.dashboard.selection import at_rates, best_rates
from talweg.dashboard.timing import Timing, devices, sweep_timing, timing_of


def group(series: str, lr: float, costs: list[float], **other: Any) -> dict[str, Any]:
    """One group of the query ``time_to_target``; a cost of infinity never reached the target."""
    met = [cost for cost in costs if np.isfinite(cost)]
    enough = len(met) * 2 > len(costs)
    return {
        "series": series,
        "lr": lr,
        "unit": "samples",
        "planned": len(costs),
        "seeds": len(costs),
        "trials": len(costs),
        "reached": len(met),
        "kept": len(met),
        "diverged": 0,
        "isolated": 0,
        "shared": len(costs),
        "mean": np.mean(met) if met else np.nan,
        "stddev": np.std(met, ddof=1) if len(met) > 1 else np.nan,
        "median": np.median(costs) if enough else np.nan,
        "gap": 0.02,
    } | other


def finding(*groups: dict[str, Any], target: Target = DEFAULT_TARGET) -> str:
    costs = costs_with_interval(pd.DataFrame(groups))
    finals = costs.assign(mean=0.5)
    return descent_finding(costs, at_rates(costs, best_rates(costs, finals, False)), target)


INF = np.inf
FAST = group("mini-batch 32", 0.316, [1000, 1100, 1200, 1100, 1100])
SLOW = group("stochastic", 0.01, [5000, 5500, 5200, 5300, 5100])
NEVER = group("batch", 1.0, [INF] * 5)

SENTENCES = {
    "ordered, with one that never got there": (
        (NEVER, SLOW, FAST),
        "Mini-batch 32 (lr 0.316) reached 95 % test accuracy within 1.10 k samples (mean of 5 "
        "seeds, 95 % t interval 1.01 k to 1.19 k); stochastic (lr 0.01) within 5.22 k (mean of 5 "
        "seeds, 95 % t interval 4.98 k to 5.46 k); batch never did within its budget (5 trials "
        "at 1 learning rate).",
    ),
    "a running sweep says so first": (
        (FAST | {"planned": 8, "seeds": 8},),
        "With 5 of 8 trials finished, mini-batch 32 (lr 0.316) reached 95 % test accuracy within "
        "1.10 k samples (mean of 5 seeds, 95 % t interval 1.01 k to 1.19 k, 3 of 8 missing).",
    ),
    "one seed has no interval": (
        (group("batch", 0.1, [400.0]),),
        "Batch (lr 0.1) reached 95 % test accuracy within 400 samples (one trial, so no interval).",
    ),
    "some seeds never got there: the median, and no interval": (
        (group("batch", 0.1, [100.0, 200.0, 300.0, INF, INF]),),
        "Batch (lr 0.1) reached 95 % test accuracy within 300 samples (3 of 5 trials, median).",
    ),
    "most seeds never got there: no cost at all": (
        (group("batch", 0.1, [100.0, INF, INF]),),
        "Batch (lr 0.1) reached 95 % test accuracy in a minority of trials (1 of 3 trials).",
    ),
    "nobody got there": (
        (NEVER, group("stochastic", 0.1, [INF, INF])),
        "No descent reached 95 % test accuracy within its budget: batch in 5 trials at 1 learning "
        "rate, stochastic in 2 trials at 1 learning rate.",
    ),
    "nothing finished": (
        (FAST | {"trials": 0, "reached": 0, "planned": 5},),
        "Of 5 trials in this sweep, none has a result yet.",
    ),
    "diverged trials are named": (
        (FAST | {"diverged": 2, "kept": 3},),
        "Mini-batch 32 (lr 0.316) reached 95 % test accuracy within 1.10 k samples (mean of 5 "
        "seeds, 95 % t interval 1.01 k to 1.19 k, 2 diverged).",
    ),
    "more trials than seeds are not called seeds": (
        (FAST | {"seeds": 2},),
        "Mini-batch 32 (lr 0.316) reached 95 % test accuracy within 1.10 k samples (mean of 5 "
        "trials, 95 % t interval 1.01 k to 1.19 k).",
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_sentence_says_what_the_data_say(case: str) -> None:
    groups, expected = SENTENCES[case]
    assert finding(*groups) == expected


def test_two_that_the_data_cannot_order_are_called_too_close() -> None:
    close = group("stochastic", 0.01, [1150, 1250, 1100, 1300, 1200])
    assert finding(FAST, close).endswith(
        "Mini-batch 32 and stochastic are too close to call: their intervals, widened by one gap "
        "between recordings, overlap."
    )


def test_a_gap_between_recordings_alone_can_make_it_too_close() -> None:
    later = group("stochastic", 0.01, [1300, 1310, 1320, 1300, 1310])
    assert "too close" not in finding(FAST, later)
    assert "too close" in finding(FAST, later | {"gap": 0.1})


def test_without_two_intervals_nothing_is_ordered() -> None:
    single = group("stochastic", 0.01, [90000.0])
    assert finding(FAST, single).endswith("too close to call: not both have an interval.")


def test_a_loss_target_reads_as_a_loss() -> None:
    assert "reached a test loss of 0.1 within" in finding(
        FAST, target=Target(METRICS["test_loss"], 0.1)
    )


RATES = {
    "the one that needs fewest samples": (
        [group("b", 0.1, [300, 300]), group("b", 1.0, [200, 200])],
        1.0,
    ),
    "not one that reaches it less often": (
        [group("b", 0.1, [300, 300]), group("b", 1.0, [10, INF])],
        0.1,
    ),
    "not one that reaches it and diverges": (
        [group("b", 0.1, [300, 300]), group("b", 1.0, [10, 10], kept=0, diverged=2)],
        0.1,
    ),
    "of those that never do, one that does not diverge": (
        [group("b", 0.1, [INF, INF]), group("b", 1.0, [INF, INF], diverged=1)],
        0.1,
    ),
}


@pytest.mark.parametrize("case", RATES)
def test_best_rate_follows_the_documented_rule(case: str) -> None:
    groups, expected = RATES[case]
    costs = costs_with_interval(pd.DataFrame(groups))
    assert best_rates(costs, costs.assign(mean=0.5), False) == {"b": expected}


@pytest.mark.parametrize(("falling", "expected"), [(False, 1.0), (True, 0.1)])
def test_of_rates_that_never_reach_it_the_best_final_value_decides(
    falling: bool, expected: float
) -> None:
    costs = costs_with_interval(
        pd.DataFrame([group("b", 0.1, [INF, INF]), group("b", 1.0, [INF, INF])])
    )
    finals = costs.assign(mean=[0.3, 0.4])
    assert best_rates(costs, finals, falling) == {"b": expected}


def test_costs_are_only_given_an_interval_where_all_reached_the_target() -> None:
    costs = costs_with_interval(pd.DataFrame([FAST, group("b", 0.1, [100, 200, INF])]))
    assert costs["low"].notna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ([100.0, 120.0], "110 (0 to 237)"),
        ([100.0], "100 (one trial)"),
        ([100.0, 200.0, INF], "median 200 (2 of 3)"),
        ([100.0, INF], "never (1 of 2)"),
    ],
)
def test_cost_in_words(costs: list[float], words: str) -> None:
    frame = costs_with_interval(pd.DataFrame([group("b", 0.1, costs)]))
    assert cost_words(frame.iloc[0]) == words


ALONE = {"isolated": 5, "shared": 0}


def table_of(*groups: dict[str, Any]) -> pd.DataFrame:
    rows = [group | {"unit": unit.column} for group in groups for unit in UNITS]
    return cost_table(costs_with_interval(pd.DataFrame(rows)))


def test_cost_table_has_a_row_per_group_and_a_column_per_unit() -> None:
    table = table_of(FAST | ALONE, NEVER | ALONE)
    assert table["descent"].tolist() == ["mini-batch 32", "batch"]
    for unit in UNITS:
        assert table[f"{unit.title} to target"].tolist() == [
            "1.10 k (1.01 k to 1.19 k)",
            "never (0 of 5)",
        ]


@pytest.mark.parametrize("other", [{}, {"isolated": 4, "shared": 1}])
def test_cost_table_has_no_seconds_while_one_trial_of_it_shares_them(other: dict[str, int]) -> None:
    columns = list(table_of(FAST | ALONE, NEVER | other))
    assert columns[-1] == "gradient evaluations to target"


def timing(*groups: dict[str, Any]) -> Timing:
    return timing_of(costs_with_interval(pd.DataFrame(groups)))


TIMINGS: dict[str, tuple[Timing, str | None]] = {
    "all alone": (timing(FAST | ALONE, NEVER | ALONE), None),
    "all in packs": (timing(FAST, NEVER), "all 10 trials trained fused"),
    "some in packs": (timing(FAST | ALONE, NEVER), "5 of 10 trials trained fused"),
    "one in a pack": (timing(FAST | {"isolated": 4, "shared": 1}), "1 of 5 trials trained fused"),
    "some under way": (
        timing(FAST | ALONE, NEVER | {"isolated": 3, "shared": 0}),
        "2 of 10 trials have not ended, and only then is it known whose they are",
    ),
    "a group is counted once, however many rows it has": (
        timing(FAST | ALONE, FAST | ALONE | {"unit": "seconds"}, NEVER),
        "5 of 10 trials",
    ),
    "nobody": (Timing(0, 0, 0), "0 of 0 trials"),
}


@pytest.mark.parametrize("case", TIMINGS)
def test_seconds_are_refused_with_the_reason(case: str) -> None:
    found, reason = TIMINGS[case]
    if reason is None:
        assert found.refusal is None
        assert found.statement.startswith("Seconds are isolated: each of 10 trials")
    else:
        assert reason in str(found.refusal)
        assert "“timing: isolated” in the grid file" in str(found.refusal)
        assert "isolated" not in found.statement


HOSTS = [("a", True, 3), ("b", True, 2), ("a", False, 4), ("c", None, 1)]
HARDWARE = [{"node": n, "device": "cpu", "isolated": i, "trials": t} for n, i, t in HOSTS]


def test_failed_trials_do_not_decide_whose_the_seconds_are() -> None:
    assert sweep_timing(HARDWARE) == Timing(9, 5, 4)
    assert sweep_timing([HARDWARE[0], HARDWARE[3]]).refusal is None
    nothing = "No trial has a result with seconds yet, so there are none."
    assert sweep_timing([]).statement == nothing


def test_isolated_seconds_of_several_devices_say_so() -> None:
    assert devices(HARDWARE[:1]) == devices(HARDWARE[2:]) == ""
    assert "on 2 devices, whose speeds are in them: a (cpu), b (cpu)" in devices(HARDWARE)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (12345.0, "12.3 k"), (999.6, "1.00 k"), (950.0, "950"), (11.0, "11.0"), (0.0316, "0.0316"),
        (2.5e6, "2.50 M"), (0.0, "0"), (1e-5, "1e-05"), (-1234.0, "-1.23 k"), (None, "–"),
        (float("nan"), "–"),
    ],
)  # fmt: skip
def test_compact_numbers(value: float | None, words: str) -> None:
    assert compact(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (42, "42 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (90000, "1 d 1 h")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_units_stay_with_their_numbers() -> None:
    assert tied("95 % within 2.39 k, 5 seeds") == "95\u00a0% within 2.39\u00a0k, 5 seeds"


def test_rates_levels_and_intervals() -> None:
    assert [rate(lr) for lr in (1.0, 0.1, 0.316227766, None)] == ["1", "0.1", "0.316", "none"]
    assert [percent(share) for share in (0.95, 0.975, 1.0)] == ["95 %", "97.5 %", "100 %"]
    assert interval(1000.0, float("nan")) == "–"
