"""Mean field of wide nets without norms and skips: q-map, q*, χ, depth scale, critical σ_w.

W ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²), width → ∞: a unit's pre-activations are normal, of second
moment q_l in layer l (Poole et al. 2016), and E‖δ_l‖² changes by χ from a layer to the one before
it (Schoenholz et al. 2017).
"""

import functools
import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from .gaussian import Floats, Moments, moments
from .initial import Variances

PRECISE = 1e-12
"""Relative distance at which a number counts as a fixed point."""
GRID = np.logspace(-12, 12, 241)
"""Where fixed points are looked for; a moment that leaves it goes to 0 or to ∞."""

Map = Callable[[Floats], Floats]


def q_map(activation: str, variances: Variances, q: float) -> float:
    """q_{l+1} = σ_w² E φ(√q_l u)² + σ_b² (Poole et al. 2016, eq. 3)."""
    return variances.weight * float(_at(activation, q).square[0]) + variances.bias


def chi(activation: str, variances: Variances, q: float) -> float:
    """χ = σ_w² E φ'(√q u)² (Poole et al. 2016, eq. 6; Schoenholz et al. 2017, eq. 5).

    E‖δ_l‖² = χ E‖δ_{l+1}‖² between layers of one width; q may be ∞.
    """
    return variances.weight * float(_at(activation, q).slope[0])


def q_star(activation: str, variances: Variances, start: float) -> float:
    """The fixed point of the q-map that q_l goes to from q_1 = ``start``; 0 and ∞ are possible."""

    def following(q_N: Floats, found: Moments | None = None) -> Floats:
        found = found or moments(activation, q_N)
        return variances.weight * found.square + variances.bias

    return fixed_point(following, start, following(GRID, on_grid(activation)))


def depth_scale(factor: float) -> float:
    """ξ = 1/|ln χ| layers, over which E‖δ_l‖² changes by e (Schoenholz et al. 2017, eq. 9)."""
    if factor == 0:
        return 0.0
    return math.inf if factor == 1 else 1 / abs(math.log(factor))


def critical_sigma_w(activation: str, sigma_b: float) -> float:
    """σ_w on the critical line χ = 1 for this σ_b (Schoenholz et al. 2017, fig. 1).

    With σ_w² = 1/E φ'(√q u)², χ is 1, and q = σ_w² E φ(√q u)² + σ_b² is solved for q. The
    smallest such q that nets keep to is taken; 0 where σ_b = 0 and φ(0) = 0.

    Raises:
        ValueError: no finite σ_w makes χ = 1 at a fixed point that nets keep to: near it, q
            leaves it (GELU and SiLU at small σ_b), or there is none (softplus).
    """
    found = on_grid(activation)
    if np.ptp(found.slope) <= 1e-9 * found.slope[0]:  # χ does not depend on q
        return float(found.slope[0] ** -0.5)
    at_0 = _at(activation, 0.0)
    if sigma_b == 0 and at_0.square[0] < PRECISE:
        return float(at_0.slope[0] ** -0.5)

    def off(q: float) -> float:
        here = _at(activation, q)
        return float(q - here.square[0] / here.slope[0] - sigma_b**2)

    with np.errstate(divide="ignore"):
        off_grid = GRID - found.square / found.slope - sigma_b**2
    for turn in np.nonzero((off_grid[:-1] < 0) & (off_grid[1:] >= 0))[0]:
        q = float(brentq(off, GRID[turn], GRID[turn + 1], xtol=1e-300, rtol=1e-14))
        sigma_w2 = 1 / float(_at(activation, q).slope[0])
        if _kept_to(activation, Variances(sigma_w2, sigma_b**2), q):
            return math.sqrt(sigma_w2)
    raise ValueError(
        f"{activation} with σ_b = {sigma_b} is critical at no σ_w where q stays; use another σ_b"
    )


def _kept_to(activation: str, variances: Variances, q: float) -> bool:
    """Whether the q-map leads back to its fixed point q from both sides."""
    below, above = 0.99 * q, 1.01 * q
    rises = q_map(activation, variances, below) > below
    return rises and q_map(activation, variances, above) < above


def fixed_point(following: Map, start: float, on_the_grid: Floats) -> float:
    """Where q ← f(q) ends from ``start``, for an increasing f; 0 and ∞ are possible.

    Args:
        following: f, of (N,) to (N,).
        start: where the iteration starts.
        on_the_grid: f at ``GRID``.
    """

    def rise(q: float) -> float:
        return float(following(np.array([q]))[0]) - q

    at_start = rise(start)
    if abs(at_start) <= PRECISE * start:
        return start
    # An increasing map leads to the next fixed point in the direction of the first step, which
    # is bracketed by the grid: near criticality, iterating would take thousands of layers.
    rising = on_the_grid > GRID
    if at_start > 0:
        ahead = np.nonzero(~rising & (start < GRID))[0]
        if not len(ahead):
            return math.inf
        low, high = max(start, GRID[ahead[0] - 1] if ahead[0] else start), GRID[ahead[0]]
    else:
        ahead = np.nonzero(rising & (start > GRID))[0]
        if not len(ahead):
            return 0.0
        low, high = GRID[ahead[-1]], min(start, GRID[min(ahead[-1] + 1, len(GRID) - 1)])
    if rise(low) == 0:
        return float(low)
    return float(brentq(rise, low, high, xtol=1e-300, rtol=1e-14))


@functools.cache
def on_grid(activation: str, epsilon: float = 0.0) -> Moments:
    """The moments at ``GRID``; with ε at q/(q + ε), as a norm makes of it."""
    return moments(activation, GRID / (GRID + epsilon) if epsilon else GRID)


def _at(activation: str, q: float) -> Moments:
    return moments(activation, np.array([q]))
