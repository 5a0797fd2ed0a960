"""The keys in which trials differ, and the names of groups by them."""

import dataclasses
import math
from collections.abc import Collection, Iterable, Sequence

import pandas as pd
import pyarrow as pa

from .declarations import DECLARED
from .study import words_of

ABSENT = "absent"
SEED = "$.seed"
ROOT = "$."
Level = str | None


@dataclasses.dataclass(frozen=True)
class Key:
    """A key in which the chosen trials differ; ``absent``: trials that do not have it."""

    path: str
    levels: int
    absent: int
    examples: tuple[str, ...]

    @property
    def title(self) -> str:
        """As a grid file calls it: ``optimizer.lr``; of sweeps: ``sweep``."""
        return self.path.removeprefix(ROOT)


def keys_of(table: pa.Table) -> list[Key]:
    """The answer to ``compare_keys``; those of sweeps first, then as they are spelt."""
    found = [
        Key(row["path"], row["levels"], row["absent"], tuple(row["examples"] or ()))
        for row in table.to_pylist()
    ]
    return sorted(found, key=lambda key: (key.path.startswith(ROOT), key.path))


def default_keys(keys: Sequence[Key], studies: Collection[str | None]) -> list[Key]:
    """What to group by before anybody chose: sweeps; what their one study compares; any name."""
    by_path = {key.path: key for key in keys}
    if "sweep" in by_path:
        return [by_path["sweep"]]
    lines = [study.lines for name in studies if name and (study := DECLARED.get(name))]
    declared = [f"{ROOT}{key}" for key in (lines[0] if len(lines) == 1 else ())]
    if found := [by_path[path] for path in declared if path in by_path]:
        return found
    ranked = sorted(
        (key for key in keys if key.path != SEED),
        key=lambda key: (not key.path.endswith(".name"), key.levels),
    )
    return ranked[:1]


def named(table: pa.Table, keys: Sequence[Key]) -> pd.DataFrame:
    """The answer as a frame ordered by level, with the name of each group as ``series``."""
    frame: pd.DataFrame = table.to_pandas()
    frame["levels"] = [tuple(levels) for levels in frame["levels"]]
    places = [tuple(place(level) for level in levels) for levels in frame["levels"]]
    order = sorted(range(len(frame)), key=places.__getitem__)
    frame = frame.iloc[order].reset_index(drop=True)
    labels = [label(levels, keys) for levels in frame["levels"]]
    frame["series"] = pd.Categorical(labels, categories=list(dict.fromkeys(labels)))
    return frame


def place(level: Level) -> tuple[int, float, str]:
    """Sort key of a level: numbers by size, then words, then absent."""
    if level is None:
        return 2, 0.0, ""
    try:
        number = float(level)
    except ValueError:
        number = math.nan
    return (1, 0.0, level) if math.isnan(number) else (0, number, level)


def shown(level: Level) -> str:
    """A level in a table or on an axis; the word itself is not the lack of a key."""
    if level is None:
        return ABSENT
    if level == ABSENT:
        return f'"{level}"'
    # 0.00948683298051 is for no reader; a long whole number stays as it is.
    kind, number, _ = place(level)
    return f"{number:.4g}" if kind == 0 and "." in level and len(level) > 8 else level


def label(levels: Iterable[Level], keys: Sequence[Key]) -> str:
    """The name of a group: ``relu, depth 5``; what is absent is said to be."""
    words = [words_of(key.title) for key in keys]
    # model.depth and problem.depth are both a depth: then the whole key is said.
    told = [k.title if words.count(w) > 1 else w for k, w in zip(keys, words, strict=True)]
    parts = map(_part, keys, told, levels)
    return ", ".join(parts) or "all trials"


_BARE = (".name", ".activation")


def _part(key: Key, word: str, level: Level) -> str:
    """One level of a name; without its key where the level speaks for itself."""
    if key.path == "sweep" or (key.path.endswith(_BARE) and level not in (None, "none", "null")):
        return shown(level)
    return f"{word} {shown(level)}"
