"""The real sets that come with scikit-learn: no download, no network."""

import numpy as np
from sklearn import datasets

from ..problemspecs import BundledProblem, Diabetes
from .data import Data, Labels, parted, split, standardised

LOADERS = {
    "digits": datasets.load_digits,
    "breast_cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
    "iris": datasets.load_iris,
}
PIXEL_MAXIMUM = 16.0
"""digits' pixels run from 0 to 16."""


def bundled(spec: BundledProblem) -> Data:
    """Load, split and scale a bundled set (see :class:`~..problemspecs.BundledProblem`)."""
    x, y = LOADERS[spec.name](return_X_y=True)
    if spec.minority_share is None:
        x_train, y_train, x_test, y_test = split(x, y, spec.test_share, spec.split_seed)
    else:
        orders = _thinned(y, spec.class_samples, spec.split_seed)
        x_train, y_train, x_test, y_test = parted(x, y, orders, spec.test_share)
    if spec.standardise and spec.name == "digits":
        x_train, x_test = x_train / PIXEL_MAXIMUM, x_test / PIXEL_MAXIMUM
    elif spec.standardise:
        x_train, x_test = standardised(x_train, x_test)
    return Data(x_train, y_train, x_test, y_test)


def diabetes(spec: Diabetes) -> Data:
    """Load, split and scale; inputs and targets alike. Targets (N, 1)."""
    # scaled=False: scikit-learn's own scaling looks at the test samples, too.
    x, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    y = np.asarray(y, np.float64)[:, None]
    x_train, y_train, x_test, y_test = split(x, y, spec.test_share, spec.split_seed)
    if spec.standardise:
        x_train, x_test = standardised(x_train, x_test)
        y_train, y_test = standardised(y_train, y_test)
    return Data(x_train, y_train, x_test, y_test)


def _thinned(y: Labels, counts: tuple[int, ...], seed: int) -> list[Labels]:
    """So many samples of each class, drawn and shuffled with ``RandomState(seed)``."""
    draw = np.random.RandomState(seed)
    return [
        draw.permutation(np.flatnonzero(y == label))[:count] for label, count in enumerate(counts)
    ]
