"""Bounded memory: of rows on their way, of queries, of the process; who waits says so."""

import json
import logging
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from talweg.storage import errors, limits, reader, sender, server, wire
from talweg.storage.client import Client, connect
from talweg.storage.errors import QueryError
from talweg.storage.room import Room
from talweg.storage.sender import Sender
from talweg.storage.store import Store

from .storage_helpers import begun, child_store, local_store, steps, until, updates


def test_there_is_room_for_so_much_and_the_rest_waits() -> None:
    room = Room(10)
    assert room.take(6)
    assert room.take(4)
    assert not room.take(1, patience_s=0.05)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(room.take, 5)
        room.add(-4)
        with pytest.raises(TimeoutError):
            waiting.result(0.05)
        room.add(-6)
        assert waiting.result(5)
    assert room.held == 5


def test_what_is_larger_than_all_the_room_gets_it_alone() -> None:
    room = Room(10)
    assert room.take(25)
    assert not room.take(1, patience_s=0.01)
    room.add(-25)
    assert room.take(1)
    assert not room.take(25, patience_s=0.01)


def test_every_one_of_many_gets_its_turn() -> None:
    room, most = Room(3), 0
    lock = threading.Lock()

    def work(_: int) -> None:
        nonlocal most
        room.take(1)
        with lock:
            most = max(most, room.held)
        time.sleep(0.001)
        room.add(-1)

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(work, range(200)))
    assert (room.held, most) == (0, 3)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with local_store(tmp_path) as client:
        yield begun(client, "w", ["a"])


def test_rows_on_their_way_are_bounded_by_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_HELD_BYTES", 3 * server.EXPECTED_BYTES)
    with Store(tmp_path / "test.duckdb") as store, connect(store.database) as client:
        writers = [f"w{i}" for i in range(12)]
        for writer in writers:
            begun(client, writer, [writer])
        held: list[int] = []
        block = threading.Event()
        with ThreadPoolExecutor(20) as pool:
            blocking = pool.submit(store._committer.change, lambda con: block.wait(20))
            sent = [
                pool.submit(client.append, w, 1, {"steps": steps([w] * 20_000, 1)}) for w in writers
            ]
            for _ in range(20):
                held.append(client.status()["waiting_bytes"])
                time.sleep(0.02)
            assert not any(one.done() for one in sent)
            block.set()
            blocking.result(60)
            for one in sent:
                one.result(60)
        # One that was let in may turn out to be larger than was expected, but no more come then.
        assert server.EXPECTED_BYTES < max(held) <= 3 * server.EXPECTED_BYTES + 2**22
        assert client.status()["waiting_bytes"] == 0
        assert all(len(updates(client, w)) == 20_000 for w in writers)


def test_a_sender_bounds_what_it_holds_and_says_that_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender, "MAX_WAITING_BYTES", 2**20)
    monkeypatch.setattr(sender, "TELL_AFTER_S", 0.1)
    with child_store(tmp_path) as client, ThreadPoolExecutor() as pool:
        begun(client, "w", ["a"])
        pid = client.status()["pid"]
        with Sender(client, "w") as sending:
            os.kill(pid, signal.SIGSTOP)
            rows = [{"steps": steps(["a"] * 5_000, update)} for update in range(8)]

            def put() -> None:
                for one in rows:
                    sending.put(one)

            putting = pool.submit(put)
            with caplog.at_level(logging.WARNING):
                until(lambda: "busy or away: waiting" in caplog.text)
            assert not putting.done()
            assert sending._room.held <= 2**20
            os.kill(pid, signal.SIGCONT)
            putting.result(60)
        assert caplog.text.count("waiting") == 1
        assert len(updates(client, "a")) == 40_000


def test_queries_beyond_the_limit_wait_and_then_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_RUNNING", 2)
    with Store(tmp_path / "test.duckdb", time_limit_s=1.0) as store:
        client = connect(store.database)
        endless = "select sum(a * b) from range(10000000) t(a), range(10000000) u(b)"
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(client.query, endless) for _ in range(6)]
            said = [str(one.exception(30)) for one in asked]
        assert all("took longer than 1 s" in s or "the store is busy: 2 queries" in s for s in said)
        assert sum("took longer" in s for s in said) >= 2
        assert client.query("select 1 as x").num_rows == 1


