"""Which probe is measured at which of a pack's recordings."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..probespecs import Sparse
from ..schedule import subset
from .base import Columns, Probe
from .convexity import Convexity
from .curvature import Curvature
from .gradient_check import GradientCheck
from .gradients import Gradients
from .jacobian import Jacobian
from .measures import Measures
from .noise import Noise
from .symmetry import Symmetry
from .through_time import ThroughTime

if TYPE_CHECKING:
    from ..stack import Stack

PROBES: dict[str, Callable[["Stack", Any], Probe]] = {
    "noise": Noise,
    "jacobian": Jacobian,
    "curvature": Curvature,
    "convexity": Convexity,
    "time": ThroughTime,
    "gradient_check": GradientCheck,
    "symmetry": Symmetry,
}
"""Name of a probe with a schedule of its own -> (stack, its spec) -> the probe."""


class Probes:
    """Everything that is measured of one stack."""

    def __init__(self, stack: "Stack", plan: Sequence[int]) -> None:
        record = stack.record
        self.gradients, self.measures = Gradients(stack), Measures(stack)
        self.measured = subset(list(plan), record.layers)
        wanted = {probe.name for probe in record.probes}
        self.layered = self.measured if "gradients" in wanted else set()
        self.sparse = [
            (subset(list(plan), spec.steps), PROBES[spec.name](stack, spec))
            for spec in record.probes
            if isinstance(spec, Sparse)
        ]

    def losses(self) -> Columns:
        """Losses and scores only."""
        return self.gradients.losses()

    def kind(self, update: int) -> tuple[bool, ...]:
        """What is measured after so many updates; recordings of one kind take equally long."""
        sparse = (update in updates for updates, _ in self.sparse)
        return (update == 0, update in self.layered, update in self.measured, *sparse)

    def measure(self, update: int) -> Columns:
        """All that is to be measured of every trial after so many updates."""
        columns = self.gradients.measure(layers=update in self.layered, first=update == 0)
        if update in self.measured:
            columns |= self.measures.measure()
        for updates, probe in self.sparse:
            if update in updates:
                columns |= probe.measure()
        return columns
