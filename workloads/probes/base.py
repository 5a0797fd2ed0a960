"""What a probe is: something that looks at a stack and gives a number for each trial."""

from typing import Protocol

import torch

Columns = dict[str, torch.Tensor]
"""Name -> value of each trial, (K,); NaN where it does not exist, which is recorded as NULL.

A name says where the value belongs:

    train_loss            a column of ``steps``
    3.q                   a column of ``layers``, of layer 3
    noise/snr             table ``probes``: probe noise, key snr
    time/signal/12        the same, with 12 as the layer (or step, or shift: see the probe)
"""


class Probe(Protocol):
    """One probe of one stack. It never changes the stack's parameters, state or generators."""

    def measure(self) -> Columns:
        """Its numbers of every trial at the present parameters."""
