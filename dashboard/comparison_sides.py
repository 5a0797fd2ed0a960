"""The sides of a comparison and their trials: what belongs to a cell, what to a side's setting.

A side is a value of the compared key: a team, an optimizer. Every other key that varies has one
of four roles:

- *cell*: sides must share its value. All that says what is to be learnt and at which cost
  (problem, loss, budget, target, dtype), and other keys of which all sides have some same value;
- *own*: no value of it is common to all sides, so it goes with the side; and so does a parameter
  that only some names have (momentum) where the name is own or compared;
- *tuned*: the learning rate, and own keys of which a side tried several values: each side stands
  at its best setting of these;
- *left out*: seeds, which are what is counted, and how trials are recorded and timed.
"""

import dataclasses
from collections.abc import Collection, Sequence

import pandas as pd
import pyarrow as pa

from .compare_keys import ABSENT, ROOT, SEED, Key, Level, keys_of, place, shown
from .tables import Ask

RATE = f"{ROOT}optimizer.lr"
MOST_SIDES = 12
"""Of more sides there would be more pairs than anybody reads."""
_OF_SWEEPS = ("sweep", "team", "owner")
_TASK = ("problem.", "loss.", "budget.", "target", "dtype", "tf32", "record.samples")
_ASIDE = ("record.", "timing")


@dataclasses.dataclass(frozen=True)
class Trials:
    """The trials of all sides, in a frame, and the roles of the keys that vary.

    ``frame`` has the columns of ``comparison_trials`` and side, cell and setting: the levels of
    ``cell_keys`` and ``tuned_keys``.
    """

    key: str
    """What is compared, as a grid file calls it."""
    sides: tuple[str, ...]
    frame: pd.DataFrame
    cell_keys: tuple[Key, ...]
    own_keys: tuple[Key, ...]
    tuned_keys: tuple[Key, ...]
    own_levels: dict[str, dict[str, tuple[Level, ...]]]
    """Title of an own key -> side -> its values there."""
    names: dict[Level, str]
    """Value of the compared key -> the side's name."""
    path: str
    levels: dict[Key, list[Level]]
    """Of every other key that varies, the level of each trial."""

    def some(self, places: Sequence[int], sides: Collection[str]) -> "Trials":
        """The trials at these places of the frame alone, as if there were no others."""
        frame = self.frame.iloc[list(places)].reset_index(drop=True)
        levels = {key: [held[i] for i in places] for key, held in self.levels.items()}
        names = {level: name for level, name in self.names.items() if name in sides}
        return _with_roles(self.path, names, frame, levels)

    @property
    def conditions(self) -> tuple[int, ...]:
        """Places of the cell keys that say how a problem was trained, not which one it is."""
        return tuple(
            i
            for i, key in enumerate(self.cell_keys)
            if _begins(key, _TASK) and key.title != "problem.name"
        )


def trials_of(ask: Ask, sweeps: Sequence[str], key: str) -> Trials:
    """Ask for the trials of these sweeps, and find the sides.

    Args:
        ask: answers named queries.
        sweeps: their ids.
        key: ``team``, ``owner``, ``sweep``, or a key of the configuration: ``optimizer.name``.

    Raises:
        ValueError: nothing has this key, or it takes too many values, or it is the seed.
    """
    found = keys_of(ask("compare_keys", sweeps=list(sweeps)))
    path = _path(key, found)
    others = [k for k in found if k.path != path and _counts(k)]
    answer = ask("comparison_trials", sweeps=list(sweeps), keys=[path, *(k.path for k in others)])
    frame, levels = _framed(answer)
    names = _names(path, sorted(set(levels[0]), key=place))
    _check(key, path, found, names)
    frame["side"] = [names[level] for level in levels[0]]
    columns = dict(zip(others, levels[1:], strict=True))
    return _with_roles(path, names, frame, columns)


def _framed(answer: pa.Table) -> tuple[pd.DataFrame, list[list[Level]]]:
    """The answer without its levels, and the levels, a list for each key."""
    rows = answer["levels"].to_pylist()
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[]]
    frame: pd.DataFrame = answer.drop_columns("levels").to_pandas()
    return frame, columns


def _path(key: str, found: Sequence[Key]) -> str:
    """The path of a key; of a part with a name (``optimizer``) that of its name, and back."""
    if key in _OF_SWEEPS:
        return key
    path, varying = f"{ROOT}{key}", {k.path for k in found}
    others = [f"{path}.name", path.removesuffix(".name")]
    return next((p for p in [path, *others] if p in varying), path)


