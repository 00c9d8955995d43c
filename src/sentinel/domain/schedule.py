"""When something is due: every so many seconds, or by a cron expression in a time zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from sentinel.errors import ErrorDetail, InvalidError

MIN_INTERVAL_SECONDS = 60
MAX_INTERVAL_SECONDS = 7 * 24 * 3600
MAX_CRON_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either an interval or a cron expression.

    A cron expression has five fields and counts in its time zone. As Debian's cron does it: a time of day that a clock
    change leaves out is due at once after the change, one that comes twice is due the first time; what is due every
    hour or every so many minutes follows the time that passes.

    Attributes:
        interval_seconds: Between two times, counted from 1970-01-01 UTC, so that all of one interval are due together.
        time_zone: IANA's name.
    """

    interval_seconds: int | None = None
    cron: str = ""
    time_zone: str = "UTC"

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time after a moment, aware, in UTC.

        Raises:
            ValueError: There is none.
        """
        if self.interval_seconds is not None:
            step = self.interval_seconds
            return datetime.fromtimestamp((int(moment.timestamp()) // step + 1) * step, UTC)
        local = moment.astimezone(ZoneInfo(self.time_zone))
        for found in CronSim(self.cron, local):
            # Asked in the second of two equal hours, it begins with what came due in the first.
            if found.astimezone(UTC) > moment:
                return found.astimezone(UTC)
        raise ValueError("it never comes")

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        if self.interval_seconds is not None:
            return {"interval_seconds": self.interval_seconds}
        return {"cron": self.cron, "time_zone": self.time_zone}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Schedule:
        """Build a schedule from its stored form."""
        return cls(stored.get("interval_seconds"), stored.get("cron", ""), stored.get("time_zone", "UTC"))


def refuse_impossible(schedule: Schedule, now: datetime) -> None:
    """Check a schedule that somebody sent.

    Raises:
        InvalidError: It has neither or both forms, or never comes.
    """
    problem = _problem(schedule, now)
    if problem is not None:
        raise InvalidError(problem, details=[ErrorDetail("/schedule", problem)])


def _problem(schedule: Schedule, now: datetime) -> str | None:
    seconds = schedule.interval_seconds
    if (seconds is None) == (not schedule.cron):
        return "a schedule has either interval_seconds or cron"
    if seconds is None:
        return _problem_of_cron(schedule, now)
    if MIN_INTERVAL_SECONDS <= seconds <= MAX_INTERVAL_SECONDS:
        return None
    return f"an interval has {MIN_INTERVAL_SECONDS} to {MAX_INTERVAL_SECONDS} seconds, not {seconds}"


def _problem_of_cron(schedule: Schedule, now: datetime) -> str | None:
    if schedule.time_zone not in _zones():
        return f"{schedule.time_zone[:100]!r} is no time zone of IANA's, such as Europe/Berlin"
    if len(schedule.cron) > MAX_CRON_CHARACTERS or len(schedule.cron.split()) != 5:
        return f"{schedule.cron[:100]!r} is no cron expression of five fields, such as '0 6 * * 1-5'"
    try:
        schedule.next_after(now)
    except (CronSimError, ValueError, OverflowError) as error:
        return f"{schedule.cron!r} is no cron expression that can work: {error}"
    return None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


EVERY_FIVE_MINUTES = Schedule(int(timedelta(minutes=5).total_seconds()))
