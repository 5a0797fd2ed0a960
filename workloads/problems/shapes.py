"""How large each bundled data set is, so that planning needs neither scikit-learn nor torch."""

from typing import NamedTuple


class Shape(NamedTuple):
    """Samples before the split, features per sample, classes."""

    samples: int
    features: int
    classes: int


BUNDLED = {
    "digits": Shape(1797, 64, 10),
    "breast_cancer": Shape(569, 30, 2),
    "wine": Shape(178, 13, 3),
    "iris": Shape(150, 4, 3),
}
"""A test holds these against the data themselves."""
