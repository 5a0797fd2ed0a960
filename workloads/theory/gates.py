"""Memory of a cell c_t = f c_{t−1} + … whose forget gate stands still; torch-free."""

import math


def kept(forget: float, steps: int) -> float:
    """∂c_T/∂c_0 = fᵀ along the cell's own path (Hochreiter and Schmidhuber 1997; Gers 2000)."""
    return float(forget**steps)


def time_scale(forget: float) -> float:
    """Steps over which the cell forgets by e: 1/|ln f|; ∞ for f = 1 (Gers et al. 2000)."""
    if forget <= 0:
        return 0.0
    return math.inf if forget >= 1 else -1 / math.log(forget)


def forget_bias(steps: float) -> float:
    """The bias whose gate, σ(b) = 1 − 1/T, remembers about T steps: ln(T − 1).

    Chrono initialisation's largest (Tallec and Ollivier 2018, section 2).
    """
    if steps <= 1:
        raise ValueError(f"steps: {steps} is no memory; use more than 1")
    return math.log(steps - 1)
