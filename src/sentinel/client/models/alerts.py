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
    rule_version_id: int | None = None
    severity: Severity
    rule_name: str = ""
    rule_description: str
    alert_timestamp: datetime
    transaction_data: Any
    evidence: list[Evidence] = Field(default_factory=list)
    event_id: str
    entities: dict[str, Any] = Field(default_factory=dict)
    score: int
    kafka_partition: int | None
    kafka_offset: int | None
    kafka_timestamp: datetime | None
    list_versions: dict[str, int] = Field(default_factory=dict)
    refill_id: int | None = None
    status: str = "open"
    assignee: str | None = None
    disposition: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    version: int = 0
    updated_at: datetime | None = None
    detector: str | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    subject: str | None = None
    revision: int = 1
    request_id: str | None = None
    trace_id: str | None = None


class AlertState(Model):
    """Where an alert stands."""

    id: int
    status: str
    assignee: str | None
    disposition: str | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    resolved_by: str | None
    resolved_at: datetime | None
    version: int
    updated_at: datetime | None


class AlertNote(Model):
    """A note beside an alert."""

    id: int
    author: str
    text: str
    created_at: datetime


class AlertChange(Model):
    """A change of an alert's state: what it made of what."""

    version: int
    author: str
    changed_at: datetime
    before: dict[str, Any]
    after: dict[str, Any]


class AlertDetail(Alert):
    """An alert with its notes, oldest first, and its changes, newest first."""

    notes: list[AlertNote]
    changes: list[AlertChange]


class AlertConflict(Model):
    """An alert that a bulk action left as it was."""

    alert_id: int
    reason: str


class AlertAction(Model):
    """What one request of a bulk action did, or would do; it goes on at `next` until that is None."""

    changed: int
    unchanged: int
    conflicts: int
    conflict_details: list[AlertConflict]
    missing: list[int]
    dry_run: bool
    next: int | None


class Precision(Model):
    """The share of true positives, with its interval of 95 %."""

    value: float
    low: float
    high: float


class VersionQuality(Model):
    """What people found the alerts of a version to be; version None: of all together."""

    version: int | None
    alerts: int
    acknowledged: int
    resolved: int
    suppressed: int
    true_positives: int
    false_positives: int
    benign: int
    precision: Precision | None
    seconds_to_acknowledge: float | None
    seconds_to_resolve: float | None


class RuleQuality(Model):
    """What people found a rule's alerts to be, all together and per version."""

    since: datetime
    until: datetime
    total: VersionQuality
    versions: list[VersionQuality]


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
