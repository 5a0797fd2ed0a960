"""The pages through Streamlit's own test runner, on a real store."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from talweg.dashboard.findings import descent_result
from talweg.dashboard.formats import tied
from talweg.storage.client import Client

from . import dashboard_data as data
from .storage_helpers import local_store, until

Page = Callable[[str], None]
SWEEP, LIVE = "descent-1a2b", "descent-live"
TIMED: dict[str, data.Alone] = {
    "isolated": data.everybody,
    "mixed": lambda trial: trial.descent != "batch",
    "fast ones": lambda trial: trial.lr >= 0.1,
}


def overview(where: str) -> None:
    from talweg.dashboard import app

    app.main(["--store", where])


def descent_page(where: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import descent

    answers = app.answers_of(where, None)
    frame.show(answers, functools.partial(descent.render, answers))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("store")) as client:
        data.fill(client, SWEEP)
        data.fill(client, LIVE, name="live <script>alert(1)</script>", running=True)
        yield client


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Client]:
    with local_store(tmp_path) as client:
        yield client


def run(page: Page, client: Client, **query: str) -> AppTest:
    app = AppTest.from_function(page, kwargs={"where": client.where}, default_timeout=20)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    return app


def costs_table(app: AppTest) -> pd.DataFrame:
    """The costs at every learning rate, behind a fold, which is opened."""
    closed = len(app.dataframe)
    app.session_state["fold_costs"] = True
    opened = app.run().dataframe
    assert len(opened) == closed + 1
    table: pd.DataFrame = opened[0].value
    return table


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.info])


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_overview_shows_what_runs_with_the_numbers_of_the_store(client: Client) -> None:
    app = run(overview, client)
    (progress,) = client.query("sweep_progress", {"sweep_id": LIVE}).to_pylist()
    shown = metrics(app)
    assert shown["Under way"] == str(progress["under_way"]) == "1"
    assert shown["Failed"] == str(progress["failed"]) == "1"
    assert shown["Reused"] == "0"
    assert app.get("progress")[0].proto.text == "73 of 75 trials finished"
    assert app.selectbox(key="choice").value == LIVE


def test_a_sweep_of_the_overview_is_chosen_by_its_link(client: Client) -> None:
    app = run(overview, client, sweep=SWEEP)
    assert app.selectbox(key="choice").value == SWEEP
    assert metrics(app)["Finished of 75"] == "74"
    assert data.FAILURE in app.dataframe[0].value["reason"].tolist()


def test_a_link_to_an_unknown_sweep_says_so_and_shows_the_newest(client: Client) -> None:
    app = run(overview, client, sweep="gone")
    assert "no such sweep" in app.warning[0].value
    assert app.selectbox(key="choice").value == LIVE
    assert app.query_params["sweep"] == LIVE


def test_all_sweeps_are_listed_newest_first(client: Client) -> None:
    table = run(overview, client).dataframe[-1].value
    assert table["name"].tolist() == ["live <script>alert(1)</script>", SWEEP]
    assert table["charts"].tolist() == [f"descent?sweep={LIVE}", f"descent?sweep={SWEEP}"]


@pytest.mark.parametrize("page", [overview, descent_page])
def test_an_empty_store_says_what_to_do_next(page: Page, empty: Client) -> None:
    app = run(page, empty)
    assert app.code[0].value == "talweg run descent"


def test_descent_page_asks_and_answers_with_the_stores_own_sentence(client: Client) -> None:
    app = run(descent_page, client, sweep=SWEEP)
    result = descent_result(lambda name, **p: client.query(name, p), SWEEP)
    assert tied(result.sentence) in texts(app)
    assert "which descent reaches 95 % test accuracy first" in texts(app)
    assert app.number_input(key="target").value == data.TARGET
    assert len(app.get("vega_lite_chart")) == 7


def test_every_chart_has_a_text_for_screen_readers(client: Client) -> None:
    app = run(descent_page, client, sweep=SWEEP)
    spoken = [chart.proto.alt for chart in app.get("vega_lite_chart")]
    assert all(spoken)
    assert "batch at 0.831 after 28.7 k samples" in spoken[0]


def test_captions_name_method_and_n(client: Client) -> None:
    app = run(descent_page, client, sweep=SWEEP)
    curves = app.caption[0].value
    assert "95 % t interval (Student, n − 1 degrees of freedom), n = 4 to 5" in curves
    assert "0.1 for stochastic" in curves


def test_view_is_restored_from_the_url(client: Client) -> None:
    query = {"metric": "test loss", "against": "updates", "axis": "linear", "lr": "0.1"}
    app = run(descent_page, client, sweep=SWEEP, target="0.9", **query)
    assert app.selectbox(key="metric").value == "test loss"
    assert app.selectbox(key="lr").value == "0.1"
    assert tied("reached 90 % test accuracy") in texts(app)
    assert "Test loss against updates" in [element.value for element in app.subheader]
    assert "n = 5. Learning rates: 0.1 for batch" in app.caption[0].value


def test_choosing_another_target_changes_the_answer(client: Client) -> None:
    app = run(descent_page, client, sweep=SWEEP)
    app.number_input(key="target").set_value(0.99).run()
    assert tied("o descent reached 99 % test accuracy") in texts(app)


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store whose sweeps differ in whose their seconds are."""
    with local_store(tmp_path_factory.mktemp("timed")) as client:
        data.fill(client, "fused")
        for sweep_id, alone in TIMED.items():
            data.fill(client, sweep_id, alone=alone)
        yield client


