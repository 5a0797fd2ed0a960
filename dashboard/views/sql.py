"""A read-only SQL console over the tables of the store."""

from collections.abc import Mapping

import streamlit as st

from ...storage.errors import StoreError, StoreUnreachable
from .. import console, export, statements
from ..answers import Answers
from ..console import EXAMPLES, LIMIT, URL_CHARACTERS, Queries, Result
from ..frame import away_notice

TITLE = "SQL"
PREFIX = "p_"  # of parameters in the URL

HOW_TO_READ = f"""One `SELECT` in DuckDB's SQL, or the name of a named query. It can read the tables
of this store and nothing else: it changes nothing, opens no file and reaches no network; the store
stops it after 30 seconds. `$names` are parameters: fields for their values appear below the text;
a value is read as JSON (`0.1`, `null`, `["a", "b"]`), else as text. This page takes the first
{LIMIT:,} rows; `talweg query` and `talweg export` take all. NULL means *not measured here* or *not
yet*, never zero. `Ctrl` + `Enter` runs what is typed."""


def render(answers: Answers, queries: Queries) -> None:
    """Draw the page. ``queries``: the named queries (``storage.named``)."""
    st.title(TITLE)
    st.markdown("What else do the tables say? Ask them directly.")
    away_notice(answers)
    _open_link()
    _examples(answers, queries)
    _editor(answers, queries)
    with st.container():  # one element whatever stands in it: the folds below keep their state
        _answer(answers, queries)
    with st.expander("Tables and columns"):
        _columns(answers)
    with st.expander("How to use this"):
        st.markdown(HOW_TO_READ)


def _open_link() -> None:
    """A link with a statement fills the editor and asks it, once."""
    linked = st.query_params.get("sql")
    if linked is not None and linked != st.session_state.get("sql_linked"):
        st.session_state["sql_linked"] = st.session_state["sql_text"] = linked
        for key, value in st.query_params.items():
            if key.startswith(PREFIX):
                st.session_state[f"sql_value_{key.removeprefix(PREFIX)}"] = value
        st.session_state["sql_run"] = True
    st.session_state.setdefault("sql_text", st.session_state.get("sql_last", _first()))


def _first() -> str:
    return next(iter(EXAMPLES.values()))


def _examples(answers: Answers, queries: Queries) -> None:
    """A menu that fills the editor."""
    texts = dict(EXAMPLES)
    for name in queries.names():
        sql = queries.sql_of(name)
        texts[f"{name}: {console.question_of(sql)}"] = sql
    st.selectbox(
        "Examples and named queries",
        texts,
        index=None,
        placeholder="Choose one to fill the editor",
        key="sql_example",
        on_change=_fill,
        args=(texts,),
    )


def _fill(texts: Mapping[str, str]) -> None:
    chosen = st.session_state["sql_example"]
    if chosen is not None:
        st.session_state["sql_text"] = texts[chosen].strip()
        st.session_state["sql_example"] = None


def _editor(answers: Answers, queries: Queries) -> None:
    with st.form("sql_form", border=False):
        st.text_area("SQL", key="sql_text", height=240, help="Ctrl + Enter runs it")
        _values(answers, console.resolved(queries, st.session_state["sql_text"]))
        if st.form_submit_button("Run", type="primary", icon=":material/play_arrow:"):
            st.session_state["sql_run"] = True


def _values(answers: Answers, sql: str) -> None:
    """A field for each parameter, filled with something that works."""
    names = statements.parameters(sql)
    if not names:
        return
    sweeps = answers("sweeps").to_pylist()
    newest = sweeps[0]["sweep_id"] if sweeps else None
    for start in range(0, len(names), 4):
        row = names[start : start + 4]
        for place, name in zip(st.columns(4), row, strict=False):
            st.session_state.setdefault(f"sql_value_{name}", console.usual(sql, name, newest))
            place.text_input(f"${name}", key=f"sql_value_{name}")


def _answer(answers: Answers, queries: Queries) -> None:
    """Ask what was run, once; the answer stays while the page is drawn again."""
    if st.session_state.pop("sql_run", False):
        text = st.session_state["sql_text"]
        names = statements.parameters(console.resolved(queries, text))
        values = {name: st.session_state[f"sql_value_{name}"] for name in names}
        _keep_in_url(text, values)
        st.session_state["sql_last"] = text
        st.session_state["sql_result"] = _asked(answers, queries, text, values)
    result = st.session_state.get("sql_result")
    if result is None:
        st.info("Run it with the button or with Ctrl + Enter.", icon=":material/play_arrow:")
    elif isinstance(result, str):
        st.code(result, language=None, wrap_lines=True)
    else:
        _shown(result)
    if len(st.session_state.get("sql_last", "")) > URL_CHARACTERS:
        st.caption(
            f"Too long for the address of this page (more than {URL_CHARACTERS} characters): a "
            "link does not carry it."
        )


def _asked(
    answers: Answers, queries: Queries, text: str, values: Mapping[str, str]
) -> Result | str:
    """The result, or the store's message."""
    given = {name: console.value_of(value) for name, value in values.items()}
    try:
        with st.spinner("The store is reading …"):
            return console.ask(answers, queries, text, given)
    except StoreUnreachable:
        raise
    except StoreError as error:
        return str(error)


def _keep_in_url(text: str, values: Mapping[str, str]) -> None:
    for name in [name for name in st.query_params if name.startswith(PREFIX)]:
        del st.query_params[name]
    if len(text) > URL_CHARACTERS:
        st.query_params.pop("sql", None)
        return
    st.session_state["sql_linked"] = st.query_params["sql"] = text
    for name, value in values.items():
        st.query_params[PREFIX + name] = value


def _shown(result: Result) -> None:
    with st.container(border=True):
        st.markdown(result.sentence)
    table = result.table.to_pandas()
    if table.empty:
        st.text(f"Columns: {', '.join(table.columns)}")  # names from a link: no Markdown
        return
    # Streamlit's own format leaves 0.0316 of 0.0316228.
    digits = {
        name: st.column_config.NumberColumn(format="%.6g")
        for name in table.select_dtypes("floating").columns
    }
    st.dataframe(
        table, hide_index=True, column_config=digits, alt="The answer to the statement above"
    )
    export.offer("answer", table=table)


def _columns(answers: Answers) -> None:
    """The schema, with units and meanings."""
    rows = answers("columns").to_pandas()
    tables = ["all tables", *dict.fromkeys(rows["table_name"])]
    chosen = st.selectbox("Table", tables, key="sql_table", bind="query-params")
    shown = rows if chosen == tables[0] else rows[rows["table_name"] == chosen]
    st.dataframe(
        shown,
        hide_index=True,
        column_config={
            "table_name": "Table",
            "column_name": "Column",
            "data_type": "Type",
            "unit": st.column_config.TextColumn("Unit", width="small"),
            "meaning": st.column_config.TextColumn("Meaning", width="large"),
        },
        alt="Tables and columns of the store",
    )
    export.offer("columns", table=shown)
