"""The command line that starts the dashboard; standard library only."""

import sys
from pathlib import Path

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
) -> list[str]:
    """The argument vector that serves the dashboard of a store; run it as it is.

    Args:
        store: a database file or a ``grpc://`` URL, as ``talweg.storage.client`` takes it.
        host: address to listen on.
        port: port to listen on.
        headless: do not open a browser.
        token_file: file that holds the token of a store at a URL.
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
    flags = [f"--{name}={value}" for name, value in options.items()]
    token = ["--token-file", str(token_file)] if token_file else []
    return [
        *(sys.executable, "-m", "streamlit", "run", str(APP), *flags),
        *("--", "--store", store, *token),
    ]
