"""A comparison in sentences, made from its tests and never stronger than they are."""

from collections.abc import Iterator, Sequence

from .comparison_found import Found
from .comparison_measures import Scale
from .comparison_tests import (
    Judged,
    Verdict,
    over_cells,
    tested,
)
from .formats import count, percent
from .statistics.paired import ALPHA, fewest_pairs

TOLD = 3
"""Up to so many pairs of sides, each has sentences of its own."""
NOT_NONE = "no difference was shown, which is not the same as none"


def conclusion(found: Found) -> list[str]:
    """Who is ahead where, by how much, how sure; or why nobody can say."""
    sides, key = found.trials.sides, found.trials.key
    if not sides:
        return ["These sweeps have no trials: there is nothing to compare."]
    if len(sides) == 1:
        return [
            f"There is nothing to compare: all trials of these sweeps have the same {key}, "
            f"{sides[0]}. Name sweeps of another one as well."
        ]
    if not found.matching.cells:
        return [
            f"Nothing can be compared: no cell is matched, that is, no two of {listed(sides)} "
            f"have results of the same thing. {count(len(found.matching.unmatched), 'cell')} "
            "without a match, with reasons, are listed below."
        ]
    if not found.families:
        return [f"Nothing can be compared: {_no_metric(found)}"]
    if len(found.pairs) > TOLD:
        return [_many(found)]
    return [
        " ".join(
            filter(
                None,
                (
                    ahead(family, found.scale, *pair),
                    together(family, found.scale, len(found.pairs)),
                ),
            )
        )
        for pair in found.pairs
        if (family := found.of_pair(pair)) or len(sides) == 2
    ]


def _no_metric(found: Found) -> str:
    return found.refusal or "no matched trial has a final loss or score."


