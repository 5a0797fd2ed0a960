"""Tokens, scopes, TLS, and errors that arrive as what they are."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from talweg.storage import errors, wire
from talweg.storage.client import Client, connect
from talweg.storage.errors import AccessDenied, StoreError
from talweg.storage.store import Store

from .storage_helpers import begun, local_store, steps, sweep, trials, updates

Call = Callable[[Client], object]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "test.duckdb", read_token="reader", write_token="writer") as store:
        yield store


@pytest.fixture
def raw(store: Store) -> Iterator[flight.FlightClient]:
    """A client that is not ours, with the write token."""
    with flight.FlightClient(store.url) as client:
        yield client


OPTIONS = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer writer")], timeout=20)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (None, "no token was given"),
        ("", "no token was given"),
        ("write", "not one of this store's"),
        ("schlüssel", "only printable ASCII"),
        ("writer\n", "is there a line break at its end"),
    ],
)
def test_strangers_are_turned_away_at_once(store: Store, token: str | None, why: str) -> None:
    with pytest.raises(AccessDenied, match=why):
        connect(store.url, token=token, patience_s=30)


READING: list[Call] = [
    lambda client: client.ping(),
    lambda client: client.status(),
    lambda client: client.finished(["a"]),
    lambda client: client.query("select 1"),
    lambda client: client.calibrations(["s"]),
]
WRITING: list[Call] = [
    lambda client: client.register(sweep(), trials(["z"])),
    lambda client: client.begin("w", ["a"]),
    lambda client: client.append("w", 1, {"steps": steps(["a"], 1)}),
    lambda client: client.set_status("s", "done"),
    lambda client: client.resume("w2", ["a"], "w", 1),
    lambda client: client.calibrate([]),
]


@pytest.mark.parametrize("call", READING)
def test_the_read_token_may_read(store: Store, call: Call) -> None:
    with connect(store.url, token="reader") as reader, connect(store.url, token="writer") as writer:
        assert type(call(reader)) is type(call(writer))


@pytest.mark.parametrize("call", WRITING)
def test_the_read_token_may_not_write(store: Store, call: Call) -> None:
    with pytest.raises(AccessDenied, match="needs the write token; this token may only read"):
        call(connect(store.url, token="reader"))
    assert connect(store.url, token="writer").status()["rows"]["trials"] == 0


def test_the_scope_of_an_embedded_client_chooses_its_token(store: Store) -> None:
    reader = connect(store.database, scope="read")
    assert reader.query("select 1 as one").to_pylist() == [{"one": 1}]
    with pytest.raises(AccessDenied):
        reader.set_status("s", "done")
    with pytest.raises(StoreError, match="scope: 'admin' is not known"):
        connect(store.database, scope="admin")


@pytest.mark.parametrize(("read", "write"), [(None, None), ("r", None), (None, "w"), ("", "w")])
def test_a_host_that_others_can_reach_needs_both_tokens(
    tmp_path: Path, read: str | None, write: str | None
) -> None:
    with pytest.raises(StoreError, match=r"host '0\.0\.0\.0' can be reached from other machines"):
        Store(tmp_path / "test.duckdb", host="0.0.0.0", read_token=read, write_token=write)
    assert list(tmp_path.iterdir()) == []


def test_tls(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    openssl = shutil.which("openssl")
    assert openssl, "openssl makes the certificate of this test"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    name = [
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run([openssl, *request, *name], check=True, capture_output=True)
    tls = (certificate.read_bytes(), key.read_bytes())
    with Store(tmp_path / "test.duckdb", host="localhost", tls=tls, write_token="w") as store:
        assert store.url.startswith("grpc+tls://localhost:")
        with connect(store.url, token="w", ca=certificate) as client:
            assert client.status()["url"] == store.url
        with pytest.raises(StoreError, match="trusted roots cannot be read"):
            connect(store.url, token="w", ca=tmp_path / "none.pem")
        plain = store.url.replace("grpc+tls", "grpc")
        with pytest.raises(errors.StoreUnreachable):
            connect(plain, token="w", patience_s=0.2)


def test_a_port_that_is_taken_is_reported_and_the_file_free_again(
    store: Store, tmp_path: Path
) -> None:
    database = tmp_path / "other.duckdb"
    with pytest.raises(StoreError, match=r"cannot listen at .*: Address already in use"):
        Store(database, port=int(store.url.rpartition(":")[2]))
    with Store(database) as other:
        assert connect(other.database).status()["url"] != store.url


def test_an_old_endpoint_is_looked_up_again_when_its_token_is_refused(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        port = int(client.status()["url"].rpartition(":")[2])
        begun(client, "w", ["a"])
        database = Path(client.where)
        patient = connect(database)
    with Store(database, port=port):  # same address, new tokens
        patient.append("w", 1, {"steps": steps(["a"], 1)})
        assert updates(patient, "a") == [1]


@pytest.mark.parametrize(
    "kind",
    [
        *(errors.StoreError, errors.StoreUnreachable, errors.QueryError, errors.Fenced),
        *(errors.StoreInUse, errors.SchemaTooNew, errors.AccessDenied),
    ],
)
def test_every_error_survives_the_journey(kind: type[StoreError]) -> None:
    told = errors.unpack(errors.pack(kind("größer als erlaubt: 2\n(höchstens 1)")))
    assert type(told) is kind
    assert str(told) == "größer als erlaubt: 2\n(höchstens 1)"
    assert len(errors.pack(kind("ü" * 10**6))) < 8192 * 3
    assert errors.unpack(b"something else") is None


def put(
    raw: flight.FlightClient, command: bytes, batch: pa.RecordBatch, schema: pa.Schema | None = None
) -> None:
    descriptor = flight.FlightDescriptor.for_command(command)
    writer, acknowledgements = raw.do_put(descriptor, schema or batch.schema, OPTIONS)
    with writer:
        writer.write_batch(batch)
        writer.done_writing()
        acknowledgements.read()


FLUSH = wire.encode({"steps": steps(["a"], 1)})
APPEND = {"call": "append", "writer": "w", "sequence": 1}


@pytest.mark.parametrize(
    ("command", "batch", "why"),
    [
        (APPEND | {"call": "drop"}, FLUSH, "there is no call 'drop'"),
        (APPEND | {"writer": ""}, FLUSH, "writer: '' is not a name"),
        (APPEND | {"writer": 3}, FLUSH, "writer: 3 is not a name"),
        (APPEND | {"sequence": 0}, FLUSH, "sequence: 0 is not a positive integer"),
        (APPEND | {"sequence": 1.5}, FLUSH, "sequence: 1.5 is not a positive integer"),
        (APPEND, pa.record_batch({"x": [1]}), r"has the columns \['table', 'payload'\]"),
        (APPEND, pa.concat_batches([FLUSH, FLUSH]), "a table is given twice"),
        (["append"], FLUSH, "a JSON object, not list"),
        ({"call": "register"}, FLUSH, "sweep: None is not an object"),
    ],
)
def test_malformed_calls_are_refused_with_the_reason(
    raw: flight.FlightClient, command: object, batch: pa.RecordBatch, why: str
) -> None:
    with pytest.raises(flight.FlightError) as refusal:
        put(raw, json.dumps(command).encode(), batch)
    told = errors.unpack(refusal.value.extra_info)
    assert told is not None
    assert told.__class__ is StoreError
    with pytest.raises(StoreError, match=why):
        raise told


@pytest.mark.parametrize(
    "payload", [b"", b"no arrow at all", bytes(wire.stream_of(pa.table({})))[:9]]
)
def test_a_broken_payload_is_refused_and_the_store_lives(
    raw: flight.FlightClient, payload: bytes
) -> None:
    batch = pa.record_batch([["steps"], pa.array([payload], pa.large_binary())], schema=wire.FLUSH)
    with pytest.raises(flight.FlightError) as refusal:
        put(raw, json.dumps(APPEND).encode(), batch)
    assert "not an Arrow IPC stream" in str(errors.unpack(refusal.value.extra_info))
    assert list(raw.do_action(flight.Action("ping", b"{}"), OPTIONS))


def test_an_unknown_call_is_refused_with_the_nearest(raw: flight.FlightClient) -> None:
    with pytest.raises(flight.FlightError) as refusal:
        list(raw.do_action(flight.Action("statsu", b"{}"), OPTIONS))
    assert "no call 'statsu'; did you mean 'status'?" in str(
        errors.unpack(refusal.value.extra_info)
    )
