"""The numbers of one recording that verdicts ask for, by hidden layer; torch-free.

Legend: K trials, L hidden layers. NaN where a number does not exist.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Columns = Mapping[str, Array]
FIRST, LAST = 0, -1
"""Hidden layers."""


class Seen:
    """One recording's numbers by hidden layer, (L, K); NaN where there is none."""

    def __init__(self, columns: Columns, layers: int, skips: bool) -> None:
        self.columns = columns
        self.k = len(columns["train_loss"])
        hidden, every = range(1, layers), range(1, layers + 1)
        self.signal_LK = self._rows(hidden, "{}.backward_signal")
        q_LK = self._rows(hidden, "{}.q")
        self.dead_LK = self._rows(hidden, "{}.dead_share")
        self.saturated_LK = self._rows(hidden, "{}.saturated_share")
        self.separation_LK = self._rows(hidden, "gradients/separation/{}")
        self.gradient_LK = self._rows(hidden, "{}.grad_rms")
        first_LK = self._rows(every, "gradients/first_update/{}")
        self.size_LK = np.fmax(first_LK, self._rows(every, "{}.update_ratio"))
        self.share_LK = _to_last(self.signal_LK)
        # A stream that grows by skips scales all directions alike: what counts is the sensitivity
        # to its relative change. Of a chain the same product would be flat; see the trap above.
        growth_LK = 1 / _to_last(q_LK)
        self.relative_LK = self.share_LK / np.fmax(growth_LK, 1) if skips else self.share_LK

    def _rows(self, numbers: range, name: str) -> Array:
        nothing = np.full(self.k, np.nan)
        rows = [self.columns.get(name.format(n), nothing) for n in numbers]
        return np.stack(rows) if rows else np.empty((0, self.k))

    def facts(self, i: int) -> dict[str, Any]:
        """The numbers of one trial that a verdict rests on."""
        columns = self.columns
        return {
            "backward_share": _edge(self.share_LK, i),
            "relative_share": _edge(self.relative_LK, i),
            "chi": _number(columns, "gradients/chi", i),
            "weight_gradient_ratio": _edge(_to_last(self.gradient_LK), i),
            "separation": _worst(self.separation_LK, i, np.nanmin),
            "dead_share": _worst(self.dead_LK, i, np.nanmax),
            "saturated_share": _worst(self.saturated_LK, i, np.nanmax),
            "update_ratio": _worst(self.size_LK, i, np.nanmax),
            "overshoot": _number(columns, "gradients/overshoot", i),
            "stability": _number(columns, "curvature/stability", i),
            "train_loss": _number(columns, "train_loss", i),
        }


def _to_last(values_LK: Array) -> Array:
    """Each row over the last one; NaN where that is no divisor."""
    if not len(values_LK):
        return values_LK
    last_K = values_LK[LAST].astype(np.float64)
    with np.errstate(over="ignore"):
        return values_LK / np.where(last_K > 0, last_K, np.nan)


def _edge(values_LK: Array, i: int) -> float | None:
    """That of the first hidden layer, where there are others."""
    return float(values_LK[FIRST, i]) if len(values_LK) > 1 else None


def _worst(values_LK: Array, i: int, of: Any) -> float | None:
    known = values_LK[:, i][~np.isnan(values_LK[:, i])]
    return float(of(known)) if len(known) else None


def _number(columns: Columns, name: str, i: int) -> float | None:
    return float(columns[name][i]) if name in columns else None
