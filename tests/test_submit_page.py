"""A new sweep from the dashboard: the text, the form, the plan, the start, and who may not."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from talweg.dashboard import grid_form, grid_text, submit
from talweg.dashboard.submit import Started, Starter
from talweg.dashboard.submit_form import STATE
from talweg.dashboard.views import submit as submit_page
from talweg.storage.client import Client
from talweg.workloads import grid, gridfile, studies
from talweg.workloads.grid import GridSpec

from .browsers import PATIENCE_MS, answers, chromium, free_port, see, watched
from .storage_helpers import local_store, until
from .sweeps import talweg

SCHEMA = GridSpec.model_json_schema()
COMMENTED = """# why
name: mine
base:
  model: {name: mlp, depth: 2}   # small
  budget: {epochs: 1}
grid:
  seed: {range: 2}
"""
TINY = """name: tiny
base:
  problem: {name: iris}
  budget: {updates: 20}
grid:
  descent: [batch, {name: mini_batch, batch_size: 16}]
  seed: {range: 2}
"""


# The text


@pytest.mark.parametrize(
    ("key", "value", "before", "after"),
    [
        (("base", "model", "depth"), 5, "depth: 2}", "depth: 5}"),
        (("base", "model", "depth"), None, "{name: mlp, depth: 2}", "{name: mlp}"),
        (
            ("base", "optimizer", "lr"),
            0.5,
            "{epochs: 1}\n",
            "{epochs: 1}\n  optimizer: {lr: 0.5}\n",
        ),
        (("grid", "optimizer.lr"), [1], "{range: 2}\n", "{range: 2}\n  optimizer.lr:\n    - 1\n"),
        (("team",), "vision", "name: mine\n", "name: mine\nteam: vision\n"),
    ],
)
def test_a_change_leaves_the_rest_of_the_text_as_it_is(
    key: grid_text.Key, value: object, before: str, after: str
) -> None:
    changed = grid_text.put(COMMENTED, key, value)
    # Comments stay where they are; only the padding before them may move with their line.
    assert changed.split() == COMMENTED.replace(before, after).split()


@pytest.mark.parametrize("name", list(studies.names()))
@pytest.mark.parametrize("small", [False, True])
def test_every_study_survives_a_change_of_its_team(name: str, small: bool) -> None:
    text = studies.path(name, small).read_text()
    changed = grid_text.put(text, ("team",), "vision")
    before, after = gridfile.parse(text).value, gridfile.parse(changed).value
    assert after == before | {"team": "vision"}
    assert [line for line in changed.splitlines() if "team: vision" not in line] == (
        text.splitlines()
    )


@pytest.mark.parametrize("text", ["1", "0.001", "[1, 2]", "{logspace: [0.001, 1.0, 7]}",
                                  "[{name: batch}]", "[true, null, word]"])  # fmt: skip
def test_a_value_on_one_line_is_read_back_as_it_is_written(text: str) -> None:
    assert grid_text.as_text(grid_text.one_value(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("base: {model: {name: module, path: 'a:b'}}", True),
        ("base: {model: module}", True),
        ('base: {problem: {name: "fi\\x6ce"}}', True),
        ("x: &a file\nbase: {problem: *a}", True),
        ("grid: {problem: [digits, {name: openml, id: 1}]}", True),
        ("base: {problem: {<<: {name: file}}}", True),
        ("a: &a [*a]", False),
        (COMMENTED, False),
        ("name: [", False),
    ],
)
def test_parts_that_reach_into_the_machine_are_found(text: str, expected: bool) -> None:
    assert grid_text.reaches_outside(text) is expected


# The form


@pytest.mark.parametrize("section", grid_form.PARTS)
def test_the_form_holds_every_default_of_every_part(section: str) -> None:
    names = grid_form.names(SCHEMA, section)
    assert grid_form.default_name(SCHEMA, section) in names
    found = [f for name in names for f in grid_form.fields(SCHEMA, section, name)]
    assert found
    assert not [f for f in found if f.default is not None and not f.fits(f.default)]


def test_what_a_widget_could_not_hold_does_not_fit() -> None:
    depth = next(f for f in grid_form.fields(SCHEMA, "model", "mlp") if f.key == "depth")
    assert depth.fits(3)
    assert not [value for value in ("3", True, -1, 1001, 2.5, None, [3]) if depth.fits(value)]


@pytest.mark.parametrize("name", list(studies.names()))
def test_the_parts_that_a_study_names_are_chosen(name: str) -> None:
    document = gridfile.read(studies.path(name))
    chosen = grid_form.chosen_parts(SCHEMA, document.value)
    (trial, *_) = grid.load(studies.path(name)).trials
    varied = document.value["grid"]
    for section in grid_form.PARTS:
        if section not in varied and section in document.value["base"]:
            assert chosen[section] == getattr(trial.trial, section).name


def test_every_key_that_could_vary_is_one_of_a_trial() -> None:
    chosen = grid_form.chosen_parts(SCHEMA, {})
    for key, axis in grid_form.could_vary(SCHEMA, chosen).items():
        text = grid_text.put(grid_text.EMPTY, ("grid", key), axis)
        assert grid.expand(gridfile.parse(text)).trials, key


# The plan and the start


def test_a_plan_counts_what_the_grid_holds(tmp_path: Path) -> None:
    path = studies.path("descent")
    facts = submit.plan(path.read_text(), str(tmp_path / "none.duckdb")).facts
    assert facts
    assert facts["trials"] == facts["to_train"] == len(grid.load(path).trials) == 105
    assert list(tmp_path.iterdir()) == []  # no store is made by looking


def test_complaints_name_their_lines(tmp_path: Path) -> None:
    text = "name: x\nbase:\n  modell: {}\n"
    plan = submit.plan(text, str(tmp_path / "none.duckdb"))
    assert plan.facts is None
    (complaint,) = plan.complaints
    assert complaint.line == 3
    assert complaint.message.startswith("base.modell: unknown key")
    assert str(tmp_path) not in complaint.message


def test_a_plan_takes_no_more_than_its_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "PLAN_SECONDS", 2)
    huge = "name: x\ngrid:\n  seed: {range: 900000}\n"
    (complaint,) = submit.plan(huge, str(tmp_path / "none.duckdb")).complaints
    assert complaint.message.startswith("no plan within")
    (complaint,) = submit.plan("#" * 200_000, str(tmp_path / "none.duckdb")).complaints
    assert "letters" in complaint.message


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("store")) as client:
        yield client


@pytest.fixture(scope="module")
def trained(client: Client) -> Started:
    """A sweep that was started and has ended; another one was asked for meanwhile."""
    facts = submit.plan(TINY, client.where).facts
    assert facts
    assert facts["to_train"] == facts["trials"] == 4
    starter = Starter(client.where)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TALWEG_WORKERS", "1")  # a second one takes longer to start than all trials
        started = starter.start(TINY, facts["sweep_id"])
    assert started
    assert starter.busy
    assert starter.start(TINY, facts["sweep_id"]) is None  # one at a time
    until(lambda: not starter.busy)
    return started


def test_a_sweep_runs_by_itself_and_leaves_grid_and_log(client: Client, trained: Started) -> None:
    assert trained.process.returncode == 0, trained.last_words()
    found = client.query("sweep_progress", {"sweep_id": trained.sweep_id}).to_pylist()
    assert [row["finished"] for row in found] == [4]
    assert "4 trials" in trained.last_words()
    assert trained.grid.read_text() == TINY
    assert trained.log.parent.stat().st_mode & 0o077 == 0
    again = submit.plan(TINY, client.where).facts
    assert again
    assert (again["finished"], again["to_train"]) == (4, 0)


# The page


def page(where: str, may: bool) -> None:
    import functools

    import streamlit as st

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import submit

    answers = app.answers_of(where, None)
    starter = app.starter_of(where) if may else None
    overview = st.Page(lambda: None, title="Sweeps", default=True)
    st.navigation([overview])
    body = functools.partial(submit.render, answers, app.grid_schema(), starter, None, overview)
    frame.show(answers, body)


def run(client: Client, may: bool = True, text: str | None = None, **query: str) -> AppTest:
    app = AppTest.from_function(page, kwargs={"where": client.where, "may": may},
                                default_timeout=60)  # fmt: skip
    app.query_params.update(query)
    app.run()
    if text is not None:
        app.session_state[STATE] = {"text": text, "version": 100}
        app.run()
    assert not app.exception
    return app


def written(app: AppTest) -> str:
    return str(app.session_state[STATE]["text"])


def test_a_link_starts_from_a_study_and_shows_its_plan(client: Client) -> None:
    app = run(client, start_from="descent, small")
    assert written(app) == studies.path("descent", small=True).read_text()
    shown = {metric.label: metric.value for metric in app.metric}
    trials = len(grid.load(studies.path("descent", small=True)).trials)
    assert (shown["Trials"], shown["To train"]) == (str(trials), str(trials))
    assert app.button(key="submit_start").disabled is False


def test_what_varies_is_not_chosen_twice(client: Client) -> None:
    app = run(client, start_from="optimizers")  # varies optimizer.name and optimizer.lr
    assert app.selectbox(key="submit_optimizer").disabled
    assert app.number_input(key="submit_optimizer_sgd_lr").disabled
    assert not app.selectbox(key="submit_model").disabled


def test_the_form_writes_into_the_text_and_shows_what_it_says(client: Client) -> None:
    app = run(client, text=COMMENTED)
    assert app.number_input(key="submit_model_mlp_depth").value == 2
    app.number_input(key="submit_model_mlp_depth").set_value(7).run()
    assert "{name: mlp, depth: 7}" in written(app)
    app.selectbox(key="submit_optimizer").select("adam").run()
    assert "optimizer: {name: adam}" in written(app)
    app.number_input(key="submit_budget_updates").set_value(9).run()
    assert "budget: {updates: 9}" in written(app)
    app.selectbox(key="submit_vary").select("model.width").run()
    app.text_input(key="submit_axis_model.width").set_value("[8, 16]").run()
    assert "model.width: [8, 16]" in written(app)
    app.text_input(key="submit_axis_seed").set_value("").run()
    assert gridfile.parse(written(app)).value["grid"] == {"model.width": [8, 16]}
    assert written(app).startswith("# why\n")
    assert {m.label: m.value for m in app.metric}["Trials"] == "2"


def test_what_is_wrong_stands_beside_the_text_and_nothing_can_be_started(client: Client) -> None:
    app = run(client, text=COMMENTED.replace("depth", "dept"))
    assert app.code[0].value.startswith("line 4: base.model.dept: unknown key")
    assert app.button(key="submit_start").disabled
    app = run(client, text="name: [")
    assert "The form comes back" in app.info[0].value
    assert app.button(key="submit_start").disabled


ODD = [
    "[1]",
    "3",
    "name: 3\nbase: 4\ngrid: [5]\n",
    "base: {model: 7}",
    "base: {model: {depth: x}, budget: [1]}\ngrid: {seed: 3}",
]


@pytest.mark.parametrize("text", ODD)
def test_no_text_breaks_the_page(client: Client, text: str) -> None:
    assert run(client, text=text).button(key="submit_start").disabled


def test_whoever_may_only_look_gets_the_command_and_no_look_at_the_machine(
    client: Client,
) -> None:
    app = run(client, may=False, text=TINY)
    assert app.button(key="submit_start").disabled
    assert app.code[-1].value == f"talweg run tiny.yaml --store {client.where}"
    app = run(client, may=False, text="name: x\nbase: {model: {name: module, path: 'a:B'}}\n")
    assert "names data or code of this machine" in app.code[0].value
    built_in = run(client, may=False, start_from="backpropagation, small")
    assert built_in.metric  # planned, though it names a module: one of ours


@pytest.mark.parametrize("text", [TINY, f"owner: somebody-else\n{TINY}"])
def test_with_a_login_a_sweep_is_of_whoever_is_logged_in(text: str) -> None:
    run_as = submit_page._final(text, "ada@example.org")
    assert gridfile.parse(run_as).value == gridfile.parse(TINY).value | {"owner": "ada@example.org"}
    assert submit_page._final(text, None) == text


def test_a_large_sweep_is_left_to_the_terminal(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "MAX_TRIALS", 3)
    app = run(client, text=TINY.replace("range: 2", "range: 3"))
    assert app.button(key="submit_start").disabled
    assert any("started in a terminal" in c.value for c in app.caption)


@contextmanager
def submitting(store: str, folder: Path) -> Iterator[str]:
    """The address of a dashboard from which sweeps may be started."""
    port = free_port()
    command = talweg("dashboard", "--store", store, "--port", port, "--no-browser",
                     "--allow-submit")  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/_stcore/health"))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def test_typing_is_checked_while_it_is_typed_and_the_sweep_is_followed(
    client: Client, trained: Started, tmp_path: Path
) -> None:
    again = TINY.replace("name: tiny", "name: again")  # the same trials: nothing to train
    with (
        submitting(client.where, tmp_path) as site,
        chromium() as browser,
        watched(browser, site) as page,
    ):
        page.goto(f"{site}/submit")
        text = page.get_by_role("textbox", name="Grid file")
        text.fill(again.replace("iris", "irs"))
        see(page, "did you mean 'iris'")  # the text has not been left
        expect(text).to_be_focused()
        text.fill(again)
        see(page, "valid")
        start = page.get_by_role("button", name="Start the sweep")
        expect(start).to_be_enabled(timeout=PATIENCE_MS)
        start.click()
        page.get_by_role("link", name="Follow it").click(timeout=60_000)
        page.wait_for_url("**/?sweep=again-*")
        see(page, "Finished of 4")
        found = {row["name"]: row for row in client.query("sweeps").to_pylist()}
        assert (found["again"]["finished"], found["again"]["reused"]) == (4, 4)
