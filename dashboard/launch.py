"""The command line that starts the dashboard; standard library only."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .access import Login

APP = Path(__file__).with_name("app.py")

_THEME = {
    "light.primaryColor": "#0072B2",
    "light.backgroundColor": "#FFFFFF",
    "light.secondaryBackgroundColor": "#F4F6F8",
    "light.textColor": "#1F2328",
    "dark.primaryColor": "#56B4E9",
    "dark.backgroundColor": "#14171A",
    "dark.secondaryBackgroundColor": "#1E2328",
    "dark.textColor": "#E6E8EB",
}


def command(
    store: str,
    host: str = "127.0.0.1",
    port: int = 8501,
    headless: bool = False,
    token_file: Path | None = None,
    secrets_file: Path | None = None,
    flags: Sequence[str] = (),
) -> list[str]:
    """The argument vector that serves the dashboard of a store; run it as it is.

    Args:
        store: a database file or a ``grpc://`` URL, as ``talweg.storage.client`` takes it.
        host: address to listen on.
        port: port to listen on.
        headless: do not open a browser.
        token_file: file that holds the token of a store at a URL.
        secrets_file: what the login needs, see :meth:`.access.Login.toml`; asks for a login.
        flags: further ones of ``app.py``.
    """
    options = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true" if headless else "false",
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": "false",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        "runner.magicEnabled": "false",
        **{f"theme.{name}": value for name, value in _THEME.items()},
    }
    if secrets_file:
        options["secrets.files"] = str(secrets_file)
    settings = [f"--{name}={value}" for name, value in options.items()]
    token = ["--token-file", str(token_file)] if token_file else []
    login = ["--login"] if secrets_file else []
    return [
        *(sys.executable, "-m", "streamlit", "run", str(APP), *settings),
        *("--", "--store", store, *token, *login, *flags),
    ]


def serve(
    store: str,
    token: str | None,
    host: str,
    port: int,
    *,
    browser: bool = True,
    login: Login | None = None,
    flags: Sequence[str] = (),
) -> NoReturn:
    """Become the dashboard: this process is replaced, so signals go straight to it.

    ``token`` of a store at a URL reaches it through a pipe, what the ``login`` needs through
    memory: never on the command line, where every user of the machine could read it, and
    never on a disk.
    """
    token_file = Path(f"/dev/fd/{_pipe_with(token)}") if token else None
    secrets_file = _named(_memory_with(login.toml())) if login else None
    arguments = command(
        store, host, port, not browser, token_file=token_file, secrets_file=secrets_file,
        flags=flags,
    )  # fmt: skip
    os.execv(arguments[0], arguments)


def _pipe_with(text: str) -> int:
    """A file descriptor that survives ``exec`` and from which the text can be read, once."""
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    with os.fdopen(writer, "w") as end:
        end.write(text)
    return reader


def _memory_with(text: str) -> int:
    """A file descriptor that survives ``exec``, of a file that only exists in memory.

    Not a pipe: Streamlit may read its secrets more than once.
    """
    handle = os.memfd_create("talweg-login", 0)
    os.write(handle, text.encode())
    return handle


def _named(handle: int) -> Path:
    """A name in ``.toml`` for a descriptor, which Streamlit insists on.

    The link says "descriptor N of whoever opens this", so it holds nothing and may stay; another
    dashboard that finds it opens its own.
    """
    folder = Path.home() / ".cache" / "talweg" / "dashboard"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    link = folder / f"descriptor-{handle}.toml"
    draft = folder / f"{link.name}.{os.getpid()}"
    draft.symlink_to(f"/proc/self/fd/{handle}")
    draft.replace(link)
    return link
