"""The only reader of "now"."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def monotonic_seconds() -> float:
    """Return seconds of a clock that never steps, for durations and timeouts."""
    return time.monotonic()
