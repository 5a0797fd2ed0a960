"""``python -m talweg.workloads.compile_child``: compile one step, as asked on standard input.

Not a command for people: :mod:`.pace` starts it beside a pack in training. It leaves at once
and works on in a process of its own, which neither a pack's end nor the end of its worker
takes down; that is why everything heavy is imported late.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .stack import Stack

NICENESS = 10


def stack_like(request: dict[str, Any]) -> "Stack":
    """A stack of the shapes in the request, over zeros: tracing looks at shapes only."""
    import numpy as np
    import torch

    from .problems.data import Data
    from .spec import TrialSpec
    from .stack import Stack

    trials = [TrialSpec.model_validate_json(text) for text in request["trials"]]
    x = np.zeros((request["train"] + request["test"], request["features"]))
    dtype, inner = request["targets"]
    y = np.zeros((len(x), *inner), dtype=dtype)
    cut = request["train"]
    data = Data(x[:cut], y[:cut], x[cut:], y[cut:])
    return Stack(trials, data, torch.device("cpu"))


def main() -> None:
    """Read the request, detach, compile, leave."""
    request = json.loads(sys.stdin.read())
    if os.fork():
        os._exit(0)
    os.nice(NICENESS)
    from .pace import Kept, alone

    folder = Path(request["folder"])
    with alone(folder) as free:
        if free:
            Kept(folder, request["name"]).make(stack_like(request), wait=False)


if __name__ == "__main__":
    main()
