"""Sequences with something to remember. N samples, T steps, S symbols in a row."""

import numpy as np

from ..drawnspecs import Adding, Copy
from .data import Data, Labels


def copy(spec: Copy) -> Data:
    """See :class:`~..drawnspecs.Copy`. No sequence comes twice. Targets (N, S)."""
    draw = np.random.default_rng(spec.data_seed)
    y_NS = _different(draw, spec.all_samples, spec.length, spec.symbols)
    steps, inputs = spec.shape.sequence
    x_NTD = np.zeros((len(y_NS), steps, inputs))
    np.put_along_axis(x_NTD[:, : spec.length], y_NS[:, :, None], 1.0, axis=2)
    x_NTD[:, spec.length + spec.delay, spec.symbols] = 1.0
    x, cut = x_NTD.reshape(len(y_NS), -1), spec.samples
    return Data(x[:cut], y_NS[:cut], x[cut:], y_NS[cut:])


def adding(spec: Adding) -> Data:
    """See :class:`~..drawnspecs.Adding`. Targets (N, 1), from 0 to 2."""
    draw = np.random.default_rng(spec.data_seed)
    count, steps = spec.all_samples, spec.steps
    value_NT = draw.random((count, steps))
    first = draw.integers(steps // 2, size=(count, 1))
    second = draw.integers(steps // 2, steps, size=(count, 1))
    marked_N2 = np.concatenate([first, second], 1)
    mark_NT = np.zeros((count, steps))
    np.put_along_axis(mark_NT, marked_N2, 1.0, axis=1)
    y = np.take_along_axis(value_NT, marked_N2, 1).sum(1, keepdims=True)
    x, cut = np.stack([value_NT, mark_NT], 2).reshape(count, -1), spec.samples
    return Data(x[:cut], y[:cut], x[cut:], y[cut:])


def _different(draw: np.random.Generator, count: int, length: int, symbols: int) -> Labels:
    """So many sequences of symbols, (N, S), no two of them the same."""
    found = np.empty((0, length), np.int64)
    while len(found) < count:
        found = np.concatenate([found, draw.integers(symbols, size=(count, length))])
        _, first = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(first)]
    return found[:count]