def test_who_does_not_read_a_result_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_RUNNING", 1)
    with (
        Store(tmp_path / "test.duckdb", time_limit_s=0.5, read_token="r") as store,
        flight.FlightClient(store.url) as lazy,
    ):
        options = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer r")])
        ticket = flight.Ticket(json.dumps({"query": "from range(100000000)"}).encode())
        unread = lazy.do_get(ticket, options)
        assert connect(store.database).query("select 1 as x").num_rows == 1
        unread.cancel()


def test_a_query_that_nothing_stops_ends_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "OVERDUE_S", 0.1)
    with Store(tmp_path / "test.duckdb", time_limit_s=0.1) as store:
        query = reader._Query(store._reader._con.cursor(), store._broken.set, lambda: None, 0.1)
        with query._computing():
            query._time_out()
            until(store._broken.is_set, 5)
        query._close()


def test_the_process_of_a_store_is_bounded(tmp_path: Path) -> None:
    with child_store(tmp_path) as client:
        pid = client.status()["pid"]
        soft, _ = resource.prlimit(pid, resource.RLIMIT_DATA)
        assert soft == int(limits.memory_bytes() * limits.MEMORY_SHARE) + limits.STACK_BYTES
        assert resource.prlimit(pid, resource.RLIMIT_CORE)[0] == 0
        files, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        assert files == most


@pytest.mark.parametrize(("text", "of_the_container"), [("1048576\n", True), ("max\n", False)])
def test_memory_is_the_containers(text: str, of_the_container: bool, tmp_path: Path) -> None:
    path = tmp_path / "memory.max"
    path.write_text(text)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert limits.memory_bytes(path) == (1048576 if of_the_container else machine)
    assert limits.memory_bytes(tmp_path / "none") == machine


@pytest.mark.parametrize("letter", ["x", "ü", "\x01", "🏔", '"', "\ud800"])
def test_a_long_message_is_cut_and_arrives(client: Client, letter: str) -> None:
    packed = errors.pack(QueryError(letter * 100_000))
    assert len(packed) <= errors.PACKED_BYTES
    assert str(errors.unpack(packed)).endswith("…")
    if letter != "\ud800":
        with pytest.raises(QueryError, match=r"Referenced column|not found|syntax|arser"):
            client.query(f'select "{letter.replace(chr(34), chr(34) * 2) * 5_000}" from steps')


def test_many_connections_are_held(tmp_path: Path) -> None:
    with child_store(tmp_path) as client:
        found = json.loads(Path(f"{client.where}.endpoint").read_text())
        header = (b"authorization", f"Bearer {found['read_token']}".encode())
        options = flight.FlightCallOptions(headers=[header], timeout=60)
        pool = [("grpc.use_local_subchannel_pool", 1)]
        held = [flight.FlightClient(found["url"], generic_options=pool) for _ in range(200)]
        for one in held:
            assert list(one.do_action(flight.Action("ping", b"{}"), options))
        lines = Path(f"/proc/{found['pid']}/status").read_text().splitlines()
        memory = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
        assert memory < 700 * 1024
        for one in held:
            one.close()


def test_plain_columns_pass_and_their_metadata_does_not() -> None:
    field = pa.field("a", pa.string(), metadata={"ARROW:extension:name": "duckdb.hugeint"})
    table = pa.table([pa.array(["x"])], schema=pa.schema([field], metadata={"k": "v"}))
    plain = wire.plain("trials", table)
    assert plain.schema == pa.schema([("a", pa.string())])
    assert plain.schema.metadata is None
    assert plain.field("a").metadata is None
    numbers = pa.table({"n": np.arange(3), "t": pa.array([True] * 3), "x": np.arange(3.0)})
    assert wire.plain("trials", numbers).equals(numbers)
