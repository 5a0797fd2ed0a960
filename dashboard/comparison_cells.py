"""Matched cells: what several sides trained alike, each at its best setting; and what not."""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from .compare_keys import Key, Level, label, place, shown
from .comparison_sides import Trials
from .statistics import tuning

FINISHED = ("done", "reached_target", "diverged")
FRESH_FROM = 10
"""Seeds from which settings are chosen on the first half alone: fewer would leave too few."""
Setting = tuple[Level, ...]
Runs = dict[int, int]
"""Seed -> place of its trial in the frame."""
Index = dict[Setting, dict[str, dict[Setting, Runs]]]
"""Cell -> side -> setting -> runs."""


@dataclasses.dataclass(frozen=True)
class Standing:
    """One side in one cell, at the setting that was chosen for it."""

    setting: Setting
    settings: int
    """How many were tried."""
    seeds: tuple[int, ...]
    """Those that judge, in order."""
    rows: tuple[int, ...]
    """Places of their trials in the frame."""
    protocol: tuning.Protocol | None
    """How the setting was chosen; None: there was one."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """What several sides trained alike."""

    levels: Setting
    name: str
    standings: Mapping[str, Standing]
    paired: bool
    """Whether the sides are judged on the same seeds."""
    ran: Mapping[str, tuple[int, ...]]
    """All seeds that each side has a result of, at some setting."""

    @property
    def uneven(self) -> bool:
        """Whether the sides ran other seeds."""
        return len(set(self.ran.values())) > 1


@dataclasses.dataclass(frozen=True)
class Matching:
    """All cells on two sides at least, and a row for each that is not on all, with the reason."""

    cells: tuple[Cell, ...]
    unmatched: pd.DataFrame
    repeated: int
    """Trials left out because a side has another one of the same cell, setting and seed."""


def match(trials: Trials) -> Matching:
    """Match the trials of all sides, cell by cell."""
    index, repeated = _index(trials)
    cells = _cells(trials, index)
    there = {cell.levels: cell for cell in cells}
    reasons = Reasons(trials, index)
    rows = []
    for levels, cell in there.items():
        missing = [side for side in trials.sides if side not in cell.standings]
        if missing and len(trials.sides) > 1:
            have = ", ".join(side for side in trials.sides if side in index[levels]) or "no side"
            why = "; ".join(reasons.why(levels, side) for side in missing)
            rows.append({"cell": cell.name, "with results of": have, "why not matched": why})
    unmatched = pd.DataFrame(rows, columns=["cell", "with results of", "why not matched"])
    return Matching(_matched(cells), unmatched, repeated)


def matched_cells(trials: Trials) -> tuple[Cell, ...]:
    """The matched cells alone."""
    return _matched(_cells(trials, _index(trials)[0]))


def _matched(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    return tuple(cell for cell in cells if len(cell.standings) > 1)


def _cells(trials: Trials, index: Index) -> list[Cell]:
    names = _names(trials, list(index))
    scored = any(key.title.startswith("loss.") for key in trials.tuned_keys)
    by = "train_score" if scored else "train_loss"
    return [_cell(trials, levels, names[levels], sides, by) for levels, sides in index.items()]


def _index(trials: Trials) -> tuple[Index, int]:
    """Cell -> side -> setting -> seed -> place; of trials with a result, the first of each."""
    found: Index = {}
    repeated, frame = 0, trials.frame
    columns = (frame[c] for c in ("cell", "side", "setting", "seed", "outcome"))
    for row, (cell, side, setting, seed, outcome) in enumerate(zip(*columns, strict=True)):
        sides = found.setdefault(cell, {})
        if outcome in FINISHED:
            runs = sides.setdefault(side, {}).setdefault(setting, {})
            repeated += seed in runs
            runs.setdefault(seed, row)
    ordered = sorted(found, key=lambda levels: tuple(map(place, levels)))
    return {levels: found[levels] for levels in ordered}, repeated


def _names(trials: Trials, cells: Sequence[Setting]) -> dict[Setting, str]:
    """Each cell's name, by the fewest keys that tell all of them apart."""
    told = telling(trials.cell_keys, cells)
    keys = [trials.cell_keys[i] for i in told]
    return {levels: label([levels[i] for i in told], keys) for levels in cells}


def telling(keys: Sequence[Key], rows: Collection[Setting]) -> list[int]:
    """Places of the few keys that tell these levels apart, names preferred."""
    ordered = sorted(range(len(keys)), key=lambda i: (not keys[i].path.endswith(".name"), i))
    told: list[int] = []
    for i in ordered:
        if _kinds(rows, [*told, i]) > _kinds(rows, told):
            told.append(i)
    return sorted(told)


