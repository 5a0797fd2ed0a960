"""Expectations of an activation over a normal pre-activation. Legend: N variances, U nodes.

z = √a u with u ~ N(0, 1). Each half-line is integrated on its own, on panels that halve towards
0, with 16 Gauss–Legendre nodes each: activations have their kinks at 0, and Gauss–Hermite nodes
across a kink converge slowly (64 of them give E relu(u) 0.6 % too large). The innermost panel
ends at |z| ≤ 1, the scale on which activations bend, whatever the variance. Panels end at kinks
elsewhere, too, as hard tanh has them: they are looked for.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..activations import ACTIVATIONS

Floats = NDArray[np.float64]
ORDER = 16
"""Nodes of a panel."""
REACH = 9.0
"""Where u ends: beyond it there are 2e-19 of the normal distribution."""
FEWEST_PANELS = 4
MOST_PANELS = 40
MOST_KINKS = 20
JUMP = 0.02
"""Of φ' between two points 0.001 apart, from which on there is a kink between them."""
SMALLEST = 1e-200
"""A variance of 0 is taken as this one: right and left slopes of a kink both count then."""
LARGEST = 1e250
"""Variances above are taken as this one: kinks are all that is left of an activation there."""


class Moments(NamedTuple):
    """Of one activation at N variances, (N,) each."""

    square: Floats
    """E φ(z)²."""
    mean: Floats
    """E φ(z)."""
    slope: Floats
    """E φ'(z)²."""


def moments(activation: str, variance_N: Floats) -> Moments:
    """E φ(z)², E φ(z) and E φ'(z)² for z ~ N(0, a), by quadrature in float64.

    φ is the torch function of ``activations.ACTIVATIONS``, φ' its derivative by autograd. Exact to
    1e-8 where φ is smooth but for up to ``MOST_KINKS`` kinks.
    """
    deviation_N = np.sqrt(np.clip(variance_N, SMALLEST, LARGEST))
    panels = _panels(float(deviation_N.max()))
    breaks = kinks(activation)
    u, weight = (
        _split(panels, breaks / deviation_N[:, np.newaxis]) if len(breaks) else _nodes(panels)
    )
    z_NU = (torch.as_tensor(deviation_N).unsqueeze(1) * u).requires_grad_()
    with torch.enable_grad():
        h_NU = ACTIVATIONS[activation](z_NU)
        (slope_NU,) = torch.autograd.grad(h_NU.sum(), z_NU)
    with torch.no_grad():
        means = ((t * weight).sum(1) for t in (h_NU.square(), h_NU, slope_NU.square()))
        return Moments(*(mean_N.numpy() for mean_N in means))


@functools.cache
def kinks(activation: str) -> Floats:
    """Where φ' jumps, 0 left out, within |z| ≤ 20; none where it is merely steep."""
    grid = np.linspace(-20.0, 20.0, 40_001)  # 0 lies on it: φ' there may be any of two
    slope = _slope(activation, grid)
    jumps = np.nonzero(np.abs(np.diff(slope)) > JUMP)[0]
    jumps = jumps[np.abs(grid[jumps] + 5e-4) > 1e-3]
    if len(jumps) > MOST_KINKS:
        return np.empty(0)
    low, high = grid[jumps], grid[jumps + 1]
    for _ in range(40):
        middle = (low + high) / 2
        at = _slope(activation, middle)
        left = np.abs(at - slope[jumps]) < np.abs(at - slope[jumps + 1])
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return (low + high) / 2


def _slope(activation: str, z: Floats) -> Floats:
    at = torch.as_tensor(z).requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(ACTIVATIONS[activation](at).sum(), at)
    found: Floats = slope.numpy()
    return found


def normalised_chi_square(degrees: int, nodes: int = 6) -> tuple[Floats, Floats]:
    """Nodes and weights of a Gauss rule for s = χ²_D / D, of mean 1: the q of x ~ N(0, I).

    From the Jacobi matrix of the generalised Laguerre polynomials (Golub and Welsch 1969).
    """
    alpha, k = degrees / 2 - 1, np.arange(nodes)
    beside = np.sqrt(k[1:] * (k[1:] + alpha))
    matrix = np.diag(2 * k + 1 + alpha) + np.diag(beside, 1) + np.diag(beside, -1)
    values, vectors = np.linalg.eigh(matrix)
    return 2 * values / degrees, np.square(vectors[0])


def _panels(deviation: float) -> int:
    """Enough that the innermost panel ends at |z| ≤ 1."""
    wanted = 1 + math.ceil(math.log2(max(1.0, REACH * deviation)))
    return min(MOST_PANELS, max(FEWEST_PANELS, wanted))


@functools.cache
def _nodes(panels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """u and the weights of a standard normal, both half-lines, (1, U) each."""
    return _rule(_edges(panels)[np.newaxis])


def _split(panels: int, breaks_NC: Floats) -> tuple[torch.Tensor, torch.Tensor]:
    """The same with panels that end at kinks, too, (N, U) each; some panels may be empty."""
    edges = np.broadcast_to(_edges(panels), (len(breaks_NC), 2 * panels + 1))
    breaks_NC = np.clip(breaks_NC, -REACH, REACH)
    return _rule(np.sort(np.concatenate([edges, breaks_NC], axis=1), axis=1))


def _edges(panels: int) -> Floats:
    outwards = REACH * 2.0 ** -np.arange(panels)
    return np.concatenate([-outwards, [0.0], outwards[::-1]])


def _rule(edges_NP: Floats) -> tuple[torch.Tensor, torch.Tensor]:
    """Gauss–Legendre nodes of each panel, and their weights under a standard normal."""
    x, w = np.polynomial.legendre.leggauss(ORDER)
    half, middle = np.diff(edges_NP) / 2, (edges_NP[:, 1:] + edges_NP[:, :-1]) / 2
    u_NPX = middle[..., np.newaxis] + half[..., np.newaxis] * x
    weight_NPX = half[..., np.newaxis] * w * np.exp(-(u_NPX**2) / 2) / math.sqrt(2 * math.pi)
    shape = len(edges_NP), -1
    return torch.as_tensor(u_NPX.reshape(shape)), torch.as_tensor(weight_NPX.reshape(shape))
