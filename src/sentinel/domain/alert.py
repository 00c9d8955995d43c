"""Alerts: one persisted match of one rule, or one anomaly that a detector found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sentinel.domain.alert_state import AlertState, AlertStatus, Disposition
from sentinel.domain.origin import Origin
from sentinel.domain.rule import Severity


class AlertSource(StrEnum):
    """Who raises alerts."""

    RULE = "rule"
    DETECTOR = "detector"


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule was true for an event, or a detector found an anomaly in a window.

    What only one of the two has is None in the other: pipeline, rule, generation and record, or detector, window and
    subject. An anomaly has neither a rule's name nor its description.

    Attributes:
        rule_name: What the rule is called today.
        event_id: Of an anomaly: detector, start of the window and subject.
        score: 0..100, from all rules that matched the event in the same pass.
        transaction_json: The event as JSON text, so that no number loses digits on its way; of an anomaly what was
            found.
        evidence_json: Each condition that had to be true with the values that it looks at, as JSON text.
        entities_json: Entity field -> value, as JSON text.
        alert_timestamp: When it was written; `kafka_timestamp` is the record's.
        list_versions: List -> the version of it that the rule read; empty for a rule without subqueries.
        refill_id: The refill that made it; None: live detection did.
        state: What people did about it.
        detector: Its name.
        subject: What an anomaly is about.
        revision: Grows when an anomaly is amended.
        request_id, traceparent: As in `Origin`; None: the record did not say, or there is none.
    """

    id: int
    pipeline_id: int | None
    rule_id: int | None
    rule_version_id: int | None
    generation_id: int | None
    event_id: str
    severity: Severity
    score: int
    rule_name: str
    rule_description: str
    entities_json: str
    transaction_json: str
    evidence_json: str
    kafka_partition: int | None
    kafka_offset: int | None
    kafka_timestamp: datetime | None
    alert_timestamp: datetime
    list_versions: dict[str, int]
    refill_id: int | None = None
    state: AlertState = field(default_factory=AlertState)
    detector: str | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    subject: str | None = None
    revision: int = 1
    request_id: str | None = None
    traceparent: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The trace that the event is part of."""
        return Origin(traceparent=self.traceparent or "").trace_id or None


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts; None: any.

    Attributes:
        since: First `alert_timestamp` included.
        until: First one not included any more.
        text: Found anywhere in the event's JSON, without case.
        assignee: Who has it; empty: nobody.
        detector: The name of one; those of deleted detectors of this name are among them.
    """

    pipeline_id: int | None = None
    severity: Severity | None = None
    rule_id: int | None = None
    event_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    status: AlertStatus | None = None
    assignee: str | None = None
    disposition: Disposition | None = None

    @property
    def goes_by_state(self) -> bool:
        """Whether only alerts that somebody did something about can fit: they are found by their state."""
        return self.status not in (None, AlertStatus.OPEN) or bool(self.assignee) or self.disposition is not None

    @property
    def names_what_matched(self) -> bool:
        """Whether it names a pipeline, a rule, a severity or an event."""
        return any(each is not None for each in (self.pipeline_id, self.rule_id, self.severity, self.event_id))

    @property
    def goes_by_absence(self) -> bool:
        """Whether alerts fit for what nobody did: no index tells them."""
        return not self.goes_by_state and (self.status is AlertStatus.OPEN or self.assignee == "")

    source: AlertSource | None = None
    detector: str | None = None


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts, newest first.

    Attributes:
        next_before: Continue with alerts before this id; None: there are no more. A search in the text, or for what
            nobody did, may give a short page that goes on: it stops after a while to stay answerable.
    """

    alerts: tuple[Alert, ...]
    next_before: int | None
