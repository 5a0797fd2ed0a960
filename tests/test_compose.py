"""The containers without containers: the file against its schema, its commands as processes.

What differs from the compose file here is what a single machine forces: names of hosts, ports
and folders, and the few Ray options in ``LOCAL_OPTIONS``.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from .compose_file import FILE, ROOT, SERVICES, SPECS, TOKENS, VOLUMES, compose

HEALTHY_SECONDS = 90.0
DOCKERFILE = (ROOT / "Dockerfile").read_text()
GRID = ROOT / "benchmarks" / "grids" / "digits-short.yaml"

LOCAL_OPTIONS = {
    "ray-head": [
        *("--port={ray}", "--dashboard-agent-listen-port={head_agent}"),
        *("--include-dashboard=false", "--object-store-memory=100000000"),
    ],
    "ray-worker": [
        *("--num-cpus=1", "--dashboard-agent-listen-port={agent}"),
        "--object-store-memory=100000000",
    ],
}


class Machine:
    """One machine that plays all hosts: free ports, a folder, and the file's words changed."""

    def __init__(self, folder: Path) -> None:
        names = ("store", "dashboard", "ray", "agent", "head_agent")
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.words = {
            "/data/": f"{folder}/",
            "/run/secrets/": f"{folder}/",
            **{f"/{name}": f"{folder}/{name}" for name in VOLUMES if name != "store"},
            "//store:": "//127.0.0.1:",
            "ray-head:": "127.0.0.1:",
            "8815": str(self.ports["store"]),
            "8501": str(self.ports["dashboard"]),
            "6379": str(self.ports["ray"]),
            "52365": str(self.ports["agent"]),
        }
        # Ray keeps its sockets there, and their paths must stay short.
        self.local = {"RAY_TMPDIR": f"{folder}/r", "PATH": path_with(Path(sys.executable).parent)}
        for token in TOKENS:
            (folder / token).write_text(f"{token}-of-this-test-0123456789abcdef")

    def translate(self, text: str) -> str:
        for theirs, ours in self.words.items():
            text = text.replace(theirs, ours)
        return text

    def command(self, service: str) -> list[str]:
        options = [option.format(**self.ports) for option in LOCAL_OPTIONS.get(service, [])]
        return [self.translate(word) for word in SPECS[service]["command"]] + options

    def environment(self, service: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TALWEG_"))}
        given = SPECS[service]["environment"].items()
        return inherited | {key: self.translate(value) for key, value in given} | self.local

    def check(self, service: str) -> list[str]:
        return [self.translate(word) for word in SPECS[service]["healthcheck"]["test"][1:]]

    @contextmanager
    def running(self, service: str, log: Path) -> Iterator[None]:
        """The service as a process, healthy by its own check; stopped the way Docker stops it."""
        environment = self.environment(service)
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(service), env=environment, stdout=output, stderr=output
            )
        try:
            wait_until_healthy(self.check(service), environment, process, log)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def path_with(folder: Path) -> str:
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def wait_until_healthy(
    check: list[str], environment: dict[str, str], process: subprocess.Popen[bytes], log: Path
) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    while True:
        done = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        assert process.poll() is None, f"left with {process.returncode}:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"{check}: {done.stderr}\n{log.read_text()}"


def test_the_file_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, FILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_four_services_are_there_and_workers_with_gpus_besides() -> None:
    assert set(SPECS) == {*SERVICES, "ray-worker-gpu"}


