"""Convolutional nets on stacked tensors. K trials, B samples, C in, O out channels, H × W pixels.

K convolutions are one convolution of K groups: the channels of all trials side by side.
"""

import torch
from torch.nn import functional

from ..activations import ACTIVATIONS, SATURATION
from ..initializers import INITIALIZERS
from ..modelspecs import ConvNet as Spec
from ..problems.data import Data
from ..seeds import Stream, generator
from ..spec import TrialSpec
from .base import Layer, Trace
from .linear import linear


class ConvNet:
    """h_l = φ(h_{l−1} ∗ W_l + b_l), global average pooling, linear output.

    Parameters: for each convolution w (O, C, k, k) and b (O,); then w (O, classes), b (1, classes).
    """

    tapeable = stackable = True

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        spec, image = trial.model, trial.problem.shape.image
        assert isinstance(spec, Spec)
        assert image is not None  # see spec.misfits
        self.image = image
        self.channels = [image[0], *[spec.channels] * spec.depth]
        self.classes, self.kernel = trial.shape.outputs, spec.kernel
        self.around = "constant" if spec.padding == "zeros" else "circular"
        self.activation = ACTIVATIONS[spec.activation]
        self.saturation = SATURATION.get(spec.activation)
        self.units = spec.channels * image[1] * image[2]
        names = [*(f"convolution{i + 1}" for i in range(spec.depth)), "output"]
        self.layers = [Layer(name, (2 * i,)) for i, name in enumerate(names)]

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """See :class:`~.base.Model`. A kernel's fan-in is C·k², as in PyTorch."""
        spec, g = trial.model, generator(trial.seed, Stream.INIT)
        assert isinstance(spec, Spec)
        params = []
        area = self.kernel**2
        for c, o in zip(self.channels, self.channels[1:], strict=False):
            w_DO, b_O = INITIALIZERS[spec.init.name](c * area, o, spec.init, g)
            params += [w_DO.T.reshape(o, c, self.kernel, self.kernel), b_O]
        w_DH, b_H = INITIALIZERS[spec.init.name](self.channels[-1], self.classes, spec.init, g)
        return [*params, w_DH, b_H.unsqueeze(0)]

    def forward(
        self, params: list[torch.Tensor], x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`."""
        h_KBCHW = x_KBD.unflatten(-1, self.image)
        for i in range(len(self.channels) - 1):
            z_KBOHW = self._convolve(h_KBCHW, params[2 * i], params[2 * i + 1])
            h_KBCHW = self.activation(z_KBOHW)
            if trace is not None:
                trace.add(z_KBOHW, h_KBCHW)
        z_KBC = linear(h_KBCHW.mean((3, 4)), params[-2], params[-1])
        if trace is not None:
            trace.add(z_KBC, z_KBC)
        return z_KBC

    def _convolve(
        self, h_KBCHW: torch.Tensor, w_KOCkk: torch.Tensor, b_KO: torch.Tensor
    ) -> torch.Tensor:
        k = w_KOCkk.shape[0]
        side = self.kernel // 2
        h = h_KBCHW.transpose(0, 1).flatten(1, 2)  # (B, K·C, H, W)
        if side:
            h = functional.pad(h, (side,) * 4, self.around)
        z = functional.conv2d(h, w_KOCkk.flatten(0, 1), b_KO.flatten(), groups=k)
        z_KBOHW: torch.Tensor = z.unflatten(1, (k, -1)).transpose(0, 1)
        return z_KBOHW
