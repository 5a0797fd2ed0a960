"""Backpropagation written out: layer-wise equations, each cited, beside which autograd is held.

Nothing here calls autograd. Every piece (dense layer, convolution, norm, cell, loss) is a small
function of its own; a net is a loop over them, from its output to its input. ``gradients_of``
finds the loop of a trial.
"""

from collections.abc import Callable

import torch

from ..imagespecs import ConvNet
from ..modelspecs import Mlp, Recurrent
from ..spec import TrialSpec
from . import convnet, mlp, recurrent
from .convolution import POOLINGS
from .losses import SLOPES

Tensors = list[torch.Tensor]
Gradients = Callable[[Tensors, torch.Tensor, torch.Tensor], Tensors]
"""(parameters (K, …) each, x (K, B, D), y (K, B, …)) -> ∂(sum of all losses)/∂θ of each."""


def gradients_of(trial: TrialSpec) -> Gradients | None:
    """The equations of a trial's net and loss; None where they are not written."""
    if trial.loss.name not in SLOPES:
        return None
    slope = SLOPES[trial.loss.name](trial.loss)
    spec, shape = trial.model, trial.shape
    if isinstance(spec, Mlp):
        return lambda params, x, y: mlp.gradients(spec, params, x, y, slope)
    if isinstance(spec, Recurrent):
        return lambda params, x, y: recurrent.gradients(spec, shape, params, x, y, slope)
    if isinstance(spec, ConvNet) and spec.pooling in {"none", *POOLINGS}:
        return lambda params, x, y: convnet.gradients(spec, shape, params, x, y, slope)
    return None