def _names(path: str, levels: Sequence[Level]) -> dict[Level, str]:
    """The name of each side, which no other one has."""
    nobody = f"no {path}" if path in _OF_SWEEPS else ABSENT
    names = {level: nobody if level is None else shown(level) for level in levels}
    if len(set(names.values())) == len(names):
        return names
    # Rounded numbers that look the same, or a team that is called "no team".
    return {level: nobody if level is None else f'"{level}"' for level in levels}


def _check(key: str, path: str, found: Sequence[Key], names: dict[Level, str]) -> None:
    offered = ", ".join(k.title for k in found if k.path != SEED) or "none"
    if path == SEED:
        raise ValueError(
            "seeds cannot be compared: they are what a comparison counts. Compare team, owner, "
            f"sweep, or a key that varies here: {offered}"
        )
    if path not in _OF_SWEEPS and set(names) == {None}:
        raise ValueError(
            f"--compare {key}: no trial of these sweeps has this key. Compare team, owner, "
            f"sweep, or a key that varies here: {offered}"
        )
    if len(names) > MOST_SIDES:
        raise ValueError(
            f"--compare {key}: it takes {len(names)} values here, and at most {MOST_SIDES} sides "
            "can be compared. Choose a key with fewer values, or sweeps that have fewer of them"
        )


def _begins(key: Key, prefixes: Sequence[str]) -> bool:
    return any(key.title.startswith(prefix) for prefix in prefixes)


def _counts(key: Key) -> bool:
    """Whether a key says how trials differ, and not who ran them or how they were recorded."""
    if key.path in (*_OF_SWEEPS, SEED):
        return False
    return key.title == "record.samples" or not _begins(key, _ASIDE)


def _with_roles(
    path: str, names: dict[Level, str], frame: pd.DataFrame, columns: dict[Key, list[Level]]
) -> Trials:
    sides = tuple(names.values())
    cell, tuned, own = list[Key](), list[Key](), dict[Key, dict[str, tuple[Level, ...]]]()
    owners = {path}
    for key in sorted(columns, key=lambda key: not key.path.endswith(".name")):
        held = {side: set[Level]() for side in sides}
        for side, level in zip(frame["side"], columns[key], strict=True):
            held[side].add(level)
        if key.path == RATE:
            tuned.append(key)
        elif _shared(key, path, held, owners, columns):
            cell.append(key)
        else:
            owners.add(key.path)
            own[key] = {side: tuple(sorted(found, key=place)) for side, found in held.items()}
            tuned += [key] if any(len(found) > 1 for found in held.values()) else []
    frame["cell"] = _rows([columns[key] for key in cell], len(frame))
    frame["setting"] = _rows([columns[key] for key in tuned], len(frame))
    return Trials(
        path.removeprefix(ROOT),
        sides,
        frame,
        tuple(cell),
        tuple(own),
        tuple(tuned),
        {key.title: held for key, held in own.items()},
        names,
        path,
        columns,
    )


def _shared(
    key: Key,
    compared: str,
    held: dict[str, set[Level]],
    owners: Collection[str],
    keys: Collection[Key],
) -> bool:
    """Whether a key belongs to the cell.

    A parameter that only some names have (the momentum of an optimizer) goes where its name goes.
    """
    part = f"{compared.removesuffix('.name')}."
    if _begins(key, _TASK) and not key.path.startswith(part):
        return True
    if key.absent and _name_of(key, {compared, *(k.path for k in keys)}) in owners:
        return False
    return bool(set.intersection(*held.values()))


def _name_of(key: Key, paths: Collection[str]) -> str | None:
    """The name of the nearest part that a key is in: ``optimizer.name`` of ``optimizer.eps``."""
    above = key.path.split(".")[:-1]
    parts = [".".join(above[:length]) for length in range(len(above), 1, -1)]
    return next((found for part in parts for found in (f"{part}.name",) if found in paths), None)


def _rows(columns: Sequence[Sequence[Level]], count: int) -> pd.Series:
    rows = list(zip(*columns, strict=True)) if columns else [()] * count
    return pd.Series(rows, dtype=object)


def levels_words(levels: Sequence[Level], most: int = 6) -> str:
    """Some values of a key in a sentence: ``0.1, 1, absent``."""
    words = [ABSENT if level is None else shown(level) for level in levels]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
