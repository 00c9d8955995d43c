"""Write values as Spark SQL literals, and read dates and timestamps from the texts users write."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal

_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,8})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})?)?")


def text_literal(value: str) -> str:
    """Return the Spark SQL literal of a text."""
    return "'" + "".join(_ESCAPES.get(character, character) for character in value) + "'"


def number_literal(value: int | float | Decimal) -> str:
    """Return the Spark SQL literal of a number: bigint, double or decimal."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        value = Decimal(value)
    if isinstance(value, int):
        written = f"{value}L"
    elif isinstance(value, float):
        written = f"{value!r}D"
    else:
        written = f"{value:f}BD"
    return f"({written})" if written.startswith("-") else written


def parse_date(text: str) -> date | None:
    """Return the date that a text such as 2024-01-31 names, else None."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def parse_timestamp(text: str) -> datetime | None:
    """Return the moment that a text such as 2024-01-31 10:00:00 names (UTC where it has no offset), else None."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def date_literal(value: date) -> str:
    """Return the Spark SQL literal of a date."""
    return f"DATE '{value.isoformat()}'"


def timestamp_literal(value: datetime) -> str:
    """Return the Spark SQL literal of a moment in UTC."""
    return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}Z'" if value.year >= 1000 else _early_timestamp(value)


def _early_timestamp(value: datetime) -> str:
    return f"TIMESTAMP '{value.year:04d}-{value:%m-%d %H:%M:%S.%f}Z'"


def is_number(text: str) -> bool:
    """Tell whether a text is a number as a rule writes it."""
    return _NUMBER.fullmatch(text) is not None
