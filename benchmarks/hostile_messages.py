"""Hostile messages: how they are sent, and rows that a store must refuse.

Each is a function of the store that is attacked, and raises what the store says to it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import grpc
import numpy as np
import pyarrow as pa
import pyarrow.flight as flight

from talweg.storage import wire

TIMEOUT_S = 10
SERVICE = "/arrow.flight.protocol.FlightService/"


class Target(NamedTuple):
    """A served store, and the tokens that an attacker may have."""

    url: str
    read: str
    write: str
    client: flight.FlightClient

    def options(
        self,
        token: str | None = None,
        headers: Sequence[tuple[bytes, bytes]] | None = None,
        **more: Any,
    ) -> flight.FlightCallOptions:
        """Of a call with a token, the one that may write unless given, or with other headers."""
        bearer = f"Bearer {token or self.write}".encode()
        sent = [(b"authorization", bearer)] if headers is None else list(headers)
        return flight.FlightCallOptions(timeout=TIMEOUT_S, headers=sent, **more)


Attack = Callable[[Target], object]


def act(name: str, body: bytes) -> Attack:
    """One action."""

    def attack(target: Target) -> object:
        return list(target.client.do_action(flight.Action(name, body), target.options()))

    return attack


def get(ticket: bytes) -> Attack:
    """One query."""
    return lambda target: target.client.do_get(flight.Ticket(ticket), target.options()).read_all()


def put(
    command: bytes | Mapping[str, object],
    batches: Sequence[pa.RecordBatch],
    compression: str | None = None,
    token: str | None = None,
) -> Attack:
    """One call that carries rows."""
    body = command if isinstance(command, bytes) else json.dumps(command).encode()

    def attack(target: Target) -> object:
        options = target.options(
            token, write_options=pa.ipc.IpcWriteOptions(compression=compression)
        )
        descriptor = flight.FlightDescriptor.for_command(body)
        writer, answers = target.client.do_put(descriptor, batches[0].schema, options)
        with writer:
            for batch in batches:
                writer.write_batch(batch)
            writer.done_writing()
            return answers.read()

    return attack


def raw(method: str, body: bytes, token: str | None = None) -> Attack:
    """Bytes in place of a message of the protocol, past every client library."""

    def attack(target: Target) -> object:
        headers = [("authorization", f"Bearer {token or target.write}")]
        with grpc.insecure_channel(target.url.removeprefix("grpc://")) as channel:
            call = channel.stream_stream(SERVICE + method)
            return list(call(iter([body]), timeout=TIMEOUT_S, metadata=headers))

    return attack


APPEND: Mapping[str, object] = {"call": "append", "writer": "nobody", "sequence": 1}
REGISTER: Mapping[str, object] = {
    "call": "register",
    "sweep": {
        "sweep_id": "evil",
        "name": "evil",
        "spec": "{}",
        "status": "done",
        "talweg_version": "0",
    },
}
STEPS: Mapping[str, Sequence[Any]] = {
    "trial_id": ["a"],
    "update": [9],
    "samples": [9],
    "gradient_evaluations": [9],
    "epoch": [1.0],
    "lr": [0.1],
}
TRIALS = {"trial_id": ["evil"], "slug": ["evil"]}


def flush(**tables: pa.Table | bytes) -> pa.RecordBatch:
    """A flush of these tables, which may be any Arrow, or any bytes."""
    held = [wire.stream_of(t) if isinstance(t, pa.Table) else t for t in tables.values()]
    return pa.record_batch([list(tables), pa.array(held, pa.large_binary())], schema=wire.FLUSH)


def _wide(columns: Mapping[str, Sequence[Any]], name: str, strange: pa.Array) -> pa.Table:
    """The columns, as long as the strange one."""
    plain = {column: [*values] * len(strange) for column, values in columns.items()}
    return pa.table({**plain, name: strange})


def steps_of(**columns: object) -> pa.Table:
    return pa.table({**STEPS, **columns})


def _lost(kind: pa.DataType, ends: Sequence[int], data: bytes = b"evil") -> pa.Array:
    """Texts or bytes whose offsets lead out of their data."""
    width = (
        np.int64 if pa.types.is_large_binary(kind) or pa.types.is_large_string(kind) else np.int32
    )
    offsets = pa.py_buffer(np.array(ends, width))
    return pa.Array.from_buffers(kind, len(ends) - 1, [None, offsets, pa.py_buffer(data)])


def _dictionary(index: int) -> pa.Array:
    kind = pa.dictionary(pa.int32(), pa.string())
    indices = pa.array([index], pa.int32())
    return pa.DictionaryArray.from_arrays(indices, pa.array(["evil"]), safe=False).cast(kind)


def _nested(depth: int) -> pa.Array:
    values = pa.array([1])
    for _ in range(depth):
        values = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), values)
    return values


STRANGE: Mapping[str, pa.Array] = {
    "a dictionary": _dictionary(0),
    "a dictionary with an index outside": _dictionary(1_000_000),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array(["evil"])),
    "a union": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array(["evil"])]),
    "a view": pa.array(["evil"], pa.string_view()),
    "a list": pa.array([["evil"]]),
    "a list view": pa.array([["evil"]], pa.list_view(pa.string())),
    "lists in lists": _nested(40),
    "a struct": pa.array([{"a": "evil"}]),
    "a map": pa.array([[("a", "evil")]], pa.map_(pa.string(), pa.string())),
    "a decimal": pa.array([1], pa.decimal128(38, 0)),
    "a decimal of 256 bits": pa.array([1], pa.decimal256(76, 0)),
    "half floats": pa.array([np.float16(1)]),
    "bytes": pa.array([b"\xff\xfe"]),
    "bytes of fixed size": pa.array([b"evil"], pa.binary(4)),
    "a duration": pa.array([1], pa.duration("ns")),
    "an interval": pa.array([(1, 1, 1)], pa.month_day_nano_interval()),
    "an extension": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"x" * 16], pa.binary(16))),
    "a tensor": pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.int32(), [1]), pa.array([[1]], pa.list_(pa.int32(), 1))
    ),
    "an opaque type": pa.ExtensionArray.from_storage(
        pa.opaque(pa.binary(), "hugeint", "DuckDB"), pa.array([b"x"])
    ),
    "texts that are not UTF-8": pa.array([b"\xff\xfe\xfd"]).view(pa.string()),
    "texts whose ends lie outside": _lost(pa.string(), [0, 2**30, 4]),
    "texts that begin before their data": _lost(pa.string(), [0, -64, 4]),
    "large texts whose ends lie outside": _lost(pa.large_string(), [0, 2**40, 4]),
}
"""One value of each type that no table has, or that is not what it says."""


def _tagged(field: str, extension: str, values: pa.Array) -> pa.RecordBatch:
    """A column that says of itself to be of an extension type that it is not."""
    tags = {"ARROW:extension:name": extension, "ARROW:extension:metadata": "{}"}
    columns = {**TRIALS, field: values}
    schema = [
        pa.field(n, pa.array(v).type, metadata=tags if n == field else None)
        for n, v in columns.items()
    ]
    return pa.record_batch([pa.array(v) for v in columns.values()], schema=pa.schema(schema))


def rows() -> Iterator[tuple[str, Attack]]:
    """Rows that do not fit, or are not rows."""
    for name, values in STRANGE.items():
        yield f"append: {name}", put(APPEND, [flush(steps=_wide(STEPS, "trial_id", values))])
        trials = _wide(TRIALS, "config", values).to_batches()
        yield f"register: {name}", put(REGISTER, trials)
        payloads = pa.array([b""] * len(values), pa.large_binary())
        flushed = pa.record_batch({"table": values, "payload": payloads})
        yield f"the table's name: {name}", put(APPEND, [flushed])


def misfits() -> Iterator[tuple[str, Attack]]:
    """Values that do not fit their columns, and columns that do not fit their table."""
    for name, columns in {
        "no number where there must be one": {"epoch": [float("nan")]},
        "an infinite number": {"lr": [float("inf")]},
        "nothing where there must be something": {"trial_id": pa.array([None], pa.string())},
        "a number as text": {"update": ["9"]},
        "a text as number": {"trial_id": [9]},
        "a number with a fraction": {"update": [0.5]},
        "a number beyond 64 bits": {"update": pa.array([2**64 - 1], pa.uint64())},
        "a column that there is not": {"evil": [1]},
        "a column named as SQL": {'"; drop table steps; --': [1]},
        "a column without a name": {"": [1]},
    }.items():
        yield name, put(APPEND, [flush(steps=steps_of(**columns))])


def flushes() -> Iterator[tuple[str, Attack]]:
    """Flushes that are too large, or hold something else than tables."""
    twice = pa.Table.from_arrays([pa.array([1])] * 2, names=["update", "update"])
    many = pa.Table.from_arrays([pa.array([1])] * 20_000, names=[f"c{i}" for i in range(20_000)])
    long = steps_of().take(np.zeros(wire.MAX_FLUSH_ROWS + 1, np.int64))
    stream = wire.stream_of(steps_of())
    for name, batch in {
        "a column twice": flush(steps=twice),
        "twenty thousand columns": flush(steps=many),
        "too many rows": flush(steps=long),
        "a table that nobody may append to": flush(ledger=pa.table({"writer": ["x"]})),
        "a table that there is not": flush(evil=steps_of()),
        "a table named as SQL": flush(**{"steps; drop table steps": steps_of()}),
        "no bytes": flush(steps=b""),
        "zeros": flush(steps=bytes(64)),
        "a length that leads outside": flush(steps=b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(64)),
        "a negative length": flush(steps=b"\xff\xff\xff\xff\x00\x00\x00\x80" + bytes(64)),
        "half a stream": flush(steps=stream[: len(stream) // 2]),
        "a file instead of a stream": flush(steps=b"ARROW1\0\0" + stream),
        "a pickle": flush(steps=b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R."),
        "other columns": pa.record_batch({"x": [1]}),
        "no columns": pa.record_batch([], schema=pa.schema([])),
        "a thousand tables": flush(**{f"t{i}": b"x" for i in range(1_000)}),
        "nothing at all": pa.record_batch(
            [[None], pa.array([None], pa.large_binary())], schema=wire.FLUSH
        ),
    }.items():
        yield name, put(APPEND, [batch])


def unusual() -> Iterator[tuple[str, Attack]]:
    """Few bytes that are many, types that are claimed, and rows brought back in a wrong way."""
    yield "a few bytes that unpack to many", _unpacking
    yield "the same, inside", put(APPEND, [flush(steps=bomb(2**25, declared=2**25))])
    yield "a claim of a terabyte, inside", put(APPEND, [flush(steps=bomb(2**20, declared=2**40))])
    for field in ("slug", "config"):
        for extension in ("arrow.bool8", "arrow.uuid", "duckdb.hugeint", "geoarrow.wkb"):
            yield (
                f"{field}: {extension}",
                put(
                    {"call": "restore"},
                    [
                        flush(
                            sweeps=pa.Table.from_batches(
                                [_tagged(field, extension, pa.array(["evil"]))]
                            )
                        )
                    ],
                ),
            )
    yield (
        "restore: the ledger",
        put({"call": "restore"}, [flush(ledger=pa.table({"writer": ["x"]}))]),
    )
    yield (
        "restore: places without trials",
        put(
            {"call": "restore"},
            [
                flush(
                    sweep_trials=pa.table(
                        {"sweep_id": ["s"], "trial_id": ["evil"], "slug": ["x"], "reused": [True]}
                    )
                )
            ],
        ),
    )


def _unpacking(target: Target) -> object:
    batches = [flush(steps=bytes(2**27))] * 5  # made here: nobody else should hold so much
    return put(APPEND, batches, "zstd")(target)


def bomb(size: int, declared: int) -> bytes:
    """A stream of so many zeros, in a few bytes, that claims to be of another size."""
    values = pa.Array.from_buffers(pa.int64(), size // 8, [None, pa.py_buffer(bytes(size))])
    table = pa.table({"update": values})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    written = bytes(sink.getvalue())
    return written.replace(size.to_bytes(8, "little"), declared.to_bytes(8, "little"))
