"""Turn one type into another without ever throwing: explicit casts, so that Catalyst inserts none of its own."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sentinel.domain.event_schema import DecimalType
from sentinel.rules.bound import Bound
from sentinel.rules.literals import (
    date_literal,
    number_literal,
    parse_date,
    parse_timestamp,
    timestamp_literal,
)
from sentinel.rules.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    STRING,
    TIMESTAMP,
    IntervalType,
    Kind,
    NullType,
    UnknownType,
    is_moment,
)

SMALLEST_INTEGER = "(-9223372036854775807L - 1L)"
MAX_SMALL = 2**31 - 1
SMALLEST_SMALL = "-2147483648"
"""Has no positive counterpart in 32 bits: Spark's element_at takes it for a valid position and crashes the JVM,
substring_index throws."""
_FIRST_DAY, _LAST_DAY = "DATE '0001-01-01'", "DATE '9999-12-31'"
_FIRST_MOMENT, _LAST_MOMENT = "TIMESTAMP '0001-01-01 00:00:00Z'", "TIMESTAMP '9999-12-31 23:59:59.999999Z'"
_DECIMAL_TEXT = "^ *[-+]?[0-9.]{1,1000}([eE][-+]?[0-9]{1,2})? *$"
"""What is cast from text to a decimal; all else is null. Spark's cast writes exponents out, in digits of any script:
1e-999999 takes a core 15 seconds, one of nine digits hours, and whoever sends events would choose it."""

CAST_TARGETS: dict[str, Kind] = {
    "string": STRING,
    "bigint": INTEGER,
    "long": INTEGER,
    "int": INTEGER,
    "integer": INTEGER,
    "double": FLOAT,
    "boolean": BOOLEAN,
    "date": DATE,
    "timestamp": TIMESTAMP,
}
"""What a rule may cast to by name; decimal(p,s) besides."""

_CASTS: dict[Kind | None, frozenset[Kind | None]] = {
    STRING: frozenset({STRING, INTEGER, FLOAT, BOOLEAN, DATE, TIMESTAMP, None}),
    INTEGER: frozenset({STRING, INTEGER, FLOAT, BOOLEAN, TIMESTAMP, None}),
    FLOAT: frozenset({STRING, INTEGER, FLOAT, BOOLEAN, None}),
    None: frozenset({STRING, INTEGER, FLOAT, BOOLEAN, None}),
    BOOLEAN: frozenset({STRING, INTEGER, FLOAT, BOOLEAN, None}),
    DATE: frozenset({STRING, DATE, TIMESTAMP}),
    TIMESTAMP: frozenset({STRING, INTEGER, DATE, TIMESTAMP}),
}
"""From what to what a cast makes sense; None stands for every decimal."""


def castable(source: Kind, target: Kind) -> bool:
    """Tell whether a cast between these types is part of the language."""
    if isinstance(source, NullType | UnknownType):
        return True
    allowed = _CASTS.get(None if isinstance(source, DecimalType) else source)
    return allowed is not None and (None if isinstance(target, DecimalType) else target) in allowed


def spark_type(kind: Kind) -> str:
    """Return the Spark SQL name of a type a value can be cast to."""
    if isinstance(kind, NullType | UnknownType):
        return "void"
    if isinstance(kind, IntervalType):
        return "interval day to second" if kind.kind == "day-time" else "interval year to month"
    return kind.spark()


def cast_sql(bound: Bound, target: Kind, *, narrow: bool = False) -> str:
    """Return the SQL of a cast that gives null where the value does not fit."""
    if bound.kind == target and not narrow and not bound.narrow:
        return bound.sql
    written = "INT" if narrow else spark_type(target).upper()
    if bound.kind == STRING and isinstance(target, DecimalType):
        return f"TRY_CAST(regexp_extract({bound.sql}, '{_DECIMAL_TEXT}', 0) AS {written})"
    return f"TRY_CAST({bound.sql} AS {written})"


def as_moment_literal(bound: Bound, wanted: Kind) -> Bound | None:
    """Return a text literal as the date or timestamp it names; None: it names none of that kind."""
    if not (bound.is_literal and isinstance(bound.literal, str)):
        return None
    day = parse_date(bound.literal)
    if wanted == DATE:
        return replace(bound, kind=DATE, sql=date_literal(day), in_calendar=True) if day else None
    moment = parse_timestamp(bound.literal)
    return replace(bound, kind=TIMESTAMP, sql=timestamp_literal(moment), in_calendar=True) if moment else None


def coerce(bound: Bound, target: Kind) -> Bound:
    """Return the value in a type that `types.common` found for it and others."""
    if bound.kind == target or isinstance(bound.kind, UnknownType) or isinstance(target, UnknownType | NullType):
        return bound
    if isinstance(bound.kind, NullType):
        return replace(bound, kind=target, sql=f"CAST(NULL AS {spark_type(target).upper()})")
    if target == FLOAT and bound.is_literal and isinstance(bound.literal, int | Decimal):
        return replace(bound, kind=target, sql=number_literal(float(bound.literal)), literal=float(bound.literal))
    return replace(
        bound, kind=target, sql=cast_sql(bound, target), is_literal=False, literal=None, narrow=False, in_calendar=False
    )


def as_small(bound: Bound) -> str:
    """Return the SQL of an integer as Spark's 32-bit one; null where it does not fit, and for the smallest."""
    if bound.is_literal and isinstance(bound.literal, int):
        fits = abs(bound.literal) <= MAX_SMALL
        return f"({bound.literal})" if fits else "CAST(NULL AS INT)"
    if isinstance(bound.kind, NullType):
        return "CAST(NULL AS INT)"
    sql = bound.sql if bound.narrow else f"TRY_CAST({bound.sql} AS INT)"
    return f"nullif({sql}, {SMALLEST_SMALL})"


def as_text(bound: Bound) -> str:
    """Return the SQL of a value's text form."""
    if isinstance(bound.kind, NullType):
        return "CAST(NULL AS STRING)"
    return bound.sql if bound.kind == STRING else f"CAST({bound.sql} AS STRING)"


def as_calendar(bound: Bound) -> str:
    """Return the SQL of a date or timestamp; null outside of the years 1 to 9999, where Spark's functions overflow."""
    if bound.in_calendar or not is_moment(bound.kind):
        return coerce(bound, TIMESTAMP).sql if isinstance(bound.kind, NullType) else bound.sql
    first, last = (_FIRST_DAY, _LAST_DAY) if bound.kind == DATE else (_FIRST_MOMENT, _LAST_MOMENT)
    return f"when({bound.sql} >= {first} AND {bound.sql} <= {last}, {bound.sql})"


def without_nan(sql: str) -> str:
    """Return the SQL of a double that is null where it would be NaN."""
    return f"nanvl({sql}, CAST(NULL AS DOUBLE))"


def short_text(bound: Bound, limit: int | None) -> str:
    """Return the SQL of a text that is null where it has more characters than a pattern may be matched against."""
    if limit is None or bound.is_literal:
        return bound.sql
    return f"when(length({bound.sql}) <= {limit}, {bound.sql})"
