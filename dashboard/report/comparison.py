"""The report that compares sides: teams, optimizers, any key; conclusion first."""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from ..comparison_found import Found, find
from ..comparison_history import histories
from ..comparison_measures import Scale
from ..comparison_tests import tested
from ..comparison_words import TOLD, ahead, caveats, conclusion, listed, together
from ..formats import count, tied
from ..statistics.paired import ALPHA
from ..tables import Ask
from . import comparison_blocks as blocks
from . import comparison_tables as tables
from . import data, facts
from .document import Block, Bullets, Document, Paragraph, Section, Table
from .order import Order, sweeps_of
from .software import GENERATOR


def document(ask: Ask, sweep_ids: Sequence[str], key: str) -> Document:
    """Compare the trials of some sweeps by a key.

    Args:
        ask: answers named queries.
        sweep_ids: of the sweeps, each once.
        key: ``team``, ``owner``, ``sweep``, or a key of the configuration: ``optimizer.name``.

    Raises:
        LookupError: the store holds no such sweep.
        ValueError: the sweeps cannot be compared by this key.
    """
    sweeps = sweeps_of(ask, sweep_ids)
    found = find(ask, list(sweep_ids), [w["study"] for w in sweeps], key)
    order = Order(tuple(sweep_ids), key)
    return Document(
        title=listed(found.trials.sides) or "Nothing to compare",
        kicker=f"talweg report · comparison by {found.trials.key}",
        meta=_meta(sweeps),
        conclusion=tuple(Paragraph(tied(text), "finding") for text in conclusion(found)),
        sections=(
            *_evidence(ask, found, sweeps),
            *_background(ask, found, sweeps),
            facts.machines(ask, sweeps),
            data.section(ask, sweeps, order.command()),
        ),
        citations=_citations(found),
        generator=GENERATOR,
    )


def _meta(sweeps: Sequence[dict[str, Any]]) -> str:
    """Which sweeps, and from when to when they were registered."""
    days: list[datetime.datetime] = sorted(w["created_at"] for w in sweeps)
    ends = list(dict.fromkeys(f"{day:%d %B %Y}" for day in (days[0], days[-1])))
    return f"{', '.join(w['sweep_id'] for w in sweeps)} · {' to '.join(ends)}"


def _evidence(ask: Ask, found: Found, sweeps: Sequence[dict[str, Any]]) -> Iterator[Section]:
    """What carries the conclusion; nothing where nothing is matched."""
    if rests := tuple(caveats(found)):
        yield Section("What this rests on", (Bullets(rests),))
    if not (found.families and found.matching.cells):
        return
    yield Section("Who is ahead where", tuple(blocks.grid(found)))
    yield Section(
        f"{found.scale.title.capitalize()}, cell by cell", tuple(_metric(found, found.scale))
    )
    for scale in list(found.families)[1:]:
        if found.families[scale]:
            yield Section(scale.title.capitalize(), tuple(_supporting(found, scale)))
    yield from blocks.times(found)
    yield from blocks.health(found)
    yield from blocks.dates(found, histories(ask, found, sweeps))


def _metric(found: Found, scale: Scale) -> Iterator[Block]:
    """The differences of one metric as figures and tables."""
    yield from blocks.forests(found, scale)
    rows, more = tables.cut(tables.cells(found.families[scale], scale))
    yield Table(rows, _how(found, scale) + more, "Cell by cell")
    rows, more = tables.cut(tables.effects(found.families[scale][: tables.MOST_ROWS]))
    yield Table(rows, _effects(found, scale) + more, "Effect sizes")
    rows, more = tables.cut(tables.wins(found, scale))
    yield Table(rows, f"Ahead: as in the table of cells.{more}", "Cells won")
    rows, more = tables.cut(tables.together(found, scale))
    yield Table(rows, f"{_TOGETHER}{more}", "All cells together")


def _supporting(found: Found, scale: Scale) -> Iterator[Block]:
    """A metric that the conclusion does not rest on."""
    yield Paragraph(
        f"Beside the conclusion: {scale.title}, whose p are corrected for the comparisons of this "
        "metric alone."
    )
    if len(found.pairs) <= TOLD:
        for pair in found.pairs:
            if judged := found.of_pair(pair, scale):
                yield Paragraph(ahead(judged, scale, *pair))
                if said := together(judged, scale, len(found.pairs)):
                    yield Paragraph(said)
    yield from _metric(found, scale)


def _how(found: Found, scale: Scale) -> str:
    """Under the table of cells: the methods, and the size of the family."""
    judged = found.families[scale]
    kinds = {j.contest.paired for j in judged}
    said = [
        f"Values are those of the last recording of trials that did not diverge{_means(scale)}.",
        scale.note,
        "On shared seeds: differences of the pairs, Student’s interval and paired t test."
        if True in kinds
        else "",
        "Where seeds do not match (two n): difference of the means, Welch’s interval and test."
        if False in kinds
        else "",
        f"Intervals are for one cell at a time. p (Holm) is corrected for "
        f"{count(tested(judged), 'comparison')}, all of this metric; a side is ahead where it is "
        f"below {ALPHA:g}.",
    ]
    return " ".join(filter(None, said))


def _effects(found: Found, scale: Scale) -> str:
    """Under the table of effect sizes."""
    kinds = {j.contest.paired for j in found.families[scale]}
    named = {
        True: "on shared seeds the mean of the differences by their deviation (d_z)",
        False: "else Cohen’s d",
    }
    return (
        f"d: {', '.join(words for kind, words in named.items() if kind in kinds)}, in logarithms "
        "where ratios are given above; below 0 the first side’s values are the smaller ones. P: "
        "the probability that a trial of one side is better than one of the other, a tie counting "
        "half (Mann and Whitney), with a score interval. The permutation test assumes no "
        "distribution; it is not corrected, and decides nothing here. With so many seeds its p "
        "cannot be smaller than the last column says: where that is above 0.05, it could not show "
        "any difference."
    )


def _means(scale: Scale) -> str:
    return "; means are geometric" if scale.log else ""


_TOGETHER = (
    "Each cell counts the same, and cells are taken as independent. The t interval (Welch and "
    "Satterthwaite) is the one that sentences use. The bootstrap ones resample seeds within each "
    "cell (2000 times, percentiles; Agarwal et al. 2021) and come out too short with few seeds: "
    "with n a cell by a factor of √((n − 1)/n). The interquartile mean leaves out the lowest and "
    "the highest quarter of all paired differences. All are about other seeds in the same cells, "
    "not about other cells."
)


def _background(ask: Ask, found: Found, sweeps: Sequence[dict[str, Any]]) -> Iterator[Section]:
    """What was run by whom, how it was tuned, and what was left out."""
    yield Section("What was compared", tuple(blocks.compared(found)))
    yield Section("How settings were tuned", tuple(blocks.tuning(found)), 3)
    yield Section("Unmatched and unequal cells", tuple(blocks.unmatched(found)), 3)
    failures = tuple(blocks.failures(ask, sweeps))
    yield Section("Failures", failures, 3)


def _citations(found: Found) -> tuple[str, ...]:
    """Keys of what the methods come from."""
    if not (found.families and found.matching.cells):
        return ()
    paired = {j.contest.paired for family in found.families.values() for j in family}
    keys = {"holm1979", "pitman1937", "cohen1988", "agarwal2021", "welch1947"}
    keys |= {"student1908"} if True in paired else set()
    if found.paces:
        keys |= {"kaplan1958", "mantel1966", "dolan2002", "dahl2023"}
    return tuple(sorted(keys))
