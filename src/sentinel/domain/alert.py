"""Alerts: one persisted match of one rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sentinel.domain.alert_state import AlertState, AlertStatus, Disposition
from sentinel.domain.rule import Severity


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule was true for an event.

    Attributes:
        rule_name: What the rule is called today.
        score: 0..100, from all rules that matched the event in the same pass.
        transaction_json: The event as JSON text, so that no number loses digits on its way.
        evidence_json: Each condition that had to be true with the values that it looks at, as JSON text.
        entities_json: Entity field -> value, as JSON text.
        alert_timestamp: When it was written; `kafka_timestamp` is the record's.
        list_versions: List -> the version of it that the rule read; empty for a rule without subqueries.
        refill_id: The refill that made it; None: live detection did.
        state: What people did about it.
    """

    id: int
    pipeline_id: int
    rule_id: int
    rule_version_id: int
    generation_id: int
    event_id: str
    severity: Severity
    score: int
    rule_name: str
    rule_description: str
    entities_json: str
    transaction_json: str
    evidence_json: str
    kafka_partition: int
    kafka_offset: int
    kafka_timestamp: datetime
    alert_timestamp: datetime
    list_versions: dict[str, int]
    refill_id: int | None = None
    state: AlertState = field(default_factory=AlertState)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts; None: any.

    Attributes:
        since: First `alert_timestamp` included.
        until: First one not included any more.
        text: Found anywhere in the event's JSON, without case.
        assignee: Who has it; empty: nobody.
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


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts, newest first.

    Attributes:
        next_before: Continue with alerts before this id; None: there are no more. A search in the text, or for what
            nobody did, may give a short page that goes on: it stops after a while to stay answerable.
    """

    alerts: tuple[Alert, ...]
    next_before: int | None
