"""The compose file's very commands on three machines, one of which is cut off and then killed.

Each machine is a network namespace with an address, a name and a cable to one bridge, which lies
in a namespace of its own: nothing of this machine's network is touched. Ports, names and
commands are those of docker-compose.yml; folders and two options that spare memory are not.

``make namespaces`` runs this; it takes a minute, root and iproute2.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .compose_file import SPECS, TOKENS
from .storage_helpers import until
from .sweeps import assert_same_tables, run_json, store, write_grid

MACHINES = {"store": "10.77.0.1", "ray-head": "10.77.0.2", "ray-worker": "10.77.0.3"}
PREFIX = f"talweg-{os.getpid()}"
IP = shutil.which("ip", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
CUT_SECONDS = 4.0
HEALTHY_SECONDS = 120.0
SPARE = {
    "store": [],
    "ray-head": ["--include-dashboard=false", "--object-store-memory=100000000"],
    "ray-worker": ["--object-store-memory=100000000"],
}
WATCH = """
import sys
from talweg.storage.client import connect
with connect("grpc://store:8815", token=sys.argv[1]) as client:
    for _ in sys.stdin:
        print(client.query("select count(*) as n from steps")["n"][0].as_py(), flush=True)
"""
"""Says how many steps are in the store, as often as it is asked."""


def ip(*words: str) -> str:
    """An ``ip`` command; what it printed."""
    done = subprocess.run([str(IP), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
    return done.stdout


def why_not() -> str | None:
    """Why no network namespace can be made here; None where one can."""
    if IP is None:
        return "iproute2 is missing: bash deploy/iproute.sh"
    tried = subprocess.run(
        [IP, "netns", "add", f"{PREFIX}-try"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        return f"network namespaces cannot be made here: {tried.stderr.strip()}"
    ip("netns", "delete", f"{PREFIX}-try")
    return None


class Network:
    """Machines that know each other by the names of the compose file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []
        for token in TOKENS:
            (folder / token).write_text(f"{token}-of-this-test-0123456789abcdef")

    def namespace(self, machine: str) -> str:
        return f"{PREFIX}-{machine}"

    def cable(self, machine: str, state: str) -> None:
        """Plug a machine in ("up") or pull its cable ("down")."""
        ip("-n", self.namespace("lan"), "link", "set", machine, state)

    def build(self) -> None:
        lan = self.namespace("lan")
        ip("netns", "add", lan)
        ip("-n", lan, "link", "add", "bridge", "type", "bridge")
        ip("-n", lan, "link", "set", "bridge", "up")
        for machine, address in MACHINES.items():
            there = self.namespace(machine)
            # `ip netns exec` lays these files over those of /etc.
            files = Path("/etc/netns") / there
            files.mkdir(parents=True)
            names = "".join(f"{a} {name}\n" for name, a in MACHINES.items())
            (files / "hosts").write_text(f"127.0.0.1 localhost\n{names}")
            # gRPC asks name servers, too; at this address none is, which is told at once.
            (files / "resolv.conf").write_text("nameserver 127.0.0.1\n")
            ip("netns", "add", there)
            peer = ("peer", "name", "eth0", "netns", there)
            ip("-n", lan, "link", "add", machine, "type", "veth", *peer)
            ip("-n", lan, "link", "set", machine, "master", "bridge", "up")
            ip("-n", there, "address", "add", f"{address}/24", "dev", "eth0")
            ip("-n", there, "link", "set", "lo", "up")
            ip("-n", there, "link", "set", "eth0", "up")
            # Ray asks the kernel which of its addresses leads outside.
            ip("-n", there, "route", "add", "default", "dev", "eth0")

    def remove(self) -> None:
        for machine in (*MACHINES, "lan"):
            self.kill(machine)
            subprocess.run([str(IP), "netns", "delete", self.namespace(machine)], check=False)
            shutil.rmtree(Path("/etc/netns") / self.namespace(machine), ignore_errors=True)
        for process in self.processes:
            process.communicate()

    def pids(self, machine: str) -> list[int]:
        """Every process on a machine."""
        return [int(pid) for pid in ip("netns", "pids", self.namespace(machine)).split()]

    def kill(self, machine: str) -> None:
        """All of a machine at once, as when its power fails."""
        listed = (str(IP), "netns", "pids", self.namespace(machine))
        found = subprocess.run(listed, capture_output=True, text=True, check=False).stdout
        for pid in map(int, found.split()):
            os.kill(pid, signal.SIGKILL)

    def translate(self, text: str) -> str:
        """A word of the compose file with its folders on this machine's disk."""
        for theirs in ("/data", "/run/secrets", "/archive", "/backups", "/checkpoints"):
            text = text.replace(f"{theirs}/", f"{self.folder}/")
            text = f"{self.folder}{theirs}" if text == theirs else text
        return text

    def environment(self, service: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TALWEG_"))}
        given = {k: self.translate(v) for k, v in SPECS[service]["environment"].items()}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ours = {"RAY_TMPDIR": f"{self.folder}/r", "TALWEG_STEPS_FOLDER": f"{self.folder}/steps"}
        return inherited | given | ours | {"PATH": path}

    def begin(self, machine: str, *words: str, piped: bool = False) -> subprocess.Popen[str]:
        """A process on a machine, with the environment of its service."""
        with (self.folder / f"{machine}.log").open("a") as log:
            process = subprocess.Popen(
                [str(IP), "netns", "exec", self.namespace(machine), *words],
                env=self.environment(machine),
                stdin=subprocess.PIPE if piped else None,
                stdout=subprocess.PIPE if piped else log,
                stderr=log,
                text=True,
            )
        self.processes.append(process)
        return process

    def log(self, machine: str) -> str:
        """What the processes on a machine wrote."""
        return (self.folder / f"{machine}.log").read_text()

    def serve(self, service: str) -> subprocess.Popen[str]:
        """A service by its command in the compose file, not yet healthy."""
        command = [self.translate(word) for word in SPECS[service]["command"]]
        return self.begin(service, *command, *SPARE[service])

    def wait_for(self, service: str) -> None:
        """Return when the service's own check in the compose file finds it healthy."""
        check = SPECS[service]["healthcheck"]["test"][1:]
        command = [str(IP), "netns", "exec", self.namespace(service), *check]
        environment = self.environment(service)
        deadline = time.monotonic() + HEALTHY_SECONDS
        while subprocess.run(command, env=environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, self.log(service)
            time.sleep(0.2)


@contextmanager
def network() -> Iterator[Network]:
    """Three machines with the three services running and healthy."""
    with tempfile.TemporaryDirectory(prefix="tw") as folder:
        machines = Network(Path(folder))
        try:
            machines.build()
            for service in MACHINES:
                machines.serve(service)
                machines.wait_for(service)
            yield machines
        finally:
            machines.remove()


class Watcher:
    """How many steps the store has, seen from the head."""

    def __init__(self, machines: Network) -> None:
        token = (machines.folder / "store-token").read_text()
        self.process = machines.begin("ray-head", sys.executable, "-c", WATCH, token, piped=True)

    def steps(self) -> int:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


def test_a_worker_cut_off_and_killed_in_mid_sweep_costs_nothing(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    grid = write_grid(tmp_path, problem="digits", updates=800, lrs=2, seeds=4)
    with network() as machines:
        watcher = Watcher(machines)
        driver = machines.begin(
            *("ray-head", "talweg", "run", str(grid), "--address", "ray-head:6379", "--json"),
            piped=True,
        )
        until(lambda: watcher.steps() > 0)
        cut_off(machines, watcher)
        assert driver.poll() is None, "the sweep ended before the worker could be killed"
        machines.kill("ray-worker")
        machines.serve("ray-worker")  # as `restart: unless-stopped` does
        said, _ = driver.communicate(timeout=120)
        assert driver.returncode == 0, machines.log("ray-head")
        assert json.loads(said)["outcomes"] == {"done": 24}
        stop_store(machines)
        database = tmp_path / "talweg.duckdb"
        shutil.copy(machines.folder / "talweg.duckdb", database)
    compare(grid, database, tmp_path / "undisturbed.duckdb")


def cut_off(machines: Network, watcher: Watcher) -> None:
    """The worker without its cable for a while: nothing arrives, and afterwards it goes on."""
    machines.cable("ray-worker", "down")
    time.sleep(1)  # what was under way has arrived
    before = watcher.steps()
    time.sleep(CUT_SECONDS)
    assert watcher.steps() == before
    machines.cable("ray-worker", "up")
    until(lambda: watcher.steps() > before)


def stop_store(machines: Network) -> None:
    """As Docker stops it; it leaves one complete file."""
    for pid in machines.pids("store"):
        os.kill(pid, signal.SIGTERM)
    until(lambda: not machines.pids("store"))


def compare(grid: Path, database: Path, undisturbed: Path) -> None:
    """Every table of the database is that of a sweep in one process that nothing happened to."""
    run_json(grid, "--store", undisturbed, "--executor", "inline")
    with store(database) as left, store(undisturbed) as right:
        again = left.query("select count(*) as n from trials where attempt > 1")["n"][0].as_py()
        assert again > 0, "no trial was begun twice: the kill hit nothing"
        assert_same_tables(left, right)
