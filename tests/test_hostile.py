"""What tries to get into a store, or to take it down: nothing does."""

import ast
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.hostile import MAX_BYTES, Victim, families, victim
from benchmarks.hostile_files import ARCHIVES, GRIDS
from talweg.storage import errors
from talweg.storage.client import connect
from talweg.storage.errors import AccessDenied, StoreUnreachable

from .storage_helpers import begun, child_store, steps, until

ROOT = Path(__file__).parents[1]
FAMILIES = [name for name, _ in families()]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    with victim(tmp_path_factory.mktemp("victim")) as store:
        yield store


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_gets_in_or_takes_the_store_down(store: Victim, family: str) -> None:
    tally = store.try_all(dict(families())[family])
    print(f"{family}: tried {tally.tried}, got in {len(tally.got_in)}, down {len(tally.down)}")
    assert tally.tried > 10
    assert (tally.got_in, tally.down, tally.told_too_much) == ([], [], [])
    assert store.most_bytes < MAX_BYTES


def test_the_attacks_are_many_and_different() -> None:
    names = [(family, name) for family, attacks in families() for name, _ in attacks]
    assert len(set(names)) == len(names)
    assert len(names) + len(ARCHIVES) + len(GRIDS) >= 1_000


def test_an_attack_that_succeeds_is_noticed(store: Victim) -> None:
    """Without this, a tally of nothing would prove nothing."""

    def change(_: object) -> object:
        store.client.set_status("s", "done")
        raise OSError(f"Traceback: {store.target.write}")

    def undo(_: object) -> object:
        store.client.set_status("s", "running")
        raise OSError("refused")

    tally = store.try_all(iter([("asks", lambda t: [1]), ("changes", change), ("undoes", undo)]))
    assert tally.got_in == ["asks", "changes: changed rows"]
    assert len(tally.told_too_much) == 1


def _command_lines() -> str:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return "\n".join(lines)


def test_tokens_stand_in_one_file_that_is_private_and_nowhere_else(tmp_path: Path) -> None:
    with child_store(tmp_path) as client:
        begun(client, "w", ["a"]).append("w", 1, {"steps": steps(["a"], 1)})
        endpoint = Path(f"{client.where}.endpoint")
        found = json.loads(endpoint.read_text())
        tokens = (found["read_token"], found["write_token"])
        with pytest.raises(AccessDenied):
            connect(found["url"], token=tokens[1][:-1], patience_s=5)
        with pytest.raises(errors.QueryError):
            client.query("select * from nothing")
        assert stat.S_IMODE(endpoint.stat().st_mode) == 0o600
        lines = _command_lines()
        assert client.where in lines, "the store itself must be among the processes looked at"
        held = [path for path in tmp_path.iterdir() if path != endpoint]
        texts = [lines, repr(client), *(p.read_bytes().decode(errors="replace") for p in held)]
        assert not [text[:80] for text in texts for token in tokens if token in text]


def test_a_served_store_keeps_tokens_out_of_command_lines_and_logs(tmp_path: Path) -> None:
    secrets = {"TALWEG_TOKEN": "write-" + "s" * 30, "TALWEG_READ_TOKEN": "read-" + "s" * 30}
    command = [sys.executable, "-m", "talweg.services", "store", "serve", "--port", "0"]
    database = tmp_path / "test.duckdb"
    log = tmp_path / "served.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--store", str(database)],
            env={**os.environ, **secrets},
            stdout=output,
            stderr=output,
        )
        try:
            until(lambda: Path(f"{database}.endpoint").exists())
            url = json.loads(Path(f"{database}.endpoint").read_text())["url"]
            with pytest.raises(AccessDenied):
                connect(url, token="wrong")
            connect(url, token=secrets["TALWEG_TOKEN"]).close()
            lines = _command_lines()
        finally:
            process.terminate()
            process.wait(20)
    assert str(database) in lines
    said = log.read_text()
    assert "serving" in said
    assert not [secret for secret in secrets.values() if secret in lines + said]


def test_a_misspelt_setting_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "talweg.toml").write_text('tokn = "my-secret"\nread_token = 7\npatience_s = -1\n')
    command = [sys.executable, "-m", "talweg.services", "status"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "TALWEG_TOKN: this value is not allowed" in done.stderr
    assert "TALWEG_READ_TOKEN: this value is not allowed" in done.stderr
    assert "TALWEG_PATIENCE_S: -1" in done.stderr
    assert "my-secret" not in done.stderr


def test_a_store_that_is_not_there_is_told_without_its_token() -> None:
    with pytest.raises(StoreUnreachable) as told:
        connect("grpc://127.0.0.1:9", token="my-secret", patience_s=0.1)
    assert "my-secret" not in str(told.value)


PICKLERS = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib", "jsonpickle"}


@pytest.mark.parametrize("folder", ["storage", "dashboard", "services", "workloads"])
def test_nothing_is_unpickled(folder: str) -> None:
    """Ray alone pickles, between processes that have its token; of files torch loads weights."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            assert not PICKLERS & {name.split(".")[0] for name in (*names, module)}, path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only=True" in ast.unparse(node), path
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "eval", "exec"):
                assert "allow_pickle=False" in ast.unparse(node), path
