"""Random streams of a trial: one generator per purpose, derived from the trial's seed.

Two trials that differ only in, say, learning rate start from the same parameters and see the
same order of samples, so that they can be compared in pairs. Generators live on the CPU, so
that a seed means the same on every device.
"""

import enum

import numpy as np
import torch


class Stream(enum.IntEnum):
    """What a generator is for; the number is part of every trial's identity."""

    INIT = 0
    ORDER = 1
    LANCZOS = 10
    CHORDS = 11
    HUTCHINSON = 12
    DIRECTIONS = 13
    PLACES = 20
    NOISE = 21


def generator(seed: int, stream: Stream, *turn: int) -> torch.Generator:
    """A CPU generator for one stream of one trial (numpy's SeedSequence keeps streams apart).

    ``turn``: which one of several, of a stream that starts anew every epoch.
    """
    state = np.random.SeedSequence([seed, int(stream), *turn]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))
