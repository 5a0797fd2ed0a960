"""A store with a certificate: the service, a command that trusts it, and commands that do not."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .sweeps import talweg

TOKENS = {"TALWEG_TOKEN": "writer-0123456789", "TALWEG_READ_TOKEN": "reader-0123456789"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of localhost, its own root, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    openssl = shutil.which("openssl")
    assert openssl, "openssl makes the certificate of this test"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    to = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *request, *names, *to], check=True, capture_output=True)
    return certificate, key


def environment(**more: object) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TALWEG_")}
    return inherited | TOKENS | {name: str(value) for name, value in more.items()}


@pytest.fixture(scope="module")
def url(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a store that ``talweg store serve`` serves with the certificate."""
    certificate, key = files
    database = tmp_path_factory.mktemp("store") / "t.duckdb"
    with subprocess.Popen(
        talweg("store", "serve", "--store", database, "--port", 0),
        env=environment(TALWEG_TLS_CERTIFICATE=certificate, TALWEG_TLS_KEY=key),
        stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        try:
            assert server.stderr is not None
            lines = iter(server.stderr.readline, "")
            yield next(found[0] for line in lines if (found := re.search(r"grpc\+tls://\S+", line)))
        finally:
            server.terminate()


def status(url: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = talweg("store", "status", "--store", url, "--json")
    asked = environment(TALWEG_PATIENCE_S=1, **more)
    return subprocess.run(command, env=asked, capture_output=True, text=True, check=False)


def test_a_command_that_trusts_the_certificate_is_answered(
    url: str, files: tuple[Path, Path]
) -> None:
    done = status(url, TALWEG_CA_FILE=files[0])
    assert done.returncode == 0, done.stderr
    assert '"schema_version"' in done.stdout


def test_without_its_root_or_without_tls_nobody_is_talked_to(url: str) -> None:
    for where in (url, url.replace("+tls", "")):
        done = status(where)
        assert done.returncode == 3
        assert "Traceback" not in done.stderr
        assert "writer-0123456789" not in done.stderr


@pytest.mark.parametrize("given", ["TALWEG_TLS_CERTIFICATE", "TALWEG_TLS_KEY"])
def test_half_of_it_is_refused(given: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    done = subprocess.run(
        talweg("store", "serve", "--store", tmp_path / "t.duckdb", "--port", 0),
        env=environment(**{given: files[0]}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "is not set: TLS takes" in done.stderr
    assert list(tmp_path.iterdir()) == []
