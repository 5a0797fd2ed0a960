"""What the page of trials is filtered and sorted by, and the sentence on what was found."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from . import palette
from .formats import compact, count

ROWS = 200
"""Trials on a page of the table: all that ever leaves the store at once."""

STATES = tuple(palette.OUTCOME_COLOUR)
VERDICTS = tuple(palette.VERDICT_COLOUR)
DESCENTS = tuple(palette.DESCENT_COLOUR)

SORTS: Mapping[str, str] = {
    "name": "slug",
    "outcome": "outcome",
    "verdict": "verdict",
    "last test score": "last_score",
    "best test score": "best_score",
    "last test loss": "last_loss",
    "best test loss": "best_loss",
    "learning rate": "lr",
    "depth": "depth",
    "activation": "activation",
    "descent": "descent",
    "batch size": "batch_size",
    "model": "model",
    "optimizer": "optimizer",
    "updates": "updates",
    "seconds": "seconds",
    "node": "node",
    "device": "device",
}
"""What trials can be sorted by: words -> column of the query ``trials_page``."""


@dataclasses.dataclass(frozen=True)
class Filter:
    """Which trials are shown; empty means all, None no bound."""

    sweeps: Sequence[str] | None = None
    outcomes: Sequence[str] = ()
    verdicts: Sequence[str] = ()
    descents: Sequence[str] = ()
    models: Sequence[str] = ()
    optimizers: Sequence[str] = ()
    lr_from: float | None = None
    lr_to: float | None = None
    words: str = ""

    def parameters(self) -> dict[str, object]:
        """As the queries ``trials_page`` and ``trials_found`` want it."""
        values: dict[str, object] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            values[field.name] = list(value) if isinstance(value, list | tuple) else value
        return values | {"words": self.words.strip()}

    @property
    def is_open(self) -> bool:
        """Whether every trial of the sweep fits."""
        wanted = self.parameters()
        return all(wanted[name] in ([], None, "") for name in wanted if name != "sweeps")


def found(rows: Sequence[Mapping[str, Any]], every: int, wanted: Filter) -> str:
    """How many trials fit, how they ended, and the best score among them.

    Args:
        rows: the answer to ``trials_found``.
        every: trials there are without the filter.
        wanted: the filter.
    """
    fitting = sum(row["trials"] for row in rows)
    head = f"{count(every, 'trial')} {_where(wanted.sweeps)}"
    if not wanted.is_open:
        head += f", {fitting} of them fit the filter"
    if not fitting:
        return f"{head}."
    ends = ", ".join(f"{row['trials']} {row['outcome'].replace('_', ' ')}" for row in rows)
    said = f"{head}: {ends}."
    scored = [row for row in rows if row["best_score"] is not None]
    if scored:
        best = max(scored, key=lambda row: row["best_score"])
        said += f" The largest test score at any recording is {compact(best['best_score'])}."
    return said


def _where(sweeps: Sequence[str] | None) -> str:
    if sweeps is None:
        return "in all sweeps"
    return "in this sweep" if len(sweeps) == 1 else f"in {count(len(sweeps), 'sweep')}"


def pages(fitting: int) -> int:
    """Pages of the table, at least one."""
    return max(1, -(-fitting // ROWS))


def span(page: int, fitting: int) -> str:
    """Which trials stand on a page, as ``201 to 400 of 1 200``."""
    first, last = (page - 1) * ROWS + 1, min(page * ROWS, fitting)
    return f"{first} to {last} of {count(fitting, 'trial')}"
