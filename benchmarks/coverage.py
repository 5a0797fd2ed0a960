"""``python -m benchmarks.coverage``: how often intervals cover the truth, and tests err.

Simulated with fixed seeds, so that the tables of docs/statistics.md come out again, in two
minutes of one core.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from talweg.dashboard.statistics import (
    bootstrap_interval,
    corrections,
    effects,
    paired,
    survival,
    t_interval,
    unpaired,
    welch_interval,
)
from talweg.dashboard.statistics.bootstrap import Statistic

Values = NDArray[np.float64]
SIZES = (5, 10, 30)
MANY = 100_000
"""Repetitions of what is computed for all samples at once; of others see ``--repeats``."""

DISTRIBUTIONS = {
    "normal": stats.norm(),
    "log-normal, σ = 1": stats.lognorm(1.0),
    "accuracies, Beta(19, 1)": stats.beta(19, 1),
}
"""What is drawn from: symmetric, skewed, and near the upper end of what can be."""

Covered = Callable[[str, int, int], float]


def draw(name: str, *shape: int) -> Values:
    """The same numbers each time, other ones for another shape."""
    random = np.random.default_rng([list(DISTRIBUTIONS).index(name), *shape])
    return np.asarray(DISTRIBUTIONS[name].rvs(size=shape, random_state=random))


def inside(low: Values, truth: float, high: Values) -> float:
    """In how many of a hundred."""
    return 100 * float(np.mean((low <= truth) & (truth <= high)))


def of_t(name: str, n: int, _: int) -> float:
    x_RN = draw(name, MANY, n)
    ends = t_interval(np.full(MANY, n), x_RN.mean(axis=1), x_RN.std(axis=1, ddof=1))
    return inside(ends[0], float(DISTRIBUTIONS[name].mean()), ends[1])


def of_bootstrap(statistic: Statistic) -> Covered:
    def covered(name: str, n: int, repeats: int) -> float:
        low, high = np.array([bootstrap_interval([x], statistic) for x in draw(name, repeats, n)]).T
        return inside(low, middle(name) if statistic == "iqm" else _mean(name), high)

    return covered


def _mean(name: str) -> float:
    return float(DISTRIBUTIONS[name].mean())


def middle(name: str) -> float:
    """The mean between the quartiles of a distribution."""
    found = DISTRIBUTIONS[name]
    return 2 * float(found.expect(lambda x: x, lb=found.ppf(0.25), ub=found.ppf(0.75)))


def of_welch(name: str, n: int, repeats: int) -> float:
    """The second group has twice as many values, spread three times as wide."""
    x_RN, y_RM = draw(name, repeats, n), 3 * draw(name, repeats, 2 * n)
    parts = [[(v.size, v.mean(), v.std(ddof=1)) for v in group] for group in (x_RN, y_RM)]
    low, high = np.array([welch_interval(*both) for both in zip(*parts, strict=True)]).T
    return inside(low, -2 * _mean(name), high)


def of_effect(effect: Callable[[Values, Values], effects.Effect], truth: float) -> Covered:
    """Groups of n, the second one moved up by one standard deviation of the first."""

    def covered(name: str, n: int, repeats: int) -> float:
        x_RN, y_RN = draw(name, 2 * repeats, n).reshape(2, repeats, n)
        found = [effect(x, y + 1) for x, y in zip(x_RN, y_RN, strict=True)]
        low, high = np.array([(each.low, each.high) for each in found]).T
        return inside(low, truth, high)

    return covered


def of_median_time(_: str, n: int, repeats: int) -> float:
    """Exponential times with mean 1, a fifth of which a budget of ln 5 cuts off."""
    cost_RN = np.random.default_rng(n).exponential(1.0, (repeats, n))
    budget = np.log(5)
    trials = [survival.Trials(cost.clip(max=budget), cost <= budget) for cost in cost_RN]
    found = [survival.median(each) for each in trials]
    return inside(np.array([t.low for t in found]), np.log(2), np.array([t.high for t in found]))


INTERVALS: dict[str, tuple[Covered, Sequence[str]]] = {
    "t, mean": (of_t, tuple(DISTRIBUTIONS)),
    "BCa bootstrap, mean": (of_bootstrap("mean"), tuple(DISTRIBUTIONS)),
    "percentile bootstrap, iqm": (of_bootstrap("iqm"), tuple(DISTRIBUTIONS)),
    "Welch, n and 2n, spreads 1 : 3": (of_welch, tuple(DISTRIBUTIONS)),
    "Cohen's d of −1": (of_effect(effects.cohen_d, -1.0), ("normal",)),
    "paired d_z of −1/√2": (of_effect(effects.paired_d, -(0.5**0.5)), ("normal",)),
    "probability of improvement, 0.76": (
        of_effect(effects.probability_of_improvement, float(stats.norm.cdf(0.5**0.5))),
        ("normal",),
    ),
    "median time, a fifth censored": (of_median_time, ("exponential",)),
}
"""Interval -> how often it covers, and the distributions that is simulated for."""

Pairs = tuple[Values, Values]
Draw = Callable[[int, int], Pairs]


def alike(n: int, repeats: int) -> Pairs:
    """Two methods of one normal distribution."""
    x_RN, y_RN = draw("normal", 2 * repeats, n).reshape(2, repeats, n)
    return x_RN, y_RN


def skewed(n: int, repeats: int) -> Pairs:
    """Differences with mean 0 that are not symmetric: the second method is constant."""
    x_RN = draw("log-normal, σ = 1", repeats, n)
    return x_RN, np.full_like(x_RN, _mean("log-normal, σ = 1"))


def log_rank(a: Values, b: Values) -> paired.Test:
    """Of normal values as logarithms of times, all met."""
    met = np.ones(a.size, dtype=bool)
    one, other = (survival.Trials(np.exp(x), met) for x in (a, b))
    return survival.log_rank(one, other)


SLOW = "permutation, a quarter of the repeats"

TESTS: list[tuple[str, Callable[[Values, Values], paired.Test], Draw]] = [
    ("paired t", paired.paired_t, alike),
    ("Wilcoxon signed-rank", paired.wilcoxon, alike),
    ("paired permutation", paired.permutation, alike),
    ("paired t, skewed differences", paired.paired_t, skewed),
    ("Wilcoxon, skewed differences", paired.wilcoxon, skewed),
    ("paired permutation, skewed differences", paired.permutation, skewed),
    ("Welch t", unpaired.welch_t, alike),
    (SLOW, unpaired.permutation, alike),
    ("log-rank", log_rank, alike),
]


def errs(test: Callable[[Values, Values], paired.Test], drawn: Draw, n: int, repeats: int) -> float:
    """In how many of a hundred there is p ≤ 0.05 without a difference."""
    pairs = zip(*drawn(n, repeats), strict=True)
    return 100 * float(np.mean([test(a, b).p <= 0.05 for a, b in pairs]))


def several(repeats: int) -> list[list[str]]:
    """Ten comparisons: with no difference at all, and with three of 1.5 standard deviations."""
    rows = []
    for true in (0, 3):
        x_RMN = draw("normal", repeats, 10, 10)
        x_RMN[:, :true] += 1.5
        p_RM = np.asarray(stats.ttest_1samp(x_RMN, 0.0, axis=2).pvalue)
        for name, corrected in (
            ("none", lambda p: p),
            ("Holm", corrections.holm),
            ("Benjamini–Hochberg", corrections.benjamini_hochberg),
        ):
            claims_RM = np.array([corrected(p) for p in p_RM]) <= 0.05
            false_R = claims_RM[:, true:].sum(axis=1)
            share_R = false_R / claims_RM.sum(axis=1).clip(min=1)
            found = claims_RM[:, :true].mean() if true else np.nan
            rows.append(
                [
                    name,
                    str(true),
                    *(f"{100 * x:.1f}" for x in ((false_R > 0).mean(), share_R.mean())),
                    "–" if np.isnan(found) else f"{100 * found:.1f}",
                ]
            )
    return rows


def coverage_row(interval: str, name: str, repeats: int) -> list[str]:
    """The cells of one line of the first table."""
    covered, _ = INTERVALS[interval]
    return [interval, name, *(f"{covered(name, n, repeats):.1f}" for n in SIZES)]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--repeats", type=int, default=2000)
    repeats = parser.parse_args().repeats
    sizes = [f"n = {n}" for n in SIZES]
    names = [(interval, name) for interval, (_, known) in INTERVALS.items() for name in known]
    rows = [coverage_row(interval, name, repeats) for interval, name in names]
    print(table(["95 % interval", "values", *sizes], rows), end="\n\n")
    more = (5, 6, 10, 30)
    errors = [
        [name, *(f"{errs(t, d, n, repeats // (4 if name == SLOW else 1)):.1f}" for n in more)]
        for name, t, d in TESTS
    ]
    print(table(["test at 5 %", *(f"n = {n}" for n in more)], errors), end="\n\n")
    head = ["correction", "true differences of 10", "any false claim", "false among the claims"]
    print(table([*head, "true ones found"], several(repeats)))


if __name__ == "__main__":
    main()
