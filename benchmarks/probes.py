"""``python -m benchmarks.probes``: what probes cost, as factors of the training step beside them.

All numbers come in pairs from one process on one core: a step with and without, in turns, or a
measurement and a step of the same pack. They are seconds of the processor, medians over turns,
so that what else the machine does counts less.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table

from talweg.workloads import memory, problems
from talweg.workloads.probes.schedules import PROBES
from talweg.workloads.spec import TrialSpec
from talweg.workloads.stack import Stack

UPDATES = 500
"""Of the training that a probe's default schedule is a share of."""
WARMING_UPDATES = 3
TRIALS = 16

LSTM = {"model": {"name": "lstm"}}
CONVNET = {"model": "convnet"}
NETS: Mapping[str, Mapping[str, Any]] = {"time": LSTM, "symmetry": CONVNET}
"""Probe -> the net it is measured on, where an MLP has nothing of it."""


class Pack(NamedTuple):
    """MLPs of two hidden layers on digits, trained together with the noise watched, or not."""

    width: int
    batch_size: int
    trials: int

    @property
    def name(self) -> str:
        """What the tables call it."""
        return f"width {self.width}, batch {self.batch_size}, {self.trials} in a pack"

    def stack(self, *probes: Mapping[str, Any], **parts: Any) -> Stack:
        """Such a pack with these probes; ``parts`` of its trials may be replaced."""
        base = {
            "problem": "digits",
            "model": {"width": self.width},
            "descent": {"name": "mini_batch", "batch_size": self.batch_size},
            "budget": {"updates": 100_000},
            "record": {"probes": list(probes)},
        } | parts
        seeds = range(self.trials)
        trials = [TrialSpec.model_validate({**base, "seed": seed}) for seed in seeds]
        return Stack(trials, problems.load(trials[0].problem), torch.device("cpu"))


PACKS = [Pack(w, b, k) for w in (64, 256) for b in (32, 128) for k in (1, 16, 64)]

PUBLISHED = {
    "first-order quantities, large nets": "1.01–1.08",
    "per-sample tests (noise scale, norm test, …)": "1.2–2.8",
    "largest Hessian eigenvalue": "7–27",
    "economy set, every 16 steps": "1.04–1.4",
    "full set, every 16 steps": "2.2–16",
}
"""Factors of Cockpit on an RTX 2080 Ti (Schneider, Dangel and Hennig 2021)."""


def seconds(action: Callable[[], object]) -> float:
    started = time.process_time()
    action()
    return time.process_time() - started


def steps(stack: Stack, updates: int) -> float:
    """Seconds of an update."""
    return seconds(lambda: stack.descend(stack.update + updates)) / updates


def noise_factor(pack: Pack, turns: int, spell: float) -> float:
    """An update that watches its noise, over one that does not: the median of the turns."""
    plain, noisy = pack.stack(), pack.stack({"name": "noise", "every_update": True})
    for stack in (plain, noisy):
        stack.descend(WARMING_UPDATES)
    updates = max(2, round(spell / steps(plain, 3)))
    factors = []
    for turn in range(turns):
        first, second = (plain, noisy) if turn % 2 else (noisy, plain)
        took = {id(stack): steps(stack, updates) for stack in (first, second)}
        factors.append(took[id(noisy)] / took[id(plain)])
    return statistics.median(factors)


def probe_factor(name: str, trials: int, turns: int) -> tuple[float, int]:
    """One measurement over one update of the same pack; and the measurements of a training."""
    stack = Pack(64, 32, trials).stack({"name": name}, **NETS.get(name, {}))
    (spec,) = stack.record.probes
    probe = PROBES[name](stack, spec)
    stack.descend(WARMING_UPDATES)
    pairs = [(seconds(probe.measure), steps(stack, 20)) for _ in range(turns)]
    measured, stepped = (statistics.median(each) for each in zip(*pairs, strict=True))
    return measured / stepped, getattr(spec, "steps", 0)


def factors(*, short: bool) -> Iterator[tuple[str, float]]:
    """(what, its factor), all of them; the short form only shows that they can be had."""
    for pack in PACKS:
        small = pack._replace(trials=min(2, pack.trials)) if short else pack
        yield (
            f"noise in every update, {pack.name}",
            noise_factor(small, *((1, 0.0) if short else (9, 0.1))),
        )
    for name in PROBES:
        each, count = probe_factor(name, 1 if short else TRIALS, 1 if short else 3)
        yield name, each
        yield f"{name}, share", each * count / UPDATES


def tables(found: Mapping[str, float]) -> Iterator[Table]:
    watched = Table("noise in every update", "step with / without")
    for pack in PACKS:
        watched.add_row(pack.name, f"{found[f'noise in every update, {pack.name}']:.2f}")
    yield watched
    once = Table("probe", "one measurement, in steps", f"default schedule in {UPDATES} updates")
    for name in PROBES:
        cost, share = found[name], found[f"{name}, share"]
        once.add_row(name, f"{cost:.1f}", f"{share:.1%}")
    yield once
    published = Table("Cockpit, RTX 2080 Ti (published)", "factor of the step")
    for what, factor in PUBLISHED.items():
        published.add_row(what, factor)
    yield published


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probes", description=__doc__)
    parser.add_argument("--short", action="store_true", help="tiny packs: only a check")
    given = parser.parse_args()
    torch.set_num_threads(1)
    memory.keep()
    started = time.perf_counter()
    found = dict(factors(short=given.short))
    console = Console()
    for table in tables(found):
        console.print(table)
    took = time.perf_counter() - started
    counts = {"trials": len(PACKS) + len(PROBES), "updates": 0, "sweep_seconds": took}
    print(json.dumps(counts | {"factors": found}))


if __name__ == "__main__":
    main()
