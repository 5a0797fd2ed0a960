"""Public files that are fetched once, checked, and kept; no torch."""

import hashlib
import os
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 60.0
"""Seconds without an answer after which a download is given up."""


class DataUnavailable(OSError):
    """A file that is not here and cannot be fetched, or is not the published one."""


def folder() -> Path:
    """Where data is kept on this machine: ``~/.cache/talweg/data``."""
    return Path.home() / ".cache" / "talweg" / "data"


@dataclass(frozen=True)
class Remote:
    """A published file and its published MD5, which tells a broken copy from a whole one."""

    url: str
    md5: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


def fetch(remote: Remote, into: Path) -> Path:
    """The file in the folder ``into``, downloaded where it is not there yet.

    Raises:
        DataUnavailable: it cannot be fetched; or its MD5 is another one: the file is then kept
            beside its name, with ``.wrong`` at the end.
    """
    path = into / remote.name
    if not path.exists():
        _download(remote, path)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != remote.md5:
        aside = path.with_name(f"{path.name}.wrong")
        path.replace(aside)
        raise DataUnavailable(
            f"{path} is not the published file: its MD5 is {found}, not {remote.md5}; it was moved "
            f"to {aside.name}. Download {remote.url} and put it there, or try again"
        )
    return path


def _download(remote: Remote, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Workers may want the same file at once; each finished one takes the place of the other.
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with (
            urllib.request.urlopen(remote.url, timeout=TIMEOUT) as answer,
            partial.open("wb") as file,
        ):
            shutil.copyfileobj(answer, file)
        partial.replace(path)
    except OSError as error:
        raise DataUnavailable(
            f"{path} is missing and cannot be downloaded ({error}); download {remote.url} on a "
            f"machine that can, and put it into {path.parent}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
