"""Peer: Ray Tune as its tutorials use it, one trial per actor, loss and accuracy per epoch.

Ray is started before the clock and its workers have imported torch and Tune: what is timed is
the sweep. Actors are reused and the data is put into the object store once, both as Tune's
documentation advises for short trials.
"""

import importlib
import os
import tempfile
import time
from typing import Any

import numpy as np
import ray
import torch
from ray import tune
from torch.nn import functional

from ..task import Split, Stopwatch, Task, arguments, load
from .plain_loop import epoch, net


def train(config: dict[str, Any], data: Split, epochs: int) -> None:
    """One trial; the plain loop's epoch, and Tune's report after each."""
    torch.set_num_threads(1)
    # Copies: arrays from the object store are read-only, which torch does not take.
    x, y, x_test, y_test = (torch.from_numpy(np.array(part)) for part in data)
    torch.manual_seed(config["seed"])
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
    for _ in range(epochs):
        epoch(model, optimizer, config["batch_size"], (x, y, x_test, y_test))
        with torch.no_grad():
            out = model(x_test)
        loss = functional.cross_entropy(out, y_test).item()
        accuracy = (out.argmax(1) == y_test).float().mean().item()
        tune.report({"loss": loss, "accuracy": accuracy})


def tuner(task: Task, data: Split, folder: str) -> tune.Tuner:
    """The sweep in Tune's own terms; ``folder`` takes the result files it always writes."""
    trainable = tune.with_parameters(train, data=data, epochs=task.epochs)
    return tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={
            "batch_size": tune.grid_search(list(task.batch_sizes)),
            "lr": tune.grid_search(task.learning_rates),
            "seed": tune.grid_search(list(range(task.seeds))),
        },
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(verbose=0, storage_path=folder),
    )


def warm_up() -> int:
    """In a worker: import what a trial needs; takes long enough that no worker runs two."""
    importlib.import_module("ray.tune")
    torch.set_num_threads(1)
    time.sleep(1.0)
    return os.getpid()


def wait_for_workers(workers: int) -> None:
    """Return when each worker process has imported what a trial needs."""
    task = ray.remote(num_cpus=1)(warm_up)
    ready: set[int] = set()
    while len(ready) < workers:
        ready |= set(ray.get([task.remote() for _ in range(workers)]))


def main() -> None:
    task, workers = arguments()
    ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False)
    wait_for_workers(workers)
    data = load()
    stopwatch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        results = tuner(task, data, folder).fit()
        if results.errors:
            raise RuntimeError(f"{len(results.errors)} trials failed: {results.errors[0]}")
        best = float(results.get_dataframe()["accuracy"].max())
        stopwatch.report(len(results), task.updates(len(data[0])), best)


if __name__ == "__main__":
    main()
