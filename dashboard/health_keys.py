"""The keys by which gradient health is laid out, and the settings that a sweep made of them."""

import dataclasses
import math
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from .metrics import Metric
from .study import Study, words_of
from .tables import Ask

Level = str | None
ABSENT = (None, "none", "false")
DEPTH, RATE = "model.depth", "optimizer.lr"
SCORE = Metric("test_score", "test score", falling=False, bounds=(-math.inf, 1.0))
"""An accuracy or an R²: neither is above 1."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """One combination of levels, everything but the seed, with layers measured."""

    levels: tuple[Level, ...]
    trials: int
    layers: int
    recorded: int


@dataclasses.dataclass(frozen=True)
class Layout:
    """The keys that tell settings apart, and all settings, levels in the order of the keys."""

    keys: tuple[str, ...]
    settings: tuple[Setting, ...]
    score: Metric = SCORE
    """What final scores are here: the study says whether they are accuracies."""

    @property
    def factors(self) -> list[str]:
        """The keys as queries want them."""
        return paths(self.keys)

    def levels(self, key: str) -> list[Level]:
        """The levels of a key, in order."""
        place = self.keys.index(key)
        return sorted({setting.levels[place] for setting in self.settings}, key=order)

    @property
    def usual(self) -> dict[str, Level]:
        """What is shown first: of the deepest settings one whose trials went on longest."""
        if not self.settings:
            return {}
        longest = max(self.settings, key=lambda s: (s.layers, s.recorded, s.trials))
        return dict(zip(self.keys, longest.levels, strict=True))


def layout(ask: Ask, sweep_id: str, study: Study | None) -> Layout:
    """The keys that differ, those of the study first; what others decide already is left out."""
    differing = [
        row["path"].removeprefix("$.")
        for row in ask("compare_keys", sweeps=[sweep_id]).to_pylist()
        if row["path"].startswith("$.") and row["path"] != "$.seed"
    ]
    own = study.keys if study else []
    # What the study asks about first; then parts by name, of which numbers are settings.
    candidates = sorted(differing, key=lambda key: (_place(key, own), not key.endswith(".name")))
    answer = ask("health_settings", sweep_id=sweep_id, factors=paths(candidates))
    rows = answer.to_pylist()
    kept = _telling([row["levels"] for row in rows])
    settings = [
        Setting(
            tuple(row["levels"][place] for place in kept),
            row["trials"],
            row["layers"],
            row["recorded"],
        )
        for row in rows
    ]
    scores = [m for m in (study.metrics if study else ()) if m.column == SCORE.column]
    keys = tuple(candidates[place] for place in kept)
    return Layout(keys, tuple(settings), scores[0] if scores else SCORE)


def _place(key: str, own: Sequence[str]) -> int:
    return own.index(key) if key in own else len(own)


def _telling(rows: Sequence[Sequence[Level]]) -> list[int]:
    """Columns each of which tells apart rows that those before it do not."""
    kept: list[int] = []
    told = 1
    for column in range(len(rows[0]) if rows else 0):
        parts = {tuple(row[place] for place in [*kept, column]) for row in rows}
        if len(parts) > told:
            kept.append(column)
            told = len(parts)
    return kept


def paths(keys: Sequence[str]) -> list[str]:
    """The keys as JSON paths into ``trials.config``."""
    return [f"$.{key}" for key in keys]


def number(level: Level) -> float:
    """The level as a number; NaN where it is a word, or absent."""
    try:
        return float(level) if level is not None else math.nan
    except ValueError:
        return math.nan


def order(level: Level) -> tuple[int, float, str]:
    """Sort key of levels: absent ones first, numbers by size, then words."""
    value = number(level)
    if level in ABSENT:
        return 0, 0.0, str(level)
    return (2, 0.0, str(level)) if math.isnan(value) else (1, value, "")


def text(level: Level) -> str:
    """A level alone: ``0.0949``, ``layer norm``; absent ones are not the word ``none``."""
    value = number(level)
    if level is None:
        return "absent"
    return level.replace("_", " ") if math.isnan(value) else f"{value:.3g}"


def label(key: str, level: Level) -> str:
    """A level with the words of its key where it does not speak for itself: ``depth 20``."""
    if level in ABSENT:
        return f"no {words_of(key)}"
    if level == "true":
        return words_of(key)
    named = key.endswith(".name") or key == "model.activation"
    return text(level) if named else f"{words_of(key)} {text(level)}"


def said(keys: Sequence[str], levels: Sequence[Level]) -> str:
    """``tanh, xavier, depth 20, learning rate 0.1``."""
    return ", ".join(label(key, level) for key, level in zip(keys, levels, strict=True))


def column(
    key: str,
    levels: Sequence[Level],
    labelled: bool = True,
    known: Sequence[Level] | None = None,
) -> pd.Series:
    """Levels as a categorical column in order; ``known`` has those of other charts, too."""
    words = {level: label(key, level) if labelled else text(level) for level in known or levels}
    ordered = list(dict.fromkeys(words[level] for level in sorted(words, key=order)))
    found = pd.Categorical([words[level] for level in levels], categories=ordered)
    return pd.Series(found)


def held(table: pa.Table, first: int, levels: Sequence[Level]) -> pa.Table:
    """The rows whose levels from place ``first`` on are these, with the levels before it."""
    every = table["levels"].to_pylist()
    kept = [place for place, found in enumerate(every) if found[first:] == list(levels)]
    shown = pa.array([every[place][:first] for place in kept], pa.list_(pa.string()))
    place = table.column_names.index("levels")
    return table.take(pa.array(kept, pa.int64())).set_column(place, "levels", shown)
