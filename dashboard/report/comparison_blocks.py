"""The parts of a comparison report: figures with captions, tables, and what is said of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from .. import profiles, study_health
from ..comparison_found import Found
from ..comparison_history import MOST_DAYS, History
from ..comparison_measures import Scale
from ..comparison_tests import divergence
from ..comparison_times import Pace, costs, targets
from ..comparison_words import TOLD
from ..findings import level
from ..formats import compact, count
from ..metrics import Target, target_of
from ..statistics.paired import ALPHA
from ..tables import Ask
from . import comparison_charts as charts
from . import comparison_tables as tables
from .document import Block, Figure, Paragraph, Picture, Section, Table

MOST_CELLS = 40
"""Cells of one figure; of more the first are drawn, and its caption says so."""


def grid(found: Found) -> Iterator[Block]:
    """Who is ahead in which cell: by every metric where there are two sides, else by pair."""
    names = [cell.name for cell in found.matching.cells]
    drawn = set(names[:MOST_CELLS])
    if len(found.pairs) == 1:
        tiles = [
            charts.tile(j.contest.cell, s.title, s.words(j.contest.difference), j.ahead)
            for s, family in found.families.items()
            for j in family
        ]
        tiles += [_pace_tile(pace) for pace in found.paces]
        one, other = found.pairs[0]
        against = f"Differences are {one} less {other}, ratios (×) {one} over {other}."
    else:
        scale = found.scale
        tiles = [
            charts.tile(
                j.contest.cell,
                f"{j.contest.one} – {j.contest.other}",
                scale.words(j.contest.difference),
                j.ahead,
            )
            for j in found.family
        ]
        against = (
            f"In {scale.title}; a column is a pair, "
            f"{'the first over the second' if scale.log else 'the first less the second'}."
        )
    frame = pd.DataFrame([tile for tile in tiles if tile["cell"] in drawn])
    if frame.empty:
        return
    caption = (
        f"{against} A tile with {charts.MARK.strip()} has the colour of the side that is ahead "
        f"(Holm-corrected p < {ALPHA:g}, corrected over each metric); in the others no difference "
        f"was shown, which is not the same as none.{_cut(names)}"
    )
    chart = charts.verdict_grid(frame, found.trials.sides)
    yield Figure((Picture(chart, "comparison-grid", charts.grid_alt(frame)),), caption)


def _pace_tile(pace: Pace) -> dict[str, object]:
    one, other = pace.medians
    finite = max(one, other) < float("inf")
    words = f"× {compact(one / other)}" if finite else _met(pace)
    return charts.tile(pace.cell, f"{pace.unit.title} to target", words, pace.ahead)


def _met(pace: Pace) -> str:
    shares = [f"{met}/{n}" for met, n in zip(pace.met, pace.trials, strict=True)]
    return f"met by {' and '.join(shares)}"


def _cut(names: Sequence[str]) -> str:
    if len(names) <= MOST_CELLS:
        return ""
    return f" The first {MOST_CELLS} of {len(names)} cells are drawn; tables have more."


def forests(found: Found, scale: Scale) -> Iterator[Block]:
    """Differences with intervals, a figure per pair of a few."""
    if len(found.pairs) > TOLD:
        yield Paragraph(
            f"{len(found.pairs)} pairs are too many for figures of each; the table has them.",
            "note",
        )
        return
    for place, pair in enumerate(found.pairs):
        judged = [j for j in found.of_pair(pair, scale) if all(j.contest.counts)]
        if judged:
            shown = judged[:MOST_CELLS]
            chart = charts.forest(shown, scale, found.trials.sides)
            picture = Picture(
                chart, f"forest-{scale.metric.column}-{place}", charts.forest_alt(shown, scale)
            )
            caption = (
                "Mean difference in each cell with its 95 % interval, which is not corrected for "
                "the number of cells; colour and shape follow the corrected test."
            )
            cells = [j.contest.cell for j in judged]
            yield Figure((picture,), caption + _cut(cells))


def times(found: Found) -> Iterator[Section]:
    """Time to the target, and who is fastest how often."""
    aims = targets(found.trials, found.matching.cells)
    if not found.paces:
        return
    words = _target_words(aims)
    rows, more = tables.cut(tables.paces(found.paces))
    made = sum(pace.test.p == pace.test.p for pace in found.paces)
    caption = (
        f"Target: {words}. Medians by Kaplan and Meier over the trials judged; a trial that "
        "never met the target is censored at its budget, one that diverged waits for ever. The "
        "log-rank test takes seeds as unmatched, and is a rough approximation with few trials. "
        f"p (Holm) is corrected for {count(made, 'comparison')}, all of them times. Met means met "
        f"at a recording.{more}"
    )
    parts: list[Block] = [Table(rows, caption, "Time to the target")]
    block = profiles.profile(costs(found.trials, found.matching.cells), words, ["cell"])
    if block.pictures:
        drawn = tuple(Picture(p.chart, f"comparison-{p.name}", p.alt) for p in block.pictures)
        parts.append(Figure(drawn, block.caption))
        if block.table is not None:
            shown = block.table.rename(columns={"trials with": "side"})
            parts.append(Table(shown, title="AlgoPerf score over all cells and seeds"))
    yield Section("Time to the target", tuple(parts))


def _target_words(aims: Sequence[tuple[str, float]]) -> str:
    if len(aims) == 1:
        target: Target = target_of(*aims[0])
        return level(target)
    return f"each grid’s own target ({count(len(aims), 'target')})"


def health(found: Found) -> Iterator[Section]:
    """The most frequent last verdict of each side in each cell; nothing where none is recorded."""
    verdicts = found.trials.frame["verdict"]
    rows = []
    for cell in found.matching.cells[:MOST_CELLS]:
        for side, standing in cell.standings.items():
            judged = Counter(verdicts.iloc[list(standing.rows)].dropna())
            if judged:
                verdict, agree = min(judged.items(), key=lambda item: (-item[1], item[0]))
                rows.append((cell.name, side, verdict, agree, judged.total()))
    if not rows:
        return
    frame = pd.DataFrame(rows, columns=["series", "column", "verdict", "agree", "trials"])
    table = frame.rename(columns={"series": "cell", "column": "side", "agree": "trials judged so"})
    names = [cell.name for cell in found.matching.cells]
    frame["series"] = pd.Categorical(frame["series"], categories=names[:MOST_CELLS])
    frame["column"] = pd.Categorical(frame["column"], categories=list(found.trials.sides))
    said = [f"{r.series}, {r.column}: {r.verdict} {r.agree}/{r.trials}" for r in frame.itertuples()]
    picture = Picture(
        study_health.grid(frame, None),
        "comparison-health",
        f"Grid of gradient health, cells by sides: {'; '.join(said[:24])}.",
    )
    caption = (
        "The most frequent last verdict of the trials judged, and how many of them got it "
        f"(docs/verdicts.md has the rules). It is described, not tested.{_cut(names)}"
    )
    yield Section(
        "Gradient health",
        (
            Figure((picture,), caption),
            Table(tables.cut(table)[0], title="Gradient health, in words"),
        ),
    )


def dates(found: Found, histories: Sequence[History]) -> Iterator[Section]:
    """How the difference moved; nothing where no side ran on several days."""
    if not histories:
        return
    scale, parts = found.scale, list[Block]()
    for place, history in enumerate(histories[:TOLD]):
        one, other = history.pair
        title = f"{scale.title}: {one} {'over' if scale.log else 'less'} {other}"
        chart = charts.over_dates(history.rows, scale, title)
        picture = Picture(chart, f"dates-{place}", charts.dates_alt(history.rows, title))
        caption = (
            "Mean difference over the cells that were matched on each day, with its 95 % t "
            "interval, one day at a time. On each day a side stands with the sweeps of its latest "
            f"day up to then; {len(history.rows)} of {count(history.days, 'day')} with sweeps are "
            f"drawn: at most the latest {MOST_DAYS}, and those with two shared seeds in some cell. "
            "Days share trials where a side did not run again."
        )
        rows = history.rows[["day", "words", "interval", "cells"]]
        rows = rows.rename(columns={"words": "mean difference", "interval": "95 % interval"})
        parts += [Figure((picture,), caption), Table(rows, title=f"{one} and {other}, by day")]
    yield Section("Over dates", tuple(parts))


def compared(found: Found) -> Iterator[Block]:
    """The sides, their trials and budgets, and what goes with each of them."""
    sides = ", ".join(found.trials.sides) or "none"
    cell_keys = ", ".join(key.title for key in found.trials.cell_keys) or "nothing"
    yield Paragraph(
        f"Sides, by {found.trials.key}: {sides}. A cell is what all of its sides share: "
        f"{cell_keys}{' varies' if len(found.trials.cell_keys) == 1 else ' vary'} between cells, "
        f"and all else is the same. {count(len(found.matching.cells), 'cell')} matched."
    )
    yield Table(
        tables.sides(found),
        "All trials of these sweeps. A result is an end with or without divergence; the last "
        "column counts those that enter the comparison: at the chosen setting, on the seeds that "
        "judge.",
        "Budget and outcomes by side",
    )
    yield from divergences(found)
    own = tables.own_settings(found)
    if not own.empty:
        yield Table(
            own,
            "No value of these keys is common to all sides, or they are parameters of one of "
            "which that is so: they are no part of a cell but what a side is made of.",
            "What goes with the sides",
        )


def divergences(found: Found) -> Iterator[Block]:
    """Whether one side diverges more often, pair by pair; nothing where no judged trial did."""
    lost = (found.trials.frame["outcome"] == "diverged").to_numpy()
    said = []
    for one, other in found.pairs:
        both = [c.standings for c in found.matching.cells if c.paired]
        both = [s for s in both if one in s and other in s]
        rows = [[row for s in both for row in s[side].rows] for side in (one, other)]
        result = divergence(lost[rows[0]], lost[rows[1]])
        if result.one or result.other:
            said.append(
                f"of {count(result.pairs, 'pair')} only {one} diverged in {result.one}, only "
                f"{other} in {result.other} (McNemar’s exact p {tables.p_words(result.p)})"
            )
    if said:
        yield Paragraph(
            "Trials judged, on the same cell and seed: "
            f"{'; '.join(said)}. These p are not corrected and take pairs as independent."
        )


def tuning(found: Found) -> Iterator[Block]:
    """By which protocol each side got its setting."""
    names = ", ".join(found.trials.tuned_keys[i].title for i in tables.setting_keys(found))
    protocols = Counter(
        standing.protocol.sentence.removeprefix("Learning rate")
        for cell in found.matching.cells
        for standing in cell.standings.values()
        if standing.protocol
    )
    if not protocols:
        yield Paragraph("Nothing was tuned: each side has one setting in every matched cell.")
        return
    for sentence, number in sorted(protocols.items()):
        yield Paragraph(
            f"Setting ({names}){sentence} So for {count(number, 'standing')}, that is, one side "
            "in one cell."
        )
    rows, more = tables.cut(tables.chosen(found))
    yield Table(rows, f"The setting with the fewest diverged trials, then the best mean.{more}",
                "Settings chosen")  # fmt: skip


def unmatched(found: Found) -> Iterator[Block]:
    """Cells that are not on all sides, with the reason, and those with other seeds."""
    rows = found.matching.unmatched
    if rows.empty:
        yield Paragraph("Every cell has results of every side.")
    else:
        shown, more = tables.cut(rows)
        yield Table(shown, f"What not all sides trained alike.{more}", "Unmatched cells")
    uneven = tables.uneven(found)
    if uneven.empty:
        yield Paragraph("In every matched cell the sides ran the same seeds.")
    else:
        shown, more = tables.cut(uneven)
        yield Table(shown, f"Matched cells with other seeds.{more}", "Unequal cells")


def failures(ask: Ask, sweeps: Sequence[dict[str, Any]]) -> Iterator[Block]:
    """Failed trials of each sweep by reason."""
    parts = []
    for sweep in sweeps:
        rows = ask("failures", sweep_id=sweep["sweep_id"]).to_pandas()
        parts.append(rows.assign(sweep=sweep["sweep_id"]))
    every = pd.concat(parts)
    if every.empty:
        yield Paragraph("No trial failed.")
    else:
        yield Table(every[["sweep", *every.columns.drop("sweep")]], title="Failed trials by reason")
