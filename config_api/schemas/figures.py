"""Figures over time, as they are answered."""

from __future__ import annotations

from pydantic import Field

from config_api.schemas.base import AnswerModel, Timestamp


class TotalsAnswer(AnswerModel):
    """What happened in a period."""

    decided: int = Field(description="Records that detection has gone through.")
    dead_letters: int
    alerts: int = Field(description="Raised, by rules and detectors.")
    critical: int
    worst_lag: int | None = Field(description="The most records that one pipeline had waiting, as its job said.")
    p95_ms: float | None = Field(
        description="Milliseconds from the record's time in Kafka to its alert, of the newest 1000 alerts."
    )


class PresentAnswer(AnswerModel):
    """What is the case now."""

    pipelines: int
    active: int
    active_before: int = Field(description="Pipelines that were active when the period began.")
    running: int = Field(description="Pipelines that a job runs.")
    events_per_second: float = Field(description="Over the last one to two minutes.")
    worst_lag: int | None = Field(description="Records that wait in the pipeline that is furthest behind.")
    worst_lag_pipeline_id: int | None


class AlertHourAnswer(AnswerModel):
    """Alerts of an hour."""

    hour: Timestamp
    critical: int
    warning: int
    info: int


class FiguresAnswer(AnswerModel):
    """A tenant's figures of a period, beside those of the period before."""

    as_of: Timestamp = Field(description="When this was read.")
    before: Timestamp = Field(description="When the period before began.")
    since: Timestamp
    until: Timestamp = Field(description="The end of the minute that runs.")
    now: PresentAnswer
    period: TotalsAnswer
    previous: TotalsAnswer
    hours: list[AlertHourAnswer] = Field(description="Whole hours, oldest first; the last one still runs.")


class HistoryPointAnswer(AnswerModel):
    """A span of a pipeline's time."""

    at: Timestamp = Field(description="When it began.")
    decided: int
    dead_letters: int
    lag: int | None = Field(description="The most records that waited; null where no job said anything.")
    critical: int
    warning: int
    info: int
    p50_ms: float | None = Field(description="From the record's time in Kafka to its alert, of at most 100 alerts.")
    p95_ms: float | None


class HistoryAnswer(AnswerModel):
    """A pipeline over time."""

    pipeline_id: int
    since: Timestamp
    until: Timestamp
    span_seconds: int = Field(description="What each point stands for.")
    points: list[HistoryPointAnswer] = Field(description="Oldest first; the last one still runs.")
