"""What SQL may be run for others: one SELECT that calls only harmless functions.

The guard is one of several walls: behind it stand a read-only transaction, external access
switched off and a locked configuration. It is there because some *table functions* do more
than read tables, even inside a SELECT: ``arrow_scan`` reads raw memory addresses, ``query``
hides another query in a string, ``checkpoint`` and ``enable_logging`` act on the server.
"""

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from .errors import QueryError

TABLE_FUNCTIONS = frozenset(
    [
        *("range", "generate_series", "unnest", "repeat", "json_each", "json_tree"),
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
    ]
)
"""Ordinary functions that queries may not call."""


def check(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raises QueryError unless ``sql`` is one harmless SELECT; ``con`` only parses."""
    try:
        statements = con.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(str(error)) from error
    if len(statements) != 1:
        raise QueryError(f"a query is exactly one SELECT, not {len(statements)} statements")
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = str(statements[0].type).rpartition(".")[2]
        raise QueryError(f"a query is one SELECT, not {kind}: this store is read-only for SQL")
    for called, is_table in _functions(_parsed(con, sql)):
        if called in FORBIDDEN_FUNCTIONS or (is_table and called not in TABLE_FUNCTIONS):
            raise QueryError(f"{called}() is not allowed in queries of the store")


def _parsed(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """DuckDB's own syntax tree of a SELECT, as JSON."""
    tree = json.loads(con.execute("select json_serialize_sql(?)", [sql]).fetchall()[0][0])
    if tree["error"]:
        raise QueryError(f"a query is one SELECT: {tree['error_message']}")
    return tree["statements"]


def _functions(node: Any) -> Iterator[tuple[str, bool]]:
    """(name, stands in FROM) of every function called anywhere in the tree."""
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if "function_name" in node:
                yield node["function_name"].lower(), False
            if node.get("type") == "TABLE_FUNCTION":
                yield node["function"]["function_name"].lower(), True
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
