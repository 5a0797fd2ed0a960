"""What can go wrong with a store. Each message says what, which value, why, and what instead.

The server sends an error as a few bytes beside the gRPC status (:func:`pack`), so that the
client raises the same class with the same words (:func:`unpack`), free of transport noise.
"""

import json

PACKED_CHARS = 3000
"""gRPC metadata holds 8 KiB: a longer message is cut, never dropped."""


class StoreError(RuntimeError):
    """The store refused, or could not do, what was asked."""


class StoreUnreachable(StoreError):
    """No store answered within the caller's patience."""


class QueryError(StoreError):
    """A query was refused, is wrong, or took too long."""


class Fenced(StoreError):
    """Rows of a trial came from a writer that does not own it (any more)."""


class StoreInUse(StoreError):
    """Another process holds the database file."""


class SchemaTooNew(StoreError):
    """The database was written by a newer talweg than this one."""


class AccessDenied(StoreError):
    """The token is missing, wrong, or does not allow this."""


_KINDS = {
    kind.__name__: kind
    for kind in (
        StoreError,
        StoreUnreachable,
        QueryError,
        Fenced,
        StoreInUse,
        SchemaTooNew,
        AccessDenied,
    )
}


def pack(error: StoreError) -> bytes:
    """The error as it travels beside a gRPC status."""
    # As JSON, not pickle: neither side runs what the other one sent.
    message = str(error)
    if len(message) > PACKED_CHARS:
        message = message[:PACKED_CHARS] + " …"
    return json.dumps({"kind": type(error).__name__, "message": message}).encode()


def unpack(packed: bytes | None) -> StoreError | None:
    """The error that :func:`pack` packed; None when these bytes are something else."""
    try:
        fields = json.loads(packed or b"")
        return _KINDS[fields["kind"]](fields["message"])
    except (ValueError, KeyError, TypeError):
        return None
