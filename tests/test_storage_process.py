"""The store as a child process: started once, found again, killed, idle, and gone."""

import functools
import json
import os
import pickle
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from talweg.storage import endpoint
from talweg.storage.client import Client, connect
from talweg.storage.errors import StoreError, StoreInUse, StoreUnreachable
from talweg.storage.sender import Sender
from talweg.storage.store import Store

from .storage_helpers import (
    begun,
    child_store,
    end,
    is_free,
    local_store,
    outputs,
    python,
    rows,
    steps,
    sweep,
    trials,
    until,
    updates,
)

APPEND = """
import sys
from talweg.storage.client import connect

database, writer, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with connect(database) as client:
    client.begin(writer, [writer])
    for n in range(1, count + 1):
        number = {"update": [n], "samples": [n], "gradient_evaluations": [n]}
        row = {"trial_id": [writer], "epoch": [0.0], "lr": [0.1]} | number
        client.append(writer, n, {"steps": row})
        print(n, flush=True)
"""
CONNECT = """
import sys
from talweg.storage.client import connect

sys.stdin.readline()
with connect(sys.argv[1]) as client:
    print(client.status()["pid"])
"""


def test_a_killed_store_comes_back_with_every_acknowledged_row_and_none_twice(
    tmp_path: Path,
) -> None:
    writers = ["w1", "w2", "w3"]
    with child_store(tmp_path) as client:
        client.register(sweep(), trials(writers))
        senders = [python(APPEND, client.where, writer, 120) for writer in writers]
        with ThreadPoolExecutor() as pool:
            printed = pool.submit(outputs, senders)
            for moment in (30, 150, 250):
                until(functools.partial(holds, client, moment))
                os.kill(client.status()["pid"], signal.SIGKILL)
            acknowledged = [text.split() for text in printed.result()]
        assert acknowledged == [[str(n) for n in range(1, 121)]] * 3
        for writer in writers:
            assert updates(client, writer) == list(range(1, 121))


def holds(client: Client, count: int) -> bool:
    return int(client.status()["rows"]["steps"]) >= count


def test_a_sender_carries_on_through_the_death_of_the_store(tmp_path: Path) -> None:
    with child_store(tmp_path) as client, Sender(begun(client, "w", ["a"]), "w") as sender:
        for update in range(100):
            sender.put({"steps": steps(["a"], update)})
            if update % 40 == 20:
                os.kill(client.status()["pid"], signal.SIGKILL)
        sender.close()
        assert updates(client, "a") == list(range(100))


def test_a_sender_holds_back_its_trial_while_the_store_does_not_answer(tmp_path: Path) -> None:
    put: list[int] = []

    def train(sender: Sender) -> None:
        for update in range(20):
            sender.put({"steps": steps(["a"], update)})
            put.append(update)

    with child_store(tmp_path) as client, ThreadPoolExecutor() as pool:
        begun(client, "w", ["a"])
        pid = client.status()["pid"]
        os.kill(pid, signal.SIGSTOP)
        with Sender(client, "w", max_waiting=3) as sender:
            trained = pool.submit(train, sender)
            until(lambda: len(put) == 3)  # one of them is being sent
            assert not trained.done()
            os.kill(pid, signal.SIGCONT)
            trained.result(timeout=60)
        assert updates(client, "a") == list(range(20))


def test_many_processes_that_connect_at_once_share_one_store(tmp_path: Path) -> None:
    database = tmp_path / "test.duckdb"
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", CONNECT, str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda p: p.communicate("go\n", timeout=60), clients))
    (pid,) = {int(out) for out, _ in answers}
    assert [process.returncode for process in clients] == [0] * 6
    assert log_of(database).count("serving") == 1
    end(database, pid, signal.SIGTERM)


def log_of(database: Path) -> str:
    return endpoint.companion(database, "log").read_text()


def test_the_endpoint_file_is_private_and_the_tokens_are_nowhere_else(tmp_path: Path) -> None:
    with child_store(tmp_path) as client:
        database = Path(client.where)
        path = endpoint.companion(database, "endpoint")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        found = json.loads(path.read_text())
        command = Path(f"/proc/{found['pid']}/cmdline").read_bytes().decode()
        with pytest.raises(StoreError):
            client.query("select nonsense")
        for token in (found["read_token"], found["write_token"]):
            assert len(token) >= 32
            assert token not in command + log_of(database) + repr(client)
        assert list(tmp_path.glob("*.endpoint.*")) == []