def _kinds(rows: Collection[Setting], places: Sequence[int]) -> int:
    return len({tuple(levels[i] for i in places) for levels in rows})


def _cell(
    trials: Trials, levels: Setting, name: str, sides: dict[str, dict[Setting, Runs]], by: str
) -> Cell:
    kept = {side: _candidates(sides[side]) for side in trials.sides if side in sides}
    seeds = {side: _shared(settings.values()) for side, settings in kept.items()}
    common = set.intersection(*map(set, seeds.values())) if len(seeds) > 1 else set[int]()
    paired = len(common) > 1
    judged = {side: tuple(sorted(common)) if paired else seeds[side] for side in kept}
    # Where one side tunes on half of the seeds, the other is judged on the other half, too.
    tunes = paired and any(len(settings) > 1 for settings in kept.values())
    standings = {
        side: standing
        for side, settings in kept.items()
        if (standing := _standing(trials.frame, settings, judged[side], by, tunes))
    }
    ran = {
        side: tuple(sorted({seed for runs in sides[side].values() for seed in runs}))
        for side in kept
    }
    return Cell(levels, name, standings, paired and len(standings) > 1, ran)


def _candidates(settings: dict[Setting, Runs]) -> dict[Setting, Runs]:
    """Those with at least half the seeds of the fullest, in order: others would cost all seeds."""
    most = max(map(len, settings.values()))
    ordered = sorted(settings, key=lambda levels: tuple(map(place, levels)))
    return {s: settings[s] for s in ordered if 2 * len(settings[s]) >= most}


def _shared(runs: Iterable[Runs]) -> tuple[int, ...]:
    """The seeds that all settings have."""
    return tuple(sorted(set.intersection(*(set(seeds) for seeds in runs))))


def _standing(
    frame: pd.DataFrame, settings: dict[Setting, Runs], seeds: tuple[int, ...], by: str, tunes: bool
) -> Standing | None:
    """The side at its best setting; None where nothing tells its settings apart."""
    if not seeds:
        return None
    several, names = len(settings) > 1, list(settings)
    if not several and not (tunes and len(seeds) >= FRESH_FROM):
        return _at(settings, names[0], seeds, None)
    choose_by = tuning.fresh_seeds if len(seeds) >= FRESH_FROM else tuning.same_seeds
    protocol = choose_by(by, len(names), seeds)
    if not several:
        return _at(settings, names[0], protocol.judging, None)
    values_RS = np.array([[frame[by].iat[settings[s][seed]] for seed in seeds] for s in names])
    values_RS = values_RS.astype(np.float64)
    tuned = [seeds.index(seed) for seed in protocol.tuning]
    if not np.isfinite(values_RS[:, tuned]).any():
        return None
    choice = tuning.choose(
        protocol, range(len(names)), seeds, values_RS, values_RS, by.endswith("loss")
    )
    return _at(settings, names[int(choice.rate)], protocol.judging, protocol)


def _at(
    settings: dict[Setting, Runs],
    setting: Setting,
    seeds: tuple[int, ...],
    protocol: tuning.Protocol | None,
) -> Standing:
    rows = tuple(settings[setting][seed] for seed in seeds)
    return Standing(setting, len(settings), seeds, rows, protocol)


class Reasons:
    """Why a side is not in a cell: it has none, or none alike, or nothing to choose by."""

    def __init__(self, trials: Trials, index: Index) -> None:
        self._keys, self._index = trials.cell_keys, index
        conditions = set(trials.conditions)
        self._loose = [i for i in range(len(self._keys)) if i not in conditions]
        self._near: dict[tuple[str, Setting], list[Setting]] = {}
        for levels, sides in index.items():
            for side in sides:
                self._near.setdefault((side, self._task(levels)), []).append(levels)
        self._planned = set(zip(trials.frame["cell"], trials.frame["side"], strict=True))

    def _task(self, levels: Setting) -> Setting:
        return tuple(levels[i] for i in self._loose)

    def why(self, levels: Setting, side: str) -> str:
        """In words, for a side that has no standing in the cell of these levels."""
        if side in self._index[levels]:
            return f"{side}: nothing to choose among its settings by"
        if (levels, side) in self._planned:
            return f"{side} has no result of it yet"
        near = self._near.get((side, self._task(levels)), [])
        if not near:
            return f"{side} did not train it"
        other = min(near, key=lambda levels_: len(_unlike(levels, levels_)))
        told = [
            f"{self._keys[i].title} {shown(other[i])} instead of {shown(levels[i])}"
            for i in _unlike(levels, other)
        ]
        return f"{side} trained it otherwise: {', '.join(told[:3])}"


def _unlike(levels: Setting, other: Setting) -> list[int]:
    return [i for i, (a, b) in enumerate(zip(levels, other, strict=True)) if a != b]
