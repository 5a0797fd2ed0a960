"""How large each bundled data set is, so that planning needs neither scikit-learn nor torch."""

from typing import NamedTuple


class Shape(NamedTuple):
    """Samples before the split, features per sample, classes."""

    samples: int
    features: int
    classes: int
    image: tuple[int, int, int] | None = None
    """Channels, height, width, where a sample is an image."""

    @property
    def sequence(self) -> tuple[int, int]:
        """Steps and inputs per step, read as a sequence: an image by rows, else one by one."""
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
