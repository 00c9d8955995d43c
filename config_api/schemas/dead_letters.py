"""Dead letters, and what is done about them, as it is sent and answered."""

from __future__ import annotations

import base64
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from config_api.schemas.base import AnswerModel, Moment, RequestModel, Text, Timestamp
from sentinel.domain.redrive import (
    MAX_DISCARDED_AT_ONCE,
    MAX_EDITED_BYTES,
    MAX_REASON_CHARACTERS,
    MAX_REDRIVEN_AT_ONCE,
    MAX_REDRIVES,
    CauseCount,
    DeadLetterEntry,
    DeadLetterFilter,
    DeadLetterState,
    NotSent,
    RecordVerdict,
    Redrive,
    RedriveReport,
)
from sentinel.ops.dead_letters import DeadLetterDossier, DiscardResult

# A redrive waits between its chunks; a request is to be answered before clients give it up.
MAX_SECONDS = 15
SHOWN_LEFT = 100
_MAX_ID = 2**63 - 1
Id = Annotated[int, Field(ge=1, le=_MAX_ID)]
Record = Annotated[str, StringConstraints(max_length=MAX_EDITED_BYTES)]


class DeadLetterAnswer(AnswerModel):
    """A record that is not an event."""

    id: int
    pipeline_id: int
    generation_id: int
    cause: str
    field: str | None
    detail: str
    kafka_topic: str
    kafka_partition: int
    kafka_offset: int
    kafka_timestamp: Timestamp
    source_epoch: int
    raw_base64: str | None = Field(description="The record's value, perhaps only its beginning; null with `raw=false`.")
    raw_text: str | None = Field(description="The same as text; what is no UTF-8 shows as U+FFFD.")
    raw_size_bytes: int = Field(description="Its full size.")
    created_at: Timestamp
    state: DeadLetterState
    reason: str = Field(description="Why it was discarded.")
    changed_by: str = Field(description="Who redrove or discarded it; empty while nobody did.")
    changed_at: Timestamp | None
    redrive_of: int | None = Field(description="The dead letter whose redriven record this is.")
    first_id: int | None = Field(description="The dead letter with which that began.")
    redrive_count: int = Field(description=f"Redrives between that one and this; {MAX_REDRIVES} are the most.")

    @classmethod
    def of(cls, entry: DeadLetterEntry) -> Self:
        """Build the answer."""
        return cls(**_members(entry))


class RedriveAnswer(AnswerModel):
    """A dead letter that was sent again, and where its new record lies."""

    dead_letter_id: int
    redrive_count: int
    is_edited: bool
    value_sha256: str = Field(description="Of what was sent, in hexadecimal digits.")
    size_bytes: int
    kafka_topic: str
    kafka_partition: int
    kafka_offset: int
    redriven_by: str
    redriven_at: Timestamp | None
    failed_as: int | None = Field(description="The dead letter that the new record became.")

    @classmethod
    def of(cls, redrive: Redrive) -> Self:
        """Build the answer."""
        return cls(
            dead_letter_id=redrive.dead_letter_id,
            redrive_count=redrive.redrive_count,
            is_edited=redrive.is_edited,
            value_sha256=redrive.value_sha256.hex(),
            size_bytes=redrive.size_bytes,
            kafka_topic=redrive.kafka_topic,
            kafka_partition=redrive.kafka_partition,
            kafka_offset=redrive.kafka_offset,
            redriven_by=redrive.redriven_by,
            redriven_at=redrive.redriven_at,
            failed_as=redrive.failed_as,
        )


class DeadLetterDetailAnswer(DeadLetterAnswer):
    """A dead letter with how it was sent again."""

    redrives: list[RedriveAnswer] = Field(description="Newest first.")

    @classmethod
    def of_dossier(cls, dossier: DeadLetterDossier) -> Self:
        """Build the answer."""
        return cls(**_members(dossier.letter), redrives=[RedriveAnswer.of(each) for each in dossier.redrives])


class CauseCountAnswer(AnswerModel):
    """How many dead letters of a cause are in a state."""

    cause: str
    state: DeadLetterState
    count: int


class HourCountAnswer(CauseCountAnswer):
    """The same, found in one hour."""

    hour: Timestamp = Field(description="Its beginning, UTC.")


class CountsAnswer(AnswerModel):
    """How many dead letters there are."""

    total: int
    causes: list[CauseCountAnswer] = Field(description="By cause and state, of the range that was asked for.")
    hours: list[HourCountAnswer] = Field(description="The same per hour, from `hours_since` on.")
    hours_since: Timestamp

    @classmethod
    def of(cls, causes: list[CauseCount], hours: list[CauseCount], hours_since: Timestamp) -> Self:
        """Build the answer."""
        return cls(
            total=sum(each.count for each in causes),
            causes=[CauseCountAnswer(cause=each.cause, state=each.state, count=each.count) for each in causes],
            hours=[
                HourCountAnswer(cause=each.cause, state=each.state, count=each.count, hour=each.hour)
                for each in hours
                if each.hour is not None
            ],
            hours_since=hours_since,
        )


