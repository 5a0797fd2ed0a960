"""What trials draw anew for their samples in every epoch: places of images, noise of latents.

Legend: U updates, K trials, B samples, N per epoch, D = C·H·W, L latents.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch

from .augmentspecs import Shift
from .problems.shapes import Task
from .samplers import Epochs
from .seeds import Stream, generator
from .spec import TrialSpec


class Redrawn(Epochs, ABC):
    """Something that each trial of a pack of K draws for each sample of an epoch.

    The draws of an epoch follow from a trial's seed and the number of the epoch alone: there
    is no state, so that a trial that goes on from a checkpoint sees the same samples.
    """

    stream: ClassVar[Stream]

    def __init__(self, trials: Sequence[TrialSpec], device: torch.device) -> None:
        super().__init__(trials[0])
        self.device = device
        self._seeds = [trial.seed for trial in trials]
        self._epoch = -1
        self._drawn_KN = torch.empty(0)

    @abstractmethod
    def __call__(
        self, update: int, x_UKBD: torch.Tensor, y_UKB: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The samples of the updates from ``update`` on, as they are seen."""

    @abstractmethod
    def draw(self, g: torch.Generator) -> torch.Tensor:
        """What a trial draws for an epoch, (N, …), on the CPU."""

    def keep(self, stay: Sequence[int]) -> None:
        """Drop all trials of the pack but those at the positions ``stay``."""
        self._seeds = [self._seeds[i] for i in stay]
        self._epoch = -1

    def of(self, update: int, updates: int, size: int) -> torch.Tensor:
        """The draws for the ``size`` samples of each of so many updates, (U, K, B, …)."""
        return torch.stack([self._of(u, size) for u in range(update, update + updates)])

    def _of(self, update: int, size: int) -> torch.Tensor:
        """The draws for each sample of an update, (K, B, …)."""
        epoch, position = divmod(update, self.per_epoch)
        if epoch != self._epoch:
            self._draw(epoch)
        start = position * self.batch_size
        return self._drawn_KN[:, start : start + size]

    def _draw(self, epoch: int) -> None:
        drawn = [self.draw(generator(seed, self.stream, epoch)) for seed in self._seeds]
        self._drawn_KN, self._epoch = torch.stack(drawn).to(self.device), epoch


class Shifts(Redrawn):
    """Moves the training images, each by random whole pixels."""

    stream = Stream.PLACES

    def __init__(self, trials: Sequence[TrialSpec], device: torch.device) -> None:
        super().__init__(trials, device)
        spec, problem = trials[0].augmentation, trials[0].problem
        assert isinstance(spec, Shift)
        assert problem.shape.image is not None  # see spec.misfits
        self.image, self.pixels = problem.shape.image, spec.pixels
        self.masks = problem.task == Task.SEGMENTATION

    def __call__(
        self, update: int, x_UKBD: torch.Tensor, y_UKB: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`Redrawn`; masks move with their images."""
        offsets_UKB2 = self.of(update, len(x_UKBD), x_UKBD.shape[2])
        x_UKBD = moved(x_UKBD, offsets_UKB2, self.image)
        return x_UKBD, moved(y_UKB, offsets_UKB2, (1, *self.image[1:])) if self.masks else y_UKB

    def draw(self, g: torch.Generator) -> torch.Tensor:
        """Rows down and columns to the right, (N, 2)."""
        return torch.randint(-self.pixels, self.pixels + 1, (self.samples, 2), generator=g)


class Noise(Redrawn):
    """Puts fresh noise where a sample has noise for its latents: z is another in each epoch."""

    stream = Stream.NOISE

    def __init__(self, trials: Sequence[TrialSpec], device: torch.device) -> None:
        super().__init__(trials, device)
        self.latents = trials[0].problem.shape.latents

    def __call__(
        self, update: int, x_UKBD: torch.Tensor, y_UKB: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`Redrawn`."""
        noise_UKBL = self.of(update, len(x_UKBD), x_UKBD.shape[2]).to(x_UKBD.dtype)
        return torch.cat([x_UKBD[..., : -self.latents], noise_UKBL], 3), y_UKB

    def draw(self, g: torch.Generator) -> torch.Tensor:
        """ε ~ N(0, I), (N, L)."""
        return torch.randn(self.samples, self.latents, generator=g, dtype=torch.float64)


def redraws(trial: TrialSpec) -> bool:
    """Whether the samples that a trial trains on are its own."""
    return trial.augmentation.name != "none" or trial.problem.shape.latents > 0


def redrawn(trials: Sequence[TrialSpec], device: torch.device) -> Redrawn | None:
    """What trials of one shape draw anew in every epoch; None where they draw nothing."""
    if not redraws(trials[0]):
        return None
    kind = Noise if trials[0].augmentation.name == "none" else Shifts
    return kind(trials, device)


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
