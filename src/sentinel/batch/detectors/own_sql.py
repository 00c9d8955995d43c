"""Detectors that are written as SQL: what they are told, and how their rows are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from pydantic import Field, model_validator

from sentinel.batch.detector import DetectorParameters
from sentinel.domain.detector_query import MAX_SQL_CHARACTERS, QueryStore, refuse_unbounded
from sentinel.errors import InvalidError


class QueryParameters(DetectorParameters):
    """A SELECT, and what it runs over."""

    # Each late window is a query: what came in since is not known here.
    late_hours: int = Field(default=1, ge=0, le=168)
    store: QueryStore = Field(default=QueryStore.POSTGRES, description="`postgres` (views of the tenant) or `lake`.")
    sql: str = Field(
        min_length=1, max_length=MAX_SQL_CHARACTERS, description="One SELECT that names :window_start and :window_end."
    )

    @model_validator(mode="after")
    def _names_its_window(self) -> Self:
        try:
            refuse_unbounded(self.sql)
        except InvalidError as error:
            raise ValueError(error.message) from error
        return self


def refuse_columns(rows: Sequence[Mapping[str, Any]], required: Sequence[str], optional: Sequence[str] = ()) -> None:
    """Check which columns a query returned.

    Raises:
        InvalidError: One is missing, or there is one that means nothing here.
    """
    if not rows:
        return
    found = set(rows[0])
    missing = [name for name in required if name not in found]
    if missing:
        raise InvalidError(f"the query returns no column {missing[0]!r}; it must return {', '.join(required)}")
    unknown = sorted(found - {*required, *optional})
    if unknown:
        allowed = ", ".join([*required, *optional])
        raise InvalidError(f"the query returns a column {unknown[0]!r}, which means nothing here; use {allowed}")


def number_of(row: Mapping[str, Any], name: str) -> int | float:
    """Return a number of a row.

    Raises:
        InvalidError: It is none, or not finite.
    """
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(name, value, "a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise _wrong(name, value, "a number") from None
    if not number.is_finite() or abs(number) >= Decimal(10) ** 300:
        raise _wrong(name, value, "a finite number")
    whole = number.to_integral_value() if abs(number) < 2**63 else None
    return int(whole) if whole is not None and whole == number else float(number)


def text_of(row: Mapping[str, Any], name: str, longest: int) -> str:
    """Return a text of a row; an integer as text.

    Raises:
        InvalidError: It is neither, empty, too long, or holds what cannot be kept.
    """
    value = row[name]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= longest or "\0" in value or not value.isprintable():
        raise _wrong(name, value, f"a text of 1 to {longest} characters that can be printed")
    return value


def time_of(row: Mapping[str, Any], name: str) -> str:
    """Return a time of a row as ISO 8601 text, as it came.

    Raises:
        InvalidError: It is none.
    """
    value = row[name]
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _wrong(name, value, "a time") from None
    return str(value)


def _wrong(name: str, value: Any, wanted: str) -> InvalidError:
    return InvalidError(f"the query returned {str(value)[:100]!r} as {name!r}, which must be {wanted}")
