"""What people do about alerts, as it is sent and answered."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from config_api.schemas.alerts import AlertAnswer
from config_api.schemas.base import AnswerModel, Moment, Name, RequestModel, Text, Timestamp
from sentinel.domain.alert import AlertFilter, AlertSource
from sentinel.domain.alert_state import (
    KEEP,
    MAX_BULK,
    MAX_NOTE_CHARACTERS,
    MAX_SHOWN_CHANGES,
    AlertStatus,
    Disposition,
    WantedState,
)
from sentinel.domain.rule import Severity
from sentinel.domain.rule_quality import VersionQuality
from sentinel.ops.alerts import BulkResult

_SHOWN_CONFLICTS = 100
_MAX_ID = 2**63 - 1
Assignee = Annotated[Name, Field(description="Who has it.", examples=["ann"])]
Id = Annotated[int, Field(ge=1, le=_MAX_ID)]


class AlertChangeRequest(RequestModel):
    """What is to change. What is left out stays; null takes an assignee or a disposition away."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"status": "resolved", "disposition": "false_positive"}]},
    )

    status: AlertStatus | None = None
    assignee: Assignee | None = None
    disposition: Disposition | None = None
    force: bool = Field(default=False, description="Take an acknowledgement over from somebody else.")

    @model_validator(mode="after")
    def _status_is_something(self) -> Self:
        if "status" in self.model_fields_set and self.status is None:
            raise ValueError("status cannot be null; `open` is what an alert is at first")
        return self

    def wanted(self) -> WantedState:
        """Return what is wanted."""
        named = self.model_fields_set
        return WantedState(
            status=KEEP if self.status is None else self.status,
            assignee=self.assignee if "assignee" in named else KEEP,
            disposition=self.disposition if "disposition" in named else KEEP,
            force=self.force,
        )


