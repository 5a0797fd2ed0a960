"""What probes of curvature and Jacobians look at: a stack in float64, a few trials at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from ..optimizers import Tensors
from ..step import Split

if TYPE_CHECKING:
    from ..stack import Stack

ELEMENTS = 2**24
"""Numbers in memory at once, 128 MiB of them; one trial may need more."""
KEPT = 4
"""Tensors as large as its activations that a layer keeps for a second derivative, about."""


def precise(split: Split, samples: int) -> Split:
    """The first so many samples in float64; labels stay whole numbers."""
    first = (t[:samples] for t in split)
    return Split(*(t.double() if t.is_floating_point() else t for t in first))


def graph_elements(stack: "Stack", samples: int) -> int:
    """Numbers that one trial's graph for a second derivative keeps, about."""
    return KEPT * samples * stack.model.units * len(stack.model.layers)


def slices(stack: "Stack", elements: int) -> Iterator[slice]:
    """Parts of the trial axis whose numbers, ``elements`` a trial, may be in memory at once."""
    size = max(1, ELEMENTS // elements) if stack.model.stackable else 1
    for start in range(0, len(stack.positions), size):
        yield slice(start, start + size)


def doubles(tensors: Tensors, part: slice) -> Tensors:
    """A part of the trial axis in float64."""
    return [t[part].detach().double() for t in tensors]


def flat(tensors: Tensors) -> torch.Tensor:
    """All parameters of a trial in a row, (K, P)."""
    return torch.cat([t.flatten(1) if t.ndim > 1 else t.unsqueeze(1) for t in tensors], 1)


def like(vectors_KP: torch.Tensor, tensors: Tensors) -> Tensors:
    """What :func:`flat` joined, taken apart again; K may be another."""
    sizes = [t[0].numel() for t in tensors]
    parts = vectors_KP.split(sizes, 1)
    return [
        p.unflatten(1, t.shape[1:]) if t.ndim > 1 else p.squeeze(1)
        for p, t in zip(parts, tensors, strict=True)
    ]


@contextmanager
def undisturbed(device: torch.device) -> Iterator[None]:
    """A module's dropout may draw here: the random numbers of training stay what they are."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
