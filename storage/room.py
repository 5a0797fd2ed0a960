"""Bounded memory for what is on its way: whoever brings more waits until there is room."""

import threading


class Room:
    """So many bytes may be on their way at once. Safe to share between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._changed = threading.Condition()

    @property
    def held(self) -> int:
        """Bytes that are on their way."""
        return self._held

    def take(self, size: int, patience_s: float | None = None) -> bool:
        """Wait for room, and take it; False when there was none for ``patience_s`` seconds.

        What is larger than all the room gets it alone.
        """
        with self._changed:
            taken = self._changed.wait_for(lambda: self._fits(size), patience_s)
            if taken:
                self._held += size
                if self._held < self._most:
                    self._changed.notify()  # perhaps the next one fits as well
            return taken

    def _fits(self, size: int) -> bool:
        return self._held == 0 or self._held + size <= self._most

    def add(self, size: int) -> None:
        """Take more, or give back (negative), without waiting.

        Whoever has some already must not wait for others who have some: nobody would go on.
        """
        with self._changed:
            self._held += size
            if size < 0:
                self._changed.notify()
