"""Plain multilayer perceptrons that larger models are made of. K trials, B samples, D in, H out.

Parameters of a net are w_DH and b_1H of each layer, one after the other.
"""

import itertools
from collections.abc import Callable, Sequence

import torch

from ..initializers import INITIALIZERS
from ..initspecs import Init
from .base import Trace
from .linear import linear

Function = Callable[[torch.Tensor], torch.Tensor]


def started(sizes: Sequence[int], init: Init, g: torch.Generator) -> list[torch.Tensor]:
    """Initial parameters of a net with layers of these sizes, inputs and outputs included."""
    params = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        w_DH, b_H = INITIALIZERS[init.name](fan_in, fan_out, init, g)
        params += [w_DH, b_H.unsqueeze(0)]
    return params


def passed(
    net: Sequence[torch.Tensor],
    x_KBD: torch.Tensor,
    activation: Function,
    trace: Trace | None = None,
) -> torch.Tensor:
    """What a net gives, (K, B, H); its last layer has no activation."""
    h_KBD = x_KBD
    for i in range(0, len(net), 2):
        z_KBH = linear(h_KBD, net[i], net[i + 1])
        h_KBD = z_KBH if i == len(net) - 2 else activation(z_KBH)
        if trace is not None:
            trace.add(z_KBH, h_KBD)
    return h_KBD
