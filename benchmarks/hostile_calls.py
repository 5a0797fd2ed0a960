"""Hostile calls: arguments, tokens and bare bytes that a store must refuse; attacks by family."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from talweg.storage import wire

from .hostile_messages import (
    APPEND,
    TRIALS,
    Attack,
    Target,
    act,
    flush,
    flushes,
    get,
    misfits,
    put,
    raw,
    rows,
    steps_of,
    unusual,
)

MUTATIONS = 300
SEED = 7


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
        (
            b"",
            b"null",
            b"[]",
            b"7",
            b"{",
            b"\xff\xfe",
            b"{'a': 1}",
            deep,
            b'{"a": ' * 50_000,
            b'{"a": 1e999999}x',
            b"\x80\x04N.",
            b"1" * 10_000,
        )
    ):
        yield f"arguments {place}", act("finished", body)
        yield f"ticket {place}", get(body)
        yield f"descriptor {place}", put(body, [flush(steps=steps_of())])


def owners() -> Iterator[tuple[str, Attack]]:
    """Arguments of the calls that change who owns a trial, and of statuses."""
    wrong: Sequence[Mapping[str, Any]] = (
        {"writer": None, "trial_ids": ["a"]},
        {"writer": "w", "trial_ids": "a"},
        {"writer": "w", "trial_ids": [1]},
        {"writer": "w", "trial_ids": ["' or true --"]},
        {"writer": "w", "trial_ids": ["\ud800"]},
        {"writer": ["w"], "trial_ids": []},
    )
    for fields in wrong:
        yield f"begin {fields}", act("begin", json.dumps(fields).encode())
        more = {**fields, "previous": "x", "update": 0}
        yield f"resume {fields}", act("resume", json.dumps(more).encode())
    for update in (-1, 0.5, "0", None, True):
        late: Mapping[str, Any] = {
            "writer": "w",
            "previous": "x",
            "trial_ids": [],
            "update": update,
        }
        yield f"resume at {update!r}", act("resume", json.dumps(late).encode())
    for status in (None, "", 7, ["done"]):
        asked = {"sweep_id": "s", "status": status}
        yield f"status {status!r}", act("set_status", json.dumps(asked).encode())
    yield "status of no sweep", act("set_status", b'{"sweep_id": "evil", "status": "done"}')


def names() -> Iterator[tuple[str, Attack]]:
    """Names of backups that are paths or worse, and measurements that are none."""
    for backup in (
        "",
        ".",
        "..",
        "../x",
        "/tmp/x",
        "a/b",
        ".hidden",
        "x\0y",
        "x.duckdb.wal",
        "x" * 200,
        "x y",
        "$(id)",
        "~root",
        "x\n",
    ):
        yield f"backup {backup[:20]!r}", act("backup", json.dumps({"name": backup}).encode())
    measured: Sequence[Any] = (None, {}, "x", [1], [{"shape": "x"}], [{"evil": 1}])
    for number in measured:
        yield f"calibrate {number!r}", act("calibrate", json.dumps({"rows": number}).encode())


def arguments() -> Iterator[tuple[str, Attack]]:
    """Arguments of the calls that carry rows."""
    for key, value in (
        ("call", "drop"),
        ("call", None),
        ("call", ["append"]),
        ("call", {}),
        ("writer", ""),
        ("writer", 3),
        ("sequence", 0),
        ("sequence", -1),
        ("sequence", 1.5),
        ("sequence", True),
        ("sequence", 7),
        ("sequence", 2**70),
        ("writer", "\ud800"),
        ("writer", "x" * 1_000_000),
    ):
        yield (
            f"append with {key} {str(value)[:12]!r}",
            put({**APPEND, key: value}, [flush(steps=steps_of())]),
        )
    sweeps: Sequence[Any] = (
        None,
        [],
        {"evil": 1},
        {"sweep_id": 7},
        {"sweep_id": "x); drop table sweeps; --", "x)": 1},
    )
    for sweep in sweeps:
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
        yield f"a reader: {action}", _reader_acts(action)
    for call in ("append", "register", "restore", None):
        yield f"a reader: {call}", _reader_puts(call)


def _reader_acts(name: str) -> Attack:
    action = flight.Action(name, b"{}")
    return lambda target: list(target.client.do_action(action, target.options(target.read)))


def _reader_puts(call: str | None) -> Attack:
    batches = [flush(steps=steps_of())]
    return lambda target: put({**APPEND, "call": call}, batches, token=target.read)(target)


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
    methods = (
        "Handshake",
        "ListFlights",
        "GetFlightInfo",
        "PollFlightInfo",
        "DoGet",
        "DoPut",
        "DoExchange",
        "DoAction",
        "ListActions",
        "Evil",
    )
    for method in methods:
        for name, body in bodies.items():
            yield f"{method}: {name}", raw(method, body)
    descriptor = flight.FlightDescriptor.for_command(b"{}")
    yield "list_flights", lambda t: list(t.client.list_flights(b"", t.options()))
    yield "get_flight_info", lambda t: t.client.get_flight_info(descriptor, t.options())
    yield "get_schema", lambda t: t.client.get_schema(descriptor, t.options()).schema.names
    yield "do_exchange", lambda t: t.client.do_exchange(descriptor, t.options())[1].read_all()
    yield "authenticate", lambda t: t.client.authenticate_basic_token(b"admin", b"admin")
    path = flight.FlightDescriptor.for_path("..", "etc", "passwd")
    yield "a path", lambda t: t.client.do_put(path, pa.schema([]), t.options())[1].read()


def mutations() -> Iterator[tuple[str, Attack]]:
    """Valid messages with bytes changed, cut or doubled; of a fixed seed."""
    draw = random.Random(SEED)
    stream = wire.stream_of(steps_of())
    query = json.dumps({"query": "select $a from nothing", "params": {"a": 1}}).encode()
    begin = json.dumps({"writer": "w", "trial_ids": ["evil"]}).encode()
    append = json.dumps(APPEND).encode()
    for number in range(MUTATIONS):
        match number % 4:
            case 0:
                yield f"rows {number}", put(APPEND, [flush(steps=_mutated(stream, draw))])
            case 1:
                yield f"descriptor {number}", put(_mutated(append, draw), [flush(steps=steps_of())])
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


FAMILIES: Mapping[str, Sequence[Callable[[], Iterator[tuple[str, Attack]]]]] = {
    "rows that are none": (rows, misfits, flushes, unusual),
    "calls that do not fit": (calls, owners, names, arguments),
    "tokens and headers": (tokens,),
    "bytes that are no messages": (frames,),
    "valid messages, changed": (mutations,),
}
