"""Tables of a comparison: cell by cell, all cells together, sides, times, what was left out."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ..compare_deltas import signed
from ..comparison_cells import FINISHED, telling
from ..comparison_found import Found
from ..comparison_measures import Scale
from ..comparison_sides import levels_words
from ..comparison_tests import (
    Judged,
    Mean,
    Verdict,
    mean_difference,
    mean_improvement,
    over_cells,
)
from ..comparison_times import Pace
from ..formats import ABSENT, compact, percent
from ..statistics.aggregates import Aggregate
from ..statistics.effects import Effect
from ..statistics.paired import ALPHA
from .facts import seeds_words

MOST_ROWS = 200
"""Of a longer table the first so many rows are listed, and its caption says so."""


def p_words(p: float) -> str:
    """``0.012``, ``< 0.001``; a dash where no test was made."""
    if np.isnan(p):
        return ABSENT
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def cells(judged: Sequence[Judged], scale: Scale) -> pd.DataFrame:
    """A row per cell and pair: values, difference, effect, p."""
    return _told(pd.DataFrame([_cell(j, scale) for j in judged]))


def _told(frame: pd.DataFrame) -> pd.DataFrame:
    """With the names of the sides in the heads of the columns, where there is one pair."""
    pairs = frame[["one", "other"]].drop_duplicates() if len(frame) else frame
    if len(pairs) != 1:
        return frame
    one, other = pairs.iloc[0]
    heads = {
        "one less other": f"{one} less {other}",
        "one over other": f"{one} over {other}",
        "P(one better)": f"P({one} better)",
        "one ahead": f"{one} ahead",
        "other ahead": f"{other} ahead",
    }
    heads |= {f"{word} {side}": f"{word} {name}" for word in _BEFORE
              for side, name in (("one", one), ("other", other))}  # fmt: skip
    return frame.drop(columns=["one", "other"]).rename(columns=heads)


_BEFORE = ("mean of", "median of", "met by")


def _cell(judged: Judged, scale: Scale) -> dict[str, str]:
    contest = judged.contest
    n, m = contest.counts
    return {
        "cell": contest.cell,
        "one": contest.one,
        "other": contest.other,
        "n": str(n) if contest.paired else f"{n}, {m}",
        "mean of one": _mean(contest.a, scale),
        "mean of other": _mean(contest.b, scale),
        "one over other" if scale.log else "one less other": scale.words(contest.difference),
        "95 % interval": scale.between(*contest.interval()),
        "p": p_words(judged.test.p),
        "p (Holm)": p_words(judged.adjusted),
        "ahead": _verdict(judged),
    }


def effects(judged: Sequence[Judged]) -> pd.DataFrame:
    """A row per cell and pair: effect sizes, and the test that assumes no distribution."""
    rows = [
        {
            "cell": j.contest.cell,
            "one": j.contest.one,
            "other": j.contest.other,
            "d": _effect(j.contest.effect(), signed),
            "P(one better)": _effect(j.contest.improvement(), compact),
            "p (permutation)": p_words(j.contest.free_test().p),
            "smallest p possible": p_words(j.contest.smallest_p),
        }
        for j in judged
    ]
    return _told(pd.DataFrame(rows))


def _mean(values: np.ndarray, scale: Scale) -> str:
    finite = values[np.isfinite(values)]
    return compact(scale.effect(float(finite.mean()))) if finite.size else ABSENT


def _effect(effect: Effect, words: Callable[[float], str]) -> str:
    if np.isnan(effect.value):
        return ABSENT
    return f"{words(effect.value)} ({words(effect.low)} to {words(effect.high)})"


def _verdict(judged: Judged) -> str:
    if judged.verdict is Verdict.UNTESTED:
        return f"not tested: {judged.test.note.rpartition('; ')[2] or 'too few values'}"
    if judged.ahead:
        return judged.ahead
    significant = judged.adjusted < ALPHA
    return "not called: diverged more" if significant else "no difference shown"


def wins(found: Found, scale: Scale) -> pd.DataFrame:
    """A row per pair: in how many cells which side is ahead."""
    rows = []
    for pair in found.pairs:
        judged = found.of_pair(pair, scale)
        won = [sum(j.ahead == side for j in judged) for side in pair]
        rows.append(
            {
                "one": pair[0],
                "other": pair[1],
                "cells": len(judged),
                "one ahead": won[0],
                "other ahead": won[1],
                "no difference shown": len(judged) - sum(won),
            }
        )
    return _told(pd.DataFrame(rows))


def together(found: Found, scale: Scale) -> pd.DataFrame:
    """For each pair the differences over all cells: a row per statistic."""
    rows = []
    for pair in found.pairs:
        contests = [j.contest for j in found.of_pair(pair, scale)]
        every = {
            "mean over cells, t interval": over_cells(contests),
            "mean over cells, bootstrap": mean_difference(contests),
            "interquartile mean, bootstrap": mean_difference(contests, iqm=True),
        }
        named = {"one": pair[0], "other": pair[1]}
        rows += [
            named | {"statistic": name} | _ends(mean, scale.words) for name, mean in every.items()
        ]
        better = mean_improvement(contests)
        rows.append(
            named | {"statistic": f"probability that {pair[0]} is better"} | _ends(better, compact)
        )
    return _told(pd.DataFrame(rows))


def _ends(found: Mean | Aggregate | None, words: Callable[[float], str]) -> dict[str, str]:
    if found is None:
        return {"value": ABSENT, "95 % interval": ABSENT}
    return {
        "value": words(found.value),
        "95 % interval": f"{words(found.low)} to {words(found.high)}"
        if np.isfinite(found.low)
        else ABSENT,
    }


def sides(found: Found) -> pd.DataFrame:
    """A row per side: its trials, how they ended, what they cost, and which of them are judged."""
    rows = []
    for side in found.trials.sides:
        mine = found.trials.frame[found.trials.frame["side"] == side]
        ended = mine["outcome"].isin(FINISHED)
        lost = int((mine["outcome"] == "diverged").sum())
        rows.append(
            {
                "side": side,
                "trials": len(mine),
                "with a result": int(ended.sum()),
                "diverged": lost,
                "share diverged": percent(lost / ended.sum()) if ended.any() else ABSENT,
                "failed": int((mine["outcome"] == "failed").sum()),
                "budget, updates a trial": _ends_of(mine["budget_updates"]),
                "updates made": compact(float(mine["updates"].sum())),
                "samples": compact(float(mine["samples"].sum())),
                "seeds": seeds_words(sorted({int(s) for s in mine["seed"]})),
                "trials judged": sum(1 for _ in found.judged_rows(side)),
            }
        )
    return pd.DataFrame(rows)


def _ends_of(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"


def own_settings(found: Found) -> pd.DataFrame:
    """What goes with the sides: a row per key, a column per side."""
    rows = [
        {"key": title} | {f"at {side}": levels_words(levels) for side, levels in held.items()}
        for title, held in found.trials.own_levels.items()
    ]
    return pd.DataFrame(rows)


def setting_keys(found: Found) -> list[int]:
    """Places of the tuned keys that tell the settings apart."""
    return telling(found.trials.tuned_keys, set(found.trials.frame["setting"]))


def chosen(found: Found) -> pd.DataFrame:
    """The setting at which each side stands in each cell, of those that were tuned."""
    told = [(i, found.trials.tuned_keys[i].title) for i in setting_keys(found)]
    rows = []
    for cell in found.matching.cells:
        for side, standing in cell.standings.items():
            levels = {name: levels_words([standing.setting[i]]) for i, name in told}
            rows.append(
                {"cell": cell.name, "side": side}
                | levels
                | {"settings tried": standing.settings, "judged on": seeds_words(standing.seeds)}
            )
    return pd.DataFrame(rows)


def uneven(found: Found) -> pd.DataFrame:
    """Matched cells whose sides ran other seeds, and on which they are judged."""
    rows = []
    for cell in found.matching.cells:
        if cell.uneven:
            judged = {standing.seeds for standing in cell.standings.values()}
            shared = "paired on " + seeds_words(next(iter(judged))) if cell.paired else "unpaired"
            ran = [f"{side} {seeds_words(seeds)}" for side, seeds in cell.ran.items()]
            rows.append({"cell": cell.name, "seeds run": "; ".join(ran), "judged": shared})
    return pd.DataFrame(rows)


def paces(found: Sequence[Pace]) -> pd.DataFrame:
    """A row per cell, pair and unit: medians, how many met the target, log-rank p."""
    rows = pd.DataFrame(
        [
            {
                "cell": pace.cell,
                "one": pace.one,
                "other": pace.other,
                "unit": pace.unit.title,
                "median of one": _never(pace.medians[0]),
                "median of other": _never(pace.medians[1]),
                "met by one": f"{pace.met[0]} of {pace.trials[0]}",
                "met by other": f"{pace.met[1]} of {pace.trials[1]}",
                "p (log-rank)": p_words(pace.test.p),
                "p (Holm)": p_words(pace.adjusted),
                "sooner": pace.ahead or _not_sooner(pace),
            }
            for pace in found
        ]
    )
    return _told(rows)


def _never(median: float) -> str:
    return compact(median) if np.isfinite(median) else "never by half"


def _not_sooner(pace: Pace) -> str:
    return "not tested" if pace.verdict is Verdict.UNTESTED else "no difference shown"


def cut(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """At most :data:`MOST_ROWS` rows, and what is to be said of the others."""
    if len(frame) <= MOST_ROWS:
        return frame, ""
    return frame.head(MOST_ROWS), (
        f" The first {MOST_ROWS} of {len(frame)} rows are listed; all are counted above."
    )
