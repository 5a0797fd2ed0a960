"""What ``--until-decided`` errs and saves: ``nice python -m benchmarks.until_decided``.

``rules`` compares the rule with others on one comparison; ``error`` simulates whole families of
comparisons, with and without differences; ``study`` runs the built-in study ``optimizers`` by the
rule and with a fixed number of seeds, and compares trials and conclusions.
"""

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from talweg.dashboard import decision_words, decisions, sequential
from talweg.dashboard.decisions import Decisions
from talweg.dashboard.race import Pair, Race, Rule, Verdict
from talweg.services import sweep, until_decided
from talweg.services.cli import Lent
from talweg.services.executors import InlineExecutor
from talweg.services.progress import Quiet
from talweg.storage.client import Client, connect
from talweg.workloads import grid, studies
from talweg.workloads.options import Compile, Options

from . import sequential_rules as others
from .sequential_rules import Floats

MOST, ALPHA = 30, 0.05
PAIRS = 42
"""Comparisons of the study ``optimizers``: 21 pairs of 7 optimizers, for each of 2 schedules."""
ORDERS = 400
"""Orders in which the study's seeds may come."""
EFFECTS = (0.0, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Mean of the paired differences by their deviation."""


def rules(repeats: int) -> Iterator[str]:
    """A row per rule: chance of a decision, and mean seeds, at each effect size."""
    alpha = ALPHA / PAIRS
    looks = sequential.schedule(MOST)
    parts = alpha * (1 - sequential.SIGNS) * sequential.shares(looks)
    own = np.asarray(stats.t.isf(parts / 2, np.asarray(looks) - 1))
    by_two = list(range(6, MOST + 1, 2))
    every = list(range(sequential.FIRST, MOST + 1))
    of = others.lan_demets(looks, alpha, others.obrien_fleming)
    pocock = others.lan_demets(looks, alpha, others.pocock)
    of_two = others.lan_demets(by_two, alpha, others.obrien_fleming)
    table: dict[str, tuple[Sequence[int], Floats, float]] = {
        "fixed 30": ([MOST], stats.t.isf(np.array([alpha / 2]), MOST - 1), 0.0),
        "talweg": (looks, own, sequential.FUTILE),
        "talweg, no giving up": (looks, own, 0.0),
        "O'Brien-Fleming, same looks": (looks, others.for_t(of, looks), 0.0),
        "O'Brien-Fleming, every 2": (by_two, others.for_t(of_two, by_two), 0.0),
        "Pocock, same looks": (looks, others.for_t(pocock, looks), 0.0),
        "anytime, every seed": (every, others.anytime(every, alpha), 0.0),
    }
    yield f"{'chance / mean seeds at effect':30}" + "".join(f"{e:>12g}" for e in EFFECTS)
    for name, (when, bounds, futile) in table.items():
        cells = [_race_of_two(when, bounds, futile, e, repeats) for e in EFFECTS]
        yield f"{name:30}" + "".join(f"{p:>7.3f}/{n:4.1f}" for p, n in cells)


def _race_of_two(
    looks: Sequence[int], bounds: Floats, futile: float, effect: float, repeats: int
) -> tuple[float, float]:
    """(chance of a decision, mean seeds) of one comparison."""
    difference_RN = np.random.default_rng(1).normal(effect, 1.0, (repeats, MOST))
    seeds, decided = np.full(repeats, MOST), np.zeros(repeats, dtype=bool)
    left = np.arange(repeats)
    level = 2 * stats.t.sf(bounds[-1], MOST - 1) / (1 - sequential.SIGNS)
    for n, bound in zip(looks, bounds, strict=True):
        seen = difference_RN[left, :n]
        t = seen.mean(axis=1) / seen.std(axis=1, ddof=1) * np.sqrt(n)
        out = np.abs(t) >= bound
        decided[left[out]], seeds[left[out]] = True, n
        left, seen = left[~out], seen[~out]
        if futile and n < MOST:
            gone = sequential.chance(seen, MOST, level) < futile
            seeds[left[gone]] = n
            left = left[~gone]
    return float(decided.mean()), float(seeds.mean())


Noise = Callable[[np.random.Generator, tuple[int, int]], Floats]

NOISES: Mapping[str, Noise] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy tails (t, 3 degrees)": lambda rng, shape: rng.standard_t(3, shape),
    "skewed (exponential)": lambda rng, shape: rng.exponential(size=shape),
    "two values": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "rounded to the deviation": lambda rng, shape: np.round(rng.normal(size=shape)),
    "one in ten diverges": lambda rng, shape: np.where(
        rng.random(shape) < 0.1, -np.inf, rng.normal(size=shape)
    ),
}
FAMILIES: Mapping[str, tuple[float, ...]] = {
    "no differences": (0.0,) * 14,
    "one is best": (0.0, *(-1.0,) * 6) * 2,
    "half are best": (*(0.0,) * 4, *(-2.0,) * 3) * 2,
    "nearly equal": (0.0, -0.02, -0.04, -0.06, -0.08, -0.1, -0.12) * 2,
    "all differ": (0.0, -0.3, -0.5, -0.8, -1.2, -2.0, -4.0) * 2,
}
"""Means of two groups of seven, in deviations of a setting's own noise."""
CASES = [
    *(("no differences", noise) for noise in NOISES),
    *((family, "normal") for family in list(FAMILIES)[1:]),
]


def error(repeats: int) -> Iterator[str]:
    """A row per family, noise and aim: share of families with a wrong claim, trials, claims."""
    yield (
        f"{'family':16}{'noise':28}{'decide':>8}{'wrong':>9}{'± 2 se':>9}{'trials':>9}{'claims':>8}"
    )
    for family, noise in CASES:
        for order in (False, True):
            wrong, trials, claims = families(FAMILIES[family], NOISES[noise], order, repeats)
            spread = 2 * np.sqrt(max(wrong, 1 / repeats) * (1 - wrong) / repeats)
            yield (
                f"{family:16}{noise:28}{'order' if order else 'best':>8}{wrong:>9.4f}"
                f"{spread:>9.4f}{trials:>9.1f}{claims:>8.1f}"
            )


def families(
    effects: Sequence[float], draw: Noise, order: bool, repeats: int
) -> tuple[float, float, float]:
    """(share with a wrong claim, mean judging trials, mean claims) of two groups of seven."""
    rule = Rule(tuple(sequential.schedule(MOST)), ALPHA, order)
    groups = ["a"] * 7 + ["b"] * 7
    wrong = trials = claims = 0
    rng = np.random.default_rng(7)
    for _ in range(repeats):
        shared = rng.normal(size=(1, MOST))
        values_IN = draw(rng, (len(effects), MOST)) + shared + np.array(effects)[:, None]
        race = Race(values_IN, groups, rule)
        claimed = [pair for pair in race.pairs if pair.verdict is Verdict.DIFFERS]
        wrong += any(_is_wrong(pair, effects, groups, order) for pair in claimed)
        trials, claims = trials + sum(race.seeds_I), claims + len(claimed)
    return wrong / repeats, trials / repeats, claims / repeats


def _is_wrong(pair: Pair, effects: Sequence[float], groups: Sequence[str], order: bool) -> bool:
    """Whether who is called behind is not: behind the other, or behind the best of the group."""
    behind, ahead = (pair.other, pair.one) if pair.side > 0 else (pair.one, pair.other)
    if order:
        return effects[behind] >= effects[ahead]
    group = groups[behind]
    return effects[behind] == max(e for e, g in zip(effects, groups, strict=True) if g == group)


def study(asked: argparse.Namespace) -> Iterator[str]:
    """Run a built-in study by the rule and with a fixed number of seeds, and compare."""
    options = {"max_seeds": asked.max_seeds, "decide": asked.decide}
    grid_file = studies.path(asked.study, asked.small)
    expansion = until_decided.asked(grid.load(grid_file), options, True)
    fixed = dataclasses.replace(
        expansion, name=f"{expansion.name}-fixed", spec={**expansion.spec, "owner": "fixed"}
    )
    with (
        tempfile.TemporaryDirectory(prefix="talweg-until-") as folder,
        connect(asked.store or Path(folder) / "until.duckdb") as client,
    ):
        found = _run(client, expansion, until_decided.Growth)
        whole = _run(client, fixed, _Fixed)
        yield from decision_words.sentences(found)
        yield json.dumps(decision_words.as_json(found)["cost"])
        assert found.race is not None
        assert whole.race is not None
        if repr(found.race.pairs) != repr(whole.race.pairs):
            raise AssertionError("the rule says otherwise when all seeds are there from the start")
        yield from _agreement(found.race, whole)


class _Fixed(until_decided.Growth):
    """Every setting in question goes to the cap, whatever the seeds say."""

    def __call__(self, plan: sweep.Plan) -> sweep.Plan | None:
        found = self.judge.decisions(self.client, plan.sweep_id)
        assert isinstance(found, Decisions)
        wanted = [(ids[0], list(found.seeds)) for ids in found.settings["trial_ids"]]
        trials = until_decided.grown(self.own, wanted)
        if len(trials) == len(plan.expansion.trials):
            return None
        return sweep.plan(dataclasses.replace(self.own, trials=trials), self.client)


def _run(
    client: Client, expansion: grid.Expansion, growth: type[until_decided.Growth]
) -> Decisions:
    plan = sweep.plan(expansion, client)
    executor = InlineExecutor(client, Options(device="cpu", compile=Compile.NEVER))
    grow = growth(expansion, client, Lent(), lambda line: print(line, flush=True))
    try:
        sweep.run(plan, client, executor, "benchmarks", Quiet(), grow)
    finally:
        executor.close()
    found = decisions.decisions(lambda query, **p: client.query(query, p), plan.sweep_id)
    assert found is not None
    return found


def _agreement(race: Race, whole: Decisions) -> Iterator[str]:
    """The rule's conclusions beside those of one look at all seeds: the same tests and error."""
    assert whole.race is not None
    values_IN, names = whole.race.values_IN, whole.settings["series"].astype(str)
    once = Race(values_IN, race.groups, dataclasses.replace(race.rule, looks=(race.rule.most,)))
    fixed, ruled = (
        {(p.one, p.other): p.side if p.verdict is Verdict.DIFFERS else 0 for p in each.pairs}
        for each in (once, race)
    )
    opposite = sum(fixed[pair] * ruled[pair] < 0 for pair in fixed)
    yield (
        f"pairs told apart: {sum(s != 0 for s in ruled.values())} by the rule, "
        f"{sum(s != 0 for s in fixed.values())} by {race.rule.most} seeds; opposite: {opposite}; "
        f"by the rule alone: {sum(bool(ruled[p]) and not fixed[p] for p in fixed)}"
    )
    for group in dict.fromkeys(race.groups):
        inside = {i for i, other in enumerate(race.groups) if other == group}
        left = [inside - _behind(claims) for claims in (ruled, fixed)]
        said = [", ".join(sorted(names[i] for i in places)) for places in left]
        same = "agree" if left[0] == left[1] else "differ"
        yield f"{group}: best by the rule: {said[0]}; by fixed seeds: {said[1]} ({same})"
    yield _other_orders(race, values_IN)


def _other_orders(race: Race, values_IN: Floats) -> str:
    """How the rule does when the same seeds come in other orders: this one is but one of them."""
    rng, agree, trials = np.random.default_rng(11), 0, 0
    once = Race(values_IN, race.groups, dataclasses.replace(race.rule, looks=(race.rule.most,)))
    for _ in range(ORDERS):
        other = Race(rng.permutation(values_IN, axis=1), race.groups, race.rule)
        agree += _conclusion(other) == _conclusion(once)
        trials += sum(other.seeds_I)
    return (
        f"over {ORDERS} orders of these seeds: all conclusions agree in {agree / ORDERS:.1%}, "
        f"{trials / ORDERS:.1f} trials judged on average"
    )


def _conclusion(race: Race) -> object:
    """Who is not behind; with an order to find, every pair's."""
    if race.rule.order:
        return [pair.ahead() for pair in race.pairs]
    return sorted(set(range(len(race.groups))) - race.beaten().keys())


def _behind(claims: Mapping[tuple[int, int], int]) -> set[int]:
    """Who is behind somebody."""
    return {pair[1] if side > 0 else pair[0] for pair, side in claims.items() if side}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.until_decided", description=__doc__)
    every = ["rules", "error", "study"]
    parser.add_argument("what", nargs="*", default=every, help=f"of {', '.join(every)}")
    parser.add_argument("--repeats", type=int, default=2_000, help="of every simulation")
    parser.add_argument("--study", default="optimizers")
    parser.add_argument("--small", action="store_true", help="the study's small twin")
    parser.add_argument("--max-seeds", type=int, default=MOST)
    parser.add_argument("--decide", choices=["best", "order"], default="best")
    parser.add_argument("--store", type=Path, help="keep, or reuse, the study's trials there")
    asked = parser.parse_args()
    for what in asked.what:
        for line in _lines(what, asked):
            print(line, flush=True)


def _lines(what: str, asked: argparse.Namespace) -> Iterator[str]:
    match what:
        case "rules":
            return rules(10 * asked.repeats)
        case "error":
            return error(asked.repeats)
        case _:
            return study(asked)


if __name__ == "__main__":
    main()
