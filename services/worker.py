"""What a worker does with a pack: train it, and stream its records to the store."""

import dataclasses
import socket
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..storage.client import Client
from ..storage.sender import Sender
from ..workloads.options import Options
from ..workloads.problems.data import Data
from ..workloads.spec import TrialSpec


class PackResult(NamedTuple):
    """How many trials of a pack ended in which outcome, and the updates they made together."""

    outcomes: Mapping[str, int]
    updates: int


NOTHING = PackResult({}, 0)


def warm_up() -> None:
    """Load what training needs, so that a worker's first pack need not wait for it."""
    import torch

    from ..workloads import engine

    del torch, engine


def run_pack(
    trials: Sequence[TrialSpec], data: Data, client: Client, options: Options
) -> PackResult:
    """Train those trials that are not finished yet.

    A fresh writer name makes this an attempt of its own: rows that an earlier attempt left
    are replaced, and an earlier attempt that still runs somewhere is fenced off.
    """
    import torch

    from ..workloads import engine

    # One core per pack: packs run side by side, threads inside them would fight.
    torch.set_num_threads(1)
    here = dataclasses.replace(options, node=socket.gethostname())
    writer = uuid.uuid4().hex
    wanted = set(client.begin(writer, [trial.trial_id for trial in trials]))
    todo = [trial for trial in trials if trial.trial_id in wanted]
    if not todo:
        return NOTHING
    with Sender(client, writer) as sender:
        ended = engine.train(todo, data, sender.put, here)
    outcomes = Counter(str(one.outcome) for one in ended)
    return PackResult(dict(outcomes), sum(one.updates for one in ended))
