"""Packs as Ray tasks: data put once, a bounded number in flight, system failures retried."""

import logging
import socket
from typing import Any

import ray
from ray.exceptions import RayTaskError

from ..storage.client import Client
from ..workloads.options import Options
from ..workloads.packs import Pack
from ..workloads.spec import canonical
from . import settings
from .executors import DataCache, Done
from .worker import run_pack, warm_up

RETRIES = 3
"""How often Ray repeats a task whose worker or node died; our own errors are never repeated."""
IN_FLIGHT_PER_WORKER = 2
CONNECT_SECONDS = 5.0


class ClusterUnreachable(ConnectionError):
    """No Ray cluster answers at the address."""


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
        self.client, self.options = client, options
        # A cluster that this process joined already is used and left as it is.
        self.owner = not ray.is_initialized()
        if self.owner:
            self._start(address, workers)
        self.workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self.capacity = IN_FLIGHT_PER_WORKER * self.workers
        self.data = data
        self.shared: dict[str, Any] = {}
        self.running: dict[Any, Pack] = {}
        if self.owner:
            # Workers import torch while the driver still plans; nobody waits for it here.
            self.warming = [ray.remote(warm_up).remote() for _ in range(self.workers)]
        self.task = ray.remote(run_pack).options(num_cpus=1, max_retries=RETRIES)

    def submit(self, pack: Pack) -> None:
        """See :class:`~.executors.Executor`."""
        key = canonical(pack.trials[0].problem)
        if key not in self.shared:
            self.shared[key] = ray.put(self.data.of(pack))
        task = self.task.remote(pack.trials, self.shared[key], self.client, self.options)
        self.running[task] = pack

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
        _answers(address)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            if address == "local":
                settings.keep_to_yourself()
                ray.init("local", num_cpus=workers, include_dashboard=False, **options)
            else:
                ray.init(address, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ClusterUnreachable(_unreachable(address, error)) from error


def _answers(address: str) -> None:
    """Refuse an address where nothing listens: Ray itself would wait for it for minutes."""
    host, sign, port = address.rpartition(":")
    if not sign or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterUnreachable(_unreachable(address, error)) from error


def _unreachable(address: str, error: Exception) -> str:
    return (
        f"no Ray cluster answers at {address!r} ({error}); start one with "
        "`ray start --head`, or leave --address out to use this machine"
    )


def _cause(error: RayTaskError) -> Exception:
    """The exception that the worker raised, without Ray's wrapping."""
    cause = error.cause
    return cause if isinstance(cause, Exception) else error
