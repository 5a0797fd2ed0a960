"""Mean-field predictions of layered nets, from their specs. Legend: L hidden layers.

Where the inputs are N(0, I), everything follows. Where they are not, the recursion is run for
inputs of very different sizes, and what comes out the same for all of them is kept: q after a norm,
χ of a ReLU net, layers so deep that q* has been reached.
"""

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..convexspecs import Logistic
from ..drawnspecs import Linear
from ..imagespecs import ConvNet
from ..modelspecs import Mlp
from ..problemspecs import GaussianInputs
from ..spec import TrialSpec
from .gaussian import Floats, moments
from .initial import variances
from .layers import EPSILON, Inputs, Net, Passed, normal_inputs, pass_through
from .meanfield import depth_scale, fixed_point, on_grid

NORMAL = (GaussianInputs, Linear, Logistic)
"""Problems whose inputs are x ~ N(0, I)."""
ANY_SIZE = (1e-2, 1.0, 1e2)
"""Second moments ‖x‖²/D that inputs of unknown size are tried with."""
SAME = 1e-3
"""Relative difference up to which what comes of them is the same."""
FEWEST_SAMPLES = 64
"""Batch norm over B samples is off its limit by about 1.3/B (measured): 2 % here."""
LARGEST_Q = 1e200


class Row(NamedTuple):
    """A prediction without its trial."""

    key: str
    layer: int | None
    value: float
    source: str


def layered(trial: TrialSpec) -> tuple[Row, ...]:
    """Of a multilayer perceptron: q, chi, q_star, depth_scale and chi_net; see docs/theory.md."""
    spec, features = trial.model, trial.shape.features
    assert isinstance(spec, Mlp)
    normal = features if isinstance(trial.problem, NORMAL) else None
    return _of(spec, (features, spec.width), spec.width, normal, spec.bias, _samples(trial))


def convolutional(trial: TrialSpec) -> tuple[Row, ...]:
    """The same of convolutions; only of those whose pixels all have equally many neighbours.

    With a kernel's C·k² inputs as fan-in, the mean is that of an MLP, q averaged over the pixels
    of a window (Xiao et al. 2018). At edges padded with zeros signals get lost, strides and
    pooling weigh pixels unequally, and norms mix pixels of different q: no predictions.
    """
    spec, image = trial.model, trial.shape.image
    assert isinstance(spec, ConvNet)
    assert image is not None  # see spec.misfits
    alike = spec.padding == "circular" or spec.kernel == 1
    if not alike or spec.stride > 1 or spec.pooling != "none" or spec.norm != "none":
        return ()
    area = spec.kernel**2
    return _of(spec, (image[0] * area, spec.channels), spec.channels * area, None, True, 1)


def _samples(trial: TrialSpec) -> int:
    """How many samples layers are measured on."""
    wanted = trial.record.layer_samples or trial.problem.train_samples
    return min(wanted, trial.problem.train_samples)


def _of(
    spec: Mlp | ConvNet,
    first: tuple[int, int],
    fan_in: int,
    normal: int | None,
    bias: bool,
    samples: int,
) -> tuple[Row, ...]:
    """Rows of a net from the fans of its first and its other layers."""
    fan_out = first[1]
    found = [variances(spec.init, *fans, bias=bias) for fans in (first, (fan_in, fan_out))]
    if None in found or not spec.depth or (spec.norm == "batch" and samples < FEWEST_SAMPLES):
        return ()
    own, hidden = (sigma for sigma in found if sigma is not None)
    net = Net(spec.activation, spec.depth, spec.norm, spec.residual, own, hidden)
    return rows(net, normal, isinstance(spec, ConvNet))


@functools.lru_cache(maxsize=4096)
def rows(net: Net, normal: int | None, convolutions: bool = False) -> tuple[Row, ...]:
    """All predictions of a net.

    Args:
        net: the net.
        normal: features, where the inputs are x ~ N(0, I); None where nothing is known of them.
        convolutions: whether the source is to say so.
    """
    source = _source(net, convolutions)
    found = list(_of_the_whole(net, normal, source))
    if net.hidden.weight == 0:  # D_l/D_{l+1} is 0/0
        return tuple(found)
    if normal is not None:
        inputs = normal_inputs(normal)
        passed = pass_through(net, inputs)
        q_L, chi_L = passed.q_LN @ inputs.share, passed.chi_L
    elif net.norm == "batch":  # of samples that resemble each other nothing is known
        return tuple(found)
    else:
        q_L, chi_L = _whatever_the_inputs(net)
    # ∞ and NaN are not ≤ a number.
    found += [
        Row("q", n, q, "Poole et al. 2016") for n, q in enumerate(q_L.tolist(), 1) if q <= LARGEST_Q
    ]
    found += [
        Row("chi", n, chi, source) for n, chi in enumerate(chi_L.tolist(), 1) if chi < math.inf
    ]
    alike_L = chi_L[_first_alike(net) :]
    if len(alike_L) and np.isfinite(alike_L).all() and (alike_L > 0).all():
        found.append(Row("chi_net", None, slope_factor(alike_L), source))
    return tuple(found)


