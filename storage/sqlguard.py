"""What SQL may be run for others: one SELECT that calls only harmless functions.

The guard is one of several walls: behind it stand a read-only transaction, external access
switched off and a locked configuration. It is there because some *table functions* do more
than read tables, even inside a SELECT: ``arrow_scan`` reads raw memory addresses, ``query``
hides another query in a string, ``checkpoint`` and ``enable_logging`` act on the server.
"""

import json
import math
import re
from collections.abc import Container, Iterator, Mapping
from typing import Any

import duckdb

from .errors import QueryError

MAX_CHARS = 100_000
"""Of one query. Long lists belong into parameters."""

MAX_NESTING = 200
"""Brackets in brackets: the parser calls itself for each, on a stack that ends."""

MAX_DOTS = 5_000
"""The parser takes time that grows with the square of `a.b.c…`, and cannot be interrupted."""

TABLE_FUNCTIONS = frozenset(
    [
        *("range", "generate_series", "unnest", "json_each", "json_tree"),
        *("histogram", "histogram_values", "duckdb_tables", "duckdb_columns", "duckdb_types"),
        *("duckdb_functions", "duckdb_keywords", "pragma_table_info", "pragma_storage_info"),
        *("pragma_database_size", "pragma_version"),
    ]
)
"""Everything that may stand in FROM with parentheses behind it."""

FORBIDDEN_FUNCTIONS = frozenset(
    [
        # act instead of computing
        *("write_log", "setval", "nextval", "sleep_ms", "pg_sleep"),
        # take bytes for a program's own structures, or plan another query that was not checked
        *("to_aggregate_state", "combine", "combine_aggr", "finalize", "variant_bytes_to_variant"),
        "json_serialize_plan",
        # make gigabytes of a few letters, in one step: no time limit interrupts it, and DuckDB's
        # memory limit does not count it
        *("range", "generate_series"),  # as lists; in FROM they give rows
        *("repeat", "lpad", "rpad", "printf", "format", "bitstring", "list_resize", "array_resize"),
    ]
)
"""Ordinary functions that queries may not call."""

INTERNAL = "__internal_"
"""How functions begin that only DuckDB's optimizer may call, with values that it has checked."""

FORBIDDEN_VIEWS = frozenset(
    [
        *("duckdb_databases", "pragma_database_list", "pg_settings", "duckdb_settings"),
        *("duckdb_logs", "duckdb_secrets", "pg_prepared_statements"),
    ]
)
"""Built-in views over functions that are not allowed: of the machine, and of other callers."""


MAX_SPREAD = 4_000_000
"""How often a query may multiply its columns, see :func:`_spread`."""

TABLES = ("BASE_TABLE", "SUBQUERY", "TABLE_FUNCTION", "JOIN", "CTE", "PIVOT", "SHOW_REF")

WIDENING = frozenset(
    ["struct_pack", "row", "struct_insert", "struct_concat", "struct_update", "map", "list_zip"]
)
"""Functions whose type holds the types of all that they are given."""


