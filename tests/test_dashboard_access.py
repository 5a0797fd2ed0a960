"""Who gets in: how the dashboard may be started, its login at a real provider, its filters."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.testing.v1 import AppTest

from talweg.dashboard.access import Login, Refused, admits, demand, login_of
from talweg.storage.client import Client

from . import dashboard_data as data
from . import oidc_provider
from .browsers import PATIENCE_MS, answers, chromium, free_port, see
from .oidc_provider import CLIENT, SECRET, Provider
from .storage_helpers import local_store, sweep, trials, until
from .sweeps import talweg

SWEEP = "descent-1a2b"
COOKIE_SECRET = "0123456789abcdef0123456789abcdef"
PARTS: dict[str, Any] = {
    "client_id": CLIENT,
    "client_secret": SECRET,
    "metadata_url": "https://id.example.org/.well-known/openid-configuration",
    "redirect_url": "https://talweg.example.org/oauth2callback",
    "cookie_secret": COOKIE_SECRET,
}
LOGIN = Login(**PARTS, allowed=("@example.org",))
WRITING = Login(**PARTS, allowed=("@example.org",), writers=("ada@example.org",))


@pytest.mark.parametrize(
    ("words", "user", "expected"),
    [
        (["ada@example.org"], {"email": "ada@example.org"}, True),
        (["Ada@Example.org"], {"email": "ADA@example.ORG"}, True),
        (["@example.org"], {"email": "ada@example.org", "email_verified": True}, True),
        (["@example.org"], {"email": "ada@example.org", "email_verified": False}, False),
        (["@example.org"], {"email": "ada@example.org", "email_verified": "false"}, False),
        (["@example.org"], {"email": "ada@evil-example.org"}, False),
        (["@example.org"], {"email": "ada@example.org@evil.org"}, False),
        (["@example.org"], {"email": "example.org"}, False),
        (["example.org"], {"email": "ada@example.org"}, False),
        (["ada@example.org"], {"email": "bob@example.org"}, False),
        (["@"], {"email": ""}, False),
        (["", "@"], {}, False),
        ([], {"email": "ada@example.org"}, False),
        (["*"], {"sub": "1"}, True),
    ],
)
def test_addresses_and_domains_let_in_whom_they_name(
    words: list[str], user: Mapping[str, object], expected: bool
) -> None:
    assert admits(words, user) is expected


def test_no_setting_is_no_login() -> None:
    assert login_of(dict.fromkeys(PARTS), (), ()) is None


@pytest.mark.parametrize("part", PARTS)
def test_a_login_in_part_is_refused_and_names_what_is_missing(part: str) -> None:
    with pytest.raises(Refused, match=f"TALWEG_OIDC_{part.upper()} as well"):
        login_of({**PARTS, part: None}, ["*"], ())


def test_a_login_says_whom_it_lets_in() -> None:
    with pytest.raises(Refused, match="TALWEG_OIDC_ALLOWED"):
        login_of({**PARTS}, (), ())


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("redirect_url", "https://talweg.example.org/"),
        ("redirect_url", "talweg/oauth2callback"),
        ("metadata_url", "id.example.org"),
        ("cookie_secret", "short-and-secret"),
    ],
)
def test_parts_that_do_not_fit_are_refused_and_not_repeated(part: str, value: str) -> None:
    with pytest.raises(Refused, match=f"TALWEG_OIDC_{part.upper()}") as refused:
        login_of({**PARTS, part: value}, ["*"], ())
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "login", "behind_proxy", "submit", "store", "complaint"),
    [
        ("127.0.0.1", None, False, False, "a.duckdb", None),
        ("localhost", None, False, True, "a.duckdb", None),
        ("::1", None, False, True, "a.duckdb", None),
        ("0.0.0.0", None, False, False, "a.duckdb", "on this machine alone"),
        ("::", None, False, False, "a.duckdb", "on this machine alone"),
        ("bench-1", None, False, False, "a.duckdb", "--behind-proxy"),
        ("0.0.0.0", None, True, False, "a.duckdb", None),
        ("0.0.0.0", LOGIN, False, False, "grpc://s:1", None),
        ("0.0.0.0", None, True, True, "a.duckdb", "does not know who"),
        ("127.0.0.1", None, True, True, "a.duckdb", "does not know who"),
        ("127.0.0.1", LOGIN, False, True, "a.duckdb", "TALWEG_OIDC_WRITERS"),
        ("0.0.0.0", WRITING, False, True, "a.duckdb", None),
        ("127.0.0.1", None, False, True, "grpc://s:1", "a store elsewhere"),
    ],
)
def test_an_open_door_is_refused(
    host: str, login: Login | None, behind_proxy: bool, submit: bool, store: str,
    complaint: str | None,
) -> None:  # fmt: skip
    if complaint is None:
        demand(host, login, behind_proxy, submit, store)
    else:
        with pytest.raises(Refused, match=complaint):
            demand(host, login, behind_proxy, submit, store)


def test_the_secrets_file_is_what_streamlit_reads_whatever_the_secrets_are() -> None:
    hostile = Login(**{**PARTS, "client_secret": 'a"\\\n[access]\nallowed = ["*"]\u2028é'},
                    allowed=("@example.org",))  # fmt: skip
    read = tomllib.loads(hostile.toml())
    assert read["auth"]["client_secret"] == hostile.client_secret
    assert read["auth"]["server_metadata_url"] == hostile.metadata_url
    assert read["access"] == {"allowed": ["@example.org"], "writers": []}


def test_secrets_do_not_show_in_a_login_as_printed() -> None:
    assert SECRET not in repr(LOGIN)
    assert COOKIE_SECRET not in repr(LOGIN)


def test_the_command_refuses_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        talweg("dashboard", "--host", "0.0.0.0", "--store", tmp_path / "a.duckdb"),
        capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("talweg: --host 0.0.0.0: without a login")
    assert done.stderr.count("\n") == 1


def test_secrets_outlive_exec_in_memory_and_can_be_read_again(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from talweg.dashboard import launch\n"
        "link = launch._named(launch._memory_with('secret'))\n"
        "show = 'import sys; print([open(sys.argv[1]).read() for _ in range(2)])'\n"
        "os.execv(sys.executable, [sys.executable, '-c', show, str(link)])\n"
    )
    for _ in range(2):  # the link of the dashboard before is no obstacle
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True, text=True, check=True, timeout=60,
            env=os.environ | {"HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.stdout.strip() == "['secret', 'secret']"
    (link,) = (tmp_path / ".cache" / "talweg" / "dashboard").iterdir()
    assert str(link.readlink()).startswith("/proc/self/fd/")  # of whoever opens it, not of ours


# The login


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with oidc_provider.provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("store")) as client:
        data.fill(client, SWEEP)
        yield client


@pytest.fixture(scope="module")
def server(
    store: Client, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    site = f"http://127.0.0.1:{port}"
    secret = folder / "client-secret"
    secret.write_text(f"{SECRET}\n")
    login = {
        "CLIENT_ID": CLIENT,
        "CLIENT_SECRET_FILE": str(secret),
        "METADATA_URL": provider.metadata_url,
        "REDIRECT_URL": f"{site}/oauth2callback",
        "COOKIE_SECRET": COOKIE_SECRET,
        "ALLOWED": "@example.org, guest@elsewhere.net",
        "WRITERS": "ada@example.org",
    }
    environment = os.environ | {"HOME": str(folder)}
    environment |= {f"TALWEG_OIDC_{name}": value for name, value in login.items()}
    command = talweg("dashboard", "--store", store.where, "--port", port, "--no-browser",
                     "--allow-submit")  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
    try:
        until(lambda: answers(f"{site}/_stcore/health"))
        yield site, process
    finally:
        process.terminate()
        process.wait()
    written = (folder / "log").read_text()
    assert SECRET not in written
    assert COOKIE_SECRET not in written


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page


def log_in(page: Page, site: str, provider: Provider, **claims: object) -> None:
    provider.claims = dict(claims)
    page.goto(site)
    page.get_by_role("button", name="Log in").click()


def test_the_secrets_of_the_login_are_in_no_command_line(
    server: tuple[str, subprocess.Popen[bytes]],
) -> None:
    words = Path(f"/proc/{server[1].pid}/cmdline").read_text()
    assert "--login" in words
    assert SECRET not in words
    assert COOKIE_SECRET not in words


@pytest.mark.parametrize("path", ["", f"descent?sweep={SWEEP}", "sql"])
def test_nothing_is_shown_before_the_login(
    page: Page, server: tuple[str, subprocess.Popen[bytes]], path: str
) -> None:
    received: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(
        frame if isinstance(frame, str) else frame.decode("latin-1"))))  # fmt: skip
    page.goto(f"{server[0]}/{path}")
    see(page, "The pages of this dashboard are shown after a login.")
    expect(page.get_by_role("link", name="Sweeps")).to_have_count(0)
    assert received
    assert SWEEP not in "".join(received)  # not in what travels either


def test_whoever_is_allowed_sees_the_pages_and_may_leave(
    page: Page, server: tuple[str, subprocess.Popen[bytes]], provider: Provider
) -> None:
    log_in(page, server[0], provider, email="ada@example.org", email_verified=True)
    see(page, "Finished of 75")
    see(page, "ada@example.org")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_text("Finished of 75")).to_have_count(0)


@pytest.mark.parametrize(
    "claims",
    [{"email": "eve@evil.org"}, {"email": "eve@example.org", "email_verified": False}],
    ids=["other domain", "not verified"],
)
def test_whoever_is_not_allowed_is_told_so_and_sees_nothing(
    page: Page, server: tuple[str, subprocess.Popen[bytes]], provider: Provider,
    claims: dict[str, object],
) -> None:  # fmt: skip
    log_in(page, server[0], provider, **claims)
    see(page, "This account may not see this dashboard.")
    page.goto(f"{server[0]}/descent?sweep={SWEEP}")
    see(page, "This account may not see this dashboard.")
    expect(page.get_by_role("link", name="Sweeps")).to_have_count(0)


def test_only_writers_may_start_sweeps(
    page: Page, browser: Browser, server: tuple[str, subprocess.Popen[bytes]], provider: Provider
) -> None:
    log_in(page, server[0], provider, email="bob@example.org")
    see(page, "Finished of 75")
    page.goto(f"{server[0]}/submit")
    see(page, "TALWEG_OIDC_WRITERS")
    expect(page.get_by_role("button", name="Start the sweep")).to_be_disabled()
    with browser.new_context() as context:
        writer = context.new_page()
        log_in(writer, server[0], provider, email="ada@example.org")
        see(writer, "Finished of 75")
        writer.goto(f"{server[0]}/submit")
        expect(writer.get_by_role("button", name="Start the sweep")).to_be_enabled(
            timeout=PATIENCE_MS
        )


# Teams and owners


def overview(where: str) -> None:
    from talweg.dashboard import app

    app.main(["--store", where])


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("teams")) as client:
        owners = {"a": ("vision", "ada"), "b": ("vision", "bob"), "c": (None, "bob")}
        for name, (team, owner) in owners.items():
            row = sweep(name, team=team, owner=owner, study="descent", status="done")
            client.register(row, trials([f"{name}-1"]))
        yield client


def run(client: Client, **query: object) -> AppTest:
    app = AppTest.from_function(overview, kwargs={"where": client.where}, default_timeout=20)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def shown(app: AppTest) -> list[tuple[str, str]]:
    table = next(t.value for t in app.dataframe if "owner" in t.value)
    return list(zip(table["team"], table["owner"], strict=True))


def test_filters_keep_to_teams_and_owners_on_list_and_choice(teams: Client) -> None:
    app = run(teams)
    assert app.selectbox(key="choice").options == ["c", "b", "a"]
    app.multiselect(key="teams").select("vision").run()
    assert app.selectbox(key="choice").options == ["b", "a"]
    assert shown(app) == [("vision", "bob"), ("vision", "ada")]
    assert app.query_params["sweep"] == "b"
    app.multiselect(key="owners").select("ada").run()
    assert app.selectbox(key="choice").options == ["a"]
    assert shown(app) == [("vision", "ada")]


def test_filters_come_back_from_the_url(teams: Client) -> None:
    app = run(teams, teams=["(none)"])
    assert app.multiselect(key="teams").value == ["(none)"]
    assert shown(app) == [("", "bob")]


def test_a_link_to_a_sweep_outside_the_filter_shows_it_until_the_filter_changes(
    teams: Client,
) -> None:
    app = run(teams, teams=["vision"], sweep="c")
    assert app.selectbox(key="choice").value == "c"
    app.multiselect(key="owners").select("ada").run()
    assert app.selectbox(key="choice").options == ["a"]


def test_filters_that_leave_nothing_say_so(teams: Client) -> None:
    app = run(teams, teams=["(none)"], owners=["ada"])
    assert "all are offered" in app.info[0].value
    assert app.selectbox(key="choice").options == ["c", "b", "a"]


def test_one_team_and_one_owner_need_no_filter(store: Client) -> None:
    assert not run(store).multiselect
