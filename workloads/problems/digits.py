"""Other problems made of digits: a teacher's probabilities, a sequence of pixels."""

import numpy as np
from scipy.special import softmax

from ..drawnspecs import SequentialDigits, Teacher
from ..problemspecs import BundledProblem
from .bundled import bundled
from .data import Data, Floats, Labels

RIDGE = 1e-2
"""Added to the variances: some pixels of digits are always black. Pixels run from 0 to 1."""


def sequential_digits(spec: SequentialDigits) -> Data:
    """The data of digits; what differs is the shape that nets are told."""
    return _digits(spec)


def teacher(spec: Teacher) -> Data:
    """See :class:`~..drawnspecs.Teacher`. Targets (N, 10), probabilities."""
    hard = _digits(spec)
    fitted = _Discriminant(hard.x_train, np.asarray(hard.y_train, np.int64), spec.shrinkage)
    y_train, y_test = (
        softmax(fitted.logits(x) / spec.temperature, axis=1) for x in (hard.x_train, hard.x_test)
    )
    return Data(hard.x_train, y_train, hard.x_test, y_test)


def _digits(spec: SequentialDigits | Teacher) -> Data:
    return bundled(BundledProblem(test_share=spec.test_share, split_seed=spec.split_seed))


class _Discriminant:
    """A normal distribution for each class: logits are ln π_c + ln N(x; μ_c, Σ_c).

    Source: Friedman 1989, with his λ (``shrinkage``), and a fixed ridge in place of his γ.
    """

    def __init__(self, x_ND: Floats, y_N: Labels, shrinkage: float) -> None:
        groups = [x_ND[y_N == c] for c in np.unique(y_N)]
        own = [np.cov(group, rowvar=False, bias=True) for group in groups]
        self.prior = [len(group) / len(x_ND) for group in groups]
        self.mean = [group.mean(0) for group in groups]
        common = sum(share * c for share, c in zip(self.prior, own, strict=True))
        ridge = RIDGE * np.eye(x_ND.shape[1])
        self.covariance = [(1 - shrinkage) * c + shrinkage * common + ridge for c in own]

    def logits(self, x_ND: Floats) -> Floats:
        """Of every class, (N, C); what is the same for all of them is left out."""
        logits = []
        for prior, mean, covariance in zip(self.prior, self.mean, self.covariance, strict=True):
            # Σ = L Lᵀ: (x − μ)ᵀ Σ⁻¹ (x − μ) = |L⁻¹ (x − μ)|², ln det Σ = 2 Σ ln L_ii
            root = np.linalg.cholesky(covariance)
            away_DN = np.linalg.solve(root, (x_ND - mean).T)
            determinant = 2 * np.log(np.diag(root)).sum()
            logits.append(np.log(prior) - 0.5 * ((away_DN**2).sum(0) + determinant))
        return np.stack(logits, 1)
