"""A store and its dashboard as processes of their own, and headless Chromium to look at it."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from talweg.dashboard.launch import APP, command
from talweg.workloads import studies

from .large_store import SHARES
from .measured import ROOT, START_SECONDS, store_of

QUESTIONS, REFRESHES, LIVE_S = "TALWEG_QUESTIONS", "TALWEG_REFRESHES", "TALWEG_LIVE_S"
"""Variables of :mod:`.watching`."""

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--no-first-run",
)
PATIENCE_MS = 120_000

DRAWN = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  const charts = [...document.querySelectorAll('[data-testid=stVegaLiteChart]')];
  const ready = app
    && app.getAttribute('data-test-script-state') === 'notRunning'
    && document.querySelector('[data-testid=stHeading]')
    && !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')
    && charts.every((chart) => chart.querySelector('canvas, svg'));
  return ready ? performance.now() : 0;
}"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
LINKS = """() => [...document.querySelectorAll('[data-testid=stSidebarNavLink]')]
  .map((link) => [link.innerText.trim(), link.href])"""


class Load(NamedTuple):
    """Seconds since navigation of one page load."""

    paint_s: float
    drawn_s: float
    charts: int


class Site(NamedTuple):
    """A running dashboard."""

    url: str
    dashboard: int
    """Its process id."""


@contextmanager
def served(database: Path, watched: Mapping[str, str] | None = None) -> Iterator[Site]:
    """The dashboard of a database; with ``watched``, variables of :mod:`.watching`, it is."""
    port = free_port()
    arguments = command(str(database), port=port, headless=True)
    if watched:
        app = str(Path(__file__).with_name("watched_app.py"))
        arguments = [app if part == str(APP) else part for part in arguments]
    environment = os.environ | dict(watched or {}) | {"PYTHONPATH": str(ROOT)}
    with store_of(database), _process(arguments, environment) as dashboard:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{url}/_stcore/health"))
        yield Site(url, dashboard)


@contextmanager
def _process(arguments: list[str], environment: Mapping[str, str]) -> Iterator[int]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(arguments, stdout=quiet, stderr=quiet, env=environment) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Return when it holds.

    Raises:
        TimeoutError: it does not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came within {seconds:g} s")
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Whether an address is served."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def tab(browser: Browser) -> Iterator[Page]:
    """A page of a laptop's size."""
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page


def load(page: Page, url: str) -> Load:
    """Open an address and wait until its charts are drawn and nothing runs any more."""
    page.goto(url, wait_until="commit")
    drawn_ms = page.wait_for_function(DRAWN, polling="raf").json_value()
    charts = page.locator("[data-testid=stVegaLiteChart]").count()
    return Load(float(page.evaluate(PAINT)) / 1000, float(drawn_ms) / 1000, charts)


def addresses(page: Page, url: str) -> dict[str, str]:
    """Title -> address of the pages in the sidebar, without those of studies not in the store."""
    load(page, url)
    absent = set(studies.names()) - set(SHARES)
    links: list[tuple[str, str]] = page.evaluate(LINKS)
    return {title: link for title, link in links if link.rpartition("/")[2] not in absent}
