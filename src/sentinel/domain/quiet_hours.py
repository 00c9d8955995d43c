"""Quiet hours: when notifications that can wait do wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
MAX_SEARCH_DAYS = 400


@dataclass(frozen=True, slots=True)
class QuietWindow:
    """A stretch of the wall clock that is quiet.

    Attributes:
        weekdays: Days on which it begins, Monday = 0.
        begins, ends: Wall clock times, whole minutes; `ends` is not included. An end at or before the beginning is on
            the next day: 00:00 to 00:00 is a whole day.
    """

    weekdays: frozenset[int]
    begins: time
    ends: time

    @property
    def is_overnight(self) -> bool:
        """Whether it goes on into the next day."""
        return self.ends <= self.begins


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Windows of a wall clock, and days that are quiet as a whole.

    An instant is quiet when the wall clock of the zone shows a quiet minute at it. So a minute that the clock shows
    twice is quiet twice, and one that it skips is nobody's: the definition says nothing of durations.

    Attributes:
        holidays: Dates of the wall clock, quiet from midnight to midnight.
    """

    zone: ZoneInfo
    windows: Sequence[QuietWindow]
    holidays: frozenset[date] = frozenset()

    def is_quiet(self, at: datetime) -> bool:
        """Return whether an instant is quiet."""
        return self._quiet_until(at.astimezone(self.zone).replace(tzinfo=None)) is not None

    def first_allowed(self, at: datetime) -> datetime | None:
        """Return the first instant from `at` on that is not quiet, in UTC; None: there is none within 400 days.

        It is `at` itself, or the beginning of a minute of the wall clock.
        """
        now = at.astimezone(UTC)
        limit = now + MAX_SEARCH_DAYS * DAY
        while now < limit:
            local = now.astimezone(self.zone)
            wall = local.replace(tzinfo=None)
            end = self._quiet_until(wall)
            if end is None:
                return now
            ahead = now + (end - wall)
            if ahead.astimezone(self.zone).utcoffset() == local.utcoffset():
                now = ahead
            else:
                # The clock is changed on the way, so what it shows must be looked at minute by minute.
                now += MINUTE - timedelta(seconds=wall.second, microseconds=wall.microsecond)
        return None

    def _quiet_until(self, wall: datetime) -> datetime | None:
        """Return the wall clock time at which the stretch that holds `wall` ends; None: `wall` is not quiet."""
        day = wall.date()
        ends = [datetime.combine(day + DAY, time())] if day in self.holidays else []
        for window in self.windows:
            for begun in (day, day - DAY) if window.is_overnight else (day,):
                if begun.weekday() in window.weekdays:
                    begins = datetime.combine(begun, window.begins)
                    last = datetime.combine(begun + DAY if window.is_overnight else begun, window.ends)
                    if begins <= wall < last:
                        ends.append(last)
        return max(ends, default=None)
