"""Mutes and snoozes, as they are sent and answered."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, StringConstraints

from config_api.schemas.base import AnswerModel, Moment, RequestModel, Text, Timestamp

_EXAMPLES: list[JsonValue] = [
    {"rule_id": 7, "reason": "under repair"},
    {"field": "user_id", "value": "u-17", "expires_at": "2030-01-01T00:00:00Z", "reason": "known traveller"},
]


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("a reason says why")
    return text.strip()


Reason = Annotated[Text, StringConstraints(max_length=500), AfterValidator(_said)]


class MuteRequest(RequestModel):
    """A rule to mute, or an entity to snooze, for one rule or for all of the pipeline."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": _EXAMPLES})

    rule_id: int | None = Field(default=None, ge=1, le=2**63 - 1)
    field: Text | None = Field(default=None, max_length=128, description="Of a snooze: a field of role entity.")
    value: Text | None = Field(default=None, max_length=2000, description="Its value, as alerts show it.")
    expires_at: Moment | None = Field(
        default=None, description="Records with a timestamp from then on are alerted again. A snooze needs one."
    )
    reason: Reason


class MuteAnswer(AnswerModel):
    """A mute or snooze."""

    id: int
    pipeline_id: int
    rule_id: int | None
    field: str | None
    value: str | None
    expires_at: Timestamp | None
    reason: str
    created_by: str
    created_at: Timestamp
    ended_at: Timestamp | None
    ended_by: str | None


class SuppressedAnswer(AnswerModel):
    """Matches of one rule that raised no alert, in one hour of their records' timestamps."""

    rule_id: int
    hour: Timestamp
    cause: str = Field(description="muted or snoozed")
    match_count: int
