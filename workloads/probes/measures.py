"""Numbers beside losses and scores: of the outputs, of the parameters, of what is generated.

They are recorded with the layers, into the table ``probes``, under the probe ``measures``.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from ..losses import Values
from ..optimizers import Tensors
from ..problems.objectives import MINIMA
from ..step import spread
from .minima import (
    coordinates,
    distance_to_least_squares,
    distance_to_minimum,
    distance_to_weights,
)
from .players import generator_grad_norm
from .weights import parameter_error

if TYPE_CHECKING:
    from ..stack import Stack

PREFIX = "measures/"
"""What the columns of these numbers start with."""
Measure = Callable[[Tensors], torch.Tensor]
"""Parameters, (K, …) each -> a number for each trial, (K,)."""

KNOWN: dict[str, Callable[["Stack"], Mapping[str, Measure]]] = {
    "linear": lambda stack: {**parameter_error(stack), **distance_to_least_squares(stack)},
    **dict.fromkeys(
        [*MINIMA, "quadratic_deep"],
        lambda stack: {**distance_to_minimum(stack), **coordinates(stack)},
    ),
    "logistic": distance_to_weights,
    "ring": generator_grad_norm,
}
"""Name of a problem whose solution is known -> what can be measured against it."""


class Measures:
    """What else is measured of a stack."""

    def __init__(self, stack: "Stack") -> None:
        self.stack = stack
        known = KNOWN.get(stack.trials[0].problem.name)
        self.known = known(stack) if known else {}

    @torch.no_grad()
    def measure(self) -> dict[str, torch.Tensor]:
        """Each number of every trial now, (K,), under its name."""
        stack, params = self.stack, self.stack.params
        found = {name: measure(params) for name, measure in self.known.items()}
        if stack.step.criterion.measures:
            found |= self._of_outputs(params, stack.step.criterion.measures)
        return {PREFIX + name: value_K for name, value_K in found.items()}

    def _of_outputs(
        self, params: Tensors, measures: Mapping[str, Values]
    ) -> dict[str, torch.Tensor]:
        x_KND, y_KN = spread(self.stack.test, params)
        output_KNC = self.stack.model.forward(params, x_KND)
        return {name: value(output_KNC, y_KN) for name, value in measures.items()}
