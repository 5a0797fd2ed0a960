"""Convex problems of a linear model whose one minimum is known; torch-free."""

from typing import Literal

from pydantic import Field

from .parts import Count, Positive
from .problemparts import DrawnProblem
from .problems.shapes import Shape


class Logistic(DrawnProblem):
    """Two classes, the second with probability σ(w·x): x ~ N(0, I), w ~ N(0, signal² I / D).

    The maximum-likelihood weights of a linear model are known: Newton's method finds them when
    the data is made (Bishop 2006, section 4.3.3).
    """

    name: Literal["logistic"]
    features: Count = Field(default=64, description="inputs per sample, D")
    signal: Positive = Field(default=2.0, description="deviation of the true log-odds")

    @property
    def shape(self) -> Shape:
        """Two classes."""
        return Shape(self.all_samples, self.features, 2)
