"""What a tenant's query may be: one SELECT over tables and harmless table functions, by DuckDB's own parser.

The statement is judged by its syntax tree and by allowlist. DuckDB's table functions can read files, settings and
even raw memory (`arrow_scan` takes pointers), so one that is not named here is refused before anything runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from sentinel.errors import InvalidQueryError

TABLE_FUNCTIONS = frozenset({"generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"})
# Functions that say how the process is set up, write to its log, or do nothing but hold a place.
REFUSED_FUNCTIONS = frozenset({"current_setting", "getenv", "getvariable", "sleep_ms", "write_log"})
MAX_SQL_CHARACTERS = 100_000


def tables_of(parser: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    """Check a statement and return the names it reads from (tables, views, common table expressions), in lower case.

    Raises:
        InvalidQueryError: It does not parse, is more than one statement, changes anything, or calls a function that is
            not allowed.
    """
    if not sql.strip():
        raise InvalidQueryError("the query is empty")
    if len(sql) > MAX_SQL_CHARACTERS:
        raise InvalidQueryError(f"the query has {len(sql):,} characters; {MAX_SQL_CHARACTERS:,} are allowed")
    if "\0" in sql:
        raise InvalidQueryError("the query holds a NUL character")
    # A literal, since binding a parameter makes DuckDB import pandas: 0.9 s.
    literal = sql.replace("'", "''")
    row = parser.execute(f"SELECT json_serialize_sql('{literal}')").fetchone()
    parsed: dict[str, Any] = json.loads(row[0]) if row else {}
    if parsed.get("error"):
        reason = str(parsed.get("error_message", "")).strip()
        if "Only SELECT" in reason:
            raise InvalidQueryError("only a SELECT may be run here: the lake is read-only")
        raise InvalidQueryError(
            f"the query does not parse: {reason}", position=_characters(sql, parsed.get("position"))
        )
    statements = parsed.get("statements", [])
    if len(statements) != 1:
        raise InvalidQueryError(f"one statement at a time: this text has {len(statements)}")
    names: set[str] = set()
    for node in _nodes(statements[0]):
        if node.get("type") == "TABLE_FUNCTION":
            function = str(node.get("function", {}).get("function_name", "")).lower()
            if function not in TABLE_FUNCTIONS:
                allowed = ", ".join(sorted(TABLE_FUNCTIONS))
                raise InvalidQueryError(
                    f"the table function {function!r} is not allowed here; allowed are {allowed}",
                    position=_characters(sql, node.get("query_location")),
                )
        elif node.get("class") == "FUNCTION" and str(node.get("function_name", "")).lower() in REFUSED_FUNCTIONS:
            raise InvalidQueryError(
                f"the function {str(node['function_name']).lower()!r} is not allowed here",
                position=_characters(sql, node.get("query_location")),
            )
        elif node.get("type") == "BASE_TABLE":
            names.add(str(node.get("table_name", "")).lower())
    return names


def _characters(sql: str, place: object) -> int | None:
    """Turn a place in bytes of the text, as DuckDB counts, into one in characters."""
    try:
        found = int(str(place))
    except ValueError:
        return None
    encoded = sql.encode()
    # The largest number stands for no place.
    return len(encoded[:found].decode(errors="replace")) if 0 <= found <= len(encoded) else None


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
