"""Faults one at a time: full and slow disk, cut log, cut network, jumping clock, store away.

Kills are in test_storage_process.py, test_sweep.py and test_sweep_packs.py; all of it together,
at random moments, in ``make soak``.
"""

import ast
import json
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.flight as flight
import pytest
import torch

from benchmarks.soak.proxy import Proxy
from talweg.storage import disk, endpoint, errors, wire
from talweg.storage import rows as committed
from talweg.storage.client import Client, connect
from talweg.storage.connection import Address, Connection
from talweg.storage.errors import StoreError, StoreUnreachable
from talweg.storage.sender import Sender
from talweg.storage.store import Store
from talweg.workloads.checkpoints import Checkpoints, Keeper

from .storage_helpers import (
    begun,
    child_store,
    end,
    local_store,
    outputs,
    python,
    rows,
    steps,
    until,
    updates,
)

ROOT = Path(__file__).parents[1]
UNLIMITED = resource.RLIM_INFINITY
LARGE = """
import resource, sys
from talweg.storage.client import connect

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
n = 200
with connect(sys.argv[1]) as client:
    for sequence in range(1, 31):
        number = {"update": [sequence] * n, "samples": [*range(n)]}
        row = {"trial_id": ["a"] * n, "epoch": [0.0] * n, "lr": [i / 7 for i in range(n)]}
        number["gradient_evaluations"] = [*range(n)]
        client.append("w", sequence, {"steps": row | number})
        print(sequence, flush=True)
"""


def test_a_full_disk_is_told_and_rows_are_taken_again_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with local_store(tmp_path) as client, Sender(begun(client, "w", ["a"]), "w") as sender:
        sender.put({"steps": steps(["a"], 1)})
        sender.wait()
        monkeypatch.setattr(disk, "RESERVE_BYTES", 2**60)
        with connect(client.where, patience_s=0.3) as hasty:
            with pytest.raises(StoreUnreachable, match=r"is full: .* Make room, and it takes rows"):
                hasty.append("w", 2, {"steps": steps(["a"], 2)})
            assert hasty.begin("w", ["a"]) == ["a"]  # what needs no room goes on
        sender.put({"steps": steps(["a"], 2)})
        time.sleep(0.3)
        assert sender.acknowledged == 1
        monkeypatch.undo()
        sender.wait()
        assert updates(client, "a") == [1, 2]


def test_a_disk_that_is_full_in_the_middle_of_a_commit_costs_no_acknowledged_row(
    tmp_path: Path,
) -> None:
    """A limit to the size of files, which the store inherits, stands for the size of the disk."""
    with child_store(tmp_path) as client:
        begun(client, "w", ["a"])
        end(Path(client.where), client.status()["pid"], signal.SIGTERM)
        large = python(LARGE, client.where, 800_000)
        log = endpoint.companion(Path(client.where), "log")
        until(lambda: "File too large" in log.read_text())
        for pid in (large.pid, *_stores(Path(client.where))):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
        assert outputs([large])[0].split() == [str(n) for n in range(1, 31)]
        found = rows(client, "select update, count(*) as n from steps group by 1 order by 1")
        assert found == [{"update": n, "n": 200} for n in range(1, 31)]
        assert "Traceback" not in log.read_text()


def _stores(database: Path) -> list[int]:
    found = endpoint.look_up(database)
    return [found.pid] if found and Path(f"/proc/{found.pid}").exists() else []


def test_a_slow_disk_makes_senders_wait_and_drops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_of = committed._end

    def slowly(con: duckdb.DuckDBPyConnection, how: str) -> None:
        time.sleep(0.1)
        end_of(con, how)

    monkeypatch.setattr(committed, "_end", slowly)
    with local_store(tmp_path) as client:
        begun(client, "w", ["a"])
        with Sender(client, "w", max_waiting=2) as sender:
            for update in range(1, 13):
                sender.put({"steps": steps(["a"], update)})
                assert update - sender.acknowledged <= 4  # two wait, one travels, one was done
        assert updates(client, "a") == list(range(1, 13))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a store that was killed after 40 flushes, with its log."""
    with connect(tmp_path_factory.mktemp("killed") / "test.duckdb") as client:
        begun(client, "w", ["a"])
        for update in range(1, 41):
            client.append("w", update, {"steps": steps(["a"] * 5, update)})
        end(Path(client.where), client.status()["pid"], signal.SIGKILL)
        return Path(client.where)


def _copy(killed: Path, folder: Path, change: Callable[[bytes], bytes]) -> Path:
    """The killed store's files, with another log."""
    shutil.copy(killed, folder)
    log = killed.with_name("test.duckdb.wal").read_bytes()
    (folder / "test.duckdb.wal").write_bytes(change(log))
    return folder / "test.duckdb"