def listed(names: Sequence[str]) -> str:
    """``one, two and three``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def ahead(family: Sequence[Judged], scale: Scale, one: str, other: str) -> str:
    """One pair of sides over all its cells."""
    m, sure = len(family), tested(family)
    cells = count(m, "matched cell")
    if not sure:
        return (
            f"Whether {one} or {other} is ahead in {scale.title} cannot be told: none of "
            f"{cells} can be tested ({_untested(family)})."
        )
    wins = {side: [j for j in family if j.ahead == side] for side in (one, other)}
    left = m - sum(map(len, wins.values()))
    if left == m:
        return (
            f"Between {one} and {other} no difference in {scale.title} was shown on any of "
            f"{cells}, which is not the same as none ({_how(family)}). "
            f"{_possible(family, scale)}"
        )
    first, second = (one, other) if len(wins[one]) >= len(wins[other]) else (other, one)
    said = (
        f"{first} is ahead on {len(wins[first])} of {cells} ({_by(wins[first], scale)}, "
        f"{_how(family)})"
    )
    if wins[second]:
        said += f", {second} on {len(wins[second])} ({_by(wins[second], scale)})"
    return said + (f"; on {left} {NOT_NONE}." if left else ".")


def _by(wins: Sequence[Judged], scale: Scale) -> str:
    """``test accuracy higher by 0.012 to 0.034``."""
    sizes = [j.contest.difference for j in wins]
    better = "lower" if scale.metric.falling else "higher"
    return f"{scale.metric.title} {better} {scale.sizes(sizes)}"


def _how(family: Sequence[Judged]) -> str:
    """The test in brackets: corrected p, and over which seeds."""
    sign = "<" if any(j.ahead for j in family) else "≥"
    made = [j.contest for j in family if j.verdict is not Verdict.UNTESTED]
    paired = [contest.counts[0] for contest in made if contest.paired]
    loose = [contest.counts for contest in made if not contest.paired]
    parts = []
    if paired:
        parts.append(f"paired over {_range(paired)} shared seeds")
    if loose:
        ends = _range([n for counts in loose for n in counts])
        parts.append(f"Welch’s test over {ends} seeds a side that do not match")
    where = f" in {len(paired)} and {len(loose)} cells" if paired and loose else ""
    return f"Holm-corrected p {sign} {ALPHA:g}, {' or '.join(parts)}{where}"


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _untested(family: Sequence[Judged]) -> str:
    notes = dict.fromkeys(j.test.note.rpartition("; ")[2] for j in family)
    return "; ".join(filter(None, notes)) or "too few seeds"


def _possible(family: Sequence[Judged], scale: Scale) -> str:
    """What the intervals leave possible."""
    ends = [end for j in family for end in j.contest.interval() if end == end]
    if not ends:
        return ""
    low, high = scale.words(min(ends)), scale.words(max(ends))
    return f"The cells’ 95 % intervals reach from {low} to {high}."


def together(family: Sequence[Judged], scale: Scale, pairs: int = 1) -> str:
    """The mean over cells, and what it leaves open; empty with fewer than two of them.

    ``pairs``: of how many pairs of sides this is said; all intervals hold at once.
    """
    contests = [j.contest for j in family]
    mean = over_cells(contests, 1 - ALPHA / pairs)
    if mean is None or mean.cells < 2:
        return ""
    one, other = contests[0].pair
    measured = (
        f"{one} over {other} is {scale.words(mean.value)} on geometric average"
        if scale.log
        else f"{one} less {other} is {scale.words(mean.value)} on average"
    )
    said = (
        f"Over {count(mean.cells, 'cell')} together {measured} ({percent(mean.level)} interval "
        f"{scale.between(mean.low, mean.high)})"
    )
    if mean.low <= 0 <= mean.high:
        return f"{said}, which leaves open who is ahead on average."
    return f"{said}."


def _many(found: Found) -> str:
    """More pairs than can be told: who is ahead how often."""
    family, total = found.family, len(found.family)
    shown = [j for j in family if j.ahead]
    what = (
        f"{count(total, 'comparison')} in {found.scale.title} "
        f"({len(found.pairs)} pairs of {len(found.trials.sides)} sides, "
        f"{count(len(found.matching.cells), 'matched cell')}; {_how(family)})"
    )
    if not tested(family):
        return f"None of {what} can be tested ({_untested(family)})."
    if not shown:
        return f"On none of {what} a difference was shown, which is not the same as none."
    wins = {side: sum(j.ahead == side for j in shown) for side in found.trials.sides}
    losses = {side: sum(j.behind == side for j in shown) for side in found.trials.sides}
    ordered = sorted(wins, key=lambda side: (-wins[side], losses[side]))
    rest = f" On the others {NOT_NONE}." if len(shown) < total else ""
    said = [f"{s} ahead in {wins[s]}, behind in {losses[s]}" for s in ordered]
    return f"{len(shown)} of {what} show a difference: {'; '.join(said)}.{rest}"


def caveats(found: Found) -> Iterator[tuple[str, str]]:
    """What the conclusion rests on, and what it does not say: a lead and its sentence."""
    if not (found.families and found.matching.cells):
        return
    yield from _seeds(found)
    yield from _settings(found)
    yield from _losses(found)
    unmatched = len(found.matching.unmatched)
    if unmatched:
        yield (
            "Left out:",
            f"{count(unmatched, 'cell')} that not all sides trained alike; they are listed below "
            "with the reason.",
        )
    if found.matching.repeated:
        yield (
            "Measured twice:",
            f"{count(found.matching.repeated, 'trial')} of a cell, setting and seed that the same "
            "side has already, recorded in another way; the first of each counts.",
        )
    if found.refusal:
        yield "Not compared:", found.refusal


def _seeds(found: Found) -> Iterator[tuple[str, str]]:
    same = sum(_identical(j) for j in found.family)
    if same:
        yield (
            "The same trials:",
            f"in {count(same, 'comparison')} both sides have the same values seed by seed, as "
            "where they share trials: there is nothing to test.",
        )
    floors = [j.contest.smallest_p for j in found.family if j.verdict is not Verdict.UNTESTED]
    if not floors:
        return
    comparisons = tested(found.family)
    least = min(floors)
    if least * comparisons > ALPHA:
        need = fewest_pairs(ALPHA, comparisons)
        rests = (
            "What is claimed here rests on the t test’s assumption that differences are normal."
            if any(j.ahead for j in found.family)
            else "Only the t test, which assumes normal differences, could have shown one here."
        )
        yield (
            "Few seeds:",
            f"a test that assumes no distribution cannot give a p below {least:.3g} with so many "
            f"seeds, and {count(comparisons, 'comparison')} need {ALPHA / comparisons:.2g} for a "
            f"first claim: that takes {need} shared seeds. {rests}",
        )


def _identical(judged: Judged) -> bool:
    contest = judged.contest
    return contest.paired and bool(contest.counts[0]) and bool(
        ((contest.a == contest.b) | (contest.a != contest.a)).all()
    )  # fmt: skip


def _settings(found: Found) -> Iterator[tuple[str, str]]:
    protocols = [s.protocol for c in found.matching.cells for s in c.standings.values()]
    chosen = [p for p in protocols if p is not None]
    stale = sum(not p.fresh for p in chosen)
    if stale:
        yield (
            "Optimistic:",
            f"{stale} of {count(len(chosen), 'choice')} of a setting had to be made on the seeds "
            "that judge, because fresh ones would be too few. The side that tried more settings "
            "gains most from that.",
        )
    if found.trials.own_keys:
        names = ", ".join(key.title for key in found.trials.own_keys)
        yield (
            "Whole settings:",
            f"{names} {'goes' if len(found.trials.own_keys) == 1 else 'go'} with the side, "
            "not with the cell. A difference belongs to all of these together and cannot be "
            "credited to one.",
        )


def _losses(found: Found) -> Iterator[tuple[str, str]]:
    frame = found.trials.frame
    counts = {}
    for side in found.trials.sides:
        ends = frame["outcome"].iloc[list(found.judged_rows(side))]
        counts[side] = int((ends == "diverged").sum()), len(ends)
        stopped = int((ends == "reached_target").sum())
        if stopped:
            yield (
                "Stopped early:",
                f"{count(stopped, 'trial')} of {side} stopped at the target: the final values are "
                "those of that moment.",
            )
    if any(lost for lost, _ in counts.values()):
        told = [f"{s} {lost} of {n} ({percent(lost / n)})" for s, (lost, n) in counts.items() if n]
        yield (
            "Diverged:",
            f"{', '.join(told)} of the trials judged. They have no final value and are in no "
            "mean; a side is called ahead only where no more of its trials diverged than of "
            "the other’s, and they count as worst in the probability of improvement.",
        )
