"""The losses that a trial may name, and the problems each fits; torch-free."""

from typing import Annotated

from pydantic import Field

from .gamespecs import GanLoss, GanWasserstein
from .labelspecs import LABEL_LOSSES, CrossEntropy, LabelLoss
from .latentspecs import Elbo
from .objectivespecs import Objective
from .parts import Named, names_of
from .problems.shapes import Task
from .valuespecs import VALUE_LOSSES, ValueLoss

__all__ = ["LOSS_TASKS", "CrossEntropy", "Loss"]


Loss = Annotated[
    LabelLoss | ValueLoss | Objective | GanLoss | GanWasserstein | Elbo,
    Field(discriminator="name"),
    Named("cross_entropy"),
]


LOSS_TASKS: dict[str, tuple[Task, ...]] = {
    name: part.tasks
    for part in (*LABEL_LOSSES, *VALUE_LOSSES, Objective, GanLoss, GanWasserstein, Elbo)
    for name in names_of(part)
}
"""Name of a loss -> the problems that it fits."""
