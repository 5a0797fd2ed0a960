"""Losses as functions of one number, with their slopes; NumPy, held against torch in tests.

Regression losses see the residual r = ŷ − y. Losses of two classes see the margin m = t·z, the
logit z in favour of the right class, t = ±1.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]


@dataclasses.dataclass(frozen=True)
class Curve:
    """One loss: its value and its slope by the number, both also as LaTeX."""

    title: str
    formula: str
    slope_formula: str
    value: Function
    slope: Function


def sigmoid(m: Floats) -> Floats:
    """σ(m) = 1 / (1 + e⁻ᵐ), without overflow."""
    tail = np.exp(-np.abs(m))
    return np.asarray(np.where(m >= 0, 1.0, tail) / (1.0 + tail), dtype=np.float64)


def _log_sigmoid(m: Floats) -> Floats:
    """log σ(m) = −log(1 + e⁻ᵐ)."""
    return np.asarray(-np.logaddexp(0.0, -m), dtype=np.float64)


def regression(delta: float) -> tuple[Curve, ...]:
    """Squared, absolute and Huber's error of a residual.

    Sources: Hastie et al. 2009, eq. 2.9 and 2.18; Huber 1964.
    """

    def huber(r: Floats) -> Floats:
        near = np.minimum(np.abs(r), delta)
        return near * (np.abs(r) - near / 2)

    return (
        Curve("squared error", "r^2", "2r", np.square, lambda r: 2 * r),
        Curve("absolute error", "|r|", r"\operatorname{sign} r", np.abs, np.sign),
        Curve(
            f"Huber's error, δ = {delta:g}",
            r"\begin{cases} \tfrac12 r^2 & |r| \le \delta \\"
            r" \delta\,(|r| - \tfrac12\delta) & |r| > \delta \end{cases}",
            r"\max(-\delta, \min(\delta, r))",
            huber,
            lambda r: np.clip(r, -delta, delta),
        ),
    )


def classification(gamma: float) -> tuple[Curve, ...]:
    """Cross-entropy, hinge, focal loss and the squared error of the probability, of a margin.

    Sources: Bishop 2006, eq. 4.90; Cortes and Vapnik 1995; Lin et al. 2017, eq. 4 and
    appendix B; Nielsen 2015, chapter 3.
    """

    def focal(m: Floats) -> Floats:
        return -(sigmoid(-m) ** gamma) * _log_sigmoid(m)

    def focal_slope(m: Floats) -> Floats:
        p = sigmoid(m)
        return sigmoid(-m) ** gamma * (gamma * p * _log_sigmoid(m) - sigmoid(-m))

    return (
        Curve(
            "binary cross-entropy",
            r"\log(1 + e^{-m})",
            r"-\sigma(-m)",
            lambda m: -_log_sigmoid(m),
            lambda m: -sigmoid(-m),
        ),
        Curve(
            "hinge",
            r"\max(0, 1 - m)",
            r"\begin{cases} -1 & m < 1 \\ 0 & m \ge 1 \end{cases}",
            lambda m: np.maximum(0.0, 1 - m),
            lambda m: np.where(m < 1, -1.0, 0.0),
        ),
        Curve(
            f"focal loss, γ = {gamma:g}",
            r"-(1 - p)^\gamma \log p",
            r"(1 - p)^\gamma\,(\gamma\,p \log p + p - 1)",
            focal,
            focal_slope,
        ),
        Curve(
            "squared error of σ",
            r"\tfrac12 (1 - p)^2",
            r"-p\,(1 - p)^2",
            lambda m: sigmoid(-m) ** 2 / 2,
            lambda m: -sigmoid(m) * sigmoid(-m) ** 2,
        ),
    )
