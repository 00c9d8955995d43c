"""What people do about an alert: who has it, what came of it, and which step may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Final

from sentinel.domain.notification import AlertEvent
from sentinel.errors import ConflictError

MAX_NOTES = 200
MAX_NOTE_CHARACTERS = 5_000
MAX_SHOWN_CHANGES = 200
MAX_BULK = 1_000
"""Alerts that one bulk request changes, in one transaction."""


class AlertStatus(StrEnum):
    """open: nobody has it; acknowledged: somebody has; resolved: done; suppressed: known, and not to be looked at."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    SUPPRESSED = "suppressed"


class Disposition(StrEnum):
    """What an alert turned out to be.

    true_positive: what the rule is for. false_positive: the rule should not have matched. benign: it matched as it
    should, and no harm was meant.
    """

    TRUE_POSITIVE = "true_positive"
    FALSE_POSITIVE = "false_positive"
    BENIGN = "benign"


NEXT: Final[Mapping[AlertStatus, frozenset[AlertStatus]]] = {
    AlertStatus.OPEN: frozenset({AlertStatus.ACKNOWLEDGED, AlertStatus.RESOLVED, AlertStatus.SUPPRESSED}),
    AlertStatus.ACKNOWLEDGED: frozenset({AlertStatus.OPEN, AlertStatus.RESOLVED, AlertStatus.SUPPRESSED}),
    AlertStatus.SUPPRESSED: frozenset({AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED, AlertStatus.RESOLVED}),
    AlertStatus.RESOLVED: frozenset({AlertStatus.OPEN}),
}
"""Which status may follow which. The same again changes nothing, but for an acknowledgement by somebody else."""

_TOLD = {
    AlertStatus.OPEN: AlertEvent.REOPENED,
    AlertStatus.ACKNOWLEDGED: AlertEvent.ACKNOWLEDGED,
    AlertStatus.RESOLVED: AlertEvent.RESOLVED,
    AlertStatus.SUPPRESSED: AlertEvent.SUPPRESSED,
}


class Keep(Enum):
    """Stands for: leave it as it is."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True)
class AlertState:
    """Where an alert stands. Without anything done about it: open, version 0.

    Attributes:
        acknowledged_by, acknowledged_at: Of the acknowledgement that holds; None after the alert was opened again.
        resolved_by, resolved_at: Likewise.
        version: How many changes there were.
        updated_at: When the last one was.
    """

    status: AlertStatus = AlertStatus.OPEN
    assignee: str | None = None
    disposition: Disposition | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    version: int = 0
    updated_at: datetime | None = None

    def members(self) -> dict[str, Any]:
        """Return everything, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def as_json(self) -> dict[str, Any]:
        """Return what a change may touch, as plain data; without version and time, which each of them touches."""
        facts = {each.name: getattr(self, each.name) for each in fields(self)[:-2]}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()}


@dataclass(frozen=True, slots=True)
class WantedState:
    """What is to become of an alert.

    Attributes:
        assignee, disposition: None takes it away.
        force: Take an acknowledgement over from somebody else.
    """

    status: AlertStatus | Keep = KEEP
    assignee: str | Keep | None = KEEP
    disposition: Disposition | Keep | None = KEEP
    force: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to change."""
        return self.status is KEEP and self.assignee is KEEP and self.disposition is KEEP


@dataclass(frozen=True, slots=True)
class AlertChange:
    """A step from one state to the next, as it is written.

    Attributes:
        author: The name of an API key, or who else acted.
        before, after: What it made of what, in the fields it touched.
    """

    version: int
    author: str
    changed_at: datetime
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AlertStep:
    """A change of one alert that is to be written.

    Attributes:
        event: What the outbox is told; None: nothing.
    """

    alert_id: int
    state: AlertState
    change: AlertChange
    event: AlertEvent | None


@dataclass(frozen=True, slots=True)
class AlertNote:
    """What somebody wrote beside an alert. Never changed."""

    id: int
    author: str
    text: str
    created_at: datetime


def step(alert_id: int, state: AlertState, wanted: WantedState, *, author: str, now: datetime) -> AlertStep | None:
    """Return the step to what is wanted; None when the alert is there already.

    Raises:
        ConflictError: The status does not allow it, or somebody else has acknowledged the alert.
    """
    after = _moved(alert_id, state, wanted, author, now)
    if wanted.assignee is not KEEP:
        after = replace(after, assignee=wanted.assignee)
    if wanted.disposition is not KEEP:
        after = replace(after, disposition=wanted.disposition)
    old, new = state.as_json(), after.as_json()
    touched = [name for name in old if old[name] != new[name]]
    if not touched:
        return None
    after = replace(after, version=state.version + 1, updated_at=now)
    change = AlertChange(
        version=after.version,
        author=author,
        changed_at=now,
        before={name: old[name] for name in touched},
        after={name: new[name] for name in touched},
    )
    return AlertStep(alert_id, after, change, _TOLD[after.status] if after.status is not state.status else None)


def _moved(alert_id: int, state: AlertState, wanted: WantedState, author: str, now: datetime) -> AlertState:
    target = wanted.status
    if target is KEEP:
        return state
    if target is state.status:
        return _taken_over(alert_id, state, wanted, author)
    if target not in NEXT[state.status]:
        possible = ", ".join(sorted(NEXT[state.status]))
        raise ConflictError(
            f"alert {alert_id} is {state.status}; it cannot become {target} from there, only {possible}"
        )
    moved = replace(state, status=target)
    match target:
        case AlertStatus.OPEN:
            moved = replace(moved, acknowledged_by=None, acknowledged_at=None, resolved_by=None, resolved_at=None)
        case AlertStatus.ACKNOWLEDGED:
            moved = replace(moved, acknowledged_by=author, acknowledged_at=now)
        case AlertStatus.RESOLVED:
            moved = replace(moved, resolved_by=author, resolved_at=now)
    return moved


def _taken_over(alert_id: int, state: AlertState, wanted: WantedState, author: str) -> AlertState:
    if state.status is not AlertStatus.ACKNOWLEDGED or state.acknowledged_by == author:
        return state
    if not wanted.force:
        raise ConflictError(
            f"alert {alert_id} is acknowledged by {state.acknowledged_by!r} already; take it over with force"
        )
    # Its time stays: how long nobody had it does not change by handing it over.
    return replace(state, acknowledged_by=author)
