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

MAX_WAITING = 256
MAX_TOGETHER = 256
MAX_ROWS_TOGETHER = 200_000

BROKEN = (rows.Uncertain, duckdb.FatalException, duckdb.IOException, duckdb.InternalException)
"""Errors after which nothing may be concluded from this process's memory."""

MISFIT = (duckdb.DataError, duckdb.IntegrityError, duckdb.ProgrammingError)
"""DuckDB errors that are the fault of the rows. Others, such as a lack of memory while somebody
runs a greedy query, may pass: the sender is told to try again."""


@dataclasses.dataclass(frozen=True)
class _Append:
    flush: Flush
    done: "Future[None]" = dataclasses.field(default_factory=Future)


@dataclasses.dataclass(frozen=True)
class _Change:
    work: Callable[[duckdb.DuckDBPyConnection], Any]
    after: Callable[[Ledger, Any], None] | None
    done: "Future[Any]" = dataclasses.field(default_factory=Future)


_Job = _Append | _Change


class Committer:
    """Owner of the writing connection. ``on_broken`` is called once when it must not go on."""

    def __init__(self, con: duckdb.DuckDBPyConnection, on_broken: Callable[[], None]) -> None:
        self._con = con
        self._writer = rows.Writer(con)
        self._ledger = Ledger.load(con)
        self._on_broken = on_broken
        self._jobs: queue.Queue[_Job | None] = queue.Queue(MAX_WAITING)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="talweg-committer", daemon=True)
        self._thread.start()

    def append(self, flush: Flush) -> None:
        """Return when the flush is on disk (or was before); raises StoreError, Fenced."""
        self._wait(_Append(flush))

    def change(
        self,
        work: Callable[[duckdb.DuckDBPyConnection], T],
        after: Callable[[Ledger, T], None] | None = None,
    ) -> T:
        """Run ``work`` in a transaction of its own, in turn; ``after`` its commit, tell the ledger.

        Returns what ``work`` returned. Raises StoreError, and has changed nothing then.
        """
        result: T = self._wait(_Change(work, after))
        return result

    def close(self) -> None:
        """Finish what was accepted and stop; later work is refused as StoreUnreachable."""
        if not self._stopped.is_set():
            self._jobs.put(None)
        self._thread.join()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self._jobs.qsize()

    def _wait(self, job: _Job) -> Any:
        self._jobs.put(job)  # blocks while the queue is full: the senders feel it
        # Either this sees that the thread has stopped, or the thread saw the job.
        if self._stopped.is_set():
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
        # A daemon thread has no one to raise to: its errors become the answers of its jobs.
        jobs, is_open = self._gather()
        try:
            while is_open:
                self._do(jobs)
                jobs, is_open = self._gather()
            self._do(jobs)
        except Exception as error:
            # A disk that is full stops every store that tries: no need for a page each.
            log.error("the committer stops: %s", error, exc_info=not isinstance(error, BROKEN))
            self._give_up(jobs, error)
        finally:
            self._stopped.set()
            self._refuse_waiting()

    def _gather(self) -> tuple[list[_Job], bool]:
        """The next job and what waits behind it, up to a limit; and whether to go on."""
        jobs: list[_Job] = []
        size = 0
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            size += job.flush.rows if isinstance(job, _Append) else 0
            # No lingering for more: what arrives during a commit is waiting when it ends.
            if len(jobs) >= MAX_TOGETHER or size >= MAX_ROWS_TOGETHER:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _do(self, jobs: Sequence[_Job]) -> None:
        """Neighbouring flushes share a transaction; everything else keeps its place."""
        for _, group in itertools.groupby(jobs, type):
            neighbours = list(group)
            self._commit([job for job in neighbours if isinstance(job, _Append)])
            for job in neighbours:
                if isinstance(job, _Change):
                    self._change(job)

    def _commit(self, jobs: Sequence[_Append]) -> None:
        """Commit the flushes together; if that fails each alone, so only the offender fails."""
        try:
            answers = self._commit_together(jobs)
        except BROKEN:
            raise
        except Exception as error:
            if len(jobs) > 1:
                for job in jobs:
                    self._commit([job])
                return
            answers = [_verdict(error)]
        for job, answer in zip(jobs, answers, strict=True):
            job.done.set_result(None) if answer is None else job.done.set_exception(answer)

    def _commit_together(self, jobs: Sequence[_Append]) -> list[StoreError | None]:
        """One answer per flush: None for committed (now or before), else why not."""
        answers: list[StoreError | None] = []
        fresh: list[Flush] = []
        ahead: dict[str, int] = {}
        for job in jobs:
            try:
                if self._ledger.is_new(job.flush, ahead):
                    fresh.append(job.flush)
                    ahead[job.flush.writer] = job.flush.sequence
                answers.append(None)
            except StoreError as error:
                answers.append(error)
        if fresh:
            self._writer.prepare(fresh)
            with rows.transaction(self._con):
                self._writer.write(fresh)
                self._writer.write_ledger(ahead, self._ledger.sequences)
            # Memory follows the disk, never the other way round.
            self._ledger.committed(ahead)
        return answers

    def _change(self, job: _Change) -> None:
        try:
            with rows.transaction(self._con):
                result = job.work(self._con)
        except BROKEN:
            raise
        except Exception as error:
            job.done.set_exception(_verdict(error))
            return
        if job.after is not None:
            job.after(self._ledger, result)
        job.done.set_result(result)

    def _give_up(self, jobs: Sequence[_Job], error: Exception) -> None:
        """Answer nothing as done that is not surely on disk: the next store's ledger knows."""
        for job in jobs:
            if not job.done.done():
                job.done.set_exception(StoreUnreachable(f"the store had to stop: {error}"))
        self._on_broken()


def _verdict(error: Exception) -> StoreError:
    """What the caller is told of an error inside a transaction, which is rolled back by now."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, MISFIT):
        return StoreError(f"the rows do not fit the tables: {error}")
    if isinstance(error, duckdb.Error):
        return StoreUnreachable(f"the store could not commit now: {error}")
    log.error("a change failed in an unforeseen way", exc_info=error)
    return StoreError(f"the store failed: {type(error).__name__}: {error}")
