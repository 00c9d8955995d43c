"""A tenant's own SELECT over the views of `detector_views`: judged by PostgreSQL's own parser, run read-only.

The application role sees what the setting `app.tenant_id` says, and any statement could set that. So a query is first
made the text of a temporary view, which PostgreSQL parses and stores as a tree without running it, and which is rolled
back. A view is one SELECT, and its tree names every relation, function and operator by its id, however the text wrote
them. What is not allowed there never runs.

Functions: those that PostgreSQL calls immutable, which see their arguments alone, but for a few that make much out of
little; aggregates and window functions; and the stable ones that are listed.
Operators: PostgreSQL's own, unless they are volatile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors

from sentinel.errors import InvalidError, TooBroadError
from sentinel.stores.postgres.database import Connection, Database, first_line, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("detector_queries")

VIEWS = "detector_views"
# Of each sort and hash of a query.
WORK_MEM_MB = 16
# Of all files that a query's connection writes.
TEMP_FILES_MB = 1024
# Of time zones, texts and JSON: what they depend on are settings of the session, which are fixed.
STABLE_FUNCTIONS = frozenset(
    [
        "age",
        "array_to_string",
        "concat",
        "concat_ws",
        "date",
        "date_part",
        "date_trunc",
        "extract",
        "format",
        "json_build_array",
        "json_build_object",
        "jsonb_build_array",
        "jsonb_build_object",
        "time",
        "timestamp",
        "timestamptz",
        "timezone",
        "to_char",
        "to_date",
        "to_json",
        "to_jsonb",
        "to_number",
        "to_timestamp",
    ]
)
SET_FUNCTIONS = frozenset(
    [
        "jsonb_array_elements",
        "jsonb_array_elements_text",
        "jsonb_each",
        "jsonb_each_text",
        "jsonb_object_keys",
        "unnest",
    ]
)
# Immutable, but a few characters of a query make a gigabyte with them, or have libxml read what they please.
REFUSED_FUNCTIONS = frozenset({"array_fill", "lpad", "repeat", "rpad", "xpath", "xpath_exists"})
# The nodes of a stored tree that a query may have (PostgreSQL's nodes/parsenodes.h and primnodes.h).
_NODES = frozenset(
    [
        "QUERY",
        "RANGETBLENTRY",
        "RTEPERMISSIONINFO",
        "ALIAS",
        "FROMEXPR",
        "JOINEXPR",
        "RANGETBLREF",
        "TARGETENTRY",
        "VAR",
        "CONST",
        "OPEXPR",
        "BOOLEXPR",
        "FUNCEXPR",
        "AGGREF",
        "WINDOWFUNC",
        "WINDOWCLAUSE",
        "SORTGROUPCLAUSE",
        "GROUPINGSET",
        "GROUPINGFUNC",
        "SUBLINK",
        "COMMONTABLEEXPR",
        "SETOPERATIONSTMT",
        "CASE",
        "CASEEXPR",
        "WHEN",
        "CASEWHEN",
        "CASETESTEXPR",
        "COALESCE",
        "COALESCEEXPR",
        "MINMAX",
        "MINMAXEXPR",
        "NULLTEST",
        "BOOLEANTEST",
        "SCALARARRAYOPEXPR",
        "ARRAY",
        "ARRAYEXPR",
        "ARRAYCOERCEEXPR",
        "COERCEVIAIO",
        "RELABELTYPE",
        "COLLATE",
        "COLLATEEXPR",
        "NULLIFEXPR",
        "DISTINCTEXPR",
        "ROW",
        "ROWEXPR",
        "ROWCOMPARE",
        "ROWCOMPAREEXPR",
        "SUBSCRIPTINGREF",
        "FIELDSELECT",
        "NAMEDARGEXPR",
        "RANGETBLFUNCTION",
        "PARAM",
    ]
)
_NODE = re.compile(r"(?<!\\)\{([A-Z_]+)")
_RELATION = re.compile(r":relid (\d+)")
_FUNCTION = re.compile(r":(?:funcid|aggfnoid|winfnoid) (\d+)")
_OPERATOR = re.compile(r":opno (\d+)")


def check_own_sql(connection: Connection, sql: str) -> None:
    """Judge a query without running it; the transaction is as it was afterwards.

    Raises:
        InvalidError: It may not be run; the message says why.
    """
    _judge(connection, _wrapped(sql, 1))


def run_own_sql(database: Database, tenant_id: str, sql: str, *, rows: int, seconds: float) -> Sequence[dict[str, Any]]:
    """Judge a query, run it as the tenant, and return its first rows.

    Raises:
        InvalidError: It may not be run, or it fails.
        TooBroadError: It takes longer than `seconds`, or more memory or files than it may.
        StoreUnavailableError: PostgreSQL does not answer.
    """
    statement = _wrapped(sql, rows)
    with database.transaction(tenant_id) as connection:
        _judge(connection, statement)
    with database.transaction(tenant_id) as connection:
        _limit(connection, seconds)
        connection.execute(_SQL["read_only"])
        try:
            # binary: by the extended protocol, which takes one statement only.
            found = connection.execute(statement, binary=True).fetchall()
        except errors.QueryCanceled as error:
            raise TooBroadError(
                f"the query took longer than {seconds:g} s; narrow it, or have shorter windows"
            ) from error
        except (errors.ConfigurationLimitExceeded, errors.ProgramLimitExceeded, errors.OutOfMemory) as error:
            raise TooBroadError(
                f"the query takes more than it may ({first_line(error)}); sort or group less, or have shorter windows"
            ) from error
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            raise InvalidError(f"the query fails: {first_line(error)}") from error
        seen = required(connection.execute(_SQL["tenant"]).fetchone())["tenant_id"]
        if seen != tenant_id:
            raise InvalidError("the query changed what it runs as; nothing of its result is used")
    return [json.loads(row["found"]) for row in found]


def _wrapped(sql: str, rows: int) -> bytes:
    # A tenant's text in a statement. What makes that safe is `_judge`, which sees exactly this before it is run.
    return f"SELECT to_jsonb(d)::text AS found FROM (\n{sql}\n) AS d LIMIT {rows}".encode()  # noqa: S608


def _limit(connection: Connection, seconds: float) -> None:
    timeout = str(max(1, round(seconds * 1000)))
    connection.execute(_SQL["limits"], {"timeout": timeout, "work_mem": f"{WORK_MEM_MB}MB"})
    connection.execute(_SQL["limit_files"], {"temp_files": f"{TEMP_FILES_MB}MB"})


def _judge(connection: Connection, statement: bytes) -> None:
    """Refuse a statement that is more than a SELECT over the views.

    Raises:
        InvalidError: It is.
    """
    with connection.transaction(force_rollback=True):
        _limit(connection, 5.0)
        try:
            connection.execute(b"CREATE TEMP VIEW detector_query AS " + statement, binary=True)
        except errors.QueryCanceled as error:
            raise TooBroadError("the query takes too long to read; make it simpler") from error
        except psycopg.OperationalError as error:
            if isinstance(error, errors.ProgramLimitExceeded | errors.StatementTooComplex):
                raise InvalidError(f"the query is too large: {first_line(error)}") from error
            raise
        except psycopg.Error as error:
            raise InvalidError(f"the query does not fit: {first_line(error)}") from error
        row = required(connection.execute(_SQL["tree"]).fetchone())
        tree = str(row["tree"])
        unknown = sorted(set(_NODE.findall(tree)) - _NODES)
        if unknown:
            raise InvalidError(
                f"the query uses what is not allowed here ({', '.join(unknown)}): the current time or user, XML, "
                "sampling and locking are not; :window_start and :window_end say which time is looked at"
            )
        _judge_relations(connection, _numbers(_RELATION, tree) - {row["view_id"]})
        _judge_functions(connection, _numbers(_FUNCTION, tree))
        operators = connection.execute(_SQL["operators"], {"ids": list(_numbers(_OPERATOR, tree))}).fetchall()
        if operators:
            raise InvalidError(f"the operator {operators[0]['name']} is not allowed here")


def _judge_relations(connection: Connection, ids: set[int]) -> None:
    found = connection.execute(_SQL["relations"], {"ids": list(ids)}).fetchall()
    for relation in found:
        if relation["schema"] != VIEWS or relation["kind"] != "v":
            raise InvalidError(
                f"the query reads {relation['schema']}.{relation['name']}; it may read alerts, webhook_events, "
                "webhook_attempts, dead_letters, rule_outcomes and rule_hours"
            )
    if len(found) < len(ids):
        raise InvalidError("the query reads a relation that is not there any more")


def _judge_functions(connection: Connection, ids: set[int]) -> None:
    found = connection.execute(_SQL["functions"], {"ids": list(ids)}).fetchall()
    for function in found:
        if not _is_allowed(function):
            raise InvalidError(
                f"the function {function['name']} is not allowed here: a query may call what depends on its arguments "
                "alone, aggregates, window functions, and functions of dates, texts and JSON"
            )


def _is_allowed(function: dict[str, Any]) -> bool:
    name = function["name"]
    if function["schema"] != "pg_catalog" or name in REFUSED_FUNCTIONS:
        return False
    if function["proretset"]:
        return name in SET_FUNCTIONS
    return function["volatility"] == "i" or function["kind"] in {"a", "w"} or name in STABLE_FUNCTIONS


def _numbers(pattern: re.Pattern[str], tree: str) -> set[int]:
    return {int(number) for number in pattern.findall(tree)} - {0}
