"""Figures over time."""

from __future__ import annotations

from datetime import datetime

from sentinel.client.models.base import Model


class Totals(Model):
    """What happened in a period. `p95_ms`: from the record in Kafka to its alert."""

    decided: int
    dead_letters: int
    alerts: int
    critical: int
    worst_lag: int | None
    p95_ms: float | None


class Present(Model):
    """What is the case now. `active_before`: pipelines that were active when the period began; None: not told."""

    pipelines: int
    active: int
    active_before: int | None = None
    running: int
    events_per_second: float
    worst_lag: int | None
    worst_lag_pipeline_id: int | None


class AlertHour(Model):
    """Alerts of an hour."""

    hour: datetime
    critical: int
    warning: int
    info: int


class Figures(Model):
    """A tenant's figures of a period, beside those of the period before."""

    as_of: datetime
    before: datetime
    since: datetime
    until: datetime
    now: Present
    period: Totals
    previous: Totals
    hours: list[AlertHour]


class HistoryPoint(Model):
    """A span of a pipeline's time."""

    at: datetime
    decided: int
    dead_letters: int
    lag: int | None
    critical: int
    warning: int
    info: int
    p50_ms: float | None
    p95_ms: float | None


class History(Model):
    """A pipeline over time."""

    pipeline_id: int
    since: datetime
    until: datetime
    span_seconds: int
    points: list[HistoryPoint]