def check(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raises QueryError unless ``sql`` is one harmless SELECT; ``con`` only parses."""
    _demand_parsable(sql)
    try:
        statements = con.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(str(error)) from error
    if len(statements) != 1:
        raise QueryError(f"a query is exactly one SELECT, not {len(statements)} statements")
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = str(statements[0].type).rpartition(".")[2]
        raise QueryError(f"a query is one SELECT, not {kind}: this store is read-only for SQL")
    for called, is_table in _functions(tree := _parsed(con, sql)):
        acts = called in FORBIDDEN_FUNCTIONS or called.startswith(INTERNAL)
        if called not in TABLE_FUNCTIONS if is_table else acts:
            raise QueryError(f"{called}() is not allowed in queries of the store")
    for name in _tables(tree):
        if name in FORBIDDEN_VIEWS:
            raise QueryError(f"{name} is not allowed in queries of the store")
    if _spread(tree) > MAX_SPREAD:
        raise QueryError(
            "a query may not multiply its columns so often, by `*` over several tables or by "
            "structs of structs: name the columns that are needed"
        )


def _demand_parsable(sql: str) -> None:
    """Raises QueryError for a text that no parser should be given."""
    if len(sql) > MAX_CHARS:
        raise QueryError(
            f"a query has at most {MAX_CHARS:,} characters, this one {len(sql):,}: give long "
            "lists as parameters"
        )
    if sql.count(".") > MAX_DOTS:
        raise QueryError(f"a query has at most {MAX_DOTS:,} dots: give long lists as parameters")
    if "\0" in sql or not _is_unicode(sql):
        raise QueryError("a query is text: it holds a NUL or half of a surrogate pair")
    depth = deepest = 0
    for bracket in re.findall(r"[\[({\])}]", sql):
        depth = max(0, depth + (1 if bracket in "[({" else -1))
        deepest = max(deepest, depth)
    if deepest > MAX_NESTING:
        raise QueryError(f"a query has at most {MAX_NESTING} brackets in one another")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parsed(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """DuckDB's own syntax tree of a SELECT, as JSON."""
    try:
        text = con.execute("select json_serialize_sql(?)", [sql]).fetchall()[0][0]
        tree = json.loads(text)
    except (duckdb.Error, RecursionError) as error:
        raise QueryError(f"a query is one SELECT that can be read: {error}") from error
    if tree["error"]:
        raise QueryError(f"a query is one SELECT: {tree['error_message']}")
    return tree["statements"]


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Every object of the tree."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _functions(tree: Any) -> Iterator[tuple[str, bool]]:
    """(name, stands in FROM) of every function called anywhere in the tree."""
    nodes = list(_nodes(tree))
    in_from = {id(node["function"]) for node in nodes if node.get("type") == "TABLE_FUNCTION"}
    for node in nodes:
        if "function_name" in node:
            yield node["function_name"].lower(), id(node) in in_from


def _tables(tree: Any) -> Iterator[str]:
    """Name of every table that stands anywhere in the tree."""
    for node in _nodes(tree):
        if isinstance(name := node.get("table_name"), str):
            yield name.lower()


def _spread(tree: Any) -> int:
    """How much wider than its tables a query may become, at most.

    Where each of thirty subqueries takes every column of the one before twice, DuckDB plans a
    billion columns, and while it plans nothing stops it. Types of structs double likewise.
    """
    tables = [node for node in _nodes(tree) if node.get("type") in TABLES]
    names = {str(node.get(key, "")).lower() for node in tables for key in ("alias", "table_name")}
    factors = [_widening(node, names) for node in _nodes(tree)]
    return math.prod(factor for factor in factors if factor > 1)


def _widening(node: Mapping[str, Any], names: Container[str]) -> int:
    if node.get("function_name") in WIDENING:
        given = [one["expression"] for one in node["arguments"]]
        return len([one for one in given if one["class"] != "CONSTANT"])
    if node.get("type") != "SELECT_NODE":
        return 1
    inside = list(_nodes(node["select_list"]))
    stars = len([one for one in inside if one.get("class") == "STAR"])
    # A table's own name among the columns is a struct of its whole row.
    rows = len([one for one in inside if _is_row(one, names)])
    return stars * _sources(node["from_table"]) + rows


def _is_row(node: Mapping[str, Any], names: Container[str]) -> bool:
    columns = node.get("column_names")
    return isinstance(columns, list) and len(columns) == 1 and columns[0].lower() in names


def _sources(table: Mapping[str, Any]) -> int:
    """Tables that are joined, subqueries counted as one."""
    stack, count = [table], 0
    while stack:
        table = stack.pop()
        if table["type"] == "JOIN":
            stack.extend((table["left"], table["right"]))
        else:
            count += 1
    return count
