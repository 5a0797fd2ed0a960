"""The convolutional net backwards. K trials, B samples, C in, O out channels, H × W pixels."""

from typing import NamedTuple

import torch

from ..derivatives import Function, pair
from ..imagespecs import ConvNet as Spec
from ..models.convolution import POOLINGS, convolve, pool
from ..problems.shapes import Shape
from . import between, convolution, dense
from .losses import Slope

Tensors = list[torch.Tensor]


class _Layer(NamedTuple):
    """One convolution: its weights, what it saw, what came of it, and whether that was pooled."""

    w_KOCkk: torch.Tensor
    seen_KBCHW: torch.Tensor
    block: between.Block
    pooled: bool


def gradients(
    spec: Spec, shape: Shape, params: Tensors, x_KBD: torch.Tensor, y: torch.Tensor, slope: Slope
) -> Tensors:
    """∂(sum of the losses)/∂θ of every parameter, in their order.

    The same as for dense layers, with :mod:`.convolution` in place of the products.
    """
    assert shape.image is not None
    activation, derivative = pair(spec.activation)
    layers, h_KBCHW = _forward(spec, params, x_KBD.unflatten(-1, shape.image), activation)
    mean_KBO = h_KBCHW.mean((3, 4))
    w_KOC, b_K1C = params[-2:]
    delta_KBC = slope(mean_KBO @ w_KOC + b_K1C, y)
    found = [[dense.weights(mean_KBO, delta_KBC), dense.bias(delta_KBC)]]
    # The mean over an image gives each of its pixels the same share.
    pixels = h_KBCHW.shape[-2] * h_KBCHW.shape[-1]
    d = dense.inputs(w_KOC, delta_KBC)[..., None, None].expand_as(h_KBCHW) / pixels
    d_stream = None
    for layer in layers[::-1]:
        if layer.pooled:
            d = convolution.POOLINGS[spec.pooling](layer.block.h, d)
        delta, d_stream, learned = layer.block.backward(d, d_stream, derivative)
        seen = convolution.padded(layer.seen_KBCHW, spec.kernel // 2, spec.padding)
        weights = convolution.weights(seen, delta, spec.kernel, spec.stride)
        found.append([weights, convolution.bias(delta), *learned])
        size = layer.seen_KBCHW.shape[-2:]
        d = convolution.inputs(layer.w_KOCkk, delta, size, spec.padding, spec.stride)
    return [gradient for layer in found[::-1] for gradient in layer]


def _forward(
    spec: Spec, params: Tensors, h_KBCHW: torch.Tensor, activation: Function
) -> tuple[list[_Layer], torch.Tensor]:
    """All layers, and the images that the global mean is taken of."""
    layers, stream = list[_Layer](), None
    size = 2 + {"none": 0, "rms": 1}.get(spec.norm, 2)
    for i in range(0, spec.depth * size, size):
        w, b, *learned = params[i : i + size]
        z = convolve(h_KBCHW, w, b, spec.padding, spec.stride)
        block = between.forward(spec, spec.depth, activation, z, stream, learned)
        over = POOLINGS[spec.pooling] if min(z.shape[-2:]) > 1 else None
        layers.append(_Layer(w, h_KBCHW, block, over is not None))
        h_KBCHW, stream = block.h, block.stream
        if over is not None:
            h_KBCHW = pool(h_KBCHW, over, spec.padding)
    return layers, h_KBCHW
