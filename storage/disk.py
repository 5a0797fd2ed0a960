"""Room on the disk: a store takes no more rows while it can still keep what it has."""

import logging
import shutil
from pathlib import Path

from .errors import StoreUnreachable

log = logging.getLogger(__name__)

RESERVE_BYTES = 64 * 2**20
"""Room that no rows are taken into: what a checkpoint may write, see ``CHECKPOINT_WAL``."""


class Disk:
    """The disk that a database stands on. Says in the log when it is full, and when not any more.

    A commit that finds no room ends the store's process, for nobody knows what of it was written.
    Whoever asks here first need not come to that.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._is_full = False

    def demand_room(self) -> None:
        """Raises StoreUnreachable while the disk is full: senders wait and try again."""
        free = shutil.disk_usage(self._database.parent).free
        is_full = free < RESERVE_BYTES
        complaint = (
            f"the disk of {self._database} is full: {free:,} bytes are free, of which the store "
            f"keeps {RESERVE_BYTES:,} for what it has. Make room, and it takes rows again"
        )
        if is_full != self._is_full:
            self._is_full = is_full
            log.warning("%s", complaint if is_full else f"there is room again: {free:,} bytes")
        if is_full:
            raise StoreUnreachable(complaint)
