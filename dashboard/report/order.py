"""What a report was asked for: of which sweeps, compared by what, how long."""

import dataclasses
import shlex
from collections.abc import Sequence
from typing import Any

from ..tables import Ask

ENDINGS = ("html", "pdf", "md", "tex")


@dataclasses.dataclass(frozen=True)
class Order:
    """The sweeps, the key they are compared by (None: each for itself), and whether it is short.

    Raises:
        ValueError: no sweep, one sweep twice, or a summary of something else than one sweep.
    """

    sweeps: tuple[str, ...]
    compare: str | None = None
    summary: bool = False

    def __post_init__(self) -> None:
        if not self.sweeps:
            raise ValueError("a report is of one sweep at least; `talweg status` lists them")
        if len(set(self.sweeps)) < len(self.sweeps):
            raise ValueError(f"a sweep is named twice: {', '.join(self.sweeps)}")
        if self.summary and (self.compare or len(self.sweeps) > 1):
            raise ValueError("a summary is of one sweep alone, without a comparison")

    def command(self) -> str:
        """The command line that makes this report, as HTML."""
        words = ["talweg", "report", *self.sweeps]
        words += ["--compare", self.compare] if self.compare else []
        words += ["--summary"] if self.summary else []
        return f"{shlex.join(words)} -o report.html"


def sweeps_of(ask: Ask, sweep_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of the sweeps, in order.

    Raises:
        LookupError: the store holds no such sweep.
    """
    rows = []
    for sweep_id in sweep_ids:
        found = ask("sweep", sweep_id=sweep_id).to_pylist()
        if not found:
            known = ", ".join(row["sweep_id"] for row in ask("sweeps").to_pylist()[:5])
            raise LookupError(
                f"no sweep {sweep_id!r} in this store; the newest are: {known or 'none'}"
            )
        rows.append(dict(found[0]))
    return rows
