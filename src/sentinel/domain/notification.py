"""Notifications: what a channel is given to send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sentinel.domain.origin import UNKNOWN, Origin
from sentinel.domain.rule import Severity

MAX_TOLD_ALERTS = 20
"""Alerts that a notification holds; of further ones it tells the number."""


class AlertEvent(StrEnum):
    """What happened to an alert, as the outbox says it."""

    FIRED = "fired"
    AMENDED = "amended"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    SUPPRESSED = "suppressed"
    REOPENED = "reopened"


class NotificationKind(StrEnum):
    """Why a notification is sent.

    fired: alerts came. repeated: they are still open. escalated: nobody acknowledged them. acknowledged, resolved:
    somebody did, which channels with a state of their own (PagerDuty) are told. summary: what came in a day. test:
    somebody tries the channel.
    """

    FIRED = "fired"
    REPEATED = "repeated"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    SUMMARY = "summary"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class NotifiedAlert:
    """An alert as channels tell it.

    Attributes:
        rule: What the rule, or detector, is called.
        pipeline: Name of the pipeline; empty for a detector's.
        description: Of the rule; may be empty.
        entities: Entity field -> value.
        evidence: Each condition that had to be true: {"condition": text, "values": {field: value}}.
        event: The event, or what a detector found, as JSON value; long ones are cut when they are stored.
        origin: The request that brought the event, and its trace.
    """

    alert_id: int
    rule: str
    pipeline: str
    severity: Severity
    description: str
    alert_timestamp: datetime
    event_id: str
    score: int
    tags: tuple[str, ...] = ()
    entities: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[Mapping[str, Any], ...] = ()
    event: Any = None
    origin: Origin = UNKNOWN

    @property
    def title(self) -> str:
        """One line: the description where there is one, else the rule's name."""
        return self.description.strip().partition("\n")[0] or self.rule


@dataclass(frozen=True, slots=True)
class Notification:
    """What one delivery says. The same over all of its attempts.

    Attributes:
        delivery_id: `dlv_...`, stable over attempts: receivers tell a repetition by it.
        group_key: Opaque, equal for all notifications of one group of alerts on one channel: threads and
            deduplication keys are made of it.
        labels: What the alerts of the group have in common, e.g. {"rule": "large"}.
        alerts: The newest alerts, at most MAX_TOLD_ALERTS, oldest first; empty for a test.
        alert_count: How many there are in all.
        severity: The highest among them.
        created_at: When it was decided, aware, UTC.
        thread: What the channel's receipt of the group's first delivery said, e.g. the timestamp of a Slack message;
            None: there is none.
        traceparent: Of the attempt that sends it, for receivers that trace; empty: it is not traced.
    """

    delivery_id: str
    tenant_id: str
    kind: NotificationKind
    severity: Severity
    group_key: str
    labels: Mapping[str, str]
    alerts: tuple[NotifiedAlert, ...]
    alert_count: int
    created_at: datetime
    thread: str | None = None
    traceparent: str = ""

    @property
    def title(self) -> str:
        """One line of plain text, without markup of any channel."""
        if self.kind is NotificationKind.TEST:
            return "A test of this channel"
        first = self.alerts[-1].title if self.alerts else "Alerts"
        said = {
            NotificationKind.REPEATED: "Still open: ",
            NotificationKind.ESCALATED: "Not acknowledged: ",
            NotificationKind.ACKNOWLEDGED: "Acknowledged: ",
            NotificationKind.RESOLVED: "Resolved: ",
            NotificationKind.SUMMARY: "Summary: ",
        }.get(self.kind, "")
        more = f" (+{self.alert_count - 1} more)" if self.alert_count > 1 else ""
        return f"{said}[{self.severity.value}] {first}{more}"
