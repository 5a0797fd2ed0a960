"""Many writers, a store, and a network between them: what the light part of the soak disturbs.

The store is real, and so are clients and senders; what writers send is made up. So hundreds of
kills take minutes. In an *embedded* scene writers start the store of a file; in a *served* one
they reach `talweg store serve` through a :class:`.proxy.Proxy`, and a thread here starts it
again when it has died, as Compose does.
"""

import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from talweg.storage.client import Client

from . import rows
from .journal import Journal
from .processes import end_stores, stores
from .proxy import Proxy

CROWD = 3
"""Writers at a time."""
BATCH = 6
"""Trials that are registered together."""
PATIENCE_S = 180.0
SWEEP = {
    "sweep_id": "soak",
    "name": "soak",
    "spec": "{}",
    "status": "running",
    "talweg_version": "0",
}


class InVain(AssertionError):
    """Something that had to happen did not, for minutes."""


class Scene:
    """One store and its writers. ``lost``: trial -> notes that a cut of the log made void."""

    def __init__(
        self, folder: Path, chance: random.Random, *, served: bool, trials: int = BATCH
    ) -> None:
        self.folder, self.chance, self.served, self.batch = folder, chance, served, trials
        self.database = folder / "soak.duckdb"
        self.trials: list[str] = []
        self.writers: dict[str, subprocess.Popen[bytes]] = {}
        self.lost: dict[str, int] = {}
        self.problems: list[str] = []
        self.away_until = 0.0
        self._closing = threading.Event()
        self._server = threading.Thread(target=self._serve, daemon=True, name="server")
        self._log = (folder / "writers.log").open("ab")
        self._tokens = {f"TALWEG_{name}": secrets.token_hex(16) for name in ("TOKEN", "READ_TOKEN")}
        self._port = _free_port()
        self.proxy = Proxy(lambda: ("127.0.0.1", self._port)) if served else None
        self.client = self._client()
        if served:
            self._server.start()

    def _client(self) -> Client:
        if not self.served:
            return Client(self.database, patience_s=PATIENCE_S)
        url = f"grpc://127.0.0.1:{self._port}"
        return Client(url, token=self._tokens["TALWEG_TOKEN"], patience_s=PATIENCE_S)

    def journal(self, trial: str) -> Journal:
        """The notes of what is acknowledged of a trial."""
        return Journal(self.folder / f"{trial}.journal")

    def grow(self) -> None:
        """Register more trials."""
        fresh = [f"{self.folder.name}-{len(self.trials) + i}" for i in range(self.batch)]
        self.trials += fresh
        self.register()

    def register(self) -> None:
        """Enter the trials into the store; those that it knows stay as they are."""
        self.client.register(SWEEP, rows.register_columns(self.trials))

    def _serve(self) -> None:
        """Keep a store running, but for the times when it is to stay away."""
        words = ["store", "serve", "--store", str(self.database), "--port", str(self._port)]
        server = None
        while not self._closing.wait(0.05):
            if not self.is_away and (server is None or server.poll() is not None):
                server = self._start(["talweg.services", *words], new_session=True)
        if server is not None:
            server.terminate()
            server.wait()

    @property
    def is_away(self) -> bool:
        """Whether the store is kept from coming back."""
        return time.monotonic() < self.away_until

    def tend(self) -> bool:
        """Start store and writers where they are missing; whether there is anything left to do."""
        for trial, process in list(self.writers.items()):
            if (status := process.poll()) is not None:
                del self.writers[trial]
                if status > 0:  # below 0: a kill of ours
                    self.problems.append(f"the writer of {trial} gave up with exit code {status}")
        if len(self.writers) < CROWD and not self.is_away:
            self._hire()
        return self.is_away or bool(self.writers)

    def _hire(self) -> None:
        done = self.client.finished(self.trials)
        left = [name for name in self.trials if name not in done and name not in self.writers]
        for trial in left[: CROWD - len(self.writers)]:
            where = self.proxy.url if self.proxy else self.client.where
            journal = str(self.folder / f"{trial}.journal")
            self.writers[trial] = self._start(["benchmarks.soak.writer", where, trial, journal])

    def _start(self, words: list[str], *, new_session: bool = False) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=os.environ | (self._tokens if self.served else {}),
            start_new_session=new_session,
        )

    def stores(self) -> list[int]:
        """The store's process, if there is one."""
        return stores(self.database)

    def wait(self, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        """Return when the condition holds; raises InVain after a while."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                raise InVain(f"waited {patience_s:g} s in vain; see {self.folder}")
            time.sleep(0.05)

    def finish(self) -> None:
        """Let every trial come to its end."""
        self.wait(lambda: not self.tend())

    def last_words(self) -> str:
        """The end of what writers and a served store had to say."""
        return (self.folder / "writers.log").read_text(errors="replace")[-2000:]

    def close(self) -> None:
        """End every process of this scene."""
        for process in self.writers.values():
            process.kill()
            process.wait()
        if self.proxy:
            self.proxy.close()
        self.client.close()
        self._closing.set()
        if self.served:
            self._server.join()
        end_stores(self.database)
        self._log.close()


@contextmanager
def scene(
    folder: Path, chance: random.Random, *, served: bool, trials: int = BATCH
) -> Iterator[Scene]:
    """A scene with its first trials, that ends with the block."""
    folder.mkdir(parents=True)
    made = Scene(folder, chance, served=served, trials=trials)
    try:
        made.grow()
        yield made
    finally:
        made.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
