"""Timestamps of Kafka records, and as texts."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(timestamp_ms: int) -> datetime:
    """Return a Kafka timestamp as an aware datetime, kept inside what PostgreSQL and Python can hold."""
    return datetime.fromtimestamp(min(max(timestamp_ms, 0), 253_402_300_799_000) / 1000, tz=UTC)


def utc_text(moment: datetime) -> str:
    """Return an aware datetime as ISO 8601 in UTC, with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
