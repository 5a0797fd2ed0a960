"""A synthetic ``descent`` sweep with the shape of a real one, for the dashboard's tests.

Three descents × five learning rates × five seeds. The accuracy of a trial follows
1 − e/(1 + lr·updates/τ) with a scatter over seeds, so who reaches 95 %, who never does and who
diverges is known beforehand:

* stochastic diverges at lr 1 in every seed and at lr 0.316 in seeds 0 and 1,
* mini-batch, lr 1, seed 4 fails,
* batch, lr 0.01, seed 4 is still under way where ``running`` is asked for.

Seconds are shared unless a sweep is filled with another answer to which trials were ``alone``.
"""

import dataclasses
import datetime
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talweg.storage.client import Client
from talweg.workloads.records import Outcome, Records

TRAIN_SAMPLES = 1437
EPOCHS = 20
TARGET = 0.95
RATES = (0.01, 0.0316, 0.1, 0.316, 1.0)
SEEDS = range(5)
FAILURE = "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB"
WRITER = "synthetic"
Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Trial:
    """One point of the synthetic grid, and what becomes of it."""

    descent: str
    batch_size: int | None
    lr: float
    seed: int

    @property
    def slug(self) -> str:
        size = "" if self.descent != "mini_batch" else f"{self.batch_size}"
        return f"{self.descent}{size}-lr{self.lr:g}-s{self.seed}"

    @property
    def updates(self) -> int:
        per_epoch = -(-TRAIN_SAMPLES // (self.batch_size or TRAIN_SAMPLES))
        return EPOCHS * per_epoch

    @property
    def diverges(self) -> bool:
        unstable = {1.0: 5, 0.316: 2}.get(self.lr, 0)
        return self.descent == "stochastic" and self.seed < unstable

    @property
    def fails(self) -> bool:
        return (self.descent, self.lr, self.seed) == ("mini_batch", 1.0, 4)

    @property
    def lingers(self) -> bool:
        return (self.descent, self.lr, self.seed) == ("batch", 0.01, 4)

    def recorded(self) -> NDArray[np.int64]:
        """Log-spaced updates, 0 included; a diverged trial stops after a tenth of them."""
        last = max(self.updates // 10, 1) if self.diverges else self.updates
        spaced = np.unique(np.geomspace(1, last, 40).round().astype(np.int64))
        return np.concatenate(([0], spaced))

    def seconds(self) -> Floats:
        """Training time at the recorded updates: a fixed part, and one for every sample."""
        rng = np.random.default_rng([self.seed, len(self.slug)])
        update = 1e-4 + 1e-6 * (self.batch_size or TRAIN_SAMPLES)
        spent: Floats = self.recorded() * update * np.exp(rng.normal(0, 0.05))
        return spent

    def error(self) -> Floats:
        """Test error at the recorded updates."""
        rng = np.random.default_rng([self.seed, len(self.slug), int(self.lr * 1e4)])
        pace = 4.0 * np.exp(rng.normal(0, 0.12))
        floor = 0.02 + 0.08 * self.lr * (self.descent == "stochastic")
        updates = self.recorded()
        wobble = np.exp(rng.normal(0, 0.04, len(updates)))
        smooth: Floats = floor + 0.88 / (1 + self.lr * updates / pace)
        return np.asarray(smooth.clip(max=0.9) * wobble, dtype=np.float64)


Alone = Callable[[Trial], bool]
"""Which trials had their machine to themselves."""


def nobody(trial: Trial) -> bool:
    """All trials shared packs."""
    return False


def everybody(trial: Trial) -> bool:
    """Each trial had its machine to itself."""
    return True


def grid(running: bool = False) -> list[Trial]:
    """All trials that will have rows, in the grid's order."""
    sizes = {"batch": None, "stochastic": 1, "mini_batch": 32}
    every = [Trial(d, b, lr, s) for d, b in sizes.items() for lr in RATES for s in SEEDS]
    return sorted(every, key=lambda trial: trial.lingers) if running else every


def identity(sweep_id: str, trial: Trial) -> str:
    """Trial ids that differ between sweeps, so that each sweep has its own rows."""
    return f"{sweep_id}/{trial.slug}"


def sweep_row(sweep_id: str, name: str, study: str | None = "descent") -> dict[str, Any]:
    """The row of ``sweeps``; its spec is the grid file as validated."""
    spec = {
        "name": name,
        "study": study,
        "base": {"problem": {"name": "digits"}, "budget": {"epochs": EPOCHS}},
        "grid": {
            "descent": ["batch", "stochastic", {"name": "mini_batch", "batch_size": 32}],
            "optimizer.lr": list(RATES),
            "seed": {"range": len(SEEDS)},
        },
    }
    return {
        "sweep_id": sweep_id,
        "name": name,
        "study": study,
        "team": "optimizers",
        "owner": "ada",
        "spec": json.dumps(spec),
        "status": "running",
        "talweg_version": "0.1.0",
        "host": "bench-1",
    }


def trial_columns(sweep_id: str, trials: Sequence[Trial]) -> dict[str, list[Any]]:
    """What ``trials`` holds before anything ran."""
    common: dict[str, Any] = {
        "problem": "digits", "model": "mlp", "loss": "cross_entropy", "optimizer": "sgd",
        "momentum": 0.0, "depth": 2, "width": 64, "activation": "tanh", "init": "xavier",
        "norm": "none", "residual": False, "clip_norm": None, "dtype": "float32",
    }  # fmt: skip
    columns: dict[str, list[Any]] = {name: [value] * len(trials) for name, value in common.items()}
    columns["config"] = [config(trial) for trial in trials]
    columns["trial_id"] = [identity(sweep_id, trial) for trial in trials]
    columns["slug"] = [trial.slug for trial in trials]
    columns["descent"] = [trial.descent for trial in trials]
    columns["batch_size"] = [trial.batch_size for trial in trials]
    columns["lr"] = [trial.lr for trial in trials]
    columns["seed"] = [trial.seed for trial in trials]
    columns["budget_updates"] = [trial.updates for trial in trials]
    return columns


def config(trial: Trial) -> str:
    """The settings of a trial that pages group by, as a trial's own JSON nests them."""
    target = {"metric": "test_accuracy", "value": TARGET, "stop": False}
    descent = {"name": trial.descent, "batch_size": trial.batch_size}
    return json.dumps({"target": target, "descent": descent, "optimizer": {"lr": trial.lr}})


def step_columns(sweep_id: str, trial: Trial, upto: int | None = None) -> dict[str, list[Any]]:
    """The first ``upto`` recordings of one trial (all without it)."""
    updates, error = trial.recorded()[:upto], trial.error()[:upto]
    samples = updates * (trial.batch_size or TRAIN_SAMPLES)
    loss = 2.6 * error + (np.arange(len(updates)) ** 3 / 900.0 if trial.diverges else 0.0)
    return {
        "trial_id": [identity(sweep_id, trial)] * len(updates),
        "update": updates.tolist(),
        "samples": samples.tolist(),
        "gradient_evaluations": samples.tolist(),
        "epoch": (samples / TRAIN_SAMPLES).tolist(),
        "seconds": trial.seconds()[:upto].tolist(),
        "lr": [trial.lr] * len(updates),
        "train_loss": (0.9 * loss).tolist(),
        "test_loss": loss.tolist(),
        "train_score": (1 - 0.9 * error).clip(0, 1).tolist(),
        "test_score": (1 - error).clip(0, 1).tolist(),
    }


def ending_columns(sweep_id: str, trial: Trial, alone: Alone = nobody) -> dict[str, list[Any]]:
    """How a trial ended, as one row of ``endings``."""
    failed, diverged = trial.fails, trial.diverges
    outcome = Outcome.FAILED if failed else Outcome.DIVERGED if diverged else Outcome.DONE
    updates = int(trial.recorded()[-1])
    row: dict[str, Any] = {
        "trial_id": identity(sweep_id, trial),
        "outcome": outcome.value,
        "updates": updates,
        "samples": updates * (trial.batch_size or TRAIN_SAMPLES),
        "seconds": 1.5,
        "isolated": alone(trial) and not failed,
        "device": "cpu",
        "node": "bench-1",
        "finished_at": datetime.datetime.now(datetime.UTC),
        "diverged_at_update": updates if diverged else None,
        "error": FAILURE if failed else None,
        "probe_seconds": 0.1,
    }
    return {name: [value] for name, value in row.items()}


def merged(parts: Sequence[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """Columns of several parts below one another."""
    return {name: [value for part in parts for value in part[name]] for name in parts[0]}


CHUNK = 15


def flushes(sweep_id: str, trials: Sequence[Trial], alone: Alone) -> Iterator[Records]:
    """The records of whole trials, some trials a flush."""
    for start in range(0, len(trials), CHUNK):
        some = trials[start : start + CHUNK]
        yield {
            "steps": merged([step_columns(sweep_id, trial) for trial in some]),
            "endings": merged([ending_columns(sweep_id, trial, alone) for trial in some]),
        }


def next_sequence(running: bool) -> int:
    """The number of the flush after those of :func:`fill`."""
    complete = len(grid(running)) - running
    return -(-complete // CHUNK) + running + 1


def fill(
    client: Client,
    sweep_id: str,
    name: str | None = None,
    running: bool = False,
    alone: Alone = nobody,
) -> str:
    """Register a sweep and write all its rows; with ``running`` one trial is left under way."""
    trials = grid(running)
    client.register(sweep_row(sweep_id, name or sweep_id), trial_columns(sweep_id, trials))
    writer = f"{WRITER}-{sweep_id}"
    client.begin(writer, [identity(sweep_id, trial) for trial in trials])
    complete = trials[:-1] if running else trials
    for sequence, records in enumerate(flushes(sweep_id, complete, alone), start=1):
        client.append(writer, sequence, records)
    if running:
        partial = {"steps": step_columns(sweep_id, trials[-1], upto=5)}
        client.append(writer, sequence + 1, partial)
    else:
        client.set_status(sweep_id, "failed")
    return sweep_id
