"""The SQL console: what it sends, what it shows, what is refused, and what its link opens."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from talweg.dashboard import console, statements
from talweg.dashboard.answers import Answers
from talweg.dashboard.console import EXAMPLES, LIMIT, URL_CHARACTERS, USUAL
from talweg.storage import named
from talweg.storage.client import Client
from talweg.storage.errors import QueryError, StoreUnreachable
from talweg.storage.store import Store

from . import dashboard_data as data
from .storage_helpers import local_store, rows

SWEEP = "descent-1a2b"
ENDINGS = (";", " ;; \n", " -- the end", " /* a /* nested; */ one */ ;", "\n--;\n;\n")


def page(where: str) -> None:
    import functools

    from talweg.dashboard import app, frame
    from talweg.dashboard.views import sql
    from talweg.storage import named

    answers = app.answers_of(where, None)
    frame.show(answers, functools.partial(sql.render, answers, named))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with local_store(tmp_path_factory.mktemp("store")) as client:
        data.fill(client, SWEEP)
        yield client


@pytest.fixture(scope="module")
def answers(client: Client) -> Answers:
    return Answers(client)


def opened(client: Client, **query: str) -> AppTest:
    app = AppTest.from_function(page, kwargs={"where": client.where}, default_timeout=20)
    app.query_params.update(query)
    app.run()
    assert not app.exception
    return app


def asked(client: Client, sql: str) -> AppTest:
    """The page after somebody typed a statement and ran it."""
    app = opened(client)
    app.text_area(key="sql_text").set_value(sql)
    app.button[0].click().run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


@pytest.mark.parametrize("ending", ENDINGS)
def test_whatever_ends_a_statement_it_is_cut_and_keeps_its_order(
    answers: Answers, ending: str
) -> None:
    sql = f"select range as n, '-- ; $no' as said from range({LIMIT + 500}) order by n desc{ending}"
    assert statements.limited(sql, LIMIT).count(";") == 1  # the one inside the text
    result = console.ask(answers, named, sql, {})
    assert result.cut
    found = result.table["n"].to_pylist()
    assert found == list(range(LIMIT + 499, 499, -1))
    assert result.sentence.startswith("The first 10 000 rows, in ")


@pytest.mark.parametrize(("number", "cut"), [(0, False), (LIMIT, False), (LIMIT + 1, True)])
def test_it_is_said_exactly_when_rows_are_missing(answers: Answers, number: int, cut: bool) -> None:
    result = console.ask(answers, named, f"from range({number})", {})
    assert (result.table.num_rows, result.cut) == (min(number, LIMIT), cut)
    assert result.sentence.endswith("leaves out." if cut else "all of them.")


def test_a_statement_that_cannot_be_wrapped_is_cut_all_the_same(answers: Answers) -> None:
    # Two columns of one name, and a form of SELECT that stands in no parentheses.
    result = console.ask(answers, named, "select 1 as a, 2 as a", {})
    assert [column.to_pylist() for column in result.table.columns] == [[1], [2]]
    described = console.ask(answers, named, "describe trials", {})
    assert "trial_id" in described.table["column_name"].to_pylist()


PARAMETERS: list[tuple[str, list[str]]] = [
    ("select $b, $a, $b", ["b", "a"]),
    ("select '$no', \"$no\", $$ $no $$, $x$ $no $x$, e'\\'$no' -- $no\n", []),
    ("/* $no /* $no */ $no */ select config->>'$.loss' from t where a = $yes", ["yes"]),
    ("select 'it''s $no', $yes", ["yes"]),
]


@pytest.mark.parametrize(("sql", "names"), PARAMETERS)
def test_parameters_are_found_outside_of_texts_and_comments(sql: str, names: list[str]) -> None:
    assert statements.parameters(sql) == names


@pytest.mark.parametrize(
    ("typed", "value"),
    [("0.1", 0.1), ("null", None), ('["a"]', ["a"]), ("descent-1a2b", SWEEP), ('"7"', "7")],
)
def test_values_are_json_or_text(typed: str, value: object) -> None:
    assert console.value_of(typed) == value


REFUSED = [
    ("copy trials to '{file}'", "not COPY"),
    ("attach '{file}'", "not ATTACH"),
    ("install httpfs", "not LOAD"),
    ("pragma database_list", "one SELECT"),
    ("delete from trials", "not DELETE"),
    ("select 1; select 2", "exactly one SELECT, not 2 statements"),
    ("select 1) ; drop table trials; --", "syntax error"),
    ("select * from read_csv('/etc/passwd')", "read_csv() is not allowed"),
    ("select * from 'secret.parquet'", "secret.parquet"),
    ("", "exactly one SELECT, not 0 statements"),
    ("sweeeps", "no query named 'sweeeps'"),
    ("select 1 where $a = 1 and $b = 2 and nope", "nope"),
]


@pytest.mark.parametrize(("sql", "reason"), REFUSED)
def test_what_is_refused_says_why(
    client: Client, answers: Answers, tmp_path: Path, sql: str, reason: str
) -> None:
    values = dict.fromkeys(statements.parameters(sql))
    with pytest.raises(QueryError) as caught:
        console.ask(answers, named, sql.format(file=tmp_path / "made"), values)
    assert reason in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert rows(client, "select count(*) as n from trials") == [{"n": len(data.grid())}]


def test_the_page_shows_the_stores_reason_in_place_of_a_table(client: Client) -> None:
    app = asked(client, "drop table trials")
    assert [code.value for code in app.code] == [
        "a query is one SELECT, not DROP: this store is read-only for SQL"
    ]
    assert len(app.dataframe) == 1  # the columns, under their fold
    app.text_area(key="sql_text").set_value("select 1 as one")
    app.button[0].click().run()
    assert len(app.code) == 0
    assert len(app.dataframe) == 2


def test_an_error_names_the_place_in_what_was_typed(answers: Answers) -> None:
    with pytest.raises(QueryError) as caught:
        console.ask(answers, named, "select 1\n, 2\nfrom trials wher 3", {})
    assert "select * from (" not in str(caught.value)


@pytest.mark.parametrize("title", EXAMPLES)
def test_every_example_runs(answers: Answers, title: str) -> None:
    assert console.ask(answers, named, EXAMPLES[title], {}).table.num_columns > 1


@pytest.mark.parametrize("newest", [SWEEP, None])
@pytest.mark.parametrize("name", named.names())
def test_every_named_query_runs_with_the_values_that_the_page_fills_in(
    answers: Answers, name: str, newest: str | None
) -> None:
    sql = named.sql_of(name)
    filled = {p: console.usual(sql, p, newest) for p in statements.parameters(sql)}
    values = {parameter: console.value_of(text) for parameter, text in filled.items()}
    found, whole = console.ask(answers, named, name, values).table, answers.once(name, values)
    assert (found.column_names, found.num_rows) == (whole.column_names, whole.num_rows)


def test_the_menu_fills_the_editor_with_examples_and_named_queries(client: Client) -> None:
    app = opened(client)
    menu = app.selectbox(key="sql_example")
    assert len(menu.options) == len(EXAMPLES) + len(named.names())
    menu.set_value("target: " + console.question_of(named.sql_of("target"))).run()
    assert app.text_area(key="sql_text").value == named.sql_of("target").strip()
    assert app.text_input(key="sql_value_sweep_id").value == SWEEP
    app.button[0].click().run()
    assert app.dataframe[0].value["value"].tolist() == [data.TARGET]


def test_a_name_runs_its_query_with_the_values_in_the_fields(client: Client) -> None:
    app = asked(client, "learning_rates")
    app.text_input(key="sql_value_metric").set_value("test_loss")
    app.button[0].click().run()
    answer = client.query("learning_rates", {"sweep_id": SWEEP, "metric": "test_loss"})
    assert app.dataframe[0].value.equals(answer.to_pandas())
    assert f"{answer.num_rows} rows, in " in texts(app)


def test_a_link_asks_the_same_again(client: Client) -> None:
    sql = "select slug from trials where lr = $rate and seed = $seed order by slug"
    app = opened(client, sql=sql, p_rate="0.1", p_seed="3")
    assert app.text_area(key="sql_text").value == sql
    assert app.text_input(key="sql_value_rate").value == "0.1"
    assert app.dataframe[0].value["slug"].tolist() == [
        "batch-lr0.1-s3", "mini_batch32-lr0.1-s3", "stochastic-lr0.1-s3",
    ]  # fmt: skip


def test_a_link_to_a_named_query_brings_its_values(client: Client) -> None:
    app = opened(client, sql="learning_rates", p_metric="test_loss")
    answer = client.query("learning_rates", {"sweep_id": SWEEP, "metric": "test_loss"})
    assert app.dataframe[0].value.equals(answer.to_pandas())
    assert app.query_params["p_sweep_id"] == SWEEP


def test_the_address_carries_short_statements_only(client: Client) -> None:
    app = asked(client, "select 1 as one")
    assert app.query_params["sql"] == "select 1 as one"
    app.text_area(key="sql_text").set_value("select 2 -- " + "x" * URL_CHARACTERS)
    app.button[0].click().run()
    assert "sql" not in app.query_params
    assert "Too long for the address" in texts(app)


def test_all_columns_are_listed_with_their_meaning(client: Client) -> None:
    listed = rows(client, "columns")
    truth = rows(
        client, "select table_name, column_name, data_type from information_schema.columns "
        "where table_schema = 'main' order by table_name, ordinal_position"
    )  # fmt: skip
    assert [{name: row[name] for name in truth[0]} for row in listed] == truth
    app = opened(client, sql_table="verdicts")
    shown = app.dataframe[0].value.to_dict("records")
    assert shown == [row for row in listed if row["table_name"] == "verdicts"]


def test_what_is_asked_once_is_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "team.duckdb", port=0, read_token="look", write_token="change")
    try:
        answers = Answers(Client(store.url, token="look", patience_s=0.3, scope="read"), fresh_s=60)
        asked = "select count(*) as n from sweeps"
        assert answers.once(asked, {}).to_pylist() == [{"n": 0}]
        with Client(store.url, token="change") as writer:
            writer.register(data.sweep_row("s", "s"), data.trial_columns("s", []))
        assert answers.once(asked, {}).to_pylist() == [{"n": 1}]
    finally:
        store.close()
    with pytest.raises(StoreUnreachable):
        answers.once(asked, {})
    assert answers.away_since is not None


def test_usual_values_are_those_of_some_query() -> None:
    asked = {name for query in named.names() for name in statements.parameters(named.sql_of(query))}
    assert asked >= USUAL.keys()


def test_an_empty_answer_names_its_columns(client: Client) -> None:
    app = asked(client, "select slug, lr from trials where false")
    assert "0 rows, in " in texts(app)
    assert app.text[0].value == "Columns: slug, lr"
