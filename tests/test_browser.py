"""The dashboard as people see it: a real server, a real store process, headless Chromium.

The tests share one store, server and browser, and run in this order: an empty store fills
while the page is open, is walked through, grows, dies and comes back.
"""

import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from talweg.dashboard.findings import descent_result
from talweg.dashboard.launch import command
from talweg.storage.client import Client, connect

from . import dashboard_data as data
from .storage_helpers import python, until
from .sweeps import talweg, write_grid

SWEEP, LIVE = "descent-1a2b", "descent-live"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--no-first-run",
)
SERVE = (
    "import sys; from talweg.storage.serve import serve; "
    "serve(sys.argv[1], port=int(sys.argv[2]), read_token='look', write_token='change')"
)
# Streamlit's page asks for these below its own address first, then at the root.
PROBES = ("/descent/_stcore/health", "/descent/_stcore/host-config")
PATIENCE_MS = 20_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclasses.dataclass
class Team:
    """A team's store as a process of its own, at an address that stays."""

    database: Path
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def start(self) -> Client:
        self.process = python(SERVE, self.database, self.port)
        return connect(self.url, token="change")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    team = Team(tmp_path_factory.mktemp("store") / "team.duckdb", free_port())
    try:
        team.start().close()
        yield team
    finally:
        team.kill()


@pytest.fixture(scope="module")
def site(team: Team, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    token = folder / "token"
    token.write_text("look", encoding="utf-8")
    port = free_port()
    arguments = command(team.url, port=port, headless=True, token_file=token)
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=folder)
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/_stcore/health"))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "chromium is missing; `make test` installs it (apt-get install chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
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


def sentence_of(client: Client, sweep_id: str) -> str:
    return descent_result(lambda name, **p: client.query(name, p), sweep_id).sentence


def test_a_page_opened_before_the_first_sweep_fills_in_by_itself(
    page: Page, site: str, team: Team
) -> None:
    page.goto(site)
    see(page, "No sweep in this store yet.")
    see(page, "talweg run descent")
    with connect(team.url, token="change") as client:
        data.fill(client, SWEEP)
        data.fill(client, LIVE, running=True)
    see(page, "73 of 75 trials finished")
    assert page.url.endswith(f"?sweep={LIVE}")


def test_pages_show_the_stores_numbers(page: Page, site: str, team: Team) -> None:
    page.goto(f"{site}/?sweep={SWEEP}")
    see(page, "Finished of 75")
    page.get_by_role("link", name="Descent charts").last.click()
    expect(page.get_by_role("heading", name="Descent", exact=True)).to_be_visible()
    with connect(team.url, token="change") as client:
        see(page, sentence_of(client, SWEEP))
    charts = page.locator("[data-testid=stVegaLiteChart]")
    expect(charts).to_have_count(7)
    for index in range(7):
        expect(charts.nth(index).locator("canvas, svg").first).to_be_visible()
    expect(page.get_by_label("Line chart of test accuracy against samples").first).to_be_visible()


def test_a_link_opens_the_same_view_for_somebody_else(
    page: Page, site: str, browser: Browser
) -> None:
    page.goto(f"{site}/descent?sweep={SWEEP}")
    metric = page.get_by_role("combobox", name="Metric")
    metric.click()
    page.get_by_role("option", name="train loss").click()
    page.get_by_role("radio", name="linear").click()
    page.wait_for_url("**metric=train*loss**")
    page.wait_for_url("**axis=linear**")
    with browser.new_context() as context:
        other = context.new_page()
        other.goto(page.url)
        expect(other.get_by_role("heading", name="Train loss against samples")).to_be_visible(
            timeout=PATIENCE_MS
        )
        expect(other.get_by_role("combobox", name="Metric")).to_have_value("train loss")
        expect(other.get_by_role("combobox", name="Sweep")).to_have_value(SWEEP)
        expect(other.get_by_role("radio", name="linear")).to_be_checked()


def test_page_follows_the_rows_as_they_are_appended(page: Page, site: str, team: Team) -> None:
    page.goto(site)
    see(page, "73 of 75 trials finished")
    last = data.grid(running=True)[-1]
    writer = f"{data.WRITER}-{LIVE}"
    with connect(team.url, token="change") as client:
        rest = {"endings": data.ending_columns(LIVE, last)}
        client.append(writer, data.next_sequence(running=True), rest)
        see(page, "74 of 75 trials finished")
        client.set_status(LIVE, "failed")
    see(page, "Nothing is running now.")


def test_a_real_sweep_runs_undisturbed_under_an_open_page(
    page: Page, site: str, team: Team, tmp_path: Path
) -> None:
    grid = write_grid(tmp_path, name="watched", updates=200)
    page.goto(site)
    command = talweg("run", grid, "--store", team.url, "--executor", "inline", "--json")
    environment = os.environ | {"TALWEG_TOKEN": "change"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as sweep:
        # The page follows while rows come in: the new sweep appears on it by itself.
        see(page, "watched")
        answer, _ = sweep.communicate(timeout=120)
    assert sweep.returncode == 0
    result = json.loads(answer)
    assert result["outcomes"] == {"done": 18}
    page.goto(f"{site}/descent?sweep={result['sweep_id']}")
    with connect(team.url, token="change") as client:
        see(page, sentence_of(client, result["sweep_id"]))
        rows = client.query("sweeps").to_pylist()
    assert [r["finished"] for r in rows if r["name"] == "watched"] == [18]


def test_a_killed_store_is_told_calmly_and_picked_up_again(
    page: Page, site: str, team: Team
) -> None:
    page.goto(f"{site}/descent?sweep={SWEEP}")
    charts = page.locator("[data-testid=stVegaLiteChart]")
    expect(charts).to_have_count(5)
    team.kill()
    see(page, "showing the last answer; retrying")
    expect(charts).to_have_count(5)
    with team.start() as client:
        see_no_more(page, "showing the last answer")
        see(page, sentence_of(client, SWEEP))
        data.fill(client, "descent-new", running=True)
    page.goto(site)
    see(page, "73 of 75 trials finished")
