"""Running a store as a process: signals, logging, exit. Behind ``__main__`` and ``store serve``."""

import logging
import os
import signal
import threading
from pathlib import Path
from types import FrameType

from .child import EXIT_CODES
from .database import MEMORY_LIMIT
from .errors import StoreUnreachable
from .limits import set_limits
from .store import Store

log = logging.getLogger(__name__)

CLOSING_S = 10.0
"""How long a broken store may take to close; what is committed is on disk already."""


def serve(
    database: str | Path,
    host: str = "127.0.0.1",
    port: int = 0,
    read_token: str | None = None,
    write_token: str | None = None,
    tls: tuple[bytes, bytes] | None = None,
    idle_exit_s: float | None = None,
    lock: int | None = None,
    memory_limit: str = MEMORY_LIMIT,
    backups: Path | None = None,
) -> None:
    """Serve a database until SIGTERM, SIGINT, or ``idle_exit_s`` seconds without a call.

    Tokens that are not given are made up, and found by clients on this machine through the
    endpoint file; a host that is not loopback needs both. ``backups`` is
    the folder of backups, beside the database unless given. Raises as :class:`Store` does, and
    StoreUnreachable when this process cannot go on but another one may. The process is bounded
    for as long as it lives: see :mod:`.limits`.
    """
    asked = threading.Event()

    # The handler only notes the wish; the main thread closes the database.
    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()

    set_limits()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
    with Store(
        database,
        host=host,
        port=port,
        read_token=read_token,
        write_token=write_token,
        tls=tls,
        lock=lock,
        memory_limit=memory_limit,
        backups=backups,
    ) as store:
        log.info("serving %s at %s", store.database, store.url)
        try:
            store.wait(idle_exit_s, asked)
        except StoreUnreachable as error:
            _leave_soon(error)
            raise
    log.info("left %s", store.database)


def _leave_soon(error: StoreUnreachable) -> None:
    """End the process even if a query that nothing stops keeps it from closing."""

    def leave() -> None:
        log.error("%s", error)
        os._exit(EXIT_CODES[StoreUnreachable])

    timer = threading.Timer(CLOSING_S, leave)
    timer.daemon = True
    timer.start()
