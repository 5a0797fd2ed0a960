"""Recurrent nets backwards, step by step. K trials, B samples, T steps, H units, S labels.

A cell is a pair: forward, which keeps what its way back needs, and backward, from ∂L/∂h_t (and
∂L/∂c_t) to the derivatives by the inputs' part of z, by the state's part, and by the state.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from ..modelspecs import Recurrent as Spec
from ..problems.shapes import Shape
from . import dense
from .losses import Slope

Tensors = list[torch.Tensor]
Kept = tuple[torch.Tensor, ...]


class Back(NamedTuple):
    """Derivatives by the inputs' part of z, by the state's part, and by the state directly."""

    inputs: torch.Tensor
    state: torch.Tensor
    before: Tensors


class Cell(NamedTuple):
    """One kind of cell: how many tensors its state has, and both directions."""

    states: int
    forward: Callable[[torch.Tensor, torch.Tensor, Tensors], tuple[Tensors, Kept]]
    backward: Callable[[Tensors, Kept], Back]


def _rnn_forward(x: torch.Tensor, r: torch.Tensor, state: Tensors) -> tuple[Tensors, Kept]:
    del state
    h = torch.tanh(x + r)
    return [h], (h,)


def rnn(d: Tensors, kept: Kept) -> Back:
    """δ = ∂L/∂h ⊙ (1 − h²) (Werbos 1990; Pascanu et al. 2013, eq. 5)."""
    (h,) = kept
    delta = d[0] * (1 - h.square())
    return Back(delta, delta, [torch.zeros_like(delta)])


def _lstm_forward(x: torch.Tensor, r: torch.Tensor, state: Tensors) -> tuple[Tensors, Kept]:
    i, f, g, o = (x + r).chunk(4, -1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    c = f * state[1] + i * g
    return [o * torch.tanh(c), c], (i, f, g, o, c, state[1])


def lstm(d: Tensors, kept: Kept) -> Back:
    """δ of the gates i, f, g, o (Greff et al. 2017, section II.B, without peepholes).

    With h = o·tanh c and c = f·c' + i·g: ∂L/∂c += ∂L/∂h·o(1 − tanh² c), and back to the cell
    before goes ∂L/∂c·f: the constant error carousel (Hochreiter and Schmidhuber 1997).
    """
    i, f, g, o, c, c_before = kept
    squashed = torch.tanh(c)
    d_c = d[1] + d[0] * o * (1 - squashed.square())
    delta = torch.cat(
        [
            d_c * g * i * (1 - i),
            d_c * c_before * f * (1 - f),
            d_c * i * (1 - g.square()),
            d[0] * squashed * o * (1 - o),
        ],
        -1,
    )
    return Back(delta, delta, [torch.zeros_like(c), d_c * f])


def _gru_forward(x: torch.Tensor, r: torch.Tensor, state: Tensors) -> tuple[Tensors, Kept]:
    (xr, xu, xn), (rr, ru, rn) = x.chunk(3, -1), r.chunk(3, -1)
    reset, update = torch.sigmoid(xr + rr), torch.sigmoid(xu + ru)
    new = torch.tanh(xn + reset * rn)
    return [(1 - update) * new + update * state[0]], (reset, update, new, rn, state[0])


def gru(d: Tensors, kept: Kept) -> Back:
    """δ of the gates r, u, n, of h = (1 − u)n + u·h' (Cho et al. 2014, in PyTorch's variant)."""
    reset, update, new, rn, before = kept
    d_n = d[0] * (1 - update) * (1 - new.square())
    d_u = d[0] * (before - new) * update * (1 - update)
    d_r = d_n * rn * reset * (1 - reset)
    inputs, state = torch.cat([d_r, d_u, d_n], -1), torch.cat([d_r, d_u, d_n * reset], -1)
    return Back(inputs, state, [d[0] * update])


CELLS = {
    "rnn": Cell(1, _rnn_forward, rnn),
    "lstm": Cell(2, _lstm_forward, lstm),
    "gru": Cell(1, _gru_forward, gru),
}


def gradients(
    spec: Spec, shape: Shape, params: Tensors, x_KBD: torch.Tensor, y: torch.Tensor, slope: Slope
) -> Tensors:
    """∂(sum of the losses)/∂θ of every parameter, in their order: through time (Werbos 1990)."""
    w, u, b, c, w_out, b_out = params
    cell, labels = CELLS[spec.name], shape.labels
    x_KTBD = x_KBD.unflatten(-1, shape.sequence).transpose(1, 2)
    state = [x_KBD.new_zeros(*x_KBD.shape[:2], spec.width)] * cell.states
    h_TKBH, kept_T = [state[0]], list[Kept]()
    for x in x_KTBD.unbind(1):
        state, kept = cell.forward(x @ w + b, state[0] @ u + c, state)
        h_TKBH.append(state[0])
        kept_T.append(kept)
    read_KBSH = torch.stack(h_TKBH[-labels:], 2)
    out_KBSC = read_KBSH @ w_out.unsqueeze(1) + b_out.unsqueeze(1)
    delta_KBSC = slope(out_KBSC.flatten(2), y).unflatten(-1, out_KBSC.shape[2:])
    by_label = [delta_KBSC[:, :, s] for s in range(labels)]
    grads = [torch.zeros_like(p) for p in params[:4]]
    d = [torch.zeros_like(s) for s in state]
    for t in reversed(range(len(kept_T))):
        if (s := t - len(kept_T) + labels) >= 0:
            d[0] = d[0] + dense.inputs(w_out, by_label[s])
        back = cell.backward(d, kept_T[t])
        for grad, more in zip(grads, _step(x_KTBD[:, t], h_TKBH[t], back), strict=True):
            grad += more
        d = [dense.inputs(u, back.state) + back.before[0], *back.before[1:]]
    read, delta = read_KBSH.flatten(1, 2), delta_KBSC.flatten(1, 2)
    return [*grads, dense.weights(read, delta), dense.bias(delta)]


def _step(x_KBD: torch.Tensor, h_KBH: torch.Tensor, back: Back) -> Tensors:
    """One step's share in the gradients of w, u, b, c."""
    return [
        dense.weights(x_KBD, back.inputs),
        dense.weights(h_KBH, back.state),
        dense.bias(back.inputs),
        dense.bias(back.state),
    ]
