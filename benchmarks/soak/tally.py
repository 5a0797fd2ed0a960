"""How many faults of each kind were survived, and what went wrong."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """Counts of a soak; sound as long as there are no problems."""

    faults: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    trials: int = 0
    problems: list[str] = field(default_factory=list)

    def survived(self, name: str, *, kills: bool) -> None:
        """One more of this kind."""
        self.faults[name] += 1
        self.kills += kills

    def facts(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {
            "kills": self.kills,
            "faults": dict(self.faults.most_common()),
            "trials": self.trials,
            "problems": self.problems,
        }
