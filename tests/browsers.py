"""A dashboard as people see it: its server as a process, and headless Chromium."""

import contextlib
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from talweg.dashboard.launch import command

from .storage_helpers import until

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--no-first-run",
)
# Streamlit's page asks for these below its own address first, then at the root.
PROBES = ("/_stcore/health", "/_stcore/host-config")
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)  # a busy machine takes longer than Playwright's 5 s


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextlib.contextmanager
def serving(store: str, folder: Path, token: str | None = None) -> Iterator[str]:
    """The address of a dashboard on a store, served until the end of the block."""
    token_file = None
    if token is not None:
        token_file = folder / "token"
        token_file.write_text(token, encoding="utf-8")
    port = free_port()
    arguments = command(store, port=port, headless=True, token_file=token_file)
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=folder)
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/_stcore/health"))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without a window."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "chromium is missing; `make test` installs it (apt-get install chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextlib.contextmanager
def watched(browser: Browser, site: str) -> Iterator[Page]:
    """A page that fails its test on any console error, exception or foreign request."""
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as context:
        complaints: list[str] = []
        watch(context, site, complaints)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page
        assert page.locator("[data-testid=stException]").count() == 0
        assert complaints == []


def watch(context: BrowserContext, site: str, complaints: list[str]) -> None:
    context.on(
        "console",
        lambda message: (
            complaints.append(f"{message.text} ({message.location['url']})")
            if message.type == "error" and not message.location["url"].endswith(PROBES)
            else None
        ),
    )
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((site, "data:", "blob:"))
            else complaints.append(f"foreign request {request.url}")
        ),
    )


def see(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)


def see_no_more(page: Page, text: str) -> None:
    expect(page.get_by_text(text)).to_have_count(0, timeout=PATIENCE_MS)
