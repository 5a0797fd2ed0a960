"""Other sequential rules, to compare talweg's own with: boundaries of published designs.

Two-sided, for one comparison that is looked at after ``looks`` seeds; information is seeds.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]
NODES = 240
FARTHEST = 12.0
"""Boundaries beyond it are never met; a look that may spend nothing gets it."""

Spend = Callable[[float, float], float]
"""(share of the information, α) -> α that may be spent by then."""


def obrien_fleming(share: float, alpha: float) -> float:
    """Of each side's a = α/2: 2 − 2Φ(z(a/2) / √t), like O'Brien and Fleming's design.

    Source: Lan and DeMets 1983.
    """
    return float(4 * stats.norm.sf(stats.norm.isf(alpha / 4) / np.sqrt(share)))


def pocock(share: float, alpha: float) -> float:
    """α(t) = α ln(1 + (e − 1) t), like Pocock's design. Source: Lan and DeMets 1983."""
    return float(alpha * np.log1p((np.e - 1) * share))


class Walk:
    """The law of a Brownian motion that has not yet left any of the boundaries so far.

    Source: Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000, chapter 19. Integrals
    are Gauss–Legendre sums.
    """

    def __init__(self) -> None:
        self.information = 0.0
        self.place_J, self.mass_J = np.zeros(1), np.ones(1)

    def leaving(self, bound: float, information: float) -> float:
        """The chance to be beyond ±``bound`` (of z) first at this information."""
        step, far = np.sqrt(information - self.information), bound * np.sqrt(information)
        above = stats.norm.sf((far - self.place_J) / step)
        below = stats.norm.cdf((-far - self.place_J) / step)
        return float(((above + below) * self.mass_J).sum())

    def go(self, bound: float, information: float) -> None:
        """Go on among those who are still within."""
        step, far = np.sqrt(information - self.information), bound * np.sqrt(information)
        node_J, weight_J = np.polynomial.legendre.leggauss(NODES)
        place_J = far * node_J
        density_JJ = stats.norm.pdf(place_J[:, None], self.place_J, step)
        self.mass_J = far * weight_J * (density_JJ @ self.mass_J)
        self.place_J, self.information = place_J, information


def crossing(bounds: Sequence[float], looks: Sequence[int]) -> list[float]:
    """The chance to leave each boundary first at each look, without any difference."""
    walk, found = Walk(), []
    for bound, seeds in zip(bounds, looks, strict=True):
        found.append(walk.leaving(bound, float(seeds)))
        walk.go(bound, float(seeds))
    return found


def lan_demets(looks: Sequence[int], alpha: float, spend: Spend) -> list[float]:
    """Boundaries of z at each look that spend α by a spending function. Source: the same."""
    walk, bounds, spent = Walk(), list[float](), 0.0
    for seeds in looks:
        allowed, information = spend(seeds / looks[-1], alpha), float(seeds)
        more = allowed - spent
        bound = FARTHEST
        if walk.leaving(FARTHEST, information) < more:
            bound = _bound(walk, information, more)
        bounds.append(bound)
        walk.go(bound, information)
        spent = allowed
    return bounds


def _bound(walk: Walk, information: float, more: float) -> float:
    def excess(bound: float) -> float:
        return walk.leaving(bound, information) - more

    return float(optimize.brentq(excess, 0.1, FARTHEST, xtol=1e-10))


def for_t(bounds: Sequence[float], looks: Sequence[int]) -> Floats:
    """The same levels for t: boundaries of |t| that are left as rarely at each look alone.

    Source: Pocock 1977; Jennison and Turnbull 2000, section 4.4. An approximation.
    """
    seeds = np.asarray(looks)
    return np.asarray(stats.t.isf(stats.norm.sf(np.asarray(bounds)), seeds - 1))


def anytime(looks: Sequence[int], alpha: float, variance: float = 1.0) -> Floats:
    """Boundaries of |t| that hold at every seed for ever: those of a mixture t test.

    A normal prior of mean 0 and this ``variance`` on the effect size, Haar's on the spread;
    the Bayes factor is an e-value, and ∞ is a boundary that no t can reach.

    Source: Lai 1976; Gönen et al. 2005; Wang and Ramdas 2023 (Anytime-valid t-tests).
    """
    n = np.asarray(looks, dtype=np.float64)
    factor = (np.sqrt(1 + n * variance) / alpha) ** (2 / n)
    reachable = factor < 1 + n * variance
    below = np.where(reachable, 1 - factor / (1 + n * variance), 1.0)
    found: Floats = np.where(reachable, np.sqrt((n - 1) * (factor - 1) / below), np.inf)
    return found