def test_a_store_asked_to_leave_checkpoints_and_clears_up(tmp_path: Path) -> None:
    with child_store(tmp_path) as client:
        begun(client, "w", ["a"]).append("w", 1, {"steps": steps(["a"], 1)})
        end(Path(client.where), client.status()["pid"], signal.SIGTERM)
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"test.duckdb", "test.duckdb.lock", "test.duckdb.log"}
        assert updates(client, "a") == [1]


def test_a_store_without_calls_leaves_and_returns_when_called(tmp_path: Path) -> None:
    database = tmp_path / "test.duckdb"
    command = [sys.executable, "-m", "talweg.storage", str(database), "--idle-exit", "0.5"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as store:
        until(lambda: endpoint.look_up(database) is not None)
        with connect(database) as client:
            first = client.status()["pid"]
            assert first == store.pid
            _, log = store.communicate(timeout=20)
            assert store.returncode == 0
            assert "nobody called for 0.5 s" in log
            assert not endpoint.companion(database, "endpoint").exists()
            assert client.status()["pid"] != first
            end(database, client.status()["pid"], signal.SIGTERM)


def test_calls_keep_a_store_from_leaving(tmp_path: Path) -> None:
    with (
        Store(tmp_path / "test.duckdb") as store,
        connect(store.database) as client,
        ThreadPoolExecutor() as pool,
    ):
        left = pool.submit(store.wait, 0.5, threading.Event())
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            client.ping()
            assert not left.done()
        left.result(timeout=20)


def test_a_second_store_on_the_same_file_says_who_has_it(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        status = client.status()
        with pytest.raises(StoreInUse, match=f"process {status['pid']} at {status['url']}"):
            Store(client.where)
        command = [sys.executable, "-m", "talweg.storage", client.where]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 4
        assert "is already served by process" in second.stderr
        client.ping()


def test_the_endpoint_file_of_a_killed_store_misleads_nobody(tmp_path: Path) -> None:
    with child_store(tmp_path) as client:
        first = client.status()
        end(Path(client.where), first["pid"], signal.SIGKILL)
        assert endpoint.look_up(Path(client.where)) is not None
        with pytest.raises(StoreUnreachable, match=r"no answer .* within 0\.2 s"):
            connect(client.where, start=False, patience_s=0.2)
        with connect(client.where) as second:
            assert second.status()["pid"] != first["pid"]


def test_a_store_whose_files_were_deleted_does_not_take_its_successors_address_away(
    tmp_path: Path,
) -> None:
    with child_store(tmp_path) as first:
        old = int(first.status()["pid"])
        for path in tmp_path.iterdir():
            path.unlink()
        with child_store(tmp_path) as second:
            new = second.status()
            assert new["pid"] != old
            os.kill(old, signal.SIGTERM)
            until(lambda: not Path(f"/proc/{old}").exists())
            found = endpoint.look_up(Path(second.where))
            assert found is not None
            assert found.pid == new["pid"]
            assert second.status()["pid"] == new["pid"]


def test_a_file_that_is_no_database_is_refused_soon_and_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "test.duckdb"
    database.write_text("a thesis, not a database" * 1000)
    with pytest.raises(StoreError, match="cannot be opened as a DuckDB database"):
        connect(database, patience_s=30)
    assert database.read_text().startswith("a thesis")
    assert is_free(database)


def test_a_missing_folder_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory"):
        connect(tmp_path / "nowhere" / "test.duckdb", patience_s=30)


def test_nobody_listening_at_a_url_is_reported_after_the_patience() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"grpc://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StoreUnreachable, match=f"the store of {url} within 0.3 s"):
            connect(url, token="t", patience_s=0.3)


@pytest.mark.parametrize("url", ["http://here:1", "grpc://", "grpc://here", "grpc://a b:1", "x://"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="neither a path nor grpc://HOST:PORT"):
        connect(url)


def test_a_client_waits_for_a_store_that_comes_late(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"grpc://127.0.0.1:{port}"
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(connect, url, token="reader", patience_s=30)
        database = tmp_path / "test.duckdb"
        with Store(database, port=port, read_token="reader", write_token="writer") as store:
            assert waiting.result().status()["url"] == store.url == url


def test_a_client_travels_in_a_pickle_without_its_connection(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        copy: Client = pickle.loads(pickle.dumps(client))
        assert copy.where == client.where
        assert copy.status()["pid"] == os.getpid()
        copy.close()
        assert rows(copy, "select 1 as one") == [{"one": 1}]


def test_the_client_costs_neither_duckdb_nor_torch() -> None:
    script = (
        "import sys, talweg.storage.client, talweg.storage.sender;"
        "print({'duckdb', '_duckdb', 'torch', 'ray', 'streamlit'} & set(sys.modules))"
    )
    assert outputs([python(script)]) == ["set()\n"]