class CheckRequest(RequestModel):
    """A record to be judged in place of the one that is kept."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"text": '{"id": "e1", "amount": 12.5}'}]}
    )

    text: Record | None = Field(default=None, description="Null: the record as it is kept.")


class CheckAnswer(AnswerModel):
    """What the engine says of a record with the schema of now."""

    is_event: bool
    cause: str | None
    field: str | None
    detail: str

    @classmethod
    def of(cls, verdict: RecordVerdict) -> Self:
        """Build the answer."""
        return cls(is_event=verdict.cause is None, cause=verdict.cause, field=verdict.field, detail=verdict.detail)


class OneRedriveRequest(CheckRequest):
    """One dead letter, as it is kept or edited."""

    only_events: bool = Field(default=True, description="Refuse what would be a dead letter again.")


class DeadLetterFilterRequest(RequestModel):
    """Which open dead letters."""

    state: DeadLetterState | None = Field(default=None, description="open, or left out: no others can be chosen.")
    cause: Annotated[Text, StringConstraints(max_length=100)] | None = None
    since: Moment | None = Field(default=None, description="Found from this time on.")
    until: Moment | None = Field(default=None, description="Found before this time.")

    def chosen(self) -> DeadLetterFilter:
        """Return the filter."""
        return DeadLetterFilter(self.state, self.cause, self.since, self.until)


class _Choice(RequestModel):
    """Some dead letters: by their ids, or by a filter."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_REDRIVEN_AT_ONCE)] | None = None
    filter: DeadLetterFilterRequest | None = Field(default=None, description="`{}`: all that are open.")
    after: Annotated[int, Field(ge=0, le=_MAX_ID)] = Field(
        default=0, description="With `filter`: go on from here, the `next` of the answer."
    )
    dry_run: bool = Field(default=False, description="Only say what would happen.")

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("name the dead letters by `ids` or by `filter`, one of both")
        if self.ids is not None and self.after:
            raise ValueError("`after` goes with `filter`")
        return self

    @property
    def wanted(self) -> DeadLetterFilter:
        """The filter; of ids none is needed."""
        return DeadLetterFilter() if self.filter is None else self.filter.chosen()


class RedriveRequest(_Choice):
    """Dead letters that are to be sent again as they are kept."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"filter": {"cause": "missing_field"}, "dry_run": True}, {"ids": [17, 18]}]},
    )

    limit: int = Field(
        default=100, ge=1, le=MAX_REDRIVEN_AT_ONCE, description="With `filter`: looked at in this request."
    )
    only_events: bool = Field(default=True, description="Leave those that would be dead letters again.")
    records_per_second: float = Field(default=50.0, ge=1, le=500)

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        count = self.limit if self.ids is None else len(self.ids)
        if count > self.records_per_second * MAX_SECONDS:
            raise ValueError(
                f"{count} records at {self.records_per_second:g} a second take longer than {MAX_SECONDS} s: send fewer "
                "in a request and go on with `next`, or send them faster"
            )
        return self


class LeftAnswer(AnswerModel):
    """A dead letter that stays as it is."""

    id: int
    why: NotSent
    detail: str


class RedriveReportAnswer(AnswerModel):
    """What one request of a redrive did, or would do."""

    dry_run: bool
    looked_at: int
    sent: int
    redrives: list[RedriveAnswer] = Field(description="Where the new records lie.")
    events: int | None = Field(description="How many of those that can be sent are events now; null: not asked.")
    by_cause: dict[str, int] = Field(description="How many would be dead letters again, by the cause of now.")
    left: int = Field(description="How many stay as they are.")
    left_by: dict[NotSent, int]
    left_details: list[LeftAnswer] = Field(description=f"The first {SHOWN_LEFT}.")
    next: int | None = Field(description="Send the same again with this as `after`; null: nothing else fits.")
    stopped: str = Field(description="Why it ended early, e.g. because the broker went away; empty: it did not.")
    is_repeated: bool = Field(description="This request was done before; nothing was sent now.")

    @classmethod
    def of(cls, report: RedriveReport, *, dry_run: bool) -> Self:
        """Build the answer."""
        whys = [each.why for each in report.left]
        return cls(
            dry_run=dry_run,
            looked_at=report.looked_at,
            sent=len(report.sent),
            redrives=[RedriveAnswer.of(each) for each in report.sent],
            events=report.events,
            by_cause=dict(report.by_cause),
            left=len(report.left),
            left_by={why: whys.count(why) for why in dict.fromkeys(whys)},
            left_details=[
                LeftAnswer(id=each.id, why=each.why, detail=each.detail) for each in report.left[:SHOWN_LEFT]
            ],
            next=report.next_after,
            stopped=report.stopped,
            is_repeated=report.is_repeated,
        )


class DiscardRequest(_Choice):
    """Dead letters that nobody will send again, and why."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"ids": [17], "reason": "A test of the sender."}]},
    )

    reason: Annotated[Text, StringConstraints(min_length=1, max_length=MAX_REASON_CHARACTERS, pattern=r"\S")]
    limit: int = Field(
        default=MAX_DISCARDED_AT_ONCE, ge=1, le=MAX_DISCARDED_AT_ONCE, description="With `filter`: in this request."
    )


class ReopenRequest(RequestModel):
    """Dead letters that were discarded by mistake."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_DISCARDED_AT_ONCE)]


class DiscardAnswer(AnswerModel):
    """What one request changed, or would change."""

    dry_run: bool
    changed: int
    unchanged: list[int] = Field(description="Those in another state, or that somebody redrives at this moment.")
    missing: list[int] = Field(description="Ids of no dead letter of the pipeline.")
    next: int | None = Field(description="Send the same again with this as `after`; null: it is complete.")

    @classmethod
    def of(cls, result: DiscardResult, *, dry_run: bool = False) -> Self:
        """Build the answer."""
        return cls(
            dry_run=dry_run,
            changed=result.changed,
            unchanged=list(result.unchanged),
            missing=list(result.missing),
            next=result.next_after,
        )


def _members(entry: DeadLetterEntry) -> dict[str, object]:
    members: dict[str, object] = {name: getattr(entry, name) for name in entry.__slots__ if name != "raw"}
    members["raw_base64"] = None if entry.raw is None else base64.b64encode(entry.raw).decode()
    members["raw_text"] = None if entry.raw is None else entry.raw.decode("utf-8", "replace")
    return members
