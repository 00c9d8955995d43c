"""Timestamps of Kafka records."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(timestamp_ms: int) -> datetime:
    """Return a Kafka timestamp as an aware datetime, kept inside what PostgreSQL and Python can hold."""
    return datetime.fromtimestamp(min(max(timestamp_ms, 0), 253_402_300_799_000) / 1000, tz=UTC)
