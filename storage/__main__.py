"""``python -m talweg.storage DATABASE``: the store as a child process, started by its clients."""

import argparse
import logging
import sys

from .child import EXIT_CODES
from .database import MEMORY_LIMIT
from .errors import StoreError
from .serve import serve

IDLE_EXIT_S = 60.0


def main() -> int:
    """Serve until idle; the exit status says why a store could not start."""
    parser = argparse.ArgumentParser(prog="python -m talweg.storage", description=__doc__)
    parser.add_argument("database", help="path of the DuckDB file")
    parser.add_argument("--idle-exit", type=float, default=IDLE_EXIT_S, metavar="SECONDS")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--memory-limit", default=MEMORY_LIMIT, help='such as "25%%" or "4GB"')
    parser.add_argument("--lock-fd", type=int, help="inherited descriptor that holds the lock")
    given = parser.parse_args()
    # The process id in each line lets the process that started this one quote its last words.
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s [%(process)d] %(message)s"
    )
    try:
        serve(
            given.database,
            given.host,
            given.port,
            idle_exit_s=given.idle_exit,
            lock=given.lock_fd,
            memory_limit=given.memory_limit,
        )
    except StoreError as error:
        logging.error("%s", error)
        return EXIT_CODES.get(type(error), EXIT_CODES[StoreError])
    return 0


if __name__ == "__main__":
    sys.exit(main())
