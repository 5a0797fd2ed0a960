"""Mean field of a net of finite depth, layer by layer, through the norms and skips of ``blocks``.

Legend: N kinds of samples, by the second moment s = ‖x‖²/D of their inputs. Width and batch are
infinite, weights are independent of everything before them, gradients of the forward pass
(Schoenholz et al. 2017), and samples of one batch of each other (Yang et al. 2019).

With a_l the second moment of what φ sees in layer l, and α² that of a branch's factor:

    q_l = σ_w² E φ(√a_{l−1} u)² + σ_b²                    (Poole et al. 2016)
    D_l = γ_l D^s_l                                        γ_l = α²/(variance of a norm of z_l + ε)
    D^s_l = D^s_{l+1} (skip + σ_w² E φ'(√a_l u)² γ_{l+1})  skip = 1, or 0 where there is none
    χ_l = D_l/D_{l+1}

D^s_l is of the stream s_l of ``models.blocks``; a norm that stands after the sum (pre_norm) divides
E φ'² by its variance, too. The variance is q_l in layer and rms norms; in a batch norm it is the
one between samples, σ_w² (E φ² − (E φ)²). That it depends on z itself, as the mean does, takes from
a gradient only what lies along two directions, of as many as there are units or samples.
"""

from typing import NamedTuple

import numpy as np

from ..modelparts import Norm, Residual
from .gaussian import Floats, Moments, moments, normalised_chi_square
from .initial import Variances

EPSILON = 1e-5
"""Of norms; ``models.blocks`` has the same one."""


class Net(NamedTuple):
    """What the mean field of a net of hidden layers of one width depends on."""

    activation: str
    depth: int
    norm: Norm
    residual: Residual
    first: Variances
    hidden: Variances

    @property
    def branch(self) -> float:
        """α² of the layers after the first."""
        return 1 / max(1, self.depth - 1) if self.residual == "scaled" else 1.0


class Inputs(NamedTuple):
    """Second moments s of N kinds of samples, and the share of each kind, (N,)."""

    s: Floats
    share: Floats


class Passed(NamedTuple):
    """Of L hidden layers, input side first."""

    q_LN: Floats
    chi_LN: Floats
    """χ_l of l = 1 … L − 1, from layer l + 1 to layer l."""
    chi_L: Floats
    """The same of E D_l over the kinds of samples."""


class _Back(NamedTuple):
    """What one layer's gradient goes through: γ_l, and E φ'² over the variance of a late norm."""

    gamma_N: Floats
    slope_N: Floats


def normal_inputs(features: int) -> Inputs:
    """x ~ N(0, I) of so many features."""
    return Inputs(*normalised_chi_square(features))


def pass_through(net: Net, inputs: Inputs) -> Passed:
    """q_l and χ_l of every hidden layer, by the recursion above."""
    late, one_N = net.residual == "pre_norm", np.ones_like(inputs.s)
    seen = Moments(inputs.s, 0 * one_N, one_N)
    stream_N, q_LN, back = 0 * one_N, [], []
    for number in range(net.depth):
        sigma, alpha2 = (net.hidden, net.branch) if number else (net.first, 1.0)
        q_LN.append(sigma.weight * seen.square + sigma.bias)
        z_N = _varying(net, sigma, seen, inputs.share) if net.norm == "batch" else q_LN[-1]
        early_N = one_N if late else inverse_variance(net.norm, z_N, inputs.share)
        stream_N = alpha2 * z_N * early_N + (stream_N if net.residual else 0)
        late_N = inverse_variance(net.norm, stream_N, inputs.share) if late else one_N
        seen = moments(net.activation, stream_N * late_N)
        back.append(_Back(alpha2 * early_N, seen.slope * late_N))
    return Passed(np.array(q_LN), *_backwards(net, back, inputs.share))


def inverse_variance(norm: Norm, moment_N: Floats, share_N: Floats) -> Floats:
    """1/(variance + ε), which a norm multiplies squares by; 1 without a norm.

    Args:
        norm: which.
        moment_N: second moment of each kind of samples; for a batch norm, about the batch's mean.
        share_N: of each kind in a batch.
    """
    if norm == "none":
        return np.ones_like(moment_N)
    variance = share_N @ moment_N if norm == "batch" else moment_N
    return np.broadcast_to(1 / (variance + EPSILON), moment_N.shape)


def _varying(net: Net, sigma: Variances, seen: Moments, share_N: Floats) -> Floats:
    """σ_w² E (φ − M)²: what of z differs between the samples of a batch; biases do not."""
    mean = share_N @ seen.mean
    return sigma.weight * (seen.square - 2 * mean * seen.mean + mean**2)


def _backwards(net: Net, back: list[_Back], share_N: Floats) -> tuple[Floats, Floats]:
    """χ_l of every kind of samples, and of their mean D_l; l = 1 … L − 1."""
    skips = float(net.residual is not False)
    d_N = back[-1].gamma_N * back[-1].slope_N
    chi_LN, chi_L = [], []
    for own, after in zip(reversed(back[:-1]), reversed(back[1:]), strict=True):
        through_N = skips + net.hidden.weight * own.slope_N * after.gamma_N
        chi_LN.append(own.gamma_N / after.gamma_N * through_N)
        chi_L.append(share_N @ (chi_LN[-1] * d_N) / (share_N @ d_N))
        d_N = chi_LN[-1] * d_N / (share_N @ d_N)
    return np.array(chi_LN[::-1]).reshape(-1, len(share_N)), np.array(chi_L[::-1])
