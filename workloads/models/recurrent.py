"""Recurrent nets on stacked tensors. K trials, B samples, T steps, D inputs, H units, G gates·H.

Gates stand side by side in the order of PyTorch: LSTM (input, forget, cell, output), GRU
(reset, update, new). Sources: Hochreiter and Schmidhuber 1997, Gers et al. 2000 (LSTM), Cho et
al. 2014 (GRU, in PyTorch's variant with the reset gate after the product).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from ..activations import SATURATION
from ..initializers import INITIALIZERS
from ..modelspecs import Recurrent as Spec
from ..problems.data import Data
from ..seeds import Stream, generator
from ..spec import TrialSpec
from .base import Layer, Trace
from .linear import linear

State = tuple[torch.Tensor, ...]
Cell = Callable[[torch.Tensor, torch.Tensor, State], tuple[torch.Tensor, State]]
"""(the inputs' part of z, the state's part of z, state) -> (z, next state); h comes first."""


def rnn(x_KBG: torch.Tensor, r_KBG: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
    """h ← tanh(Wx + Uh) (Elman 1990)."""
    del state
    z = x_KBG + r_KBG
    return z, (torch.tanh(z),)


def lstm(x_KBG: torch.Tensor, r_KBG: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
    """c ← σ(f)·c + σ(i)·tanh(g), h ← σ(o)·tanh(c)."""
    z = x_KBG + r_KBG
    i, f, g, o = z.chunk(4, -1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return z, (torch.sigmoid(o) * torch.tanh(c), c)


def gru(x_KBG: torch.Tensor, r_KBG: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
    """n ← tanh(Wx + σ(r)·Uh), h ← (1 − σ(u))·n + σ(u)·h."""
    (xr, xu, xn), (rr, ru, rn) = x_KBG.chunk(3, -1), r_KBG.chunk(3, -1)
    r, u = xr + rr, xu + ru
    n = xn + torch.sigmoid(r) * rn
    update = torch.sigmoid(u)
    return torch.cat([r, u, n], -1), ((1 - update) * torch.tanh(n) + update * state[0],)


class Unrolled(NamedTuple):
    """The recurrent layer step by step: the inputs' part (K, B, T, G), each step's z and state."""

    x_KBTG: torch.Tensor
    zs: list[torch.Tensor]
    states: list[State]


CELLS: dict[str, tuple[Cell, int]] = {"rnn": (rnn, 1), "lstm": (lstm, 2), "gru": (gru, 1)}
"""The cell, and how many tensors its state has."""


class Recurrent:
    """One recurrent layer, and a linear output of its last state, or of its last S states.

    Parameters: w (D, G), u (H, G), b (1, G), c (1, G), then w (H, classes), b (1, classes); b is
    added to the inputs' product and c to the state's, as in PyTorch. Where a sample asks for S
    labels, outputs are (K, B, S·classes), those of the earliest of the S steps first.
    """

    tapeable = compilable = stackable = True
    saturation: tuple[float, float] | None = SATURATION["tanh"]

    def __init__(self, trial: TrialSpec, data: Data) -> None:
        spec = trial.model
        assert isinstance(spec, Spec)
        self.sequence = trial.problem.shape.sequence
        self.width, self.gates, self.labels = spec.width, spec.gates, trial.shape.labels
        self.classes = trial.shape.outputs // self.labels
        self.cell, self.states = CELLS[spec.name]
        self.units = self.sequence[0] * spec.gates * spec.width
        self.layers = [Layer(spec.name, (0, 1)), Layer("output", (4,))]

    def start(self, trial: TrialSpec) -> list[torch.Tensor]:
        """See :class:`~.base.Model`. Each gate is drawn as a layer of its own."""
        spec, g = trial.model, generator(trial.seed, Stream.INIT)
        assert isinstance(spec, Spec)
        make = INITIALIZERS[spec.init.name]
        inputs, width = self.sequence[1], self.width
        parts = [[make(n, width, spec.init, g) for _ in range(self.gates)] for n in (inputs, width)]
        (w, u), (b, c) = (
            [torch.cat([drawn[i] for drawn in part], -1) for part in parts] for i in (0, 1)
        )
        if spec.forget_bias:  # (Gers et al. 2000; Jozefowicz et al. 2015)
            b[width : 2 * width] += spec.forget_bias
        w_out, b_out = make(width, self.classes, spec.init, g)
        return [w, u, b.unsqueeze(0), c.unsqueeze(0), w_out, b_out.unsqueeze(0)]

    def forward(
        self, params: list[torch.Tensor], x_KBD: torch.Tensor, trace: Trace | None = None
    ) -> torch.Tensor:
        """See :class:`~.base.Model`."""
        run = self.unrolled(params, x_KBD)
        hs = [state[0] for state in run.states]
        out_KBC = self.read(params, hs)
        if trace is not None:
            # δ_t by the inputs' part is δ_t by all of z_t: it is a summand.
            trace.add(torch.stack(run.zs, 2), torch.stack(hs, 2), at=run.x_KBTG)
            trace.add(out_KBC, out_KBC)
        return out_KBC

    def unrolled(self, params: list[torch.Tensor], x_KBD: torch.Tensor) -> Unrolled:
        """The layer from its first step, where the state is 0, to its last."""
        w, u, b, c = params[:4]
        x_KBTD = x_KBD.unflatten(-1, self.sequence)
        # The inputs' part of all steps at once; only the state's has to wait for its turn.
        x_KBTG = linear(x_KBTD.flatten(1, 2), w, b).unflatten(1, x_KBTD.shape[1:3])
        start = x_KBTG.new_zeros(*x_KBTG.shape[:2], self.width)
        state: State = (start,) * self.states
        run = Unrolled(x_KBTG, [], [])
        for x_KBG in x_KBTG.unbind(2):
            z, state = self.cell(x_KBG, linear(state[0], u, c), state)
            run.zs.append(z)
            run.states.append(state)
        return run

    def read(self, params: list[torch.Tensor], hs: list[torch.Tensor]) -> torch.Tensor:
        """Outputs (K, B, S·C) of the last S states, side by side."""
        w_out, b_out = params[4:]
        if self.labels == 1:
            return linear(hs[-1], w_out, b_out)
        h_KBSH = torch.stack(hs[-self.labels :], 2)
        out = linear(h_KBSH.flatten(1, 2), w_out, b_out)
        out_KBC: torch.Tensor = out.unflatten(1, h_KBSH.shape[1:3]).flatten(2)
        return out_KBC
