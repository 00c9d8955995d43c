"""A time of day on certain weekdays of a wall clock."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def next_time(after: datetime, zone: ZoneInfo, at: time, weekdays: Collection[int]) -> datetime:
    """Return the next instant after `after` at which a wall clock shows a time on one of some weekdays, in UTC.

    A time that the clock shows twice counts once, the first time. One that it skips is as much later as the clock is
    set forward.

    Args:
        weekdays: Monday = 0; at least one.
    """
    day = after.astimezone(zone).date() - timedelta(days=1)
    while True:
        if day.weekday() in weekdays:
            found = datetime.combine(day, at, zone).astimezone(UTC)
            if found > after:
                return found
        day += timedelta(days=1)
