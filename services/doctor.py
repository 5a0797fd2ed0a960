"""``talweg doctor``: is this machine fit to run sweeps, and what would mend it?"""

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..storage.client import connect
from ..storage.errors import StoreError
from ..workloads.options import cpp_compiler
from . import settings

PACKAGES = ("torch", "ray", "duckdb", "pyarrow", "streamlit", "pydantic")
FREE_BYTES = 2 * 10**9


class Check(NamedTuple):
    """One thing looked at."""

    name: str
    ok: bool
    message: str


def examine(store: str | None) -> list[Check]:
    """Look at everything; a store is asked, and not started where there is none yet."""
    return [_python(), *_packages(), _devices(), _compiler(), _disk(), _store(store)]


def _python() -> Check:
    version = platform.python_version()
    fit = sys.version_info >= (3, 11)
    return Check("python", fit, version if fit else f"{version}; talweg needs 3.11 or newer")


def _packages() -> Iterator[Check]:
    for name in PACKAGES:
        try:
            yield Check(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Check(name, False, "not installed; `pip install -c constraints.txt .` again")


def _devices() -> Check:
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return Check("devices", True, f"{settings.cpus()} CPUs, {', '.join(gpus) or 'no GPU'}")


def _compiler() -> Check:
    missing = "none: training steps are not compiled; `apt install g++` makes long sweeps faster"
    return Check("C++ compiler", True, cpp_compiler() or missing)


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free
    text = f"{free / 1e9:.1f} GB free here"
    fit = free > FREE_BYTES
    return Check("disk", fit, text if fit else f"{text}; a sweep wants 2 GB, make room")


def _store(store: str | None) -> Check:
    given = settings.read()
    where = store or given.store
    if "://" not in where and not Path(where).exists():
        return Check("store", True, f"{where} does not exist yet; the first sweep makes it")
    return _guarded("store", lambda: _ask(where, given.write_secret(), given.ca_file))


def _ask(where: str, token: str | None, ca: Path | None) -> str:
    with connect(where, token=token, patience_s=10, scope="read", ca=ca) as client:
        facts = client.status()
    return f"{facts['url']} answers, schema version {facts['schema_version']}"


def _guarded(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except StoreError as error:
        return Check(name, False, str(error))
