"""SQL of a tenant's own that a detector runs: where the window's bounds stand in it."""

from __future__ import annotations

import re
from enum import StrEnum

from sentinel.domain.detector import Window
from sentinel.domain.timestamps import utc_text
from sentinel.errors import ErrorDetail, InvalidError

MAX_SQL_CHARACTERS = 20_000
# So long a query may take, whatever time is left.
MAX_QUERY_SECONDS = 30.0

# What may hold a colon that is none of ours: texts, quoted names, comments, casts. A backslash means itself.
_PARTS = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | \$(\w*)\$.*?\$\1\$ | --[^\n]* | /\*.*?\*/ | ::
        | (?<![\w:]):(?P<name>window_start|window_end)\b""",
    re.VERBOSE | re.DOTALL,
)


class QueryStore(StrEnum):
    """What a query runs over: the views of `detector_views`, or the tenant's tables of the lake."""

    POSTGRES = "postgres"
    LAKE = "lake"


def with_window(sql: str, window: Window) -> str:
    """Return the text with the window's bounds in place of `:window_start` and `:window_end`."""
    bounds = {"window_start": window.start, "window_end": window.end}

    def replaced(found: re.Match[str]) -> str:
        name = found.group("name")
        return found[0] if name is None else f"TIMESTAMPTZ '{utc_text(bounds[name])}'"

    return _PARTS.sub(replaced, trimmed(sql))


def trimmed(sql: str) -> str:
    """Return the text without the semicolon that people end it with."""
    return sql.rstrip().rstrip(";").rstrip()


def refuse_unbounded(sql: str) -> None:
    """Check that a query looks at a window at all.

    Raises:
        InvalidError: It is empty, too long, holds a NUL, or names neither bound.
    """
    names = {found.group("name") for found in _PARTS.finditer(sql)}
    if not trimmed(sql).strip():
        problem = "the query is empty"
    elif len(sql) > MAX_SQL_CHARACTERS:
        problem = f"the query has {len(sql):,} characters; {MAX_SQL_CHARACTERS:,} are allowed"
    elif "\0" in sql:
        problem = "the query holds a NUL character"
    elif not {"window_start", "window_end"} <= names:
        problem = "the query must look at its window: name :window_start and :window_end, the latter not included"
    else:
        return
    raise InvalidError(problem, details=[ErrorDetail("/parameters/sql", problem)])
