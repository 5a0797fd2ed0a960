"""Closed forms on quadratics, f(θ) = ½ λ θ² for each eigenvalue λ of the Hessian; torch-free.

Gradient descent is θ ← θ − ηλθ; heavy ball v ← μv + λθ, θ ← θ − ηv, as torch.optim.SGD has it.
"""

import cmath
import math
from collections.abc import Sequence
from typing import NamedTuple, TypedDict


class Kind(TypedDict):
    """Which descent: heavy-ball momentum μ, or Nesterov's."""

    momentum: float
    nesterov: bool


class Rate(NamedTuple):
    """The best constant step size η, momentum μ, and the contraction per update they reach."""

    lr: float
    momentum: float
    contraction: float


def contraction(
    lr: float, curvature: float, momentum: float = 0.0, *, nesterov: bool = False
) -> float:
    """Factor per update that the distance to the minimum tends to; |1 − ηλ| without momentum.

    The larger root, by size, of r² − (1 + μ − ηλ) r + μ, with Nesterov's gradient of
    r² − (1 + μ)(1 − ηλ) r + μ (1 − ηλ) (Polyak 1964; O'Donoghue and Candès 2015, section 4).
    """
    left = 1 - lr * curvature
    if nesterov:
        sum_, product = (1 + momentum) * left, momentum * left
    else:
        sum_, product = momentum + left, momentum
    root = cmath.sqrt(sum_**2 - 4 * product)
    return max(abs(sum_ + root), abs(sum_ - root)) / 2


def updates_to(tolerance: float, factor: float) -> int | None:
    """Updates until an error of 1, multiplied by ``factor`` each time, is at most ``tolerance``.

    ⌈ln tolerance / ln factor⌉; None where it never is.
    """
    if tolerance >= 1:
        return 0
    if factor >= 1 or tolerance <= 0:
        return None
    return 1 if factor <= 0 else max(1, math.ceil(math.log(tolerance) / math.log(factor)))


def updates_to_loss(
    loss: float, lr: float, spectrum: Sequence[float], decay: float = 0.0
) -> int | None:
    """Updates of gradient descent from θ = (1, …, 1) until f(θ) = ½ Σ λ_i θ_i² ≤ ``loss``.

    θ_i(t) = (1 − η(λ_i + decay))ᵗ. None where it never happens, or a component grows.
    """
    factors = [1 - lr * (curvature + decay) for curvature in spectrum]

    def after(updates: int) -> float:
        pairs = zip(spectrum, factors, strict=True)
        return sum(curvature * abs(factor) ** (2 * updates) for curvature, factor in pairs) / 2

    if after(0) <= loss:
        return 0
    if max(map(abs, factors)) >= 1 or loss <= 0:
        return None
    low, high = 0, 1
    while after(high) > loss:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if after(middle) <= loss else (middle, high)
    return high


def best_gradient_descent(smallest: float, largest: float) -> Rate:
    """η = 2/(L + m) contracts by (κ − 1)/(κ + 1), κ = L/m (Polyak 1987, section 1.4.2)."""
    return Rate(2 / (largest + smallest), 0.0, (largest - smallest) / (largest + smallest))


def best_heavy_ball(smallest: float, largest: float) -> Rate:
    """η = 4/(√L + √m)², μ the square of the contraction (√κ − 1)/(√κ + 1) (Polyak 1964)."""
    low, high = math.sqrt(smallest), math.sqrt(largest)
    factor = (high - low) / (high + low)
    return Rate(4 / (high + low) ** 2, factor**2, factor)


def largest_lr(sharpness: float, momentum: float = 0.0, *, nesterov: bool = False) -> float:
    """The η from which on updates diverge along the eigenvector of ``sharpness`` λ.

    2/λ; heavy ball 2(1 + μ)/λ; Nesterov 2(1 + μ)/((1 + 2μ) λ) (Cohen et al. 2021, appendix B).
    """
    return 2 * (1 + momentum) / (1 + (2 * momentum if nesterov else 0)) / sharpness


def sharpness_limit(lr: float, momentum: float = 0.0, *, nesterov: bool = False) -> float:
    """The sharpness from which on full-batch descent is unstable: 2/η, 2(1 + μ)/η (Cohen 2021)."""
    return largest_lr(lr, momentum, nesterov=nesterov)


def adam_sharpness_limit(lr: float, beta1: float) -> float:
    """The same of Adam's *preconditioned* Hessian, diag(1/(√v̂ + ε)) H: (2 + 2β₁)/((1 − β₁) η).

    38/η for β₁ = 0.9 (Cohen et al. 2022, eq. 2).
    """
    return (2 + 2 * beta1) / ((1 - beta1) * lr)


def stationary_variance(lr: float, curvature: float, noise: float, momentum: float = 0.0) -> float:
    """E θ² where SGD settles under independent gradient noise of variance ``noise``.

    (1 + μ) η σ² / ((1 − μ) λ (2(1 + μ) − ηλ)), without momentum η σ²/(λ (2 − ηλ)): the variance
    of an autoregression of order 2 (Liu, Ziyin and Ueda 2021). ∞ where updates diverge.
    """
    room = 2 * (1 + momentum) - lr * curvature
    if room <= 0:
        return math.inf
    return (1 + momentum) * lr * noise / ((1 - momentum) * curvature * room)


def shuffled_variance(lr: float, curvature: float, noise: float, batches: int) -> float:
    """The same where an epoch sees each of N batches once, in a fresh order; mean over an epoch.

    An epoch's noise adds up to 0, so any two of its N draws have covariance −σ²/(N − 1), and
    draws of different epochs none. With ρ = 1 − ηλ, after k updates of an epoch

        Var_k = ρ²ᵏ Var_0 + η²σ² [N Σ ρ²ⁱ − (Σ ρⁱ)²]/(N − 1),  i = 0 … k − 1,  Var_N = Var_0.
    """
    rho = 1 - lr * curvature
    if abs(rho) >= 1:
        return math.inf
    if batches == 1:
        return 0.0
    n, own, pair = batches, 1 - rho**2, 1 - rho
    # Means over k = 1 … N of ρᵏ and ρ²ᵏ, and the bracket as a function of both.
    once, twice = rho * (1 - rho**n) / (pair * n), rho**2 * (1 - rho ** (2 * n)) / (own * n)

    def bracket(power: float, square: float) -> float:
        return (n * (1 - square) / own - (1 - 2 * power + square) / pair**2) / (n - 1)

    at_start = bracket(rho**n, rho ** (2 * n)) / (1 - rho ** (2 * n))
    return lr**2 * noise * (twice * at_start + bracket(once, twice))
