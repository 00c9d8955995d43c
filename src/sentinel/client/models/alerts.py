"""Alerts and scores."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from sentinel.client.models.base import Model, Severity


class Evidence(Model):
    """A condition that had to be true for the rule to match, with the fields that it looks at."""

    condition: str
    values: dict[str, Any]


class Alert(Model):
    """An alert of a rule, or of a detector, which has no pipeline, rule and record, but a window and a subject."""

    id: int
    pipeline_id: int | None
    rule_id: int | None
    severity: Severity
    rule_name: str = ""
    rule_description: str
    alert_timestamp: datetime
    transaction_data: Any
    evidence: list[Evidence] = Field(default_factory=list)
    event_id: str
    score: int
    kafka_partition: int | None
    kafka_offset: int | None
    kafka_timestamp: datetime | None
    list_versions: dict[str, int] = Field(default_factory=dict)
    refill_id: int | None = None
    detector: str | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    subject: str | None = None
    version: int = 1


class AlertPage(Model):
    """Alerts, newest first; continue with `before=next_before` until it is None."""

    alerts: list[Alert]
    next_before: int | None


class EventDecision(Model):
    """What a scorecard says of an event: approve, review or decline."""

    scorecard: str
    version: int
    score: int
    decision: str
    rule_ids: list[int]
    decided_at: datetime | None


class EventScore(Model):
    """What detection says of an event: matched, clean, not_yet_seen, dead_letter or unknown."""

    event_id: str
    status: str
    score: int | None
    rule_ids: list[int]
    source: str | None
    detail: str
    decisions: list[EventDecision] = Field(default_factory=list)
