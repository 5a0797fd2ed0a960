"""The multilayer perceptron backwards. K trials, B samples, D in, H out."""

import torch

from ..derivatives import pair
from ..modelspecs import Mlp as Spec
from . import between, dense
from .losses import Slope

Tensors = list[torch.Tensor]


def gradients(
    spec: Spec, params: Tensors, x_KBD: torch.Tensor, y: torch.Tensor, slope: Slope
) -> Tensors:
    """∂(sum of the losses)/∂θ of every parameter, in their order.

    δ_L = slope(z_L, y); then, layer by layer, ∂L/∂W_l = h_{l−1} δ_lᵀ and
    δ_{l−1} = (W_l δ_l) ⊙ φ'(z_{l−1}) (Rumelhart et al. 1986; Nielsen 2015, BP1–BP4).
    """
    activation, derivative = pair(spec.activation)
    norms = {"none": 0, "rms": 1}.get(spec.norm, 2)
    size = 1 + spec.bias + norms
    owns = [params[i : i + size] for i in range(0, spec.depth * size, size)]
    seen, blocks, stream = [x_KBD], list[between.Block](), None
    for own in owns:
        z_KBH = _linear(spec, own, seen[-1])
        learned = own[1 + spec.bias :]
        blocks.append(between.forward(spec, spec.depth, activation, z_KBH, stream, learned))
        seen.append(blocks[-1].h)
        stream = blocks[-1].stream
    last = params[spec.depth * size :]
    delta_KBH = slope(_linear(spec, last, seen[-1]), y)
    found, d_stream = [_layer(spec, seen[-1], delta_KBH)], None
    after = [*owns, last][:0:-1]  # the layer behind each block, the last first
    for own, h_KBD, block in zip(after, seen[-2::-1], blocks[::-1], strict=True):
        d_KBH = dense.inputs(own[0], delta_KBH)
        delta_KBH, d_stream, learned = block.backward(d_KBH, d_stream, derivative)
        found.append([*_layer(spec, h_KBD, delta_KBH), *learned])
    return [gradient for layer in found[::-1] for gradient in layer]


def _linear(spec: Spec, own: Tensors, h_KBD: torch.Tensor) -> torch.Tensor:
    z_KBH = h_KBD @ own[0]
    return z_KBH + own[1] if spec.bias else z_KBH


def _layer(spec: Spec, h_KBD: torch.Tensor, delta_KBH: torch.Tensor) -> Tensors:
    """The gradients of a layer's weights and, if it has any, biases."""
    weights = dense.weights(h_KBD, delta_KBH)
    return [weights, dense.bias(delta_KBH)] if spec.bias else [weights]
