"""A network that can be cut: bytes between writers and a store, passed on or not."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Self

Target = Callable[[], tuple[str, int]]
CHUNK_BYTES = 4096


class Proxy:
    """Listens on a port of this machine and connects each caller with ``target``."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._passing = threading.Event()
        self._passing.set()
        self._answering = True
        self._left: int | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"grpc://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()

    def cut(self) -> None:
        """Every connection ends at once, as when a cable is pulled out of a switch."""
        with self._lock:
            self._answering, self._left = True, None
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for end in pair:
                _reset(end)

    def cut_after(self, size: int) -> None:
        """Pass on so many bytes to the store yet, then cut: in the middle of a message."""
        self._left = size

    def deafen(self) -> None:
        """Calls arrive, answers do not, until the next cut: acknowledgements are lost."""
        self._answering = False

    def half_close(self) -> None:
        """No more bytes to the store, as if the callers had hung up; answers still pass."""
        with self._lock:
            pairs = list(self._pairs)
        for _, there in pairs:
            with contextlib.suppress(OSError):
                there.shutdown(socket.SHUT_WR)

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Nothing passes inside the block, and nobody is told; everything does afterwards."""
        self._passing.clear()
        try:
            yield
        finally:
            self._passing.set()

    def close(self) -> None:
        """Listen no more, and end every connection."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                here, _ = self._listener.accept()
                self._connect(here)

    def _connect(self, here: socket.socket) -> None:
        try:
            there = socket.create_connection(self._target(), 5)
        except OSError:
            _reset(here)
            return
        there.settimeout(None)
        pair = (here, there)
        with self._lock:
            self._pairs.add(pair)
        for pump in (self._calls, self._answers):
            threading.Thread(target=pump, args=(pair,), daemon=True, name="proxy-pump").start()

    def _calls(self, pair: tuple[socket.socket, socket.socket]) -> None:
        here, there = pair
        with contextlib.suppress(OSError):
            while data := here.recv(CHUNK_BYTES):
                self._passing.wait()
                left = self._left
                there.sendall(data if left is None else data[:left])
                if left is not None:
                    self._left = max(0, left - len(data))
                    if left < len(data):
                        self.cut()
        self._end(pair)

    def _answers(self, pair: tuple[socket.socket, socket.socket]) -> None:
        here, there = pair
        with contextlib.suppress(OSError):
            while data := there.recv(CHUNK_BYTES):
                self._passing.wait()
                if self._answering:
                    here.sendall(data)
        self._end(pair)

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _reset(end: socket.socket) -> None:
    """Close with RST: the other side learns that the connection broke."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    end.close()
