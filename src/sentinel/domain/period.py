"""Figures of a period of time, as a dashboard draws them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
# Minutes are kept for eight days: a period, and one as long before it.
MAX_HOURS = 96
MAX_HISTORY_HOURS = 168
_SPANS_SECONDS = (60, 120, 300, 600, 900, 1800, 3600, 7200)
MAX_POINTS = 100


@dataclass(frozen=True, slots=True)
class Period:
    """A period that ends now, and the one before it; whole minutes, the one that runs included.

    Attributes:
        before: When the period before began, which lasted as long.
    """

    before: datetime
    since: datetime
    until: datetime

    @classmethod
    def of(cls, now: datetime, hours: int) -> Period:
        """Return the period of so many hours until now."""
        until = now.replace(second=0, microsecond=0) + MINUTE
        length = timedelta(hours=hours)
        return cls(until - 2 * length, until - length, until)


def span_of(hours: int) -> timedelta:
    """Return how long each point of a history stands for, so that there are at most `MAX_POINTS` of them."""
    wanted = hours * 3600 / MAX_POINTS
    return timedelta(seconds=next(each for each in _SPANS_SECONDS if each >= wanted))


@dataclass(frozen=True, slots=True)
class PeriodTotals:
    """What happened in a period.

    Attributes:
        decided: Records that detection has gone through.
        alerts: Raised, by rules and detectors.
        worst_lag: The most records that one pipeline had waiting; None where no job said anything.
        p95_ms: From the record's time in Kafka to its alert, of the newest alerts of the period; None without any.
    """

    decided: int
    dead_letters: int
    alerts: int
    critical: int
    worst_lag: int | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class PresentState:
    """What is the case now.

    Attributes:
        active_before: Pipelines that were active when the period began.
        events_per_second: Over the last one to two minutes.
        worst_lag: Records that wait in the pipeline that is furthest behind; None where no job runs.
        worst_lag_pipeline_id: That pipeline.
    """

    pipelines: int
    active: int
    active_before: int
    running: int
    events_per_second: float
    worst_lag: int | None
    worst_lag_pipeline_id: int | None


@dataclass(frozen=True, slots=True)
class AlertHour:
    """Alerts of an hour by severity."""

    hour: datetime
    critical: int
    warning: int
    info: int


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """A span of a pipeline's time.

    Attributes:
        at: When it began.
        lag: The most records that waited; None where no job said anything.
        p50_ms, p95_ms: From the record's time in Kafka to its alert, of the newest alerts of the span.
    """

    at: datetime
    decided: int
    dead_letters: int
    lag: int | None
    critical: int
    warning: int
    info: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class JobState:
    """The job of a pipeline.

    Attributes:
        is_running: A job holds the pipeline.
        phase: What it said last that it does; empty where none ever ran.
        heartbeat_at: When it said anything; None where none ever ran.
    """

    pipeline_id: int
    name: str
    status: str
    is_running: bool
    phase: str
    lag: int | None
    heartbeat_at: datetime | None
