"""The sender: waiting for what was put, without closing it."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from talweg.storage.client import Client
from talweg.storage.errors import Fenced, StoreUnreachable
from talweg.storage.sender import Sender

from .storage_helpers import begun, child_store, local_store, steps, updates


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with local_store(tmp_path) as client:
        yield begun(client, "w", ["a"])


def test_after_a_wait_everything_put_is_stored_and_more_may_be_put(client: Client) -> None:
    with Sender(client, "w") as sender:
        sender.wait()
        for update in range(30):
            sender.put({"steps": steps(["a"], update)})
            if update % 10 == 9:
                sender.wait()
                assert updates(client, "a") == list(range(update + 1))
    sender.wait()
    assert updates(client, "a") == list(range(30))


def test_it_waits_as_long_as_the_store_does_not_answer(tmp_path: Path) -> None:
    with child_store(tmp_path) as client, ThreadPoolExecutor() as pool:
        begun(client, "w", ["a"])
        pid = client.status()["pid"]
        with Sender(client, "w") as sender:
            os.kill(pid, signal.SIGSTOP)
            sender.put({"steps": steps(["a"], 1)})
            is_waiting = threading.Event()

            def wait() -> None:
                is_waiting.set()
                sender.wait()

            waited = pool.submit(wait)
            is_waiting.wait(20)
            with pytest.raises(TimeoutError):
                waited.result(timeout=0.3)
            os.kill(pid, signal.SIGCONT)
            waited.result(timeout=60)
            assert updates(client, "a") == [1]


def test_it_survives_the_death_of_the_store(tmp_path: Path) -> None:
    with child_store(tmp_path) as client, Sender(begun(client, "w", ["a"]), "w") as sender:
        sender.put({"steps": steps(["a"], 1)})
        sender.wait()
        os.kill(client.status()["pid"], signal.SIGKILL)
        sender.put({"steps": steps(["a"], 2)})
        sender.wait()
        assert updates(client, "a") == [1, 2]


def test_it_raises_what_went_wrong_and_gives_up_what_was_put_behind(client: Client) -> None:
    client.begin("w2", ["a"])
    sender = Sender(client, "w")
    sender.put({"steps": steps(["a"], 1)})
    for _ in range(2):
        with pytest.raises(Fenced, match="'w' may not add rows to trial 'a'"):
            sender.wait()
    with pytest.raises(Fenced):
        sender.close()
    with pytest.raises(Fenced):
        sender.wait()
    assert updates(client, "a") == []


def test_it_raises_when_no_store_comes_back(tmp_path: Path) -> None:
    with local_store(tmp_path) as known:
        begun(known, "w", ["a"])
        url = known.status()["url"]
    sender = Sender(Client(url, token="any", patience_s=0.2), "w")
    sender.put({"steps": steps(["a"], 1)})
    for end in (sender.wait, sender.close):
        with pytest.raises(StoreUnreachable, match=r"within 0\.2 s"):
            end()