def test_a_log_that_was_cut_anywhere_holds_whole_flushes_up_to_one(
    killed: Path, tmp_path: Path
) -> None:
    size = killed.with_name("test.duckdb.wal").stat().st_size
    for place in [*random.Random(3).sample(range(size), 12), size]:
        database = _copy(killed, tmp_path, lambda log, place=place: log[:place])  # type: ignore[misc]
        with Store(database) as store, store._reader.cursor() as con:
            (last,) = con.execute("select coalesce(max(update), 0) from steps").fetchall()[0]
            assert con.execute("select count(*) from steps").fetchall() == [(5 * last,)]
            ledger = con.execute("from ledger").fetchall()
        assert ledger == ([("w", last)] if last else [])
        assert (last == 40) == (place == size)


def test_what_a_cut_log_lost_is_told_to_the_sender_and_to_the_next_attempt(
    killed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = _copy(killed, tmp_path, lambda log: log[: 3 * len(log) // 4])
    with Store(database), connect(database) as client:
        last = max(updates(client, "a"))
        assert 10 < last < 40
        with pytest.raises(StoreError, match=rf"{last + 1} is next.*has lost rows since: docs/sto"):
            client.append("w", 41, {"steps": steps(["a"], 41)})
        # A checkpoint at update 40 stands on flushes that are gone: no gap may come of it.
        assert client.resume("w2", ["a"], "w", 40, 40) == []
        assert f"flushes {last + 1} to 40 of writer w were acknowledged and are not" in caplog.text
        assert client.resume("w2", ["a"], "w", last, last) == ["a"]
        assert client.resume("w2", ["a"], "w", 40, 40) == ["a"]  # its answer was lost: the same


def test_a_checkpoint_says_how_many_flushes_it_stands_on(tmp_path: Path) -> None:
    Keeper(tmp_path, "w", 0.0, None, lambda: 7).save(3, ["a"], {"w": torch.zeros(1)})
    (saved,) = Checkpoints(tmp_path).all()
    assert (saved.writer, saved.update, saved.flushes) == ("w", 3, 7)


def test_a_log_damaged_in_its_middle_is_refused_with_what_to_do(
    killed: Path, tmp_path: Path
) -> None:
    def damage(log: bytes) -> bytes:
        middle = len(log) // 2
        return log[:middle] + bytes(64) + log[middle + 64 :]

    database = _copy(killed, tmp_path, damage)
    with pytest.raises(StoreError, match=r"WAL.*docs/store\.md says what to do"):
        Store(database)
    # The steps there: the log moved away, the store starts as of its last checkpoint.
    database.with_name("test.duckdb.wal").rename(tmp_path / "damaged.wal")
    with Store(database), connect(database) as client:
        assert client.status()["rows"]["steps"] == 0


def _disturb(proxy: Proxy, act: Callable[[Proxy], object]) -> None:
    time.sleep(0.1)
    act(proxy)
    time.sleep(0.1)
    proxy.cut()


def _silent(proxy: Proxy) -> None:
    with proxy.silent():
        time.sleep(0.3)


@pytest.mark.parametrize(
    "act",
    [Proxy.cut, lambda proxy: proxy.cut_after(1500), Proxy.deafen, Proxy.half_close, _silent],
    ids=["cut", "cut in a message", "answers lost", "closed one way", "silent"],
)
def test_a_network_that_fails_loses_nothing_and_doubles_nothing(
    tmp_path: Path, act: Callable[[Proxy], object]
) -> None:
    with (
        Store(tmp_path / "test.duckdb", read_token="reader", write_token="writer") as store,
        Proxy(lambda: ("127.0.0.1", int(store.url.rpartition(":")[2]))) as proxy,
        connect(store.database) as near,
        Client(proxy.url, token="writer", patience_s=30) as far,
        ThreadPoolExecutor() as pool,
    ):
        begun(near, "w", ["a"])
        disturbed = pool.submit(_disturb, proxy, act)
        with Sender(far, "w") as sender:
            sent = 0
            while sent < 20 or not disturbed.done():
                sent += 1
                sender.put({"steps": steps(["a"], sent)})
                time.sleep(0.01)
        disturbed.result()
        assert updates(near, "a") == list(range(1, sent + 1))


def test_a_message_that_broke_off_before_its_rows_is_no_flush(tmp_path: Path) -> None:
    """To Flight the end of a connection is the end of the rows: there are none, and no error."""
    with (
        Store(tmp_path / "test.duckdb", read_token="reader", write_token="writer") as store,
        Proxy(lambda: ("127.0.0.1", int(store.url.rpartition(":")[2]))) as proxy,
        connect(store.database) as client,
    ):
        begun(client, "w", ["a"])
        batch = wire.encode({"steps": steps(["a"], 1)})
        command = {"call": "append", "writer": "w", "sequence": 1, "rows": batch.num_rows}
        descriptor = flight.FlightDescriptor.for_command(json.dumps(command).encode())
        options = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer writer")])
        raw = flight.FlightClient(proxy.url)
        calls, _ = raw.do_put(descriptor, batch.schema, options)  # the schema is on its way
        until(lambda: store.activity.idle_s == 0.0)
        proxy.cut()
        until(lambda: store.activity.idle_s > 0.0)
        client.append_encoded("w", 1, batch)
        assert updates(client, "a") == [1]
        with pytest.raises(flight.FlightError):
            calls.close()
        raw.close()


def test_flushes_doubled_and_out_of_order_from_two_connections_are_stored_once_in_order(
    tmp_path: Path,
) -> None:
    with local_store(tmp_path) as client:
        begun(client, "w", ["a"])

        def send(seed: int) -> None:
            order = random.Random(seed)
            with connect(client.where) as own:
                left = list(range(1, 31))
                while left:
                    # Mostly the next one, often an older or a newer.
                    update = left[min(len(left) - 1, int(order.expovariate(1.0)))]
                    if _taken(own, update):
                        left.remove(update)

        with ThreadPoolExecutor() as pool:
            list(pool.map(send, range(3)))
        assert updates(client, "a") == list(range(1, 31))
        assert rows(client, "from ledger") == [{"writer": "w", "sequence": 30}]


def _taken(client: Client, update: int) -> bool:
    """Whether a flush was taken, now or before, or came too early."""
    try:
        client.append("w", update, {"steps": steps(["a"], update)})
    except StoreError as error:
        if "came too early" not in str(error):
            raise
        return False
    return True


def test_a_store_that_is_down_for_a_while_is_waited_for(tmp_path: Path) -> None:
    tokens: dict[str, Any] = {"read_token": "reader", "write_token": "writer"}
    database = tmp_path / "test.duckdb"
    with Store(database, **tokens) as store:
        port = int(store.url.rpartition(":")[2])
        client = Client(store.url, token="writer")
        begun(client, "w", ["a"])
        sender = Sender(client, "w", max_waiting=40)
        sender.put({"steps": steps(["a"], 1)})
        sender.wait()
    for update in range(2, 21):
        sender.put({"steps": steps(["a"], update)})
    time.sleep(1.0)
    assert sender.acknowledged == 1
    with Store(database, port=port, **tokens):
        sender.close()
        assert updates(client, "a") == list(range(1, 21))
        client.close()


def test_an_endpoint_file_that_a_power_cut_emptied_misleads_nobody(tmp_path: Path) -> None:
    endpoint.companion(tmp_path / "test.duckdb", "endpoint").touch()
    assert endpoint.look_up(tmp_path / "test.duckdb") is None
    with child_store(tmp_path) as client:
        client.ping()


def test_an_endpoint_file_that_cannot_be_written_lets_another_store_try(tmp_path: Path) -> None:
    mine = endpoint.Endpoint("grpc://here:1", "r", "w", 1, "0")
    with pytest.raises(StoreUnreachable, match="endpoint cannot be written: No such file"):
        endpoint.publish(tmp_path / "nowhere" / "test.duckdb", mine)
    (tmp_path / "test.duckdb.endpoint").mkdir()
    with pytest.raises(StoreUnreachable, match="endpoint cannot be written: Is a directory"):
        endpoint.publish(tmp_path / "test.duckdb", mine)
    assert [path.name for path in tmp_path.iterdir()] == ["test.duckdb.endpoint"]


def test_what_a_store_said_before_it_left_is_what_the_caller_is_told(tmp_path: Path) -> None:
    said = [errors.pack(StoreUnreachable("commit failed: No space left on device"))]

    def attempt(client: flight.FlightClient, options: flight.FlightCallOptions) -> None:
        del client, options
        raise flight.FlightUnavailableError("gone", extra_info=said.pop() if said else None)

    with Store(tmp_path / "test.duckdb") as store:
        connection = Connection(Address(str(store.database), None, 0.3, False, "write", None))
        with pytest.raises(StoreUnreachable, match=r"within 0\.3 s: commit failed: No space left"):
            connection.call(attempt, 5.0)


@contextmanager
def jumping(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A wall clock that is a day off, now ahead and now behind, at each look."""
    days = random.Random(1)
    real = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: real() + days.uniform(-1, 1) * 86400)
        yield


def test_a_clock_that_jumps_disturbs_no_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with jumping(monkeypatch), local_store(tmp_path, time_limit_s=5.0) as client:
        with Sender(begun(client, "w", ["a"]), "w") as sender:
            for update in range(20):
                sender.put({"steps": steps(["a"], update)})
        assert updates(client, "a") == list(range(20))
        started = time.monotonic()
        with pytest.raises(StoreUnreachable):
            Client("grpc://127.0.0.1:1", token="t", patience_s=0.3).ping()
        assert time.monotonic() - started < 10


CLOCKS = {"time.time", "time.time_ns", "datetime.datetime.now", "datetime.datetime.utcnow"}
DATED = {
    "storage/endpoint.py",  # when the store started, for people
    "storage/archive.py",  # when an archive was made
    "storage/importers/bring.py",  # when a foreign run ended
    "services/sweep.py",  # when a trial failed
}
"""Files that look at the wall clock to write down a date; nothing waits for it."""


def test_deadlines_do_not_look_at_the_wall_clock() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in ("storage", "services")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in CLOCKS
    }
    assert found <= DATED
