"""The dashboard as people see it: a real server, a real store process, headless Chromium.

The tests share one store, server and browser, and run in this order: an empty store fills
while the page is open, is walked through, grows, dies and comes back.
"""

import dataclasses
import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from talweg.dashboard.findings import descent_result
from talweg.storage.client import Client, connect

from . import dashboard_data as data
from .browsers import PATIENCE_MS, chromium, free_port, see, see_no_more, serving, watched
from .storage_helpers import python, until
from .sweeps import talweg, write_grid

SWEEP, LIVE, GROWING = "descent-1a2b", "descent-live", "descent-growing"
SERVE = (
    "import sys; from talweg.storage.serve import serve; "
    "serve(sys.argv[1], port=int(sys.argv[2]), read_token='look', write_token='change')"
)


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
    with serving(team.url, tmp_path_factory.mktemp("server"), token="look") as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    with watched(browser, site) as page:
        yield page


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


def test_a_zoomed_curve_grows_and_stays_zoomed(page: Page, site: str, team: Team) -> None:
    trial = next(trial for trial in data.grid() if trial.descent == "mini_batch")
    rows = data.step_columns(GROWING, trial)
    with connect(team.url, token="change") as client:
        client.register(data.sweep_row(GROWING, GROWING), data.trial_columns(GROWING, [trial]))
        client.begin(GROWING, rows["trial_id"][:1])
        client.append(GROWING, 1, {"steps": {name: some[:25] for name, some in rows.items()}})
        page.goto(f"{site}/descent?sweep={GROWING}")
        chart = page.locator("[data-testid=stVegaLiteChart]").first
        labels = chart.locator(".role-axis-label").first.locator("text")
        line = chart.locator(".mark-line path").first
        until(lambda: any(labels.all_text_contents()))
        whole = labels.all_text_contents()
        chart.hover()
        page.keyboard.down("Alt")
        page.mouse.wheel(0, -800)
        page.keyboard.up("Alt")
        until(lambda: labels.all_text_contents() != whole)
        page.wait_for_timeout(500)
        zoomed, drawn = labels.all_text_contents(), line.get_attribute("d")
        client.append(GROWING, 2, {"steps": {name: some[25:] for name, some in rows.items()}})
        until(lambda: line.get_attribute("d") != drawn)
        page.wait_for_timeout(500)
        assert labels.all_text_contents() == zoomed
        client.set_status(GROWING, "failed")


def test_what_is_shown_can_be_taken_along(page: Page, site: str) -> None:
    page.goto(f"{site}/descent?sweep={SWEEP}&axis=linear")
    page.get_by_text("Copy link").click()
    see(page, f"descent?sweep={SWEEP}&axis=linear")
    page.keyboard.press("Escape")
    page.get_by_test_id("stMain").get_by_test_id("stPopover").first.get_by_role("button").click()
    content = {}
    for name in ("curves.csv", "curves.parquet", "curves.svg", "curves.png"):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        content[name] = download.value.path().read_bytes()
    columns = content["curves.csv"].decode().splitlines()[0].split(",")
    frame = pd.read_parquet(io.BytesIO(content["curves.parquet"]))
    assert columns == list(frame.columns)
    assert {"series", "mean", "low", "high", "n"} <= set(columns)
    assert content["curves.svg"].startswith(b"<svg ")
    assert content["curves.png"].startswith(b"\x89PNG")


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
    expect(charts).to_have_count(7)
    team.kill()
    see(page, "showing the last answer; retrying")
    expect(charts).to_have_count(7)
    with team.start() as client:
        see_no_more(page, "showing the last answer")
        see(page, sentence_of(client, SWEEP))
        data.fill(client, "descent-new", running=True)
    page.goto(site)
    see(page, "73 of 75 trials finished")
