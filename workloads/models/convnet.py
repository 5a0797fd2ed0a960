"""Convolutional nets on stacked tensors. K trials, B samples, C in, O out channels, H × W."""

import torch

from ..activations import ACTIVATIONS, SATURATION
from ..imagespecs import ConvNet as Spec
from ..initializers import INITIALIZERS
from ..problems.data import Data
from ..seeds import Stream, generator
from ..spec import TrialSpec
from .base import Layer, Trace
from .blocks import Between
from .convolution import POOLINGS, convolve, pool
from .linear import linear


class ConvNet:
    """z_l = h_{l−1} ∗ W_l + b_l, h_l = pooled φ(z_l), global average pooling, linear output.

    Norms and skips come between z_l and φ, see :mod:`.blocks`; a trace has z before them, h
    before pooling and images after it. Parameters: for each convolution w (O, C, k, k), b (O,)
    and, if there is a norm, γ and perhaps β (1, O, 1, 1); then w (O, classes), b (1, classes).
    """

    tapeable = stackable = True
    compilable = False  # see convolution.convolve

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        spec, image = trial.model, trial.problem.shape.image
        assert isinstance(spec, Spec)
        assert image is not None  # see spec.misfits
        self.image = image
        self.channels = [image[0], *[spec.channels] * spec.depth]
        self.classes, self.kernel = trial.shape.outputs, spec.kernel
        self.padding, self.stride, self.depth = spec.padding, spec.stride, spec.depth
        self.pooling = POOLINGS[spec.pooling]
        self.between = Between(spec, spec.depth, ACTIVATIONS[spec.activation])
        self.saturation = SATURATION.get(spec.activation)
        self.units = spec.channels * image[1] * image[2]
        self.per_layer = 2 + self.between.learned
        names = [*(f"convolution{i + 1}" for i in range(spec.depth)), "output"]
        self.layers = [Layer(name, (self.per_layer * i,)) for i, name in enumerate(names)]

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """See :class:`~.base.Model`. A kernel's fan-in is C·k², as in PyTorch."""
        spec, g = trial.model, generator(trial.seed, Stream.INIT)
        assert isinstance(spec, Spec)
        params = []
        area = self.kernel**2
        for c, o in zip(self.channels, self.channels[1:], strict=False):
            w_DO, b_O = INITIALIZERS[spec.init.name](c * area, o, spec.init, g)
            params += [w_DO.T.reshape(o, c, self.kernel, self.kernel), b_O]
            params += self.between.start((1, o, 1, 1))
        w_DH, b_H = INITIALIZERS[spec.init.name](self.channels[-1], self.classes, spec.init, g)
        return [*params, w_DH, b_H.unsqueeze(0)]

    def forward(
        self, params: list[torch.Tensor], x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`."""
        h_KBCHW, stream, pixels = x_KBD.unflatten(-1, self.image), None, 1
        for i in range(self.depth):
            w, b, *learned = params[i * self.per_layer : (i + 1) * self.per_layer]
            z_KBOHW = convolve(h_KBCHW, w, b, self.padding, self.stride)
            h_KBCHW, stream = self.between(z_KBOHW, stream, learned)
            pixels *= self.stride
            if trace is not None:
                trace.add(z_KBOHW, h_KBCHW)
            if self.pooling is not None and min(h_KBCHW.shape[-2:]) > 1:
                h_KBCHW = pool(h_KBCHW, self.pooling, self.padding)
                pixels *= 2
            if trace is not None:
                trace.images.append((h_KBCHW, pixels))
        z_KBC = linear(h_KBCHW.mean((3, 4)), params[-2], params[-1])
        if trace is not None:
            trace.add(z_KBC, z_KBC)
        return z_KBC
