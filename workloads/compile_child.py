"""``python -m talweg.workloads.compile_child``: compile one step, as asked on standard input.

Not a command for people: :mod:`.pace` starts it beside a pack in training.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .engine import Stack
from .pace import Artefacts
from .problems.data import Data
from .spec import TrialSpec

NICENESS = 10


def stack_like(request: dict[str, Any]) -> Stack:
    """A stack of the shapes in the request, over zeros: tracing looks at shapes only."""
    trials = [TrialSpec.model_validate_json(text) for text in request["trials"]]
    x = np.zeros((request["train"] + request["test"], request["features"]))
    y = np.zeros(len(x), dtype=np.int64)
    cut = request["train"]
    data = Data(x[:cut], y[:cut], x[cut:], y[cut:], request["classes"])
    return Stack(trials, data, torch.device("cpu"))


def main() -> None:
    """Read the request, compile, leave."""
    os.nice(NICENESS)
    request = json.loads(sys.stdin.read())
    artefacts = Artefacts(Path(request["folder"]), request["name"])
    artefacts.make(stack_like(request), wait=False)


if __name__ == "__main__":
    main()
