"""What can go wrong in a scene, one function a fault, in one table."""

import contextlib
import resource
import signal
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from talweg.storage.errors import StoreError

from . import checks, rows
from .processes import send
from .proxy import Proxy
from .scene import Scene

UNLIMITED = resource.RLIM_INFINITY


class Fault(NamedTuple):
    """``happen`` returns whether there was anything to disturb; ``kills``: by kill -9."""

    happen: Callable[[Scene], bool]
    weight: float
    kills: bool = False
    embedded: bool = True
    served: bool = True


def kill_store(scene: Scene) -> bool:
    """kill -9 of the store, also while it starts."""
    return _kill(scene.stores())


def kill_writer(scene: Scene) -> bool:
    """kill -9 of one writer; the next one goes on from its last note."""
    going = [w for w in scene.writers.values() if w.poll() is None]
    return bool(going) and _kill([scene.chance.choice(going).pid])


def kill_machine(scene: Scene) -> bool:
    """kill -9 of everything at once, as when a machine loses its power."""
    going = [w.pid for w in scene.writers.values() if w.poll() is None]
    return _kill(scene.stores() + going)


def freeze_store(scene: Scene) -> bool:
    """A disk so slow that nothing moves: the store stands still for a second or two."""
    frozen = [pid for pid in scene.stores() if send(pid, signal.SIGSTOP)]
    try:
        time.sleep(scene.chance.uniform(0.5, 2.0))
    finally:
        for pid in frozen:
            send(pid, signal.SIGCONT)
    return bool(frozen)


def fill_disk(scene: Scene) -> bool:
    """No file of the store may grow any more: its next commit fails, and it leaves."""
    log = scene.database.with_name(f"{scene.database.name}.wal")
    size = log.stat().st_size if log.exists() else 0
    filled = 0
    for pid in scene.stores():
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 1, UNLIMITED))
            filled += 1
    return filled > 0


def take_store_away(scene: Scene) -> bool:
    """The store is killed, and does not come back for a while."""
    scene.away_until = time.monotonic() + scene.chance.uniform(1.0, 4.0)
    return _kill(scene.stores())


def cut_network(scene: Scene) -> bool:
    """Every connection breaks."""
    return _with_proxy(scene, lambda proxy: proxy.cut())


def cut_message(scene: Scene) -> bool:
    """The network breaks in the middle of a message to the store."""
    size = scene.chance.randrange(3000)
    return _with_proxy(scene, lambda proxy: proxy.cut_after(size))


def lose_answers(scene: Scene) -> bool:
    """Rows arrive and are committed, acknowledgements are lost: they are sent again."""

    def lose(proxy: Proxy) -> None:
        proxy.deafen()
        time.sleep(scene.chance.uniform(0.1, 0.5))
        proxy.cut()

    return _with_proxy(scene, lose)


def hang_up(scene: Scene) -> bool:
    """Connections are closed in one direction only."""
    return _with_proxy(scene, lambda proxy: proxy.half_close())


def silence(scene: Scene) -> bool:
    """The network swallows everything for a second, and nobody is told."""

    def hush(proxy: Proxy) -> None:
        with proxy.silent():
            time.sleep(scene.chance.uniform(0.5, 2.0))

    return _with_proxy(scene, hush)


def send_twice(scene: Scene) -> bool:
    """A flush that is acknowledged comes again, with other rows, and one far too early."""
    notes = [(checks.claim(scene, trial), trial) for trial in scene.trials]
    known = [(note, trial) for note, trial in notes if note and note.flushes]
    if not known or scene.is_away:
        return False
    note, trial = scene.chance.choice(known)
    other = rows.flush(trial, [10**6])
    scene.client.append(note.writer, scene.chance.randint(1, note.flushes), other)
    try:
        scene.client.append(note.writer, note.flushes + 10_000, other)
        scene.problems.append(f"a flush of {note.writer} was taken out of order")
    except StoreError:
        pass
    return True


def cut_log(scene: Scene) -> bool:
    """Everything is killed, and the end of the write-ahead log is gone: the one fault that may
    take acknowledged rows. The store must know of it: their trials start anew."""
    killed = kill_machine(scene)
    scene.wait(lambda: not scene.stores())
    log = scene.database.with_name(f"{scene.database.name}.wal")
    if log.exists() and (size := log.stat().st_size):
        with log.open("r+b") as file:
            file.truncate(scene.chance.randrange(size))
    scene.register()  # what the next `talweg run` does first
    lost = {trial for trial, _ in checks.broken(scene)}
    scene.lost |= {trial: len(scene.journal(trial).entries()) for trial in lost}
    return killed


FAULTS: Mapping[str, Fault] = {
    "store killed": Fault(kill_store, 10, kills=True),
    "writer killed": Fault(kill_writer, 10, kills=True),
    "machine killed": Fault(kill_machine, 4, kills=True),
    "store frozen": Fault(freeze_store, 2),
    "disk full": Fault(fill_disk, 2),
    "store away": Fault(take_store_away, 3, kills=True, embedded=False),
    "network cut": Fault(cut_network, 3, embedded=False),
    "cut in a message": Fault(cut_message, 3, embedded=False),
    "answers lost": Fault(lose_answers, 3, embedded=False),
    "closed one way": Fault(hang_up, 2, embedded=False),
    "network silent": Fault(silence, 1, embedded=False),
    "sent twice, too early": Fault(send_twice, 3),
    "log cut": Fault(cut_log, 2, kills=True, served=False),
}


def _kill(pids: list[int]) -> bool:
    return sum(send(pid, signal.SIGKILL) for pid in pids) > 0


def _with_proxy(scene: Scene, disturb: Callable[[Proxy], object]) -> bool:
    if scene.proxy is None:
        return False
    disturb(scene.proxy)
    return True
