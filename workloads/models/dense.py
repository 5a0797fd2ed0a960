"""Plain multilayer perceptrons that larger models are made of. K trials, B samples, D in, H out.

Parameters of a net are w_DH and b_1H of each layer, one after the other.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..activations import ACTIVATIONS, SATURATION
from ..initializers import INITIALIZERS
from ..initspecs import Init
from ..seeds import Stream, generator
from ..spec import TrialSpec
from .base import Layer, Trace
from .linear import linear

Function = Callable[[torch.Tensor], torch.Tensor]


class Pair:
    """Two nets side by side in one list of parameters, the first one's before the second's."""

    tapeable = compilable = stackable = True

    def __init__(
        self, names: tuple[str, str], spec: Any, sizes: tuple[list[int], list[int]]
    ) -> None:
        self.sizes = sizes
        self.activation = ACTIVATIONS[spec.activation]
        self.saturation = SATURATION.get(spec.activation)
        self.first = 2 * (len(sizes[0]) - 1)
        """How many of the parameters are the first net's."""
        layers = [f"hidden{i + 1}" for i in range(spec.depth)] + ["output"]
        of_nets = [f"{net}.{layer}" for net in names for layer in layers]
        self.layers = [Layer(name, (2 * i,)) for i, name in enumerate(of_nets)]

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """See :class:`~.base.Model`."""
        spec: Any = trial.model
        init, g = spec.init, generator(trial.seed, Stream.INIT)
        return [p for sizes in self.sizes for p in started(sizes, init, g)]


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
