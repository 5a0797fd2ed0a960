"""Gradients through time of recurrent nets, step by step, and what their gates carry.

Legend: K trials, B samples, T steps, H units, G gates·H, S labels. All in float64, whatever the
trial's type: a signal of a hundred steps is soon below what float32 can hold.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ..labelspecs import Contrastive, Triplet
from ..models.recurrent import Recurrent
from ..optimizers import Tensors
from ..probespecs import Time
from ..schedule import log_spaced
from ..step import Split, spread
from .base import Columns
from .precise import doubles, precise

if TYPE_CHECKING:
    from ..stack import Stack

ELEMENTS = 2**23
"""Numbers that the steps of the trials and samples measured at once may keep: 64 MiB."""
CARRIERS = {"lstm": 1, "gru": 1}
"""Which of the parts of z, side by side, is the gate that multiplies the state before."""
States = list[torch.Tensor]


class ThroughTime:
    """The probe ``time`` of one stack; of nets without steps it has nothing to say.

    Keys, t counting from 1 to the last step T:

    - ``signal``, of step t: E‖∂loss/∂h_t‖² / H, over samples, of the loss of one sample, through
      all later steps (Hochreiter 1991; Pascanu et al. 2013, eq. 3–5). ``cell``: of c_t (lstm).
    - ``decay``: the factor of ``signal`` per step back, from a straight line through its
      logarithm over the steps up to the first that is asked for a label.
    - ``carry``: E Π_t f_t, mean over units too: ∂c_T/∂c_0 through the cell alone (Gers et al.
      2000, section 2); of a gru, whose update gate takes the forget gate's place, of h.
    """

    def __init__(self, stack: "Stack", spec: Time) -> None:
        self.stack, self.model, self.name = stack, stack.model, stack.trials[0].model.name
        # Of losses that compare the samples of a batch no single sample has a gradient.
        coupled = isinstance(stack.trials[0].loss, Contrastive | Triplet)
        self.exists = isinstance(self.model, Recurrent) and not coupled
        self.split = precise(stack.train, spec.samples)
        self.points = spec.points

    def measure(self) -> Columns:
        """See :class:`~.base.Probe`."""
        if not self.exists:
            return {}
        assert isinstance(self.model, Recurrent)
        samples = len(self.split.x)
        each = self.model.units * (4 if self.name == "rnn" else 3)  # z's parts, gates, states
        trials = max(1, ELEMENTS // (each * samples))
        at_once = max(1, min(samples, ELEMENTS // each))
        found: list[Columns] = []
        for start in range(0, len(self.stack.positions), trials):
            params = doubles(self.stack.params, slice(start, start + trials))
            sums = [
                self._sums(params, Split(*(t[i : i + at_once] for t in self.split)))
                for i in range(0, samples, at_once)
            ]
            means = [torch.stack(s).sum(0) / samples for s in zip(*sums, strict=True)]
            found.append(self._columns(means))
        return {name: torch.cat([part[name] for part in found]) for name in found[0]}

    def _sums(self, params: Tensors, split: Split) -> Tensors:
        """Sums over samples: ‖∂loss/∂h_t‖² / H and perhaps of c_t, (K, T), and Π f_t, (K,)."""
        assert isinstance(self.model, Recurrent)
        x_KBD, y_KB = spread(split, params)
        params = [p.requires_grad_() for p in params]
        with torch.enable_grad():
            run = self.model.unrolled(params, x_KBD)
            parts: list[States] = [list(part) for part in zip(*run.states, strict=True)]
            out_KBC = self.model.read(params, parts[0])
            total = self.stack.step.criterion.loss(out_KBC, y_KB).sum()
            grads = _gradients(total, parts)
        with torch.no_grad():
            sums = [_squares(grad_TKBH) for grad_TKBH in grads]
            if self.name in CARRIERS:
                sums.append(self._carried(run.zs).mean(-1).sum(1))
        return sums

    def _carried(self, zs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Π_t σ(z_t of the carrying gate), (K, B, H)."""
        assert isinstance(self.model, Recurrent)
        place = CARRIERS[self.name]
        gates = [z.chunk(self.model.gates, -1)[place].sigmoid() for z in zs]
        carried_KBH: torch.Tensor = torch.stack(gates).prod(0)
        return carried_KBH

    def _columns(self, means: Tensors) -> Columns:
        assert isinstance(self.model, Recurrent)
        signal_KT = means[0]
        steps = signal_KT.shape[1]
        kept = sorted(steps - back for back in log_spaced(steps - 1, self.points))
        columns = {f"time/signal/{t}": signal_KT[:, t - 1] for t in kept}
        if self.name == "lstm":
            columns |= {f"time/cell/{t}": means[1][:, t - 1] for t in kept}
        if self.name in CARRIERS:
            columns["time/carry"] = means[-1]
        first = steps - self.model.labels + 1
        return columns | {"time/decay": _factor(signal_KT[:, :first])}


def _gradients(total: torch.Tensor, parts: list[States]) -> list[list[torch.Tensor]]:
    """∂total/∂s_t of each part of the state and each step."""
    flat = [state for part in parts for state in part]
    found = torch.autograd.grad(total, flat)
    steps = len(parts[0])
    return [list(found[i : i + steps]) for i in range(0, len(flat), steps)]


def _squares(grad_TKBH: list[torch.Tensor]) -> torch.Tensor:
    """Σ over samples of ‖∂loss/∂s_t‖² / H, (K, T)."""
    return torch.stack([grad.square().mean(-1).sum(-1) for grad in grad_TKBH], 1)


def _factor(signal_KT: torch.Tensor) -> torch.Tensor:
    """exp of the least-squares slope of ln signal per step back, (K,); NaN of fewer than two."""
    steps = signal_KT.shape[1]
    back_T = torch.arange(steps - 1, -1, -1, dtype=signal_KT.dtype, device=signal_KT.device)
    back_T -= back_T.mean()
    slope_K: torch.Tensor = (signal_KT.log() * back_T).sum(1) / back_T.square().sum()
    return slope_K.exp()
