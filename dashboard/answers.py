"""The pages' way to the store: every answer is kept, so that a page never waits for long.

Streamlit's own cache either blocks while it refreshes or forgets on failure. A page that is
drawn every two seconds needs neither: it shows the last answer while the next is under way,
and goes on showing it while the store is away.
"""

import collections
import concurrent.futures
import dataclasses
import datetime
import functools
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from ..storage.client import Client
from ..storage.errors import StoreUnreachable

KEPT = 512
AWAY_WAIT_S = 0.2


@functools.cache
def read_token(path: str) -> str:
    """The token in a file; kept, because the file may be a pipe that gives it only once."""
    return Path(path).read_text(encoding="utf-8").strip()


def _key(question: str, parameters: Mapping[str, object]) -> str:
    return repr((question, sorted(parameters.items())))


@dataclasses.dataclass(frozen=True)
class _Answer:
    table: pa.Table
    asked_at: float  # time.monotonic()
    generation: int


class Answers:
    """Named queries answered from the store or, while it is away, from memory. Thread-safe.

    Args:
        client: its patience bounds how long a first question waits.
        fresh_s: an answer this young is not asked for again.
        wait_s: how long a page waits for a newer answer before it shows the last one.
    """

    def __init__(self, client: Client, fresh_s: float = 1.0, wait_s: float = 2.0) -> None:
        self._client = client
        self._fresh_s, self._wait_s = fresh_s, wait_s
        self._lock = threading.Lock()
        self._last: collections.OrderedDict[str, _Answer] = collections.OrderedDict()
        self._pending: dict[str, concurrent.futures.Future[pa.Table]] = {}
        self._activity, self._generation = "", 0
        self._awaited: set[str] = set()
        self.late = 0
        """Answers that came after some page had given up on them: it shows an older one."""
        self._pool = concurrent.futures.ThreadPoolExecutor(8, thread_name_prefix="answers")
        self.away_since: datetime.datetime | None = None

    @property
    def where(self) -> str:
        """The store asked."""
        return self._client.where

    def __call__(self, question: str, **parameters: object) -> pa.Table:
        """The answer to a named query: fresh, or the last one when the store is away or slow.

        Raises:
            StoreUnreachable: the store is away and this was never answered before.
            StoreError: the store refused, with its reason.
        """
        with self._lock:
            key = _key(question, parameters)
            last = self._last.get(key)
            if last is not None and self._is_fresh(last):
                return last.table
            asked, pending = self._fetched(key, question, parameters)
        # While the store is away every page would wait for every chart; once is enough.
        wait_s = AWAY_WAIT_S if self.away_since else None if last is None else self._wait_s
        try:
            return pending.result(wait_s)
        except (StoreUnreachable, TimeoutError) as error:
            if last is None:
                raise StoreUnreachable(f"the store at {self.where} is away") from error
            with self._lock:
                self._awaited.add(asked)
            return last.table

    def expect(self, question: str, **parameters: object) -> None:
        """Ask in the background for what a page will want in a moment.

        The store answers several questions at once, and while the page draws.
        """
        if self.away_since:
            return  # one question at a time finds out that it is back
        with self._lock:
            key = _key(question, parameters)
            last = self._last.get(key)
            if last is None or not self._is_fresh(last):
                self._fetched(key, question, parameters)

    def once(self, question: str, parameters: Mapping[str, object]) -> pa.Table:
        """The answer to what is asked once: from the store, or not at all, and not kept.

        For the SQL of people, whose answers are large and never asked for again: 512 of them
        would be gigabytes.

        Raises:
            StoreUnreachable: the store is away.
            StoreError: the store refused, with its reason.
        """
        return self._ask(question, parameters)

    def settle(self, activity: str) -> None:
        """Tell what the store is doing now: answers from before it changed are not fresh.

        Without this, a page that is drawn because a sweep started could show an answer which
        is a moment older than that sweep, and would not be drawn again.
        """
        with self._lock:
            if activity != self._activity:
                self._activity = activity
                self._generation += 1

    def _is_fresh(self, answer: _Answer) -> bool:
        young = time.monotonic() - answer.asked_at < self._fresh_s
        return young and answer.generation == self._generation

    def _fetched(
        self, key: str, question: str, parameters: dict[str, object]
    ) -> tuple[str, concurrent.futures.Future[pa.Table]]:
        """The answer under way, asked for now where it is not, and its name in ``_pending``."""
        asked = f"{self._generation} {key}"
        if asked not in self._pending:
            fetch = (asked, key, self._generation, question, parameters)
            self._pending[asked] = self._pool.submit(self._fetch, *fetch)
        return asked, self._pending[asked]

    def _fetch(
        self, asked: str, key: str, generation: int, question: str, parameters: dict[str, object]
    ) -> pa.Table:
        asked_at = time.monotonic()
        try:
            table = self._ask(question, parameters)
        finally:
            with self._lock:
                del self._pending[asked]
                given_up = asked in self._awaited
                self._awaited.discard(asked)
        with self._lock:
            self.late += given_up
            self._last[key] = _Answer(table, asked_at, generation)
            self._last.move_to_end(key)
            while len(self._last) > KEPT:
                self._last.popitem(last=False)
        return table

    def _ask(self, question: str, parameters: Mapping[str, object]) -> pa.Table:
        """Ask the store, and note whether it is there."""
        try:
            table = self._client.query(question, parameters)
        except StoreUnreachable:
            self.away_since = self.away_since or datetime.datetime.now(datetime.UTC)
            raise
        self.away_since = None
        return table
