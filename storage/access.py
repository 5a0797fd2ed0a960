"""Who may call: bearer tokens of two scopes, checked before any call; and when the last one was."""

import dataclasses
import hmac
import threading
import time
from collections.abc import Mapping, Sequence

import pyarrow.flight as flight

from .errors import AccessDenied, pack


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The tokens a store accepts; a scope without a token cannot be had."""

    read: str | None = dataclasses.field(repr=False)
    write: str | None = dataclasses.field(repr=False)

    def scope_of(self, token: str) -> str | None:
        """ "write" (which includes reading), "read", or None for a stranger."""
        if self.write is not None and _equal(token, self.write):
            return "write"
        if self.read is not None and _equal(token, self.read):
            return "read"
        return None


def demand_sendable(token: str | None) -> None:
    """Raises AccessDenied for a token that no header can carry, without repeating it."""
    if token and not all("!" <= letter <= "~" for letter in token):
        raise AccessDenied(
            "the token holds characters that no token has (only printable ASCII, no spaces): "
            "is there a line break at its end?"
        )


def _equal(given: str, expected: str) -> bool:
    # In constant time: how long a comparison takes must not tell how much of it was right.
    return hmac.compare_digest(given.encode(), expected.encode())


class Activity:
    """Calls in flight, and how long there has been none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._last = time.monotonic()

    def enter(self) -> None:
        """A call begins."""
        with self._lock:
            self._calls += 1

    def leave(self) -> None:
        """A call ends."""
        with self._lock:
            self._calls -= 1
            self._last = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds since the last call ended; 0 while one is in flight."""
        with self._lock:
            return 0.0 if self._calls else time.monotonic() - self._last


class Pass(flight.ServerMiddleware):
    """One admitted call: carries its scope to the handler, and reports its end."""

    def __init__(self, scope: str, activity: Activity) -> None:
        self.scope = scope
        self._activity = activity
        activity.enter()

    def call_completed(self, exception: BaseException | None) -> None:
        """Called by Flight when the last byte of the call is out, or it failed."""
        self._activity.leave()


class Gate(flight.ServerMiddlewareFactory):
    """Lets a call in when its ``authorization: Bearer`` token is known."""

    NAME = "gate"

    def __init__(self, tokens: Tokens, activity: Activity) -> None:
        self._tokens = tokens
        self._activity = activity

    def start_call(self, info: flight.CallInfo, headers: Mapping[str, Sequence[str]]) -> Pass:
        """Raises Flight's Unauthenticated for strangers, before the handler runs."""
        given = (headers.get("authorization") or [""])[0]
        scope = self._tokens.scope_of(given.removeprefix("Bearer "))
        if scope is None:
            what = "the token is not one of this store's" if given else "no token was given"
            error = AccessDenied(f"{what}: pass the store's read or write token (token=…)")
            raise flight.FlightUnauthenticatedError("access denied", extra_info=pack(error))
        return Pass(scope, self._activity)


def demand_write(context: flight.ServerCallContext, what: str) -> None:
    """Raises AccessDenied when the caller may only read."""
    if context.get_middleware(Gate.NAME).scope != "write":
        raise AccessDenied(f"{what} needs the write token; this token may only read")
