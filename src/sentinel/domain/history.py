"""Which part of a pipeline's past is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sentinel.errors import ErrorDetail, InvalidError

# Source epoch -> partition -> first offset that does not count.
LakeEnds = Mapping[int, Mapping[int, int]]

LONGEST = timedelta(days=3660)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)


class Clock(StrEnum):
    """event_time: when it happened, as the producer says; record_time: the timestamp of the Kafka record."""

    EVENT_TIME = "event_time"
    RECORD_TIME = "record_time"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A stretch of time: `start` belongs to it, `end` does not."""

    start: datetime
    end: datetime
    clock: Clock = Clock.EVENT_TIME

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {"from": self.start.isoformat(), "to": self.end.isoformat(), "clock": str(self.clock)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> TimeRange:
        """Build it from its stored form."""
        return cls(datetime.fromisoformat(stored["from"]), datetime.fromisoformat(stored["to"]), Clock(stored["clock"]))


def read_range(start: datetime, end: datetime, clock: Clock) -> TimeRange:
    """Check a stretch of time that somebody asked for.

    Raises:
        InvalidError: It is empty, too long, or outside what the lake can hold.
    """
    begin, stop = start.astimezone(UTC), end.astimezone(UTC)
    problem = None
    if begin >= stop:
        problem = f"it begins at {begin.isoformat()}, which must be before its end, {stop.isoformat()}"
    elif begin < _EARLIEST or stop > _LATEST:
        problem = "it must lie in the years 1970 to 9999"
    elif stop - begin > LONGEST:
        problem = f"it is {(stop - begin).days} days long; at most {LONGEST.days} are looked at together"
    if problem:
        raise InvalidError(f"the time range cannot be used: {problem}", details=[ErrorDetail("/from", problem)])
    return TimeRange(begin, stop, clock)
