"""The single committer: everything that changes the database passes through this thread.

What waits is committed together, so the cost of a commit (one fsync) is shared by all the
senders that wait for it: the busier the store, the larger its transactions.
"""

import dataclasses
import itertools
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import duckdb

from . import rows
from .errors import StoreError, StoreUnreachable
from .ledger import Ledger
from .wire import Flush

log = logging.getLogger(__name__)
T = TypeVar("T")
Work = Callable[[duckdb.DuckDBPyConnection, Ledger], T]

MAX_WAITING = 256
MAX_TOGETHER = 256
MAX_ROWS_TOGETHER = 200_000

BROKEN = (duckdb.FatalException, duckdb.IOException, duckdb.InternalException)
"""DuckDB errors after which nothing may be concluded from this process's memory."""


@dataclasses.dataclass(frozen=True)
class _Job:
    work: Flush | Work[Any]
    done: "Future[Any]" = dataclasses.field(default_factory=Future)


class Committer:
    """Owner of the writing connection. ``on_broken`` is called once when it must not go on."""

    def __init__(self, con: duckdb.DuckDBPyConnection, on_broken: Callable[[], None]) -> None:
        self._con = con
        self._ledger = Ledger.load(con)
        self._on_broken = on_broken
        self._jobs: queue.Queue[_Job | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="talweg-committer", daemon=True)
        self._thread.start()

    def append(self, flush: Flush) -> None:
        """Return when the flush is on disk (or was before); raises StoreError, Fenced."""
        self._wait(_Job(flush))

    def run(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction of its own, in turn; returns what it returns."""
        result: T = self._wait(_Job(work))
        return result

    def close(self) -> None:
        """Finish what was accepted and stop; later work is refused as StoreUnreachable."""
        self._jobs.put(None)
        self._thread.join()
        self._refuse_waiting()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self._jobs.qsize()

    def _wait(self, job: _Job) -> Any:
        self._jobs.put(job)  # blocks while the queue is full: the senders feel it
        if not self._thread.is_alive():
            self._refuse_waiting()
        return job.done.result()

    def _refuse_waiting(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                job.done.set_exception(StoreUnreachable("the store is leaving"))

    def _run(self) -> None:
        is_open = True
        while is_open:
            jobs, is_open = self._gather()
            # Neighbouring flushes share a transaction; everything else keeps its place.
            for is_flush, group in itertools.groupby(jobs, lambda j: isinstance(j.work, Flush)):
                try:
                    if is_flush:
                        self._commit(list(group))
                    else:
                        self._run_each(list(group))
                except BROKEN as error:
                    self._give_up(jobs, error)
                    return

    def _gather(self) -> tuple[list[_Job], bool]:
        """The next job and what waits behind it, up to a limit; and whether to go on."""
        jobs: list[_Job] = []
        size = 0
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            size += job.work.rows if isinstance(job.work, Flush) else 0
            if len(jobs) >= MAX_TOGETHER or size >= MAX_ROWS_TOGETHER:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _commit(self, jobs: Sequence[_Job]) -> None:
        """Commit the flushes together; if that fails, each alone, so only the offender fails."""
        try:
            answers = self._commit_together(jobs)
        except duckdb.Error as error:
            if isinstance(error, BROKEN):
                raise
            if len(jobs) > 1:
                for job in jobs:
                    self._commit([job])
                return
            answers = [StoreError(f"the rows do not fit the tables: {error}")]
        for job, answer in zip(jobs, answers, strict=True):
            _settle(job, answer)

    def _commit_together(self, jobs: Sequence[_Job]) -> list[StoreError | None]:
        answers: list[StoreError | None] = []
        fresh: list[Flush] = []
        ahead: dict[str, int] = {}
        for job in jobs:
            assert isinstance(job.work, Flush)
            try:
                if self._ledger.is_new(job.work, ahead):
                    fresh.append(job.work)
                    ahead[job.work.writer] = job.work.sequence
                answers.append(None)
            except StoreError as error:
                answers.append(error)
        if fresh:
            with rows.transaction(self._con):
                rows.write(self._con, fresh)
                rows.write_ledger(self._con, ahead)
            self._ledger.committed(ahead)
        return answers
