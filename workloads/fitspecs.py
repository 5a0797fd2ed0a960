"""A Gaussian fitted to a correlated one by Kullback–Leibler divergence; torch-free."""

import math
from typing import Annotated, Literal

from pydantic import Field

from .objectivespecs import ObjectiveProblem
from .parts import Count

Correlation = Annotated[float, Field(gt=-1, lt=1)]

MEAN = 1.0
"""m_i of every component."""
DEVIATION = 2.0
"""√S_ii of every component."""


class GaussianFit(ObjectiveProblem):
    """θ = (μ, log σ) of q = N(μ, diag σ²), fitted to p = N(m, S) by KL(p‖q) or KL(q‖p).

    m_i = 1, S_ij = 4 ρ^|i−j|. Both divergences are least at μ = m; ``forward``, KL(p‖q), where
    q has p's variances, σ_i² = S_ii, ``reverse``, KL(q‖p), where it has p's conditional ones,
    σ_i² = 1/(S⁻¹)_ii, so that it is too narrow (Bishop 2006, section 10.1.2). The least values
    are −½(D − 1) ln(1 − ρ²) and ½(D − 2) ln(1 + ρ²) − ½ ln(1 − ρ²), of D = 1 both 0.
    """

    name: Literal["gaussian_fit"]
    dimension: Count = Field(default=2, description="components of p and q; θ has twice as many")
    correlation: Correlation = Field(
        default=0.8, description="ρ of neighbouring components; of others ρ^|i−j|"
    )
    direction: Literal["forward", "reverse"] = Field(
        default="forward", description="KL(p‖q), or KL(q‖p)"
    )

    @property
    def given(self) -> tuple[float, ...]:
        """θ₀ = 0: q = N(0, I)."""
        return (0.0,) * (2 * self.dimension)

    @property
    def covariance(self) -> list[list[float]]:
        """S, (D, D)."""
        each = range(self.dimension)
        return [[DEVIATION**2 * self.correlation ** abs(i - j) for j in each] for i in each]

    @property
    def precision(self) -> list[list[float]]:
        """S⁻¹, (D, D): p is a Markov chain, so that only neighbours have entries."""
        rho, last = self.correlation, self.dimension - 1
        scale = 1 / (DEVIATION**2 * (1 - rho**2))

        def entry(i: int, j: int) -> float:
            if i != j:
                return -rho * scale if abs(i - j) == 1 else 0.0
            neighbours = (i > 0) + (i < last)
            return scale * (1, 1, 1 + rho**2)[neighbours] if last else 1 / DEVIATION**2

        each = range(self.dimension)
        return [[entry(i, j) for j in each] for i in each]

    @property
    def log_determinant(self) -> float:
        """ln det S."""
        chain = (self.dimension - 1) * math.log1p(-(self.correlation**2))
        return 2 * self.dimension * math.log(DEVIATION) + chain

    @property
    def minimum(self) -> list[float]:
        """(μ*, log σ*)."""
        forward = self.direction == "forward"
        variances = [
            self.covariance[i][i] if forward else 1 / self.precision[i][i]
            for i in range(self.dimension)
        ]
        return [MEAN] * self.dimension + [math.log(v) / 2 for v in variances]
