"""``python -m benchmarks.engine``: the engine alone, on a machine with nothing but torch.

Updates per second by descent and pack size, eagerly and by the path that the engine takes on
the device (tapes on a CPU, CUDA graphs on a GPU); nothing is scheduled and nothing stored.
``pip install --no-deps --editable .`` beside torch, numpy, pydantic and scikit-learn is enough.
"""

import argparse
import time
from collections.abc import Iterator

import torch

from talweg.workloads import devices, memory, problems
from talweg.workloads.problems.data import Data
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack

DESCENTS = ("batch", "stochastic", "mini_batch")
SIZES = (1, 16, 64, 256)
WARMING_UPDATES = 70


def trials(descent: str, count: int) -> list[TrialSpec]:
    base = {
        "model": {"depth": 2, "width": 64, "init": "pytorch_default"},
        "descent": descent,
        "budget": {"updates": 100_000},
    }
    return [TrialSpec.model_validate({**base, "seed": seed}) for seed in range(count)]


def updates_per_second(stack: Stack, seconds: float) -> float:
    """Of all trials together, once everything is warm."""
    stack.descend(WARMING_UPDATES)
    finish(stack.device)
    first, started = stack.update, time.perf_counter()
    while time.perf_counter() - started < seconds:
        stack.descend(stack.update + 20)
        finish(stack.device)
    rate = (stack.update - first) / (time.perf_counter() - started)
    return rate * len(stack.positions)


def finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rows(device: str, seconds: float, data: Data) -> Iterator[tuple[str, int, float, float]]:
    """(descent, trials, updates/s eagerly, updates/s as the engine trains)."""
    for descent in DESCENTS:
        for count in SIZES:
            usual = Stack(trials(descent, count), data, torch.device(device))
            eager = Stack(trials(descent, count), data, torch.device(device))
            eager.updater = eager.eager()
            rates = [updates_per_second(stack, seconds) for stack in (eager, usual)]
            yield descent, count, rates[0], rates[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement (1)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    memory.keep()
    devices.prepare(given.device, None, tf32=False)
    print(f"{devices.name_of(given.device)}, torch {torch.__version__}, digits, MLP 64-64-64-10")
    print("descent      trials   eager updates/s   engine updates/s")
    data = problems.load(trials("batch", 1)[0].problem)
    for descent, count, eager, usual in rows(given.device, given.seconds, data):
        print(f"{descent:12} {count:6}   {eager:15,.0f}   {usual:16,.0f}")


if __name__ == "__main__":
    main()
