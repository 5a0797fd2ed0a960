"""Records in files: TensorFlow's framing, and that of LevelDB's log as W&B writes it.

Both are checked as they are read: lengths against the size of the file before a byte of a record
is read, and the check sums. A record longer than :data:`MOST` bytes is passed over unread: it
holds an image or a graph, not a number.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from .runs import Damaged

MOST = 64 << 20
"""Bytes of a record that is read."""

_LENGTH = struct.Struct("<QI")  # length, and the masked CRC of its 8 bytes
_SUM = struct.Struct("<I")

BLOCK = 32768
_CHUNK = struct.Struct("<IHB")  # CRC of type and data, length, type
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
WANDB_HEADER = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)


def masked(data: bytes) -> int:
    """CRC-32C as TFRecord files store it, rotated and shifted: a CRC of CRCs would be weak.

    Source: ``lib/hash/crc32c.h`` of TensorFlow.
    """
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def tf_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, record) of a file of TFRecords; raises Damaged."""
    size, offset = path.stat().st_size, 0
    with path.open("rb") as file:
        while head := file.read(_LENGTH.size):
            length = _length(path, head, offset)
            end = offset + _LENGTH.size + length + _SUM.size
            if end > size:
                why = f"a record of {length:,} bytes, but the file ends before it does"
                raise Damaged(path, why, offset)
            if length > MOST:
                file.seek(end)
            else:
                data = file.read(length)
                if file.read(_SUM.size) != _SUM.pack(masked(data)):
                    raise Damaged(path, "the check sum of a record does not fit", offset)
                yield offset, data
            offset = end


def _length(path: Path, head: bytes, offset: int) -> int:
    if len(head) < _LENGTH.size:
        raise Damaged(path, "it ends inside a record", offset)
    length, crc = _LENGTH.unpack(head)
    if crc != masked(head[:8]):
        raise Damaged(path, "the check sum of a record's length does not fit", offset)
    return int(length)


def wandb_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, record) of an offline run of W&B; raises Damaged.

    LevelDB's log: records in chunks that end at blocks of 32 KiB, here with the CRC of zlib.
    Source: ``wandb/sdk/internal/datastore.py``.
    """
    with path.open("rb") as file:
        if file.read(len(WANDB_HEADER)) != WANDB_HEADER:
            raise Damaged(path, "it does not begin as version 0 of a .wandb file does", 0)
        whole, start = bytearray(), 0
        for offset, kind, data in _chunks(path, file):
            if (kind in (_FULL, _FIRST)) == bool(start):
                raise Damaged(path, "parts of a record are missing or out of order", offset)
            start = start or offset
            # What is too long is counted to its end, so that the next record is found.
            if len(whole) <= MOST:
                whole += data
            if kind in (_FULL, _LAST):
                if len(whole) <= MOST:
                    yield start, bytes(whole)
                whole, start = bytearray(), 0
        if start:
            raise Damaged(path, "it ends inside a record", start)


def _chunks(path: Path, file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """(offset, type, data) of each chunk that follows."""
    offset = file.tell()
    while True:
        left = BLOCK - offset % BLOCK
        if left < _CHUNK.size:
            if any(file.read(left)):
                raise Damaged(path, "the end of a block is not empty", offset)
            offset += left
        head = file.read(_CHUNK.size)
        if not head:
            return
        if len(head) < _CHUNK.size:
            raise Damaged(path, "it ends inside a record", offset)
        crc, length, kind = _CHUNK.unpack(head)
        data = file.read(length)
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or len(data) < length:
            why = "it ends inside a record" if len(data) < length else f"a chunk of type {kind}"
            raise Damaged(path, why, offset)
        if zlib.crc32(data, zlib.crc32(bytes([kind]))) != crc:
            raise Damaged(path, "the check sum of a record does not fit", offset)
        yield offset, kind, data
        offset += _CHUNK.size + length
