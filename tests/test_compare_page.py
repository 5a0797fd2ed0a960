"""The Compare page through Streamlit's own test runner, on a real store."""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from talweg.dashboard.compare import ESTIMATORS, Comparison
from talweg.dashboard.compare_choice import plain
from talweg.dashboard.compare_keys import keys_of
from talweg.dashboard.compare_measures import measures
from talweg.dashboard.compare_verdict import verdict
from talweg.dashboard.formats import tied
from talweg.storage.client import Client

from . import compare_data as data
from .storage_helpers import local_store


def page(where: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import compare

    answers = app.answers_of(where, None)
    frame.show(answers, functools.partial(compare.render, answers))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("compare-page")) as client:
        data.fill(client)
        yield client


def run(client: Client, **query: str | list[str]) -> AppTest:
    app = AppTest.from_function(page, kwargs={"where": client.where}, default_timeout=30)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    assert not app.error
    return app


def groups_table(app: AppTest) -> pd.DataFrame:
    """The table behind the fold of the groups, which is opened."""
    app.session_state["fold_groups"] = True
    table: pd.DataFrame = app.run().dataframe[1].value
    return table


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.info])


def spoken(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def answer(client: Client, path: str, sweeps: tuple[str, ...]) -> str:
    """The sentence that the page owes for a grouping by one key."""

    def ask(question: str, **parameters: object) -> pa.Table:
        return client.query(question, parameters)

    keys = keys_of(ask("compare_keys", sweeps=list(sweeps)))
    chosen = tuple(key for key in keys if key.path == path)
    estimator = next(iter(ESTIMATORS.values()))
    comparison = Comparison(sweeps, chosen, measures([None], ["chi"])[0], estimator)
    said = verdict(comparison, comparison.groups(ask), comparison.inside(ask, keys), keys)
    return plain(tied(said))


def test_the_page_answers_its_question_from_the_store(client: Client) -> None:
    app = run(client, sweeps=data.ONE)
    # Of the keys with a name, optimizer.name is what it groups by at first.
    assert app.multiselect(key="compare_by").value == ["optimizer.name"]
    assert answer(client, "$.optimizer.name", (data.ONE,)) in texts(app)
    assert app.dataframe[0].value["key"].tolist() == [
        "optimizer.beta1", "optimizer.lr", "optimizer.name", "seed",
    ]  # fmt: skip
    assert len(app.dataframe) == 1  # the others stand behind folds
    table = groups_table(app)
    assert table["n"].tolist() == [9, 12]
    assert table["trials"].sum() == len(data.FIRST)


def test_every_part_is_there_and_every_chart_speaks(client: Client) -> None:
    app = run(client, sweeps=data.ONE)
    assert [head.value for head in app.subheader] == [
        "What differs",
        "Final test accuracy by group",
        plain("Against optimizer.name = adam"),
        plain("optimizer.name by optimizer.lr"),
        "Test accuracy against updates",
        "All keys at once",
        "How to read this",
        "What would change the conclusion",
    ]
    assert len(spoken(app)) == 5
    assert all(spoken(app))


def test_several_sweeps_are_compared_and_hostile_names_stay_text(client: Client) -> None:
    app = run(client, sweeps=[data.TWO, data.ONE])
    assert app.multiselect(key="compare_by").value == ["sweep"]
    app.multiselect(key="compare_by").set_value(["team"]).run()
    assert not app.exception
    assert plain(data.TEAM) in texts(app)
    assert data.TEAM not in texts(app)
    assert any(data.TEAM in said for said in spoken(app))


def test_the_view_is_restored_from_the_url(client: Client) -> None:
    app = run(
        client,
        sweeps=[data.ONE, data.TWO],
        compare_by=["optimizer.lr", "optimizer.name"],
        compare_measure="best test accuracy",
        compare_estimate="interquartile mean, bootstrap interval",
        compare_baseline="optimizer.name = sgd",
        compare_rows="seed",
        compare_columns="optimizer.name",
        compare_against="samples",
        compare_axis="linear",
        compare_raw="true",
    )
    heads = [head.value for head in app.subheader]
    assert "Best test accuracy by group" in heads
    assert plain("Against optimizer.name = sgd") in heads
    assert plain("seed by optimizer.name") in heads
    assert "Test accuracy against samples" in heads
    said = texts(app)
    assert plain("bootstrap interval (percentile, 2000 resamples)") in said
    assert plain("Thin lines: 25 of 25 trials") in said
    assert app.multiselect(key="compare_sweeps").value == [data.ONE, data.TWO]


def test_the_url_names_the_sweeps_even_where_they_are_the_default(client: Client) -> None:
    app = run(client)
    assert app.query_params["sweeps"] == data.TWO
    assert run(client, sweep=data.ONE).query_params["sweeps"] == data.ONE
    lost = run(client, sweeps=["gone *x*", data.ONE])
    assert lost.warning[0].value == plain("This store holds no such sweep: gone *x*.")
    assert lost.query_params["sweeps"] == data.ONE


def test_choosing_other_sweeps_keeps_what_still_exists(client: Client) -> None:
    app = run(client, sweeps=[data.ONE, data.TWO], compare_by=["sweep", "optimizer.lr"])
    app.multiselect(key="compare_sweeps").set_value([data.ONE]).run()
    assert not app.exception
    assert app.query_params["sweeps"] == data.ONE
    assert app.multiselect(key="compare_by").value == ["optimizer.lr"]


def test_without_keys_all_trials_are_one_group(client: Client) -> None:
    app = run(client, sweeps=data.ONE)
    app.multiselect(key="compare_by").set_value([]).run()
    assert not app.exception
    assert "is the only group with a value" in texts(app)


def test_no_sweep_and_no_choice_say_what_to_do(
    client: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    app = run(client)
    app.multiselect(key="compare_sweeps").set_value([]).run()
    assert not app.exception
    assert app.info[0].value == "Choose a sweep, or several."
    with local_store(tmp_path_factory.mktemp("empty")) as empty:
        assert run(empty).code[0].value == "talweg run descent"


def test_curves_grow_before_any_trial_has_ended(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with local_store(tmp_path_factory.mktemp("running")) as running:
        data.start(running)
        app = run(running)
        flags = groups_table(app)["flag"].tolist()
    said = texts(app)
    assert plain("Of 24 trials, none has a value of final test accuracy yet.") in said
    assert plain("Of groups in which none has ended yet, over those under way.") in said
    assert [alt for alt in spoken(app) if alt.startswith("Line chart of test accuracy")]
    assert "no value" in flags


def test_another_sweep_with_other_measures_falls_back_to_what_it_has(client: Client) -> None:
    app = run(client, sweeps=data.ONE, compare_measure="final R²", compare_baseline="a = b")
    assert app.selectbox(key="compare_measure").value == "final test accuracy"
    assert app.selectbox(key="compare_baseline").value == "optimizer.name = adam"
    app.selectbox(key="compare_baseline").set_value("optimizer.name = sgd").run()
    app.multiselect(key="compare_by").set_value(["optimizer.lr"]).run()
    assert not app.exception
    assert app.selectbox(key="compare_baseline").value == "optimizer.lr = 0.01"
