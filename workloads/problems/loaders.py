"""What makes the data of each kind of problem. Adding one: its spec, a function, a row here."""

from collections.abc import Callable
from typing import Any

from ..problemspecs import BundledProblem, GaussianInputs, ProblemPart
from .bundled import bundled
from .data import Data
from .generated import gaussian_inputs

LOADERS: dict[type[ProblemPart], Callable[[Any], Data]] = {
    BundledProblem: bundled,
    GaussianInputs: gaussian_inputs,
}
