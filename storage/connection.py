"""Finding the store, and trying again when it is away: the part of the client below the calls."""

import dataclasses
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow.flight as flight

from . import child, endpoint
from .endpoint import Endpoint
from .errors import AccessDenied, StoreError, StoreUnreachable, unpack

T = TypeVar("T")
Attempt = Callable[[flight.FlightClient, flight.FlightCallOptions], T]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 1.0
LOOK_UP_PAUSE_S = 0.02  # between looks at the files of this machine, which disturb nobody
MOST_LOST = 8  # processes that died, or became unreachable, under one call

# A channel that reconnects soon; gRPC's own default waits up to two minutes between attempts,
# shares that wait between channels, and would take a proxy for loopback addresses.
_CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]


class _NotUp(StoreUnreachable):
    """There is no store now, and none that could say why."""


@dataclasses.dataclass(frozen=True)
class Address:
    """Where to look for a store, and how long to keep trying."""

    where: str  # a resolved database path, or a grpc URL
    token: str | None = dataclasses.field(repr=False)
    patience_s: float
    start: bool
    scope: str
    ca: str | None

    @property
    def database(self) -> Path | None:
        """The database file of an embedded store; None for a URL."""
        return None if "://" in self.where else Path(self.where)


@dataclasses.dataclass(frozen=True)
class _Channel:
    url: str
    token: str | None = dataclasses.field(repr=False)
    client: flight.FlightClient


class Connection:
    """One channel to whichever process is the store now; safe to share between threads."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._channel: _Channel | None = None
        self._child: child.Child | None = None

    def call(self, attempt: Attempt[T], timeout_s: float) -> T:
        """``attempt`` against a living store, again and again until patience runs out.

        Every call of the protocol may be repeated: reads by nature, writes by the ledger.
        """
        pauses = _pauses(self.address.patience_s)
        lost: set[str] = set()
        told: StoreError | None = None
        while True:
            channel: _Channel | None = None
            try:
                channel = self._open()
                return attempt(channel.client, _options(channel.token, timeout_s))
            except StoreUnreachable as error:
                obstacle: Exception = error
            except (flight.FlightError, OSError) as error:
                obstacle = self._obstacle(error, channel)
            if isinstance(obstacle, StoreError) and not isinstance(obstacle, _NotUp):
                told = obstacle
            if channel is not None:
                self._forget(channel)
                lost.add(channel.url)
            pause = next(pauses, None)
            # A call that kills each store it meets must not take everybody's store for minutes.
            if pause is None or len(lost) >= MOST_LOST:
                # What a store said before it left tells more than that there is none now.
                raise self._given_up(told or obstacle) from obstacle
            # Nobody was called: a store that starts is found as soon as it is up.
            time.sleep(pause if channel else min(pause, LOOK_UP_PAUSE_S))

    def close(self) -> None:
        """Close the channel; the next call opens a new one."""
        with self._lock:
            self._channel = None

    def _open(self) -> _Channel:
        with self._lock:
            if self._channel is None:
                url, token = self._resolve()
                self._channel = _Channel(url, token, _dial(url, self.address.ca))
            return self._channel

    def _forget(self, channel: _Channel) -> None:
        with self._lock:
            # Another thread may have replaced it already.
            if channel is self._channel:
                self._channel = None

    def _resolve(self) -> tuple[str, str | None]:
        """URL and token; of an embedded store, started here if nobody else runs it."""
        address = self.address
        if address.database is None:
            return address.where, address.token
        try:
            found = self._look_up(address.database)
        except OSError as error:  # no such folder, no permission: no use in trying again
            raise StoreError(f"{address.database} cannot be used as a store: {error}") from error
        token = found.read_token if address.scope == "read" else found.write_token
        return found.url, address.token or token

    def _look_up(self, database: Path) -> Endpoint:
        if self._child is not None and (failure := self._child.failure()):
            self._child = None
            raise failure
        if self.address.start and not (self._child and self._child.is_starting):
            self._child = child.start(database) or self._child
        found = endpoint.look_up(database)
        if found is None:
            raise _NotUp(f"the store of {database} is not up")
        return found

    def _obstacle(self, error: Exception, channel: _Channel | None) -> Exception:
        """The error if another try may help; raises the one that the caller must see."""
        told = unpack(getattr(error, "extra_info", None))
        if told is None or isinstance(told, StoreUnreachable):
            return told or error
        if isinstance(told, AccessDenied) and self._is_outdated(channel):
            return told
        raise told from None

    def _is_outdated(self, channel: _Channel | None) -> bool:
        """Whether an embedded store was replaced by one with other tokens since."""
        if self.address.database is None or self.address.token or channel is None:
            return False
        found = endpoint.look_up(self.address.database)
        return found is None or channel.token not in (found.read_token, found.write_token)

    def _given_up(self, obstacle: Exception) -> StoreError:
        address = self.address
        hint = "is `talweg store serve` running there, and reachable from here?"
        if address.database is not None:
            hint = f"its log is {endpoint.companion(address.database, 'log')}"
        return StoreUnreachable(
            f"no answer from the store of {address.where} within {address.patience_s:g} s: "
            f"{_first_line(obstacle)}; {hint}"
        )


def _pauses(patience_s: float) -> Iterator[float]:
    """Exponential pauses with jitter (many workers must not return in step), until too late."""
    deadline = time.monotonic() + patience_s
    pause = FIRST_PAUSE_S
    while time.monotonic() < deadline:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _dial(url: str, ca: str | None) -> flight.FlightClient:
    try:
        roots = Path(ca).read_bytes() if ca else None
    except OSError as error:
        raise StoreError(f"the trusted roots cannot be read: {error}") from error
    return flight.FlightClient(url, tls_root_certs=roots, generic_options=_CHANNEL_OPTIONS)


def _options(token: str | None, timeout_s: float) -> flight.FlightCallOptions:
    headers = [(b"authorization", b"Bearer " + token.encode())] if token else []
    return flight.FlightCallOptions(timeout=timeout_s, headers=headers)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
