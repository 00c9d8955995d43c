"""What follows after alerts were told, in PostgreSQL: summaries and escalations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sentinel.domain.escalation import DueEscalation
from sentinel.domain.notification import MAX_TOLD_ALERTS
from sentinel.domain.notification_group import AlertTally, DueSummary
from sentinel.domain.notification_policy import EscalationStep
from sentinel.domain.rule import Severity
from sentinel.stores.postgres.notifications.rows import group_of, json_of
from sentinel.stores.postgres.notifications.tenant_statements import TenantStatements


class FollowUpStatements(TenantStatements):
    """The part of a routing transaction that is about time going by."""

    def due_summaries(self, at: datetime) -> list[DueSummary]:
        """Return the summaries that are due."""
        return [DueSummary(**row) for row in self._rows("due_summaries", at=at)]

    def tally(self, since: datetime, until: datetime) -> AlertTally:
        """Count the alerts of a range of time."""
        row = self._rows("tally", since=since, until=until, limit=MAX_TOLD_ALERTS)[0]
        return AlertTally(
            {Severity(severity): int(count) for severity, count in row["by_severity"].items()},
            tuple((rule, int(count)) for rule, count in row["by_rule"]),
            tuple(reversed(row["newest"])),
        )

    def save_summary(self, name: str, told_until: datetime, next_at: datetime | None) -> None:
        """Write until when a summary told, and when it is told next; None: never, it is no longer there."""
        self._run("save_summary", name=name, told_until=told_until, next_at=next_at)

    def begin_escalation(
        self, group_id: int, name: str, steps: Sequence[EscalationStep], policy_version: int, at: datetime
    ) -> None:
        """Begin to escalate a group, unless that is going on."""
        self._run(
            "begin_escalation",
            group_id=group_id,
            name=name,
            chain=json_of([step.model_dump(mode="json") for step in steps]),
            policy_version=policy_version,
            next_at=at + timedelta(minutes=steps[0].after_minutes),
            at=at,
        )

    def due_escalations(self, at: datetime, limit: int) -> list[DueEscalation]:
        """Return the escalations with a step that is due."""
        return [
            DueEscalation(
                id=row["escalation_id"],
                name=row["escalation"],
                group=group_of(row),
                steps=tuple(EscalationStep.model_validate(step) for step in row["chain"]),
                next_step=row["next_step"],
                started_at=row["started_at"],
            )
            for row in self._rows("due_escalations", at=at, limit=limit)
        ]

    def save_escalation(self, escalation: DueEscalation, *, next_at: datetime | None, state: str, at: datetime) -> None:
        """Write where an escalation stands."""
        self._run(
            "save_escalation", id=escalation.id, next_step=escalation.next_step, next_at=next_at, state=state, at=at
        )

    def stop_escalation(self, group_id: int, at: datetime) -> bool:
        """Stop the escalation of a group, and return whether there was one."""
        return self._run("stop_escalation", group_id=group_id, at=at) > 0
