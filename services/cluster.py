"""Packs as Ray tasks: data put once, a bounded number in flight, system failures retried."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayTaskError

from ..storage.client import Client
from ..workloads.options import Options
from ..workloads.packs import LARGEST, Pack
from ..workloads.spec import TrialSpec, canonical
from . import joining, settings
from .executors import Calibrated, DataCache, Done
from .joining import ClusterUnreachable
from .worker import calibrate, run_pack, warm_up

RETRIES = 3
"""How often Ray repeats a task whose worker or node died; our own errors are never repeated."""
IN_FLIGHT_PER_WORKER = 2


class RayExecutor:
    """A local Ray for ``address`` "local", or a running cluster for "auto" or HOST:PORT."""

    def __init__(
        self,
        client: Client,
        options: Options,
        data: DataCache,
        address: str,
        workers: int | None,
    ) -> None:
        self.client = client
        # A cluster that this process joined already is used and left as it is.
        self.owner = not ray.is_initialized()
        if self.owner:
            self._start(address, workers)
        self.options, self.share = _share(options)
        self.workers = _workers(self.share, workers)
        self.capacity = IN_FLIGHT_PER_WORKER * self.workers
        self.data = data
        self.shared: dict[str, Any] = {}
        self.running: dict[Any, Pack] = {}
        if self.owner:
            # Workers load torch before their first pack: that it is waited for is no sweep's.
            load = ray.remote(warm_up).options(**self.share)
            ray.get([load.remote(self.options) for _ in range(self.workers)])
        task = ray.remote(run_pack)
        self.task = task.options(max_retries=RETRIES, **self.share)
        # Alone on its machine: no other task of ours fits beside it.
        alone = self.share | {"num_cpus": _largest_node()}
        self.exclusive = task.options(max_retries=RETRIES, **alone)

    def submit(self, pack: Pack) -> None:
        """See :class:`~.executors.Executor`."""
        task = self.exclusive if pack.isolated else self.task
        data = self._shared(pack.trials[0])
        self.running[task.remote(pack.trials, data, self.client, self.options)] = pack

    def calibrate(self, shapes: Sequence[Sequence[TrialSpec]]) -> list[Calibrated]:
        """See :class:`~.executors.Executor`."""
        task = ray.remote(calibrate).options(max_retries=RETRIES, **self.share)
        found = [task.remote(s[:LARGEST], self._shared(s[0]), self.options) for s in shapes]
        answers: list[Calibrated] = ray.get(found)
        return answers

    def _shared(self, trial: TrialSpec) -> Any:
        """The trial's data in Ray's object store, put there once."""
        key = canonical(trial.problem)
        if key not in self.shared:
            self.shared[key] = ray.put(self.data.expect(trial).result())
        return self.shared[key]

    def next(self, timeout_s: float) -> Done | None:
        """See :class:`~.executors.Executor`."""
        ready, _ = ray.wait(list(self.running), timeout=timeout_s)
        if not ready:
            return None
        pack = self.running.pop(ready[0])
        try:
            return Done(pack, ray.get(ready[0]))
        except RayTaskError as error:
            return Done(pack, error=_cause(error))
        except ray.exceptions.RayError as error:
            return Done(pack, error=error)

    def close(self) -> None:
        """See :class:`~.executors.Executor`."""
        for reference in self.running:
            ray.cancel(reference, force=True)
        self.running.clear()
        if self.owner:
            ray.shutdown()

    def _start(self, address: str, workers: int | None) -> None:
        joining.ask(address)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            if address == "local":
                settings.keep_to_yourself()
                ray.init("local", num_cpus=workers, include_dashboard=False, **options)
            else:
                ray.init(address, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ClusterUnreachable(joining.explain(address, error)) from error


def _share(options: Options) -> tuple[Options, dict[str, float]]:
    """Options with the device settled, and what Ray reserves for one pack."""
    gpus = ray.cluster_resources().get("GPU", 0)
    if options.device == "auto":
        options = dataclasses.replace(options, device="cuda" if gpus else "cpu")
    if options.device == "cpu":
        return options, {"num_cpus": 1}
    if not gpus:
        raise ClusterUnreachable(
            "no GPU in this Ray cluster; use --device cpu, or join a node that has one"
        )
    return options, {"num_cpus": 1, "num_gpus": options.gpu_share or 1.0}


def _workers(share: Mapping[str, float], workers: int | None) -> int:
    """Packs that can train at once: as asked, or as the cluster's GPUs or CPUs allow."""
    if workers is not None:
        return workers
    scarce, each = ("GPU", share["num_gpus"]) if "num_gpus" in share else ("CPU", 1.0)
    return max(1, int(ray.cluster_resources().get(scarce, 1) / each))


def _largest_node() -> float:
    """CPUs of the largest machine."""
    nodes = (node["Resources"] for node in ray.nodes() if node["Alive"])
    return max((resources.get("CPU", 0.0) for resources in nodes), default=1.0)


def _cause(error: RayTaskError) -> Exception:
    """The exception that the worker raised, without Ray's wrapping."""
    cause = error.cause
    return cause if isinstance(cause, Exception) else error
