"""What can go wrong with a store. Each message says what, which value, why, and what instead.

The server sends an error as a few bytes beside the gRPC status (:func:`pack`), so that the
client raises the same class with the same words (:func:`unpack`), free of transport noise.
"""

import json

PACKED_BYTES = 3000
"""gRPC metadata holds 8 KiB, where this comes twice: a longer message is cut, never dropped."""


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


class ArchiveError(ValueError):
    """An archive is damaged, incomplete, or contradicts the store; never sent over the wire."""


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
    packed = _packed(error, message)
    while len(packed) > PACKED_BYTES:
        # A character may take six bytes and more: how many fit, only packing tells.
        message = message[: min(len(message) - 1, len(message) * PACKED_BYTES // len(packed))]
        packed = _packed(error, f"{message} …")
    return packed


def _packed(error: StoreError, message: str) -> bytes:
    fields = {"kind": type(error).__name__, "message": message}
    # With replacements: half of a surrogate pair is possible in Python and JSON, not in UTF-8.
    return json.dumps(fields, ensure_ascii=False).encode(errors="replace")


def unpack(packed: bytes | None) -> StoreError | None:
    """The error that :func:`pack` packed; None when these bytes are something else."""
    try:
        fields = json.loads(packed or b"")
        return _KINDS[fields["kind"]](fields["message"])
    except (ValueError, KeyError, TypeError):
        return None
