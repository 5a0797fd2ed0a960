"""A convolutional encoder–decoder on stacked tensors. K trials, B samples, C channels, H × W."""

import torch

from ..activations import ACTIVATIONS, SATURATION
from ..imagespecs import EncoderDecoder as Spec
from ..initializers import INITIALIZERS
from ..problems.data import Data
from ..seeds import Stream, generator
from ..spec import TrialSpec
from .base import Layer, Trace
from .convolution import average, convolve, doubled, pool

SIDE = 3
"""Of the kernels, in pixels."""


class EncoderDecoder:
    """See :class:`~..imagespecs.EncoderDecoder`. Outputs are (K, B, H·W), row by row.

    Parameters: for each 3×3 convolution w (O, C, 3, 3) and b (O,), in the order of the forward
    pass; then w (1, C, 1, 1) and b (1,) of the output. A decoder's convolution sees the doubled
    channels first, then the encoder's.
    """

    tapeable = stackable = True
    compilable = False  # see convolution.convolve

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        spec, image = trial.model, trial.problem.shape.image
        assert isinstance(spec, Spec)
        assert image is not None  # see imagespecs.unfit
        self.image, self.levels, self.padding = image, spec.levels, spec.padding
        self.convolutions = [(c, o) for c, o, _ in spec.convolutions(image[0])]
        self.activation = ACTIVATIONS[spec.activation]
        self.saturation = SATURATION.get(spec.activation)
        self.units = 3 * spec.channels * image[1] * image[2]
        levels = range(1, spec.levels + 1)
        encoder, decoder = (f"encoder{i}" for i in levels), (f"decoder{i}" for i in levels[::-1])
        names = [*encoder, "bottom", *decoder, "output"]
        self.layers = [Layer(name, (2 * i,)) for i, name in enumerate(names)]

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """See :class:`~.base.Model`. A kernel's fan-in is C·3², as in PyTorch."""
        spec, g = trial.model, generator(trial.seed, Stream.INIT)
        assert isinstance(spec, Spec)
        params = []
        for c, o, side in [*((*pair, SIDE) for pair in self.convolutions), (spec.channels, 1, 1)]:
            w_DO, b_O = INITIALIZERS[spec.init.name](c * side**2, o, spec.init, g)
            params += [w_DO.T.reshape(o, c, side, side), b_O]
        return params

    def forward(
        self, params: list[torch.Tensor], x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`."""
        trace = Trace() if trace is None else trace
        left = iter(zip(params[::2], params[1::2], strict=True))
        h = x_KBD.unflatten(-1, self.image)
        seen = []
        for level in range(self.levels):
            seen.append(self._layer(h, next(left), trace))
            h = pool(seen[-1], average, self.padding)
            trace.images.append((h, 2 << level))
        h = self._layer(h, next(left), trace)
        trace.images.append((h, 1 << self.levels))
        for level in reversed(range(self.levels)):
            h = self._layer(torch.cat([doubled(h), seen[level]], 2), next(left), trace)
            trace.images.append((h, 1 << level))
        z_KB1HW = convolve(h, *next(left), self.padding)
        trace.add(z_KB1HW, z_KB1HW)
        trace.images.append((z_KB1HW, 1))
        return z_KB1HW.flatten(2)

    def _layer(
        self, h: torch.Tensor, own: tuple[torch.Tensor, torch.Tensor], trace: Trace
    ) -> torch.Tensor:
        z = convolve(h, *own, self.padding)
        h = self.activation(z)
        trace.add(z, h)
        return h
