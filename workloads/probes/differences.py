"""Central differences of a loss along random directions, and which of them mean something.

Legend: K trials, P parameters of a trial in a row, H of one layer, M directions.

A difference is wrong where a kink of the loss (ReLU's, for example) lies between its two points.
Where the loss is smooth, the third and fourth differences of five points, h/2 apart, are next to
nothing, of the order h³ and h⁴; wherever a kink lies that puts the slope off by e, one of them is
at least e/3 · 2h. Directions of which one is larger than it should be are left out.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

EPSILON = torch.finfo(torch.float64).eps
STEP = EPSILON ** (1 / 3)
"""Of the norm of a layer's parameters: where rounding and curvature disturb alike (Press et al.
2007, Numerical Recipes, section 5.7)."""
ROUNDING = 8
"""Roundings of a loss that its difference may be off by."""
ROUGH = 1e-6
"""Roughness, relative to the slope, from which on a direction is left out."""
RESOLVED = 1e4
"""How far above its rounding a slope must be: nearer to it, the comparison would say nothing."""


class Place(NamedTuple):
    """Where a layer's parameters lie in a row of all, and which of them, (H,), are weights."""

    columns: slice
    weights_H: torch.Tensor
    """1 for weights, 0 for biases and what norms learn."""


class Differences:
    """Central differences of ``loss``, (K, P) -> (K,), around the point ``theta_KP``.

    Each trial draws its directions from its own generator.
    """

    def __init__(
        self,
        loss: Callable[[torch.Tensor], torch.Tensor],
        theta_KP: torch.Tensor,
        generators: list[torch.Generator],
        directions: int,
    ) -> None:
        self.loss, self.theta_KP = loss, theta_KP.clone()
        self.generators, self.directions = generators, directions
        self.here_K = loss(theta_KP)

    def compare(self, layer: Place, gradient_KP: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How a gradient agrees with differences in one layer's parameters.

        Every other direction, the first among them, leaves all but the weights where they are:
        units with biases and inputs of 0 stand exactly at ReLU's kink, and stay there.

        Returns:
            The relative error ‖g·v − d‖ / max(‖g·v‖, ‖d‖) over the directions that were kept,
            (K,), NaN where none was or where slopes cannot be told from rounding; and the share
            of directions that was left out, (K,).
        """
        columns = layer.columns
        kept_KH = self.theta_KP[:, columns].clone()
        step_K = STEP * torch.linalg.vector_norm(kept_KH, dim=1).clamp(min=1)
        slopes, expected, rough = [], [], []
        for number in range(self.directions):
            v_KH = self._direction(kept_KH, layer.weights_H if number % 2 == 0 else None)
            values = self._values(columns, kept_KH, v_KH * step_K.unsqueeze(1))
            slopes.append((values[3] - values[0]) / (2 * step_K))
            rough.append(self._roughness(values) / (2 * step_K))
            expected.append((gradient_KP[:, columns] * v_KH).sum(1))
        self.theta_KP[:, columns] = kept_KH
        rounding_K = ROUNDING * EPSILON * self.here_K.abs().clamp(min=1) / step_K
        return _judged(torch.stack(slopes), torch.stack(expected), torch.stack(rough), rounding_K)

    def _direction(self, like_KH: torch.Tensor, among_H: torch.Tensor | None) -> torch.Tensor:
        """Uniform on the unit sphere, (K, H), of some of the parameters or of all."""
        drawn = [
            torch.randn(like_KH.shape[1], generator=g, dtype=torch.float64) for g in self.generators
        ]
        drawn_KH = torch.stack(drawn).to(like_KH.device)
        if among_H is not None:
            drawn_KH = drawn_KH * among_H
        unit_KH: torch.Tensor = drawn_KH / drawn_KH.norm(dim=1, keepdim=True)
        return unit_KH

    def _values(
        self, columns: slice, kept_KH: torch.Tensor, step_KH: torch.Tensor
    ) -> list[torch.Tensor]:
        """The loss a step and half a step before and behind, (K,) each."""
        values = []
        for factor in (-1, -0.5, 0.5, 1):
            self.theta_KP[:, columns] = torch.add(kept_KH, step_KH, alpha=factor)
            values.append(self.loss(self.theta_KP))
        return values

    def _roughness(self, values: list[torch.Tensor]) -> torch.Tensor:
        """The larger of the third and the fourth difference, (K,)."""
        far, near, after, beyond = values
        third = (beyond - far) - 2 * (after - near)
        fourth = (beyond + far) - 4 * (after + near) + 6 * self.here_K
        return torch.maximum(third.abs(), fourth.abs())


def _judged(
    slope_MK: torch.Tensor,
    expected_MK: torch.Tensor,
    rough_MK: torch.Tensor,
    rounding_K: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See :meth:`Differences.compare`."""
    usual_K = slope_MK.square().mean(0).sqrt()
    smooth_MK = rough_MK <= ROUGH * usual_K + rounding_K
    slope_MK, expected_MK = (torch.where(smooth_MK, t, 0) for t in (slope_MK, expected_MK))
    norm = torch.linalg.vector_norm
    apart_K: torch.Tensor = norm(slope_MK - expected_MK, dim=0)
    larger_K = torch.maximum(norm(slope_MK, dim=0), norm(expected_MK, dim=0))
    resolved_K = larger_K >= RESOLVED * rounding_K * smooth_MK.sum(0).clamp(min=1).sqrt()
    left_out_K = 1 - smooth_MK.to(slope_MK.dtype).mean(0)
    return torch.where(resolved_K, apart_K / larger_K, torch.nan), left_out_K
