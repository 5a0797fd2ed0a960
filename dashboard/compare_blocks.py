"""The blocks of the Compare page: charts, captions and tables, without the page itself."""

from collections.abc import Sequence

from . import compare_charts as figures
from . import compare_curves, compare_deltas, compare_parallel, compare_pivot, compare_tables
from .compare import Comparison
from .compare_deltas import Baseline
from .compare_keys import SEED, Key
from .formats import count
from .metrics import Unit
from .study_figures import Block, Picture
from .tables import Ask

MOST_ROWS = 40
"""Groups that a chart has room for; tables have all."""


def groups_block(ask: Ask, comparison: Comparison, keys: Sequence[Key], trials: int) -> Block:
    """Every group with its interval, the one ahead on top, and the table of all numbers.

    ``keys``: all that vary over the ``trials`` trials.
    """
    groups = comparison.groups(ask)
    ranked = comparison.ranked(groups)
    shown = ranked.head(MOST_ROWS)
    caption = compare_tables.groups_caption(
        groups, comparison, comparison.inside(ask, keys), trials
    )
    caption += _cut(len(shown), len(ranked))
    pictures = []
    if len(shown):
        said = figures.groups_alt(ranked, comparison)
        pictures = [Picture(figures.ranking(shown, comparison), said, "groups")]
    table = compare_tables.groups_table(groups, comparison)
    title = comparison.measure.title
    return Block(f"{title[0].upper()}{title[1:]} by group", pictures, caption, table)


def _cut(shown: int, every: int) -> str:
    """That a chart does not show all rows."""
    if shown == every:
        return ""
    return f" The chart shows the first {shown} of {count(every, 'group')}, the table all."


def deltas_block(ask: Ask, comparison: Comparison, baseline: Baseline) -> Block:
    """Signed differences from the baseline, group by group."""
    groups = comparison.groups(ask)
    found = compare_deltas.deltas(comparison, groups, baseline)
    drawn = found[found["delta"].notna()]
    shown = drawn.head(MOST_ROWS)
    pictures = []
    if len(shown):
        said = figures.differences_alt(drawn, comparison)
        pictures = [Picture(figures.differences(shown, comparison), said, "deltas")]
    caption = compare_deltas.deltas_caption(found, comparison, baseline)
    table = compare_deltas.delta_table(found, comparison)
    return Block(
        f"Against {baseline.title}", pictures, caption + _cut(len(shown), len(drawn)), table
    )


def pivot_block(ask: Ask, comparison: Comparison, down: Key, across: Key) -> Block:
    """Two keys crossed, over all trials."""
    groups = comparison.groups(ask, [down, across])
    crossed = compare_pivot.pivot(comparison, groups, down, across)
    pictures = []
    caption = compare_pivot.pivot_caption(crossed, comparison)
    if crossed.drawable and (crossed.cells["n"] > 0).any():
        chart = compare_pivot.heat_map(crossed, comparison)
        said = compare_pivot.pivot_alt(crossed, comparison)
        pictures = [Picture(chart, said, "pivot")]
    elif not crossed.drawable:
        caption += f" More than {compare_pivot.MOST_LEVELS} levels a side: as a table only."
    title = f"{down.title} by {across.title}"
    return Block(title, pictures, caption, compare_pivot.pivot_table(crossed))


def parallel_keys(keys: Sequence[Key], chosen: Sequence[Key]) -> list[Key]:
    """The axes: the keys grouped by; with fewer than two, all that vary, but not the seed."""
    if len(chosen) > 1:
        return list(chosen)
    others = [key for key in keys if key.path != SEED and key not in chosen]
    # What only some trials have mostly follows from another key: an optimizer's own settings.
    shared = [key for key in others if not key.absent]
    return [*chosen, *(shared or others)][: compare_parallel.MOST_AXES]


def parallel_block(ask: Ask, comparison: Comparison, keys: Sequence[Key]) -> Block:
    """A line for each group; none where there would be too many to see any."""
    title = "All keys at once"
    ranked = comparison.ranked(comparison.groups(ask, keys))
    if len(ranked) > compare_parallel.MOST_LINES:
        said = f"{count(len(ranked), 'group')} are too many lines to see any: group by fewer keys."
        return Block(title, [], said)
    if ranked.empty:
        return Block(title, [], "No group has a value yet.")
    drawn = compare_parallel.lines(ranked, keys, comparison)
    chart = compare_parallel.parallel(drawn, comparison)
    said = compare_parallel.parallel_alt(ranked, keys, comparison)
    caption = compare_parallel.parallel_caption(ranked, keys, comparison)
    return Block(title, [Picture(chart, said, "parallel")], caption)


def curves_block(
    ask: Ask,
    comparison: Comparison,
    unit: Unit,
    log: bool,
    raw: bool,
) -> Block:
    """Mean curves of the groups ahead; ``raw``: with single trials under them."""
    metric = comparison.measure.metric
    title = f"{metric.title[0].upper()}{metric.title[1:]} against {unit.title}"
    if not comparison.measure.has_curve:
        return Block(title, [], f"{title.partition(' against')[0]} have no curve.")
    groups = comparison.groups(ask)
    ranked = comparison.ranked(groups)
    if ranked.empty:  # nobody is ahead yet, but curves grow from the first recording on
        ranked = groups
    found = compare_curves.curves(ask, comparison, ranked)
    if found.empty:
        return Block(title, [], "Nothing is recorded here yet.")
    if why := compare_curves.refusal(found, unit):
        return Block(title, [], why)
    single = compare_curves.traces(ask, comparison, ranked) if raw else None
    chart = compare_curves.curve_chart(found, single, comparison, unit, log)
    said = compare_curves.curves_alt(found, comparison, unit)
    caption = compare_curves.curves_caption(found, single, len(ranked), log)
    columns = ["series", "updates", "samples", "n", "mean", "stddev", "low", "high"]
    return Block(title, [Picture(chart, said, "compare-curves")], caption, found[columns])
