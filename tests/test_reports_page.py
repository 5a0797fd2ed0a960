"""Reports on the dashboard: made, kept, looked at without any trust, taken away."""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from talweg.dashboard import report_shelf
from talweg.dashboard.report import making
from talweg.dashboard.report.order import Order
from talweg.dashboard.report_formats import framed
from talweg.storage.client import Client

from . import dashboard_data as data
from .browsers import chromium
from .storage_helpers import local_store

SWEEP, LIVE = "descent-1a2b", "descent-live"


def page(where: str, folder: str) -> None:
    import functools
    from pathlib import Path

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import reports

    answers = app.answers_of(where, None)
    frame.show(answers, functools.partial(reports.render, answers, Path(folder)))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("store")) as client:
        data.fill(client, SWEEP)
        data.fill(client, LIVE, running=True)
        yield client


def run(client: Client, folder: Path, **query: str) -> AppTest:
    app = AppTest.from_function(
        page, kwargs={"where": client.where, "folder": str(folder)}, default_timeout=60
    )
    app.query_params.update(query)
    app.run()
    assert not app.exception
    return app


def make(app: AppTest) -> AppTest:
    next(b for b in app.button if b.label == "Make the report").click().run()
    assert not app.exception
    return app


def test_a_report_made_here_is_the_one_of_the_command_and_is_kept_once(
    client: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "reports"
    app = run(client, folder, sweep=SWEEP)
    assert "No report has been made here yet." in [m.value for m in app.markdown]
    make(app)
    (file,) = folder.iterdir()
    making.write(client, Order((SWEEP,)), tmp_path / "report.html")
    assert file.read_bytes() == (tmp_path / "report.html").read_bytes()
    assert app.query_params["report"] == file.name
    table = app.dataframe[0].value
    assert table["sweep"].tolist() == [SWEEP]
    assert table["kilobytes"].tolist() == [file.stat().st_size / 1000]
    make(app)
    assert list(folder.iterdir()) == [file]


def test_two_sweeps_on_paper_and_a_summary_as_text(client: Client, tmp_path: Path) -> None:
    app = run(client, tmp_path, sweep=SWEEP)
    app.multiselect(key="report_with").select(LIVE)
    app.selectbox(key="report_format").select("LaTeX")
    app = make(app.run())
    (name,) = (p.name for p in tmp_path.iterdir())
    assert re.fullmatch(rf"{SWEEP}-and1-[0-9a-f]{{12}}\.tex\.zip", name)
    assert app.code[0].value.startswith("% talweg-report:")
    assert app.dataframe[0].value["format"].tolist() == ["tex.zip"]
    app.toggle(key="report_summary").set_value(True)
    make(app.run())
    (refused,) = app.error
    assert "a summary is of one sweep alone" in refused.value
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_new_report_replaces_is_said_before(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_shelf, "KEPT", 1)
    assert not any("takes the place" in c.value for c in run(client, tmp_path).caption)
    old = report_shelf.keep(tmp_path, "old", "html", b"<p>old</p>")
    said = [c.value for c in run(client, tmp_path).caption]
    assert any(f"takes the place of `{old}`" in text for text in said)


def test_a_link_opens_the_report_that_it_names(client: Client, tmp_path: Path) -> None:
    old = report_shelf.keep(tmp_path, "old", "html", b"<p>old</p>")
    os.utime(tmp_path / old, (1, 1))
    new = report_shelf.keep(tmp_path, "new", "html", b"<p>new</p>")
    assert run(client, tmp_path).selectbox(key="report").value == new
    app = run(client, tmp_path, report=old)
    assert app.selectbox(key="report").value == old
    assert app.selectbox(key="report").options == [new, old]


@pytest.mark.parametrize("name", ["../secret.html", "/etc/passwd", "gone-1.html"])
def test_a_link_reads_nothing_but_reports(client: Client, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.html").write_text("secret")
    folder = tmp_path / "reports"
    kept = report_shelf.keep(folder, "s", "html", b"<p>s</p>")
    assert run(client, folder, report=name).selectbox(key="report").value == kept


def test_a_running_sweep_is_said_to_be_running(client: Client, tmp_path: Path) -> None:
    said = [c.value for c in run(client, tmp_path, sweep=LIVE).caption]
    assert any(text.startswith("A sweep that is running") for text in said)


def test_an_empty_store_says_what_to_do_next(tmp_path: Path) -> None:
    with local_store(tmp_path) as client:
        assert run(client, tmp_path / "r").code[0].value == "talweg run descent"


@pytest.mark.parametrize("sweep_id", ["../../etc/x", "..", "/abs", ".hidden", "a/b", "ü<script>"])
def test_no_name_of_a_sweep_leads_out_of_the_folder(tmp_path: Path, sweep_id: str) -> None:
    folder = tmp_path / "reports"
    name = report_shelf.keep(folder, sweep_id, "html", b"x")
    assert [p.name for p in folder.iterdir()] == [name]
    assert [r.name for r in report_shelf.made(folder)] == [name]


def test_the_oldest_report_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_shelf, "KEPT", 2)
    for age, sweep in enumerate(["a", "b", "c"]):
        name = report_shelf.keep(tmp_path, sweep, "html", sweep.encode())
        os.utime(tmp_path / name, (age, age))
    leaving = report_shelf.next_to_leave(tmp_path)
    assert leaving is not None
    assert leaving.sweep == "b"
    report_shelf.keep(tmp_path, "d", "html", b"d")
    assert [r.sweep for r in report_shelf.made(tmp_path)] == ["d", "c"]


def test_reports_lie_beside_a_database_and_in_the_cache_for_a_store_elsewhere(
    tmp_path: Path,
) -> None:
    beside = report_shelf.folder_beside(str(tmp_path / "a.duckdb"))
    assert beside == tmp_path.resolve() / "a.duckdb.reports"
    assert report_shelf.folder_beside("grpc://s:1").parts[-3:] == (".cache", "talweg", "reports")


HOSTILE = """<!doctype html><title>r</title><p>kept words</p>
<script>parent.hacked = top.hacked = true; document.body.append("ran")</script>
<img src="{leak}" onerror="top.hacked = true">
<style>p {{ color: rgb(1, 2, 3) }}</style>"></iframe><script>hacked = true</script>"""


@contextmanager
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address, and the paths that were asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/leak.png", asked
        server.shutdown()


def test_a_hostile_report_is_shown_and_does_nothing() -> None:
    with listener() as (leak, asked), chromium() as browser, browser.new_context() as context:
        hostile = HOSTILE.format(leak=leak)
        page = context.new_page()
        page.set_content(framed(hostile, 'a "title"'))
        inside = page.frame_locator("iframe")
        words = inside.get_by_text("kept words")
        words.wait_for()
        assert words.evaluate("p => getComputedStyle(p).color") == "rgb(1, 2, 3)"
        page.wait_for_timeout(300)
        assert page.evaluate("typeof window.hacked") == "undefined"
        assert inside.get_by_text("ran").count() == 0
        assert page.locator("iframe").get_attribute("title") == 'a "title"'
        assert asked == []
        page = context.new_page()
        page.set_content(hostile)  # without the frame it does what it can
        page.wait_for_function("window.hacked")
        assert asked == ["/leak.png"]
