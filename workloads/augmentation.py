"""Random places of training images. U updates, K trials, B samples, N per epoch, D = C·H·W."""

from collections.abc import Sequence

import torch

from .augmentspecs import Shift
from .problems.shapes import Task
from .samplers import Epochs
from .seeds import Stream, generator
from .spec import TrialSpec


class Shifts(Epochs):
    """Moves the training images of a pack of K trials, each by random whole pixels.

    The offsets of an epoch follow from a trial's seed and the number of the epoch alone: there
    is no state, so that a trial that goes on from a checkpoint sees the same images.
    """

    def __init__(self, trials: Sequence[TrialSpec], device: torch.device) -> None:
        super().__init__(trials[0])
        spec, problem = trials[0].augmentation, trials[0].problem
        assert isinstance(spec, Shift)
        assert problem.shape.image is not None  # see spec.misfits
        self.image, self.pixels, self.device = problem.shape.image, spec.pixels, device
        self.masks = problem.task == Task.SEGMENTATION
        self._seeds = [trial.seed for trial in trials]
        self._epoch = -1
        self._offsets_KN2 = torch.empty(0)

    def __call__(
        self, update: int, x_UKBD: torch.Tensor, y_UKB: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The samples of the updates from ``update`` on, moved; masks move with their images."""
        updates = range(update, update + len(x_UKBD))
        offsets_UKB2 = torch.stack([self._of(u, x_UKBD.shape[2]) for u in updates])
        x_UKBD = moved(x_UKBD, offsets_UKB2, self.image)
        return x_UKBD, moved(y_UKB, offsets_UKB2, (1, *self.image[1:])) if self.masks else y_UKB

    def keep(self, stay: Sequence[int]) -> None:
        """Drop all trials of the pack but those at the positions ``stay``."""
        self._seeds = [self._seeds[i] for i in stay]
        self._epoch = -1

    def _of(self, update: int, size: int) -> torch.Tensor:
        """Rows down and columns to the right for each sample of an update, (K, B, 2)."""
        epoch, position = divmod(update, self.per_epoch)
        if epoch != self._epoch:
            self._draw(epoch)
        start = position * self.batch_size
        return self._offsets_KN2[:, start : start + size]

    def _draw(self, epoch: int) -> None:
        low, high = -self.pixels, self.pixels + 1
        streams = [generator(seed, Stream.PLACES, epoch) for seed in self._seeds]
        drawn = [torch.randint(low, high, (self.samples, 2), generator=g) for g in streams]
        self._offsets_KN2, self._epoch = torch.stack(drawn).to(self.device), epoch


def moved(x: torch.Tensor, offsets: torch.Tensor, image: tuple[int, int, int]) -> torch.Tensor:
    """Each image rolled by its own whole pixels: (…, C·H·W) by (…, 2) rows and columns."""
    channels, height, width = image
    rows, columns = (
        (torch.arange(side, device=x.device) - offsets[..., axis, None]) % side
        for axis, side in enumerate((height, width))
    )
    places = (rows.unsqueeze(-1) * width + columns.unsqueeze(-2)).flatten(-2)
    pixels = x.unflatten(-1, (channels, height * width))
    found: torch.Tensor = pixels.gather(-1, places.unsqueeze(-2).expand_as(pixels)).flatten(-2)
    return found