class AlertFilterRequest(RequestModel):
    """Which alerts: as the parameters of `GET /api/alerts`."""

    pipeline_id: Id | None = None
    severity: Severity | None = None
    rule_id: Id | None = None
    event_id: Annotated[Text, Field(max_length=2000)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    text: Annotated[Text, Field(min_length=1, max_length=500)] | None = None
    status: AlertStatus | None = None
    assignee: Annotated[Text, Field(max_length=128, description="Empty: nobody has it.")] | None = None
    disposition: Disposition | None = None
    source: AlertSource | None = None
    detector: Annotated[Text, Field(max_length=100)] | None = None

    def chosen(self) -> AlertFilter:
        """Return the filter."""
        return AlertFilter(**self.model_dump())


class AlertActionRequest(AlertChangeRequest):
    """A change of many alerts: of those in `ids`, or of those that fit `filter`."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"ids": [17, 18], "status": "acknowledged"},
                {"filter": {"rule_id": 3, "status": "open"}, "status": "resolved", "disposition": "false_positive"},
            ]
        },
    )

    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_BULK)] | None = None
    filter: AlertFilterRequest | None = Field(default=None, description="`{}`: all alerts.")
    dry_run: bool = Field(default=False, description="Only count.")
    limit: int = Field(
        default=MAX_BULK, ge=1, le=MAX_BULK, description="With `filter`: alerts looked at in this request."
    )
    before: Id | None = Field(default=None, description="With `filter`: go on from here, the `next` of the answer.")

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("name the alerts by `ids` or by `filter`, one of both")
        if self.ids is not None and self.before is not None:
            raise ValueError("`before` goes with `filter`")
        return self


class AlertStateAnswer(AnswerModel):
    """Where an alert stands."""

    id: int
    status: AlertStatus
    assignee: str | None
    disposition: Disposition | None
    acknowledged_by: str | None
    acknowledged_at: Timestamp | None
    resolved_by: str | None
    resolved_at: Timestamp | None
    version: int
    updated_at: Timestamp | None


class AlertNoteRequest(RequestModel):
    """A note beside an alert. It is kept as it is, and never changed."""

    text: Annotated[Text, StringConstraints(min_length=1, max_length=MAX_NOTE_CHARACTERS, pattern=r"\S")] = Field(
        description="Plain text; whoever shows it escapes it.", examples=["Called the customer: it was her."]
    )


class AlertNoteAnswer(AnswerModel):
    """A note."""

    id: int
    author: str
    text: str
    created_at: Timestamp


class AlertChangeAnswer(AnswerModel):
    """A change of an alert's state."""

    version: int = Field(description="Of the alert, after it.")
    author: str
    changed_at: Timestamp
    before: dict[str, Any] = Field(description="What it changed, as it was.")
    after: dict[str, Any]


class AlertDetailAnswer(AlertAnswer):
    """An alert with its notes and its history."""

    notes: list[AlertNoteAnswer] = Field(description="Oldest first.")
    changes: list[AlertChangeAnswer] = Field(description=f"Newest first, the newest {MAX_SHOWN_CHANGES}.")


class AlertConflictAnswer(AnswerModel):
    """An alert that was left as it was."""

    alert_id: int
    reason: str


class AlertActionAnswer(AnswerModel):
    """What became of the alerts that one request looked at."""

    changed: int = Field(description="With `dry_run`: that would be changed.")
    unchanged: int = Field(description="They were there already.")
    conflicts: int = Field(description="Their status did not allow it, or somebody else has them.")
    conflict_details: list[AlertConflictAnswer] = Field(description=f"The first {_SHOWN_CONFLICTS}.")
    missing: list[int] = Field(description="Ids of no alert.")
    dry_run: bool
    next: int | None = Field(description="Send the same again with this as `before`; null: it is complete.")

    @classmethod
    def of(cls, result: BulkResult, *, dry_run: bool) -> Self:
        """Describe what was done."""
        shown = [
            AlertConflictAnswer(alert_id=each.alert_id, reason=each.reason)
            for each in result.conflicts[:_SHOWN_CONFLICTS]
        ]
        return cls(
            changed=result.changed,
            unchanged=result.unchanged,
            conflicts=len(result.conflicts),
            conflict_details=shown,
            missing=list(result.missing),
            dry_run=dry_run,
            next=result.next_before,
        )


class PrecisionAnswer(AnswerModel):
    """The share of true positives, with Wilson's interval of 95 %."""

    value: float
    low: float
    high: float


class VersionQualityAnswer(AnswerModel):
    """What people found the alerts of a version to be."""

    version: int | None = Field(description="null: all versions together.")
    alerts: int
    acknowledged: int = Field(description="With an acknowledgement that holds, resolved ones included.")
    resolved: int
    suppressed: int
    true_positives: int
    false_positives: int
    benign: int
    precision: PrecisionAnswer | None = Field(description="Of true and false positives; null: there are none.")
    seconds_to_acknowledge: float | None = Field(description="Median since the alert.")
    seconds_to_resolve: float | None

    @classmethod
    def of(cls, found: VersionQuality) -> Self:
        """Describe a version."""
        precision = found.precision
        return cls(
            version=found.version,
            alerts=found.alerts,
            acknowledged=found.acknowledged,
            resolved=found.resolved,
            suppressed=found.suppressed,
            true_positives=found.true_positives,
            false_positives=found.false_positives,
            benign=found.benign,
            precision=(
                None
                if precision is None
                else PrecisionAnswer(value=precision.value, low=precision.low, high=precision.high)
            ),
            seconds_to_acknowledge=found.seconds_to_acknowledge,
            seconds_to_resolve=found.seconds_to_resolve,
        )


class RuleQualityAnswer(AnswerModel):
    """What people found a rule's alerts to be."""

    since: Timestamp
    until: Timestamp
    total: VersionQualityAnswer
    versions: list[VersionQualityAnswer] = Field(description="Those that raised an alert, newest first.")
