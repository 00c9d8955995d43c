"""Channels of notifications, as they are sent and answered."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue

from config_api.schemas.base import AnswerModel, RequestModel, SecretText, Storable, Text, Timestamp
from sentinel.catalog.channels import ChannelWithSecret
from sentinel.domain.channel import (
    DEFAULT_OVERLAP,
    MAX_OVERLAP,
    MAX_RATE_PER_MINUTE,
    MAX_REASON_CHARACTERS,
    ChannelKind,
    ChannelStatus,
    NotificationChannel,
)
from sentinel.notify.channels.base import Fate
from sentinel.notify.channels.kinds import CHANNELS

_EXAMPLES: list[JsonValue] = [
    {"name": "siem", "kind": "webhook", "options": {"url": "https://example.com/alerts"}},
    {
        "name": "ops",
        "kind": "slack",
        "options": {"mode": "bot", "channel": "#ops"},
        "secret": "xoxb-...",
        "rate_per_minute": 60,
    },
]
# Checked by the kind, not here, so that everything wrong is said at once.
_OPTION_SCHEMAS: dict[str, Any] = {"anyOf": [channel.options_type.model_json_schema() for channel in CHANNELS.values()]}
Options = Annotated[
    dict[Annotated[str, Field(max_length=100)], JsonValue],
    Field(
        max_length=50,
        description="By kind. Public: what is secret goes into `secret`.",
        json_schema_extra=_OPTION_SCHEMAS,
    ),
    Storable,
]
Secret = Annotated[
    SecretText,
    Field(
        max_length=4000,
        description="slack: the incoming webhook's URL, or the bot's token. webhook: whsec_..., made when left out. "
        "email: the user's password. pagerduty: the integration key. teams: the workflow's URL. apprise: the URL.",
    ),
]
Rate = Annotated[
    int,
    Field(ge=1, le=MAX_RATE_PER_MINUTE, description="Deliveries that are sent in a minute at most. null: any number."),
]


class ChannelRequest(RequestModel):
    """A target of notifications."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": _EXAMPLES})

    name: Text = Field(description="Lower-case letters, digits and hyphens, at most 63. It stays.", max_length=200)
    kind: ChannelKind
    options: Options = Field(default={})
    secret: Secret | None = None
    rate_per_minute: Rate | None = None


class ChannelPatchRequest(RequestModel):
    """What is to change. What is left out stays, each option by itself."""

    options: Options = Field(default={})
    secret: Secret | None = Field(
        default=None, description="Needed when the change has the secret go elsewhere; a webhook's is rotated instead."
    )
    rate_per_minute: Rate | None = None


class ChannelSecretRequest(RequestModel):
    """Another secret."""

    secret: Secret | None = Field(default=None, description="Of a webhook made when left out.")
    overlap_seconds: int | None = Field(
        default=None,
        ge=0,
        le=int(MAX_OVERLAP.total_seconds()),
        description=f"Of a webhook: for so long it signs with the earlier ones, too. "
        f"Default: {int(DEFAULT_OVERLAP.total_seconds())}.",
    )

    @property
    def overlap(self) -> timedelta | None:
        """How long secrets overlap."""
        return None if self.overlap_seconds is None else timedelta(seconds=self.overlap_seconds)


class ChannelDisableRequest(RequestModel):
    """Why a channel is disabled."""

    reason: Text = Field(default="", max_length=MAX_REASON_CHARACTERS)


class ChannelSecretAnswer(AnswerModel):
    """A secret, without the secret."""

    id: int
    hint: str = Field(description="Its last characters.", examples=["Ab3="])
    is_encrypted: bool
    added_at: Timestamp
    added_by: str
    expires_at: Timestamp | None


class ChannelAnswer(AnswerModel):
    """A channel."""

    id: int
    name: str
    kind: ChannelKind
    options: dict[str, Any]
    status: ChannelStatus
    disabled_reason: str
    rate_per_minute: int | None
    version: int
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    secrets: list[ChannelSecretAnswer]

    @classmethod
    def of(cls, channel: NotificationChannel) -> Self:
        """Describe a channel."""
        return cls(**_members(channel))


class ChannelChangeAnswer(ChannelAnswer):
    """A channel that was written."""

    new_secret: str | None = Field(
        default=None, description="The secret that was made for it, shown this once. Also null in a repeated answer."
    )
    remarks: list[str] = Field(default=[], description="What may keep it from sending, such as a name without address.")

    @classmethod
    def written(cls, written: ChannelWithSecret | NotificationChannel, remarks: list[str]) -> Self:
        """Describe a channel that was written."""
        if isinstance(written, NotificationChannel):
            return cls(**_members(written), remarks=remarks)
        return cls(**_members(written.channel), new_secret=written.new_secret, remarks=remarks)


class ChannelTestAnswer(AnswerModel):
    """What came of a test."""

    outcome: Literal["sent", "failed"]
    fate: Fate | None = Field(description="Of a failure: retry, it may pass; dead, it will not; gone, nobody is there.")
    reason: str = Field(description="Of a failure: a short word, as deliveries are counted by.", examples=["timeout"])
    detail: str = Field(description="A sentence about a failure; of a success what the receiver said.")
    status: int | None = Field(description="Of the answer: HTTP's, or SMTP's.")
    duration_seconds: float


def _members(channel: NotificationChannel) -> dict[str, Any]:
    return {**asdict(channel), "secrets": [ChannelSecretAnswer(**asdict(secret)) for secret in channel.secrets]}