def test_a_worker_comes_with_its_profile_and_one_with_gpus_has_them_reserved() -> None:
    profiles = {name: spec["profiles"] for name, spec in SPECS.items() if "profiles" in spec}
    assert profiles == {"ray-worker": ["cpu"], "ray-worker-gpu": ["gpu"]}
    devices = [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    more = {"profiles": ["gpu"], "deploy": {"resources": {"reservations": {"devices": devices}}}}
    assert SPECS["ray-worker-gpu"] == SPECS["ray-worker"] | more


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_restarts_is_checked_and_runs_a_command_of_ours_or_rays(service: str) -> None:
    spec = SPECS[service]
    assert spec["restart"] == "unless-stopped"
    assert spec["init"] is True
    assert spec["cap_drop"] == ["ALL"]
    assert spec["security_opt"] == ["no-new-privileges:true"]
    assert spec["command"][0] in ("talweg", "ray")
    assert spec["healthcheck"]["test"][0] == "CMD"
    for other in spec.get("depends_on", {}).values():
        assert other == {"condition": "service_healthy"}


def test_only_the_dashboard_is_reachable_from_outside_and_only_from_this_machine() -> None:
    ports = {name: spec["ports"] for name, spec in SPECS.items() if "ports" in spec}
    assert ports == {"dashboard": ["127.0.0.1:8501:8501"]}


def test_the_database_is_on_a_named_volume_that_no_other_service_sees() -> None:
    mounts = {name: spec["volumes"] for name, spec in SPECS.items()}
    assert [name for name, each in mounts.items() if "store:/data" in each] == ["store"]
    assert "/data/talweg.duckdb" in SPECS["store"]["command"]
    assert [name for name, each in mounts.items() if "backups:/backups" in each] == ["store"]


def test_every_folder_of_the_settings_is_a_named_volume_and_nothing_else_can_be_written() -> None:
    assert compose()["volumes"] == dict.fromkeys(VOLUMES)
    for name, spec in SPECS.items():
        named = {mount.partition(":")[2] for mount in spec["volumes"] if mount[0] not in "./"}
        folders = {v for key, v in spec["environment"].items() if key.endswith("_FOLDER")}
        # Sweeps are archived where they are started: in the head, not in the workers.
        unused = {"/archive"} if name.startswith("ray-worker") else set()
        assert named - {"/data"} == folders - unused, name
        assert all(mount.endswith(":ro") for mount in spec["volumes"] if mount[0] in "./"), name


def test_the_image_has_a_folder_of_its_own_user_for_every_volume() -> None:
    made = re.search(r"install --directory .* talweg ((?:/\w+ ?)+)$", DOCKERFILE, re.M)
    assert made
    mounts = {m.split(":")[1] for spec in SPECS.values() for m in spec["volumes"]}
    assert set(made[1].split()) == mounts - {"/grids"}


def test_tokens_come_from_files_that_each_service_is_given_and_no_more_than_it_needs() -> None:
    for name, spec in SPECS.items():
        asked = {v.rpartition("/")[2] for v in spec["environment"].values() if "/run/secrets" in v}
        assert asked == set(spec["secrets"]), name
    assert set(compose()["secrets"]) == set(TOKENS)
    assert SPECS["dashboard"]["secrets"] == ["store-read-token"]


def test_the_head_of_the_cluster_does_no_work_and_workers_can_be_many() -> None:
    assert "--num-cpus=0" in SPECS["ray-head"]["command"]
    # A fixed name or port would make a second worker impossible.
    assert not {"container_name", "ports", "hostname"} & set(SPECS["ray-worker"])
    assert SPECS["ray-worker"]["shm_size"] == "2gb"


def test_the_image_runs_without_root_and_is_sent_all_it_copies_and_little_else() -> None:
    assert re.findall(r"^(?:USER|FROM) (\S+)", DOCKERFILE, re.M)[-1] == "talweg"
    sources = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M)
    copied = {name for names in sources for name in names.split()}
    # Everything is ignored first, then let through name by name.
    _, _, exceptions = (ROOT / ".dockerignore").read_text().partition("\n*\n")
    sent = {line.removeprefix("!") for line in exceptions.splitlines() if line.startswith("!")}
    assert sent == copied


def test_every_service_starts_becomes_healthy_and_together_they_run_a_sweep() -> None:
    with ExitStack() as stack:
        # Not pytest's folder: its path is too long for sockets when tests run side by side.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tw")))
        machine = Machine(folder)
        for service in SERVICES:
            stack.enter_context(machine.running(service, folder / f"{service}.log"))
        # As docs/containers.md says to start a sweep: in ray-head, with its environment.
        command = ["run", str(GRID), "--address", f"127.0.0.1:{machine.ports['ray']}", "--json"]
        environment = machine.environment("ray-head")
        refused = [begin(how, command, environment) for how in REFUSALS]
        done = outcome(begin(Refusal(), command, environment))
        assert done.code == 0, done
        assert '"outcomes": {"done": 3}' in done.said
        assert list(folder.glob("archive/*/manifest.json"))
        for how, process in zip(REFUSALS, refused, strict=True):
            ended = outcome(process)
            assert ended.code == 3, ended
            assert re.fullmatch(how.message, ended.complained.strip()), ended


class Refusal(NamedTuple):
    """What is changed about a sweep's start, and the one line that it is refused with."""

    message: str = ""
    before: str = ""
    variables: Mapping[str, str] = {}
    options: tuple[str, ...] = ()


REFUSALS = (
    Refusal(
        r"talweg: the Ray cluster at '\S+' refuses our token: set RAY_AUTH_MODE=token, and .+",
        variables={"RAY_AUTH_TOKEN": "the-token-of-another-cluster-0123456789abcdef"},
    ),
    Refusal(
        r"talweg: the Ray cluster at '\S+' has Ray \S+ with Python \S+, this process Ray 2\.1\.0 "
        r"with Python \S+; both must be the same: .+",
        before="import ray; ray.__version__ = '2.1.0'",
    ),
    Refusal(
        r"talweg: no GPU in this Ray cluster; use --device cpu, or join a node that has one",
        options=("--device", "cuda"),
    ),
)


class Ended(NamedTuple):
    """How a process ended and what it wrote."""

    code: int
    said: str
    complained: str


def begin(
    how: Refusal, command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    """``talweg`` with that command line, changed as the refusal says."""
    script = f"{how.before}\nfrom talweg.services.cli import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", script, *command, *how.options],
        env={**environment, **how.variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> Ended:
    said, complained = process.communicate(timeout=HEALTHY_SECONDS)
    return Ended(process.returncode, said, complained)
