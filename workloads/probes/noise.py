"""How much the gradients of single samples differ: noise scale, norm test, signal-to-noise ratio.

K trials, B samples, G: the mean gradient, Σ: the covariance of a sample's gradient. Sources:
McCandlish et al. 2018 (noise scale), Byrd et al. 2012 (norm test), Liu et al. 2020 (ratio).
"""

from typing import TYPE_CHECKING

import torch

from ..probespecs import Noise as Spec
from ..samplewise import Samplewise, in_every_update, samplewise
from .base import Columns
from .noise_batches import of_batches
from .noise_moments import moments

if TYPE_CHECKING:
    from ..stack import Stack


class Noise:
    """On a fixed set of samples, or averaged over the updates since the recording before."""

    def __init__(self, stack: "Stack", spec: Spec) -> None:
        self.stack = stack
        self.samples = min(spec.samples, len(stack.train.x))
        self.kind = samplewise(stack.trials[0], stack.model)
        self.averaged = in_every_update([spec], stack.trials[0], stack.model)

    def measure(self) -> Columns:
        """See :class:`.base.Probe`; nothing of what no noise scale is defined for."""
        if self.averaged and self.stack.noise_updates:
            return self._of_updates()
        if self.kind is Samplewise.NONE or self.samples < 2:
            return {}
        if self.kind is Samplewise.BATCHES:
            return self._of_batches()
        found = moments(self.stack, self.samples, self.kind)
        return self._columns(found.trace_K, found.square_K) | {"noise/snr": found.snr_K}

    def _of_updates(self) -> Columns:
        """Averages of numerator and denominator apart, then their ratio."""
        stack, updates = self.stack, self.stack.noise_updates
        trace_K, square_K = stack.noise_2K / updates
        stack.forget_noise()
        counted = {"noise/updates": torch.full_like(trace_K, updates)}
        return self._columns(trace_K, square_K) | counted

    def _of_batches(self) -> Columns:
        batch_size = min(self.stack.trials[0].batch_size, self.samples // 4)
        if batch_size < 2:
            return {}
        return self._columns(*of_batches(self.stack, self.samples, batch_size))

    def _columns(self, trace_K: torch.Tensor, square_K: torch.Tensor) -> Columns:
        scale_K = trace_K / square_K
        # An estimate without bias may fall below 0, where there is no ratio.
        exists_K = (square_K > 0) & (trace_K >= 0)
        scale_K = torch.where(exists_K, scale_K, torch.nan)
        return {
            "noise_scale": scale_K,
            "noise/trace": trace_K,
            "noise/square": square_K,
            # √(tr Σ / (B |G|²)), with B of the trial
            "noise/norm_test": (scale_K / self.stack.trials[0].batch_size).sqrt(),
        }
