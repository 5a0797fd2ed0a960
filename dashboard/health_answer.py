"""The answer of the page of gradient health in sentences, computed from the verdicts."""

from collections.abc import Mapping, Sequence

from . import palette
from .formats import compact, count, percent
from .health import MOMENTS
from .health_keys import Layout, Level, order, said
from .statistics import METHOD, t_interval
from .study_health import foretold
from .tables import Ask


def verdict_counts(ask: Ask, sweep_id: str) -> dict[str, dict[str, int]]:
    """Moment -> verdict -> trials, in the order of verdicts."""
    found: dict[str, dict[str, int]] = {moment: {} for moment in MOMENTS}
    for row in ask("study_verdicts", sweep_id=sweep_id, factors=[]).to_pylist():
        found[row["moment"]][row["verdict"]] = row["trials"]
    known = list(palette.VERDICT_COLOUR)
    return {
        moment: dict(sorted(counts.items(), key=lambda item: known.index(item[0])))
        for moment, counts in found.items()
    }


def sentence(ask: Ask, sweep_id: str, layout: Layout) -> str:
    """How many trials were judged what, which setting is healthiest, and what was foretold."""
    counts = verdict_counts(ask, sweep_id)
    if not counts["first"]:
        return "No trial of this sweep has a verdict yet."
    parts = [_counted(MOMENTS[moment], counts[moment]) for moment in MOMENTS]
    parts += [_healthiest(ask, sweep_id, layout), foretold(ask, sweep_id)]
    return "\n".join(filter(None, parts))


def _counted(moment: str, counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    listed = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
    return f"{moment[0].upper()}{moment[1:]}, of {count(total, 'trial')}: {listed}."


def _healthiest(ask: Ask, sweep_id: str, layout: Layout) -> str:
    """The settings with the largest share of healthy trials at the end, then by final score."""
    if not layout.keys:
        return ""
    answer = ask("study_verdicts", sweep_id=sweep_id, factors=layout.factors)
    healthy: dict[tuple[Level, ...], int] = {}
    judged: dict[tuple[Level, ...], int] = {}
    for row in answer.to_pylist():
        if row["moment"] == "last":
            levels = tuple(row["levels"])
            judged[levels] = judged.get(levels, 0) + row["trials"]
            healthy[levels] = healthy.get(levels, 0) + row["trials"] * (row["verdict"] == "healthy")
    share = max((healthy[levels] / judged[levels] for levels in judged), default=0.0)
    if share == 0:
        return "In no setting did a healthy trial end."
    first = [levels for levels in judged if healthy[levels] / judged[levels] == share]
    how = "all trials are" if share == 1 else f"{percent(share)} of the trials are"
    what = (
        f"In {len(first)} of {count(len(judged), 'setting')} {how} healthy at the end"
        f"{'' if share == 1 else ', the largest share'}"
    )
    return f"{what}; {_best(ask, sweep_id, layout, first)}"


def _best(ask: Ask, sweep_id: str, layout: Layout, among: Sequence[tuple[Level, ...]]) -> str:
    """Which of these settings ends with the best score, with its interval."""
    score = layout.score
    found = ask("study_finals", sweep_id=sweep_id, factors=layout.factors, metric=score.column)
    chosen = set(among)
    rows = [r for r in found.to_pylist() if tuple(r["levels"]) in chosen and r["n"]]
    if not rows:
        example = min(among, key=lambda levels: [order(level) for level in levels])
        return f"one of them is {said(layout.keys, example)}. Scores are not recorded here."
    best = max(rows, key=lambda row: float(row["mean"]))
    name = said(layout.keys, best["levels"])
    spread = best["stddev"] or 0.0  # of one trial there is none
    ends = t_interval(best["n"], best["mean"], spread, bounds=score.bounds)
    low, high = (float(end) for end in ends)
    basis = f"n = {best['n']}"
    basis += f", {METHOD} {compact(low)} to {compact(high)}" if best["n"] > 1 else ", no interval"
    return (
        f"of these, {name} ends with the best mean {score.title}, {compact(best['mean'])} "
        f"({basis}; the best of several flatters a little)."
    )