# sweep -> why seconds are refused
REFUSED = {"fused": "all 14 trials trained fused", "mixed": "5 of 14 trials trained fused"}


@pytest.mark.parametrize("sweep_id", REFUSED)
def test_shared_seconds_are_refused_with_the_reason(timed: Client, sweep_id: str) -> None:
    app = run(descent_page, timed, sweep=sweep_id, against="seconds")
    refusals = [info.value for info in app.info]
    assert len(refusals) == 2  # of the curves, and of the time to target
    assert all(REFUSED[sweep_id] in refusal for refusal in refusals)
    assert len(app.get("vega_lite_chart")) == 6
    assert "seconds to target" not in costs_table(app)


def test_isolated_seconds_are_an_axis_and_a_cost(timed: Client) -> None:
    app = run(descent_page, timed, sweep="isolated", against="seconds")
    assert len(app.info) == 0
    spoken = [chart.proto.alt for chart in app.get("vega_lite_chart")]
    assert len(spoken) == 8
    assert spoken[0].startswith("Line chart of test accuracy against seconds")
    assert spoken[-3].startswith("Seconds to target. batch: never (0 of 5); stochastic: 0.176")
    said = "Seconds are isolated: each of 14 trials had a machine to itself."
    assert [said in app.caption[place].value for place in (0, 1, 2)] == [True, False, True]
    assert "seconds to target" in costs_table(app)


def test_only_the_trials_compared_decide_about_seconds(timed: Client) -> None:
    app = run(descent_page, timed, sweep="fast ones", against="seconds")
    assert len(app.get("vega_lite_chart")) == 8
    assert "seconds to target" not in costs_table(app)
    slow = run(descent_page, timed, sweep="fast ones", against="seconds", lr="0.01")
    assert "all 15 trials trained fused" in slow.info[0].value
    assert len(slow.get("vega_lite_chart")) == 7


@pytest.mark.parametrize(
    ("sweep_id", "said"),
    [
        ("fused", "Seconds are shared: all 74 trials"),
        ("mixed", "Seconds are shared: 25 of 74 trials"),
        ("isolated", "Seconds are isolated: each of 74 trials"),
    ],
)
def test_overview_says_whose_the_seconds_of_a_sweep_are(
    timed: Client, sweep_id: str, said: str
) -> None:
    assert said in texts(run(overview, timed, sweep=sweep_id))


def test_a_sweep_without_a_finished_trial_is_no_error(empty: Client) -> None:
    trial = data.Trial("batch", None, 0.1, 0)
    empty.register(data.sweep_row("young", "young"), data.trial_columns("young", [trial]))
    app = run(descent_page, empty)
    assert "Of 1 trial in this sweep, none has a result yet" in texts(app)
    empty.begin("w", [data.identity("young", trial)])
    empty.append("w", 1, {"steps": data.step_columns("young", trial, upto=4)})
    run(overview, empty)
    # Answers are kept for a moment, so the new rows need not be there at once.
    until(lambda: "n = 1. Learning rates: 0.1 for batch" in texts(run(descent_page, empty)))


def test_a_sweep_without_trials_is_no_error(empty: Client) -> None:
    empty.register(data.sweep_row("none", "none"), data.trial_columns("none", []))
    assert run(overview, empty).selectbox(key="choice").value == "none"
    assert "Of 0 trials in this sweep, none has a result yet." in texts(run(descent_page, empty))


def test_a_store_that_cannot_be_reached_is_told_calmly() -> None:
    app = AppTest.from_function(
        overview, kwargs={"where": "grpc://127.0.0.1:1"}, default_timeout=20
    )
    app.run()
    assert not app.exception
    assert "does not answer" in app.info[0].value
