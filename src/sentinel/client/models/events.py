"""What becomes of events by HTTP."""

from __future__ import annotations

from datetime import datetime

from sentinel.client.models.base import Model


class EventProblem(Model):
    """Something about an event; the pointer is into the event."""

    pointer: str
    detail: str


class EventItem(Model):
    """What became of one event."""

    index: int
    status: str
    event_id: str | None
    pipeline_id: int | None
    errors: list[EventProblem]


class EventsTaken(Model):
    """What became of the events of one request."""

    accepted: int
    duplicate: int
    rejected: int
    deduplicated: bool
    spooled: bool
    items: list[EventItem]


class EventRoute(Model):
    """Where events of a type go."""

    event_type: str
    pipeline_id: int


class RecentRecord(Model):
    """A record as it lies in Kafka. `text`: None where it has no value."""

    partition: int
    offset: int
    kafka_timestamp: datetime
    text: str | None
    size_bytes: int
    is_cut: bool
