"""Where packs run. Every executor has the same few methods; the inline one is the simplest."""

import dataclasses
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from ..storage.client import Client
from ..workloads import problems
from ..workloads.costs import Point
from ..workloads.options import Options
from ..workloads.packs import Pack
from ..workloads.problems.data import Data
from ..workloads.spec import TrialSpec, canonical
from .worker import NOTHING, PackResult, calibrate, run_pack


@dataclass(frozen=True)
class Done:
    """A pack that came back: its result, or the error that stopped it."""

    pack: Pack
    result: PackResult = NOTHING
    error: Exception | None = None


Calibrated = tuple[str, list[Point]]
"""The device that was measured, and what packs of several sizes took on it."""


class Executor(Protocol):
    """Takes packs and gives them back in the order in which they end."""

    options: Options
    workers: int
    capacity: int
    """Packs to keep in flight."""

    def submit(self, pack: Pack) -> None:
        """Start a pack, or queue it."""

    def next(self, timeout_s: float) -> Done | None:
        """The next pack that ended; None when none did within the time."""

    def calibrate(self, shapes: Sequence[Sequence[TrialSpec]]) -> list[Calibrated]:
        """Time packs of each shape, given by trials of it; waits for the answers."""

    def close(self) -> None:
        """Stop what still runs and let go of what was started."""


class InlineExecutor:
    """Packs in this process, one after the other: for debugging, tests and tiny grids."""

    workers = 1
    capacity = 1

    def __init__(self, client: Client, options: Options, data: "DataCache | None" = None) -> None:
        device = "cpu" if options.device == "auto" else options.device
        self.client, self.options = client, dataclasses.replace(options, device=device)
        self.waiting: deque[Pack] = deque()
        self.data = data or DataCache()

    def submit(self, pack: Pack) -> None:
        """See :class:`Executor`."""
        self.waiting.append(pack)

    def next(self, timeout_s: float) -> Done | None:
        """See :class:`Executor`; trains the pack before it returns."""
        del timeout_s
        if not self.waiting:
            return None
        pack = self.waiting.popleft()
        try:
            return Done(pack, self._run(pack))
        except Exception as error:  # the sweep decides what an error means
            return Done(pack, error=error)

    def calibrate(self, shapes: Sequence[Sequence[TrialSpec]]) -> list[Calibrated]:
        """See :class:`Executor`."""
        return [calibrate(s, self.data.expect(s[0]).result(), self.options) for s in shapes]

    def close(self) -> None:
        """See :class:`Executor`."""
        self.waiting.clear()

    def _run(self, pack: Pack) -> PackResult:
        return run_pack(pack.trials, self.data.of(pack), self.client, self.options)


class DataCache:
    """The data of each problem, loaded once; in the background where it is asked for early."""

    def __init__(self) -> None:
        self.loading: dict[str, Future[Data]] = {}
        self.pool = ThreadPoolExecutor(1, "data")

    def expect(self, trial: TrialSpec) -> Future[Data]:
        """Start loading the data of a trial's problem."""
        key = canonical(trial.problem)
        if key not in self.loading:
            self.loading[key] = self.pool.submit(problems.load, trial.problem)
        return self.loading[key]

    def of(self, pack: Pack) -> Data:
        """The data that a pack trains on."""
        return self.expect(pack.trials[0]).result()
