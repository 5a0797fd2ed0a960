"""Decisions in words and tables; never stronger than the rule's claims."""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from .decisions import Decisions
from .formats import count, percent, rate
from .race import Pair, Race, Verdict

ABSENT = "–"


def p_words(p: float) -> str:
    """``p = 0.012``, ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def pair_frame(found: Decisions) -> pd.DataFrame:
    """Every comparison: group, one, other, verdict, ahead, seeds, p (adjusted), effect, d.

    ``effect`` is how many times the other's value one's is, on geometric average, where the
    metric is a loss or an error, else their mean difference; ``d`` is the mean of the
    differences by their deviation (Cohen's d of pairs; positive: one is better).
    """
    columns = ["group", "one", "other", "verdict", "ahead", "seeds", "p", "effect", "d"]
    rows = [_pair_row(found, pair) for pair in (found.race.pairs if found.race else [])]
    return pd.DataFrame(rows, columns=columns)


def _pair_row(found: Decisions, pair: Pair) -> dict[str, object]:
    names, ahead = found.settings["series"].astype(str), pair.ahead()
    return {
        "group": found.settings["group"][pair.one],
        "one": names[pair.one],
        "other": names[pair.other],
        "verdict": str(pair.verdict),
        "ahead": None if ahead is None else names[ahead],
        "seeds": pair.seeds,
        "p": pair.adjusted,
        "effect": found.effect(pair.mean),
        "d": pair.mean / pair.spread if pair.spread > 0 else float("nan"),
    }


def standings(found: Decisions) -> list[dict[str, object]]:
    """A row per setting: group, setting, lr, seeds, standing, p, and its effect.

    p is that of the comparison which the standing names; the effect is against the leader.
    """
    race = found.race
    rows = [_standing(found, race, i) for i in range(len(found.settings))] if race else []
    absent = [] if "lr" in found.settings else ["lr"]
    absent += [] if any(found.settings["group"]) else ["group"]
    return [{key: value for key, value in row.items() if key not in absent} for row in rows]


def _standing(found: Decisions, race: Race, place: int) -> dict[str, object]:
    row = found.settings.iloc[place]
    leader = race.leaders().get(race.groups[place])
    pair = _telling(race, place, leader)
    line: dict[str, object] = {
        "group": row["group"] or ABSENT,
        "setting": str(row["series"]),
        "lr": rate(row["lr"]) if "lr" in row else ABSENT,
        "seeds": race.seeds_I[place],
        "standing": _place_words(found, race, place, pair),
        "p": ABSENT,
        "effect": ABSENT,
    }
    if pair is not None and leader is not None:
        line["p"] = p_words(pair.adjusted).removeprefix("p ").removeprefix("= ")
        line["effect"] = _effect_words(found, _between(race, place, leader), place)
    return line


def _between(race: Race, one: int, other: int) -> Pair:
    """The pair of two contestants of a group."""
    (pair,) = [pair for pair in race.pairs if pair.has(one) and pair.has(other)]
    return pair


def _effect_words(found: Decisions, pair: Pair, place: int) -> str:
    """One's value against the leader's on the seeds that both have, where both are finite."""
    if not math.isfinite(pair.mean):
        return ABSENT
    effect = found.effect(pair.mean if pair.one == place else -pair.mean)
    return f"× {effect:.3g}" if found.by_ratio else f"{effect:+.3g}"


def _telling(race: Race, place: int, leader: int | None) -> Pair | None:
    """The pair that says most of a contestant: with the leader, or with who beats it."""
    if leader is None or place == leader:
        return None
    against = _between(race, place, leader)
    beaten = race.beaten().get(place)
    return against if beaten is None or against.ahead() == leader else beaten


def _place_words(found: Decisions, race: Race, place: int, pair: Pair | None) -> str:
    names = found.settings["series"].astype(str)
    if pair is None:
        alone = sum(group == race.groups[place] for group in race.groups) == 1
        return "nothing to compare with" if alone else "leads"
    rival = names[pair.one + pair.other - place]
    words = {
        Verdict.DIFFERS: f"behind {rival}" if found.rule.order else f"not the best: behind {rival}",
        Verdict.SAME: f"as good as {rival}, within the margin",
        Verdict.OPEN: f"open against {rival}",
    }
    return words.get(pair.verdict, f"not told apart from {rival}")


def sentences(found: Decisions) -> list[str]:
    """What was decided, a sentence per group, and what it cost."""
    if found.race is None:
        trials = count(found.untuned, "trial")
        return [f"{trials} of the grid have no result yet, so no learning rate is chosen."]
    groups = dict.fromkeys(found.race.groups)
    return [*(_group_words(found, found.race, group) for group in groups), cost_words(found)]


def _group_words(found: Decisions, race: Race, group: str) -> str:
    said = _order_words(race, group) if found.rule.order else _best_words(found, race, group)
    head = f"{group[0].upper()}{group[1:]}: {said}" if group else f"{said[0].upper()}{said[1:]}"
    return f"{head}."


def _best_words(found: Decisions, race: Race, group: str) -> str:
    names, beaten = found.settings["series"].astype(str), race.beaten()
    inside = [i for i, name in enumerate(race.groups) if name == group]
    left = [i for i in inside if i not in beaten]
    leader, title = race.leaders()[group], found.metric.title
    if len(inside) == 1:
        return f"{names[leader]} has nothing to be compared with"
    behind = [beaten[i].adjusted for i in inside if i in beaten]
    worst = f" ({'largest ' if len(behind) > 1 else ''}{p_words(max(behind))})" if behind else ""
    if len(left) == 1:
        return f"{names[leader]} ends best in {title}: {_others(len(behind))} behind{worst}"
    seeds = sorted({race.seeds_I[i] for i in left})
    spent = " to ".join(str(n) for n in (seeds if len(seeds) == 1 else (seeds[0], seeds[-1])))
    told = "are still open" if race.waiting else "are not told apart"
    rest = f"; {_others(len(behind))} behind{worst}" if behind else ""
    listed = ", ".join(names[i] for i in left)
    return f"best in {title} is one of {listed}, which {told} after {spent} seeds{rest}"


def _others(number: int) -> str:
    return "the other is" if number == 1 else f"the {number} others are"


def _order_words(race: Race, group: str) -> str:
    pairs = [pair for pair in race.pairs if race.groups[pair.one] == group]
    parts = [f"{sum(p.verdict is Verdict.DIFFERS for p in pairs)} of {count(len(pairs), 'pair')}"]
    for verdict, words in ((Verdict.SAME, "differ by less than the margin"),):
        if same := sum(pair.verdict is verdict for pair in pairs):
            parts.append(f"{same} {words}")
    if still := sum(pair.verdict is Verdict.OPEN for pair in pairs):
        parts.append(f"{still} still open")
    untold = sum(pair.verdict in (Verdict.HOPELESS, Verdict.CAPPED) for pair in pairs)
    parts += [f"{untold} not told apart"] if untold else []
    return f"{parts[0]} have an order{''.join(f', {part}' for part in parts[1:])}"


def cost_words(found: Decisions) -> str:
    """What the rule cost against a fixed number of seeds of the same protocol."""
    cost, most = found.cost, found.rule.most
    said = (
        f"{count(cost.judging, 'trial')} judged, where {most} seeds for each setting are "
        f"{count(cost.fixed, 'trial')}: {percent(round(cost.saved(), 3))} fewer"
    )
    if not cost.first:
        said += (
            f". With the {count(cost.grid, 'trial')} that chose the rates it is {cost.total} "
            f"instead of {cost.fixed_total}: {percent(round(cost.saved(total=True), 3))} fewer"
        )
    level = percent(found.rule.alpha)
    return f"{said}. The chance of any wrong claim is at most {level}, over all comparisons."


def progress(found: Decisions) -> str:
    """One line while the sweep runs: how much is open."""
    if found.race is None or not found.race.waiting:
        return ""
    pairs = found.race.pairs
    looked = max(found.race.seeds_I)
    if not looked:
        return (
            f"{count(len(pairs), 'comparison')} open; the first look is after {_next(found)} seeds"
        )
    running = sum(n > s for n, s in zip(found.race.demand_I, found.race.seeds_I, strict=True))
    closed = sum(pair.verdict is not Verdict.OPEN for pair in pairs)
    return (
        f"after {looked} seeds {closed} of {count(len(pairs), 'comparison')} are closed; "
        f"{count(running, 'setting')} go on to {_next(found)} seeds: {', '.join(_names(found))}"
    )


def _next(found: Decisions) -> int:
    return max(found.race.demand_I) if found.race else 0


def _names(found: Decisions) -> Iterator[str]:
    race = found.race
    for i, row in enumerate(found.settings.to_dict("records")):
        if race is not None and race.demand_I[i] > race.seeds_I[i]:
            yield ", ".join(filter(None, [row["group"], str(row["series"])])).replace(", ", " ")


def as_json(found: Decisions) -> dict[str, Any]:
    """Decisions and costs for programs; numbers that are not finite are null."""
    pairs = pair_frame(found).replace([float("inf"), float("-inf")], float("nan"))
    rows = pairs.astype(object).where(pairs.notna(), None).to_dict("records")
    cost = found.cost
    return {
        "decide": "order" if found.rule.order else "best",
        "alpha": found.rule.alpha,
        "looks": list(found.rule.looks),
        "finished": found.finished,
        "sentences": sentences(found),
        "comparisons": rows,
        "cost": {
            "grid_trials": cost.grid,
            "judging_trials": cost.judging,
            "fixed_judging_trials": cost.fixed,
            "total_trials": cost.total,
            "fixed_total_trials": cost.fixed_total,
            "whole_grid_trials": cost.cells,
            "judging_saved": round(cost.saved(), 4),
            "total_saved": round(cost.saved(total=True), 4),
        },
    }
