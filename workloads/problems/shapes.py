"""How large problems are and what they ask for; planning needs neither scikit-learn nor torch."""

import enum
from typing import NamedTuple


class Task(enum.StrEnum):
    """What the targets of a problem are, which decides the losses that fit it.

    N samples, S labels in a row, T numbers, P pixels, C classes.
    """

    CLASSIFICATION = "classification"
    """(N,) labels, or (N, S) where a sample asks for several."""
    REGRESSION = "regression"
    """(N, T) numbers."""
    SEGMENTATION = "segmentation"
    """(N, P) pixels that are 0 or 1."""
    DISTRIBUTION = "distribution"
    """(N, C) probabilities."""
    OBJECTIVE = "objective"
    """Nothing: the inputs are what the objective is averaged over."""
    GENERATION = "generation"
    """Nothing that is learned: the inputs are real samples, with latents beside them."""
    DENSITY = "density"
    """(N, D) numbers, which are the inputs' own; noise for latents lies beside these."""


class Shape(NamedTuple):
    """How large a problem is.

    ``outputs``: what a net must give for one sample: classes, numbers or pixels.
    """

    samples: int
    """Before the split."""
    features: int
    outputs: int
    image: tuple[int, int, int] | None = None
    """Channels, height, width, where a sample is an image."""
    steps: tuple[int, int] | None = None
    """Steps and inputs per step, where a sample is a sequence."""
    labels: int = 1
    """Labels that a sample asks for, S; the last S steps of a sequence give them."""
    latents: int = 0
    """Numbers at the end of a sample that are noise for its latents, drawn anew every epoch."""
    unit: bool = False
    """Whether the numbers of a sample are known to lie from 0 to 1; for densities alone."""

    @property
    def sequence(self) -> tuple[int, int]:
        """Steps and inputs per step; an image is read by rows, other samples number by number."""
        if self.steps is not None:
            return self.steps
        if self.image is None:
            return self.features, 1
        channels, height, width = self.image
        return height, channels * width


BUNDLED = {
    "digits": Shape(1797, 64, 10, (1, 8, 8)),
    "breast_cancer": Shape(569, 30, 2),
    "wine": Shape(178, 13, 3),
    "iris": Shape(150, 4, 3),
}
"""A test holds these against the data themselves."""
