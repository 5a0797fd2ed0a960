"""What a study declares so that the common page and report can show it."""

import dataclasses
from collections.abc import Mapping

from .metrics import Metric
from .statistics import Bounds

Points = tuple[tuple[str, str], ...]
"""Changes and why they matter, as ``captions.WHAT_WOULD_CHANGE`` has them."""

MORE_SEEDS = (
    "More seeds.",
    "The intervals are over initial parameters and sample order only: one data split.",
)
OTHER_RATE = (
    "Another grid of learning rates.",
    "Each group stands at its best rate among those tried; a rate at the edge of the grid may "
    "not be its best. Choosing it on the same trials flatters every group a little.",
)


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A column of the table ``layers``, or a key of ``probes`` with layers, and its words."""

    column: str
    title: str
    axis: str = "layer"
    """What is counted along the horizontal axis: layers, or the steps of a sequence."""


SIGNAL = Quantity("backward_signal", "backward signal")
FORWARD = Quantity("q", "forward second moment q")


@dataclasses.dataclass(frozen=True)
class Study:
    """How the trials of a study are grouped and judged.

    Keys are those of a grid file (``optimizer.lr``). ``lines`` are what a chart compares;
    ``panels`` give a chart each; ``along`` is the number on the horizontal axis of final
    values; of ``tuned``, each group is shown at its best value, by the first metric.
    """

    title: str
    metrics: tuple[Metric, ...]
    """The first one answers the question; the others are shown below it where measured."""
    lines: tuple[str, ...]
    panels: tuple[str, ...] = ()
    along: str | None = None
    tuned: str | None = None
    layers: tuple[Quantity, ...] = ()
    costs: bool = False
    """Whether the updates and samples to the grid's own target are shown."""
    health: bool = False
    """Whether verdicts and predictions are shown."""
    landscapes: bool = False
    """Whether objectives of two parameters are shown from above, with the paths on them."""
    changes: Points = ()

    @property
    def keys(self) -> list[str]:
        """All keys that tell groups apart, in the order of a query's ``levels``."""
        single = [key for key in (self.along, self.tuned) if key]
        return [*self.lines, *self.panels, *single]

    @property
    def factors(self) -> list[str]:
        """The keys as the queries want them: JSON paths into ``trials.config``."""
        return [f"$.{key}" for key in self.keys]

    @property
    def what_would_change(self) -> Points:
        """The study's own points, and those that hold for all."""
        return (*self.changes, *((OTHER_RATE,) if self.tuned else ()), MORE_SEEDS)


_WORDS: Mapping[str, str] = {
    "optimizer.lr": "learning rate",
    "problem.minority_share": "share of the rarer class",
    "problem.outlier_share": "share of outliers",
    "problem.foreground_share": "share of foreground pixels",
    "problem.steps": "steps of the sequence",
    "problem.delay": "steps of delay",
}


def words_of(key: str) -> str:
    """How a key is called in titles and labels; ``model.init.name`` is the ``init``."""
    return _WORDS.get(key, key.removesuffix(".name").rpartition(".")[2].replace("_", " "))


def own(column: str, title: str, bounds: Bounds, falling: bool = False) -> Metric:
    """A metric of a study's own: a score by its own name, or a key of ``probes``."""
    return Metric(column, title, falling, bounds)
