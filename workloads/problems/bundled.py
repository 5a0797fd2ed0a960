"""The real sets that come with scikit-learn: no download, no network."""

from sklearn import datasets

from ..problemspecs import BundledProblem
from .data import Data, split

LOADERS = {
    "digits": datasets.load_digits,
    "breast_cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
    "iris": datasets.load_iris,
}
PIXEL_MAXIMUM = 16.0
"""digits' pixels run from 0 to 16."""


def bundled(spec: BundledProblem) -> Data:
    """Load, split and scale a bundled set (see ``spec.BundledProblem`` for the scaling)."""
    x, y = LOADERS[spec.name](return_X_y=True)
    x_train, y_train, x_test, y_test = split(x, y, spec.test_share, spec.split_seed)
    if spec.name == "digits":
        x_train, x_test = x_train / PIXEL_MAXIMUM, x_test / PIXEL_MAXIMUM
    else:
        # Only the training split is looked at: the test set must not leak into the scale.
        mean, deviation = x_train.mean(0), x_train.std(0)
        x_train, x_test = (x_train - mean) / deviation, (x_test - mean) / deviation
    return Data(x_train, y_train, x_test, y_test)