def slope_factor(chi_L: Floats) -> float:
    """exp of the least-squares slope of ln D_l towards the input, from χ_l = D_l/D_{l+1}."""
    log_d = np.concatenate([[0.0], np.cumsum(np.log(chi_L[::-1]))])
    return math.exp(float(np.polyfit(np.arange(len(log_d)), log_d, 1)[0]))


def _first_alike(net: Net) -> int:
    """With a norm or skips the first layer's z is on another scale, see ``probes.gradients``."""
    return int(net.norm != "none" or net.residual is not False)


def _whatever_the_inputs(net: Net) -> tuple[Floats, Floats]:
    """q_l and χ_l, NaN where they depend on the inputs' size."""
    sizes = np.array(ANY_SIZE)
    passed: Passed = pass_through(net, Inputs(sizes, np.full(len(sizes), 1 / len(sizes))))

    def agreed(value_LN: Floats) -> Floats:
        spread_L = np.ptp(value_LN, axis=1)
        return np.where(spread_L <= SAME * value_LN.max(1), value_LN[:, 1], np.nan)

    return agreed(passed.q_LN), agreed(passed.chi_LN)


def _of_the_whole(net: Net, normal: int | None, source: str) -> Iterator[Row]:
    """χ, q* and ξ of an endlessly deep net; of skips only what is the same in every layer."""
    if net.depth < 2:
        return
    if net.residual:
        slope = on_grid(net.activation).slope
        if net.norm == "none" and np.ptp(slope) <= 1e-9 * slope[0]:
            through = 1 + net.branch * net.hidden.weight * float(slope[0])
            yield Row("chi", None, through, source)
        return
    starts = (1e-6, 1e6) if normal is None else (net.first.weight + net.first.bias,)
    limits = [_limit(net, start) for start in starts]
    qs, chis = {limit[0] for limit in limits}, [limit[1] for limit in limits]
    if max(qs) < math.inf and max(qs) - min(qs) <= SAME * max(qs):
        yield Row("q_star", None, limits[0][0], "Poole et al. 2016")
    if max(chis) - min(chis) <= 1e-9 + SAME * max(chis) * (max(qs) < math.inf):
        yield Row("chi", None, chis[0], source)
        scale = depth_scale(chis[0])
        if scale < 1e9:  # χ = 1 has none
            yield Row("depth_scale", None, scale, source)


def _limit(net: Net, start: float) -> tuple[float, float]:
    """(q*, χ) that a net without skips goes to from q_1, or ∞."""
    epsilon = 0.0 if net.norm == "none" else EPSILON
    batch, sigma = float(net.norm == "batch"), net.hidden
    bias = 0.0 if batch else sigma.bias  # it is the same for all samples of a batch

    def seen(q_N: Floats) -> Floats:
        return q_N / (q_N + epsilon) if epsilon else q_N

    def following(q_N: Floats) -> Floats:
        found = moments(net.activation, seen(q_N))
        return sigma.weight * (found.square - batch * found.mean**2) + bias

    grid = on_grid(net.activation, epsilon)
    on_the_grid = sigma.weight * (grid.square - batch * grid.mean**2) + bias
    q = fixed_point(following, start, on_the_grid)
    if net.norm != "none" and not 0 < q < math.inf:
        return math.nan, math.nan
    at = moments(net.activation, np.array([seen(np.array(q)) if q < math.inf else q]))
    chi = sigma.weight * float(at.slope[0]) / (q + epsilon if epsilon else 1.0)
    q_star = sigma.weight * float(at.square[0]) + sigma.bias if batch else q
    return q_star, chi


def _source(net: Net, convolutions: bool) -> str:
    """Who found the formula of χ."""
    norm = "" if net.norm == "none" else "Yang et al. 2019"
    skips = "Yang and Schoenholz 2017" if net.residual else ""
    plain = "Xiao et al. 2018" if convolutions else "Schoenholz et al. 2017"
    return "; ".join(filter(None, (skips, norm))) or plain
