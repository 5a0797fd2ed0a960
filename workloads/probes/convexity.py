"""Whether the loss looks convex. K trials, R pairs, B samples, P parameters."""

from typing import TYPE_CHECKING

import torch

from ..models.gan import Gan
from ..optimizers import Tensors
from ..probespecs import Convexity as Spec
from ..seeds import Stream, generator
from ..spec import TrialSpec
from ..step import spread
from .base import Columns
from .curvature import Spectrum
from .precise import ELEMENTS, doubles, flat, like, slices, undisturbed

if TYPE_CHECKING:
    from ..stack import Stack

FEWEST_STARTS, START_ELEMENTS = 4, 2**20
"""Chords lead to as many other starts as there are such chords, or fewer in turn: so that all
starts together have this many numbers, for drawing takes time, but not fewer than these."""
SMALLEST = 0.01
"""Smallest deviation of the noise, as a share of the radius."""
ROUNDING = 1e-9
"""A chord is violated where the loss lies above it by more than this share of its size."""
ALIVE = 3
"""Tensors as large as a layer's activations that a forward pass holds at a time, about."""
POINTS = 3
"""Of a chord: its ends and one between them."""


class Convexity:
    """Share of violated chords, and the smallest eigenvalue of the Hessian at the parameters."""

    def __init__(self, stack: "Stack", spec: Spec) -> None:
        self.stack, self.spec = stack, spec
        self.spectrum = Spectrum(stack, spec.samples, spec.iterations)
        self.split = self.spectrum.split
        layer = ALIVE * len(self.split.x) * stack.model.units
        pair = POINTS * (layer + self.spectrum.parameters)
        # Of one trial alone: how its pairs are drawn must not depend on its pack.
        self.at_once = max(1, min(spec.pairs, ELEMENTS // pair))
        self.elements = self.at_once * pair

    def measure(self) -> Columns:
        """See :class:`~.base.Probe`. Two players descend no one function: nothing of them."""
        if isinstance(self.stack.model, Gan):
            return {}
        with torch.no_grad(), undisturbed(self.stack.device):
            parts = [self._part(part) for part in slices(self.stack, self.elements)]
        return {
            "convexity/violated_share": torch.cat(parts),
            "convexity/smallest": self.spectrum.measure().smallest_K,
        }

    def _part(self, part: slice) -> torch.Tensor:
        """The share of a part of the trials, (K,)."""
        params = doubles(self.stack.params, part)
        ends = [
            Ends(self.stack, self.stack.trials[p], self.spec.pairs)
            for p in self.stack.positions[part]
        ]
        found = [
            self._violated(params, ends, slice(first, first + self.at_once))
            for first in range(0, self.spec.pairs, self.at_once)
        ]
        # Of the pairs whose losses are numbers: NaN where there are none.
        return torch.cat(found, 1).nanmean(1)

    def _violated(self, params: Tensors, ends: list["Ends"], pairs: slice) -> torch.Tensor:
        """1 where a chord is violated, 0 where not, NaN where a loss is not finite, (K, R)."""
        numbers = range(self.spec.pairs)[pairs]
        thetas = zip(ends, flat(params).cpu(), strict=True)
        drawn = [end.draw(theta_P, numbers, self.spec.radius) for end, theta_P in thetas]
        u_KRP, v_KRP, share_KR1 = (
            torch.stack(t).to(params[0].device) for t in zip(*drawn, strict=True)
        )
        points_KR3P = torch.stack([u_KRP, v_KRP, torch.lerp(v_KRP, u_KRP, share_KR1)], 2)
        loss_KR3 = self._losses(points_KR3P.flatten(0, 2), params).view(-1, len(numbers), POINTS)
        at_u, at_v, between_KR = loss_KR3.unbind(2)
        above_KR = between_KR - torch.lerp(at_v, at_u, share_KR1.squeeze(2))
        violated_KR = above_KR > ROUNDING * loss_KR3.abs().amax(2)
        return violated_KR.double().where(loss_KR3.isfinite().all(2), torch.nan)

    def _losses(self, points_NP: torch.Tensor, params: Tensors) -> torch.Tensor:
        """Mean losses at any points, (N,)."""
        model, criterion = self.stack.model, self.stack.step.criterion
        found = []
        for group_NP in [points_NP] if model.stackable else points_NP.split(1):
            point = like(group_NP, params)
            x_NBD, y_NB = spread(self.split, point)
            found.append(criterion.loss(model.forward(point, x_NBD), y_NB).mean(1))
        return torch.cat(found)


class Ends:
    """Where the chords of one trial begin and end, by its seed alone.

    Every other chord leads from the parameters to another start of the trial; the rest stay
    around the parameters. To both ends noise is added, whose deviation is log-uniform between
    a hundredth of the radius and the radius: a loss may look convex at one scale only.
    """

    def __init__(self, stack: "Stack", trial: TrialSpec, pairs: int) -> None:
        self.draws = generator(trial.seed, Stream.CHORDS)
        parameters = sum(p[0].numel() for p in stack.params)
        count = min(max(1, pairs // 2), max(FEWEST_STARTS, START_ELEMENTS // parameters))
        seeds = torch.randint(2**62, (count,), generator=self.draws).tolist()
        starts = [stack.model.start(trial.model_copy(update={"seed": seed})) for seed in seeds]
        self.starts_SP = torch.stack([torch.cat([p.flatten() for p in start]) for start in starts])

    def draw(self, theta_P: torch.Tensor, numbers: range, radius: float) -> list[torch.Tensor]:
        """The ends u and v of the pairs of these numbers, (R, P), and u's share, (R, 1)."""
        size, draws = (len(numbers), self.starts_SP.shape[1]), self.draws
        noise_2RP = torch.randn(2, *size, generator=draws, dtype=torch.float64)
        share_R1, scale_R1 = torch.rand(2, len(numbers), 1, generator=draws, dtype=torch.float64)
        noise_2RP *= radius * SMALLEST**scale_R1
        far_RP = self.starts_SP[[number // 2 % len(self.starts_SP) for number in numbers]]
        leads_R1 = torch.tensor(numbers).unsqueeze(1) % 2 == 1
        v_RP = torch.where(leads_R1, far_RP, theta_P)
        return [theta_P + noise_2RP[0], v_RP + noise_2RP[1], share_R1]
