"""Hostile messages: calls, rows, headers and bare bytes that a store must refuse.

Each is a function of the store that is attacked, and raises what the store says to it.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import grpc
import numpy as np
import pyarrow as pa
import pyarrow.flight as flight

from talweg.storage import wire

TIMEOUT_S = 30
SERVICE = "/arrow.flight.protocol.FlightService/"
MUTATIONS = 300
SEED = 7


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
        **more: object,
    ) -> flight.FlightCallOptions:
        """Of a call with a token, the one that may write unless given, or with other headers."""
        bearer = f"Bearer {token or self.write}".encode()
        sent = [(b"authorization", bearer)] if headers is None else list(headers)
        return flight.FlightCallOptions(timeout=TIMEOUT_S, headers=sent, **more)


Attack = Callable[[Target], object]


def act(name: str, body: bytes, **options: object) -> Attack:
    """One action."""

    def attack(target: Target) -> object:
        return list(target.client.do_action(flight.Action(name, body), target.options(**options)))

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
        "sweep_id": "evil", "name": "evil", "spec": "{}", "status": "done", "talweg_version": "0",
    },
}  # fmt: skip
STEPS = {
    "trial_id": ["a"], "update": [9], "samples": [9], "gradient_evaluations": [9], "epoch": [1.0],
    "lr": [0.1],
}  # fmt: skip
TRIALS = {"trial_id": ["evil"], "slug": ["evil"]}


def flush(**tables: pa.Table | bytes) -> pa.RecordBatch:
    """A flush of these tables, which may be any Arrow, or any bytes."""
    held = [wire.stream_of(t) if isinstance(t, pa.Table) else t for t in tables.values()]
    return pa.record_batch([list(tables), pa.array(held, pa.large_binary())], schema=wire.FLUSH)


def _wide(columns: Mapping[str, list[object]], name: str, strange: pa.Array) -> pa.Table:
    """The columns, as long as the strange one."""
    plain = {column: values * len(strange) for column, values in columns.items()}
    return pa.table({**plain, name: strange})


def _steps(**columns: object) -> pa.Table:
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
}  # fmt: skip
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
        yield name, put(APPEND, [flush(steps=_steps(**columns))])
    twice = pa.Table.from_arrays([pa.array([1])] * 2, names=["update", "update"])
    many = pa.Table.from_arrays([pa.array([1])] * 20_000, names=[f"c{i}" for i in range(20_000)])
    long = pa.table({**{n: v * 1_100_000 for n, v in STEPS.items()}})
    stream = wire.stream_of(_steps())
    for name, batch in {
        "a column twice": flush(steps=twice),
        "twenty thousand columns": flush(steps=many),
        "too many rows": flush(steps=long),
        "a table that nobody may append to": flush(ledger=pa.table({"writer": ["x"]})),
        "a table that there is not": flush(evil=_steps()),
        "a table named as SQL": flush(**{"steps; drop table steps": _steps()}),
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
        "nothing at all": pa.record_batch([[None], pa.array([None], pa.large_binary())], schema=wire.FLUSH),
    }.items():  # fmt: skip
        yield name, put(APPEND, [batch])
    yield "too many bytes", put(APPEND, [flush(steps=bytes(2**27))] * 5)
    yield "a few bytes that unpack to many", put(APPEND, [flush(steps=bytes(2**29))], "zstd")
    yield "the same, inside", put(APPEND, [flush(steps=bomb(2**28, declared=2**28))])
    yield "a claim of a terabyte, inside", put(APPEND, [flush(steps=bomb(2**20, declared=2**40))])
    for field in ("slug", "config"):
        for extension in ("arrow.bool8", "arrow.uuid", "duckdb.hugeint", "geoarrow.wkb"):
            yield f"{field}: {extension}", put(
                {"call": "restore"}, [flush(sweeps=pa.Table.from_batches([_tagged(field, extension, pa.array(["evil"]))]))]
            )  # fmt: skip
    yield (
        "restore: the ledger",
        put({"call": "restore"}, [flush(ledger=pa.table({"writer": ["x"]}))]),
    )
    yield "restore: places without trials", put(
        {"call": "restore"},
        [flush(sweep_trials=pa.table({"sweep_id": ["s"], "trial_id": ["evil"], "slug": ["x"], "reused": [True]}))],
    )  # fmt: skip


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


def calls() -> Iterator[tuple[str, Attack]]:
    """Calls that there are not, or with arguments that do not fit."""
    for name in (
        "",
        "drop",
        "append",
        "__class__",
        "act",
        "../ping",
        "PING",
        "x" * 10_000,
        "ping\0",
    ):
        yield f"action {name[:12]!r}", act(name, b"{}")
    deep = b"[" * 100_000 + b"]" * 100_000
    for place, body in enumerate(
        (b"", b"null", b"[]", b"7", b"{", b"\xff\xfe", b"{'a': 1}", deep, b'{"a": ' * 50_000,
         b'{"a": 1e999999}x', b"\x80\x04N.", b"1" * 10_000)
    ):  # fmt: skip
        yield f"arguments {place}", act("finished", body)
        yield f"ticket {place}", get(body)
        yield f"descriptor {place}", put(body, [flush(steps=_steps())])
    for fields in (
        {"writer": None, "trial_ids": ["a"]},
        {"writer": "w", "trial_ids": "a"},
        {"writer": "w", "trial_ids": [1]},
        {"writer": "w", "trial_ids": ["' or true --"]},
        {"writer": "w", "trial_ids": ["\ud800"]},
        {"writer": ["w"], "trial_ids": []},
    ):
        yield f"begin {fields}", act("begin", json.dumps(fields).encode())
        more = {**fields, "previous": "x", "update": 0}
        yield f"resume {fields}", act("resume", json.dumps(more).encode())
    for update in (-1, 0.5, "0", None, True):
        more = {"writer": "w", "previous": "x", "trial_ids": [], "update": update}
        yield f"resume at {update!r}", act("resume", json.dumps(more).encode())
    for status in (None, "", 7, ["done"]):
        fields = {"sweep_id": "s", "status": status}
        yield f"status {status!r}", act("set_status", json.dumps(fields).encode())
    yield "status of no sweep", act("set_status", b'{"sweep_id": "evil", "status": "done"}')
    for backup in ("", ".", "..", "../x", "/tmp/x", "a/b", ".hidden", "x\0y", "x.duckdb.wal", "x" * 200,
                   "x y", "$(id)", "~root", "x\n"):  # fmt: skip
        yield f"backup {backup[:20]!r}", act("backup", json.dumps({"name": backup}).encode())
    for number in (None, {}, "x", [1], [{"shape": "x"}], [{"evil": 1}]):
        yield f"calibrate {number!r}", act("calibrate", json.dumps({"rows": number}).encode())
    for key, value in (
        ("call", "drop"), ("call", None), ("call", ["append"]), ("call", {}), ("writer", ""), ("writer", 3),
        ("sequence", 0), ("sequence", -1), ("sequence", 1.5), ("sequence", True), ("sequence", 7),
        ("sequence", 2**70), ("writer", "\ud800"), ("writer", "x" * 1_000_000),
    ):  # fmt: skip
        yield (
            f"append with {key} {str(value)[:12]!r}",
            put({**APPEND, key: value}, [flush(steps=_steps())]),
        )
    for sweep in (
        None,
        [],
        {"evil": 1},
        {"sweep_id": 7},
        {"sweep_id": "x); drop table sweeps; --", "x)": 1},
    ):
        yield (
            f"register {sweep!r}",
            put({"call": "register", "sweep": sweep}, [pa.record_batch(TRIALS)]),
        )


def tokens() -> Iterator[tuple[str, Attack]]:
    """Strangers, and readers who would write."""
    ping = flight.Action("ping", b"{}")

    def knock(name: bytes, value: Callable[[Target], bytes]) -> Attack:
        return lambda t: list(t.client.do_action(ping, t.options(headers=[(name, value(t))])))

    forms: Mapping[str, Callable[[Target], bytes]] = {
        "empty": lambda t: b"",
        "only the word": lambda t: b"Bearer ",
        "another one": lambda t: b"Bearer wrong",
        "all but its end": lambda t: f"Bearer {t.write[:-1]}".encode(),
        "with more behind": lambda t: f"Bearer {t.write}x".encode(),
        "in capitals": lambda t: f"Bearer {t.write.upper()}x".encode(),
        "twice": lambda t: f"Bearer {t.write}{t.write}".encode(),
        "as Basic": lambda t: f"Basic {t.write}".encode(),
        "in small letters": lambda t: f"bearer {t.write}".encode(),
        "with a line break": lambda t: f"Bearer {t.write}\r\nx: y".encode(),
        "with a NUL": lambda t: f"Bearer {t.write}\0".encode(),
        "not ASCII": lambda t: "Bearer größe".encode(),
        "not UTF-8": lambda t: b"Bearer \xff\xfe",
        "very long": lambda t: b"Bearer " + b"x" * 6_000,
        "longer than headers may be": lambda t: b"Bearer " + b"x" * 100_000,
        "both tokens": lambda t: f"Bearer {t.read},{t.write}".encode(),
    }
    for name, value in forms.items():
        yield f"a token {name}", knock(b"authorization", value)
    for header in (
        b"authorisation",
        b"x-token",
        b"proxy-authorization",
        b"cookie",
        b"authorization-bin",
    ):
        yield (
            f"the token as {header.decode()}",
            knock(header, lambda t: f"Bearer {t.write}".encode()),
        )
    yield "no header", lambda t: list(t.client.do_action(ping, t.options(headers=[])))
    yield (
        "a wrong one before the right one",
        lambda t: list(
            t.client.do_action(
                ping,
                t.options(
                    headers=[
                        (b"authorization", b"x"),
                        (b"authorization", f"Bearer {t.write}".encode()),
                    ]
                ),
            )
        ),
    )
    for action in ("begin", "resume", "set_status", "calibrate", "backup"):
        yield (
            f"a reader: {action}",
            lambda t, a=action: list(
                t.client.do_action(flight.Action(a, b"{}"), t.options(t.read))
            ),
        )
    for call in ("append", "register", "restore", None):
        yield (
            f"a reader: {call}",
            lambda t, c=call: put({**APPEND, "call": c}, [flush(steps=_steps())], token=t.read)(t),
        )


def frames() -> Iterator[tuple[str, Attack]]:
    """Bytes that are no messages of the protocol, to each of its methods."""
    bodies = {
        "nothing": b"",
        "text": b"GET / HTTP/1.1\r\n\r\n",
        "a length without end": b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        "a negative length": b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        "half a number": b"\x08\xff",
        "a wrong kind": b"\x0d\x01\x02\x03\x04\x0a\x02{}",
        "groups in groups": b"\x0b" * 5_000,
        "noise": random.Random(SEED).randbytes(2_000),
    }
    methods = ("Handshake", "ListFlights", "GetFlightInfo", "PollFlightInfo", "GetSchema", "DoGet",
               "DoPut", "DoExchange", "DoAction", "ListActions", "Evil")  # fmt: skip
    for method in methods:
        for name, body in bodies.items():
            yield f"{method}: {name}", raw(method, body)
    descriptor = flight.FlightDescriptor.for_command(b"{}")
    yield "list_flights", lambda t: list(t.client.list_flights(b"", t.options()))
    yield "get_flight_info", lambda t: t.client.get_flight_info(descriptor, t.options())
    yield "get_schema", lambda t: t.client.get_schema(descriptor, t.options())
    yield "do_exchange", lambda t: t.client.do_exchange(descriptor, t.options())[1].read_all()
    yield "authenticate", lambda t: t.client.authenticate_basic_token(b"admin", b"admin")
    path = flight.FlightDescriptor.for_path("..", "etc", "passwd")
    yield "a path", lambda t: t.client.do_put(path, pa.schema([]), t.options())[1].read()


def mutations() -> Iterator[tuple[str, Attack]]:
    """Valid messages with bytes changed, cut or doubled; of a fixed seed."""
    draw = random.Random(SEED)
    stream = wire.stream_of(_steps())
    query = json.dumps({"query": "select $a from nothing", "params": {"a": 1}}).encode()
    begin = json.dumps({"writer": "w", "trial_ids": ["evil"]}).encode()
    append = json.dumps(APPEND).encode()
    for number in range(MUTATIONS):
        match number % 4:
            case 0:
                yield f"rows {number}", put(APPEND, [flush(steps=_mutated(stream, draw))])
            case 1:
                yield f"descriptor {number}", put(_mutated(append, draw), [flush(steps=_steps())])
            case 2:
                yield f"action {number}", act("begin", _mutated(begin, draw))
            case _:
                yield f"query {number}", get(_mutated(query, draw))


def _mutated(message: bytes, draw: random.Random) -> bytes:
    changed = bytearray(message)
    for _ in range(draw.choice((1, 1, 2, 8))):
        place = draw.randrange(len(changed))
        match draw.randrange(4):
            case 0:
                changed[place] ^= 1 << draw.randrange(8)
            case 1:
                changed[place : place + 8] = draw.randbytes(8)
            case 2 if place:
                del changed[place:]
            case _:
                changed[place:place] = changed[place : place + 16]
    return bytes(changed)


FAMILIES: Mapping[str, Callable[[], Iterator[tuple[str, Attack]]]] = {
    "rows that are none": rows,
    "calls that do not fit": calls,
    "tokens and headers": tokens,
    "bytes that are no messages": frames,
    "valid messages, changed": mutations,
}
