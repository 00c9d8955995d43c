"""Sources of webhooks and what they sent, as they are sent and answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Self

from pydantic import ConfigDict, Field, JsonValue

from config_api.schemas.base import AnswerModel, Moment, RequestModel, SecretText, Text, Timestamp
from sentinel.domain.webhook import (
    MAX_CONFLICT_BYTES,
    EventOrigin,
    ReceiptStatus,
    RefusalReason,
    SourceStatus,
    TokenOptions,
    WebhookAttempt,
    WebhookConflict,
    WebhookEvent,
    WebhookKind,
    WebhookSource,
)

_EXAMPLES: list[JsonValue] = [
    {"name": "stripe-live", "kind": "stripe"},
    {"name": "billing", "kind": "token", "pipeline_id": 7, "header": "X-Billing-Token", "id_pointer": "/event/id"},
]
Secret = Annotated[SecretText, Field(description="As the provider shows it. It is never answered.")]
Header = Annotated[Text, Field(max_length=200, description="Of kind token: holds it. Empty: Authorization: Bearer.")]
IdPointer = Annotated[
    Text,
    Field(max_length=500, description="Of kind token: JSON pointer of the id. Empty: the body's SHA-256 is the id."),
]
TypePointer = Annotated[Text, Field(max_length=500, description="Of kind token: JSON pointer of the event's type.")]


class WebhookSourceRequest(RequestModel):
    """A provider that will send signed events."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": _EXAMPLES})

    name: Text = Field(description="Lower-case letters, digits and hyphens, at most 63.", max_length=200)
    kind: WebhookKind = Field(description="How the provider signs.")
    pipeline_id: int | None = Field(
        default=None,
        ge=1,
        le=2**63 - 1,
        description="Where events go. Without one Stripe's go to the pipeline `stripe`, all others are kept only.",
    )
    secrets: list[Secret] = Field(default=[], max_length=100, description="May follow: Stripe shows it afterwards.")
    header: Header = ""
    id_pointer: IdPointer = ""
    type_pointer: TypePointer = ""

    def options(self) -> TokenOptions:
        """Return what a source of kind token is told."""
        return TokenOptions(self.header, self.id_pointer, self.type_pointer)


class WebhookSourcePatchRequest(RequestModel):
    """What is to change. What is left out stays."""

    name: Text | None = Field(default=None, max_length=200)
    status: SourceStatus | None = None
    pipeline_id: int | None = Field(default=None, ge=1, le=2**63 - 1, description="null: events are kept only.")
    header: Header | None = None
    id_pointer: IdPointer | None = None
    type_pointer: TypePointer | None = None

    def options(self, present: TokenOptions) -> TokenOptions:
        """Return the options after the change."""
        stored = present.as_json()
        wanted = {name: value for name, value in self.model_dump(include=set(stored)).items() if value is not None}
        return TokenOptions(**{**stored, **wanted})


class WebhookSecretRequest(RequestModel):
    """One more secret."""

    secret: Secret
    expires_at: Moment | None = None
    others_expire_at: Moment | None = Field(
        default=None, description="When those that are there end, as a provider says that rolls its secret."
    )


class WebhookSecretAnswer(AnswerModel):
    """A secret, without the secret."""

    id: int
    hint: str = Field(description="Its last characters.", examples=["Ab3x"])
    is_encrypted: bool
    added_at: Timestamp
    added_by: str
    expires_at: Timestamp | None


class WebhookSourceAnswer(AnswerModel):
    """A source of webhooks."""

    id: int
    name: str
    kind: WebhookKind
    status: SourceStatus
    path: str = Field(description="Where the provider is to send to.", examples=["/webhooks/stripe/whs_2hE..."])
    pipeline_id: int | None
    header: str
    id_pointer: str
    type_pointer: str
    version: int
    created_at: Timestamp
    updated_at: Timestamp
    secrets: list[WebhookSecretAnswer]

    @classmethod
    def of(cls, source: WebhookSource) -> Self:
        """Describe a source."""
        return cls(
            id=source.id,
            name=source.name,
            kind=source.kind,
            status=source.status,
            path=source.path,
            pipeline_id=source.pipeline_id,
            **source.options.as_json(),
            version=source.version,
            created_at=source.created_at,
            updated_at=source.updated_at,
            secrets=[WebhookSecretAnswer(**asdict(secret)) for secret in source.secrets],
        )


class ReceiptAnswer(AnswerModel):
    """A delivery that was taken. It is committed."""

    status: ReceiptStatus
    event_id: str


class WebhookEventAnswer(AnswerModel):
    """An event that a provider delivered."""

    id: int
    event_id: str = Field(description="The provider's.", examples=["evt_1PgafmB7WZ01zgkW6dKueIc5"])
    event_type: str
    received_at: Timestamp
    occurred_at: Timestamp | None
    content_hash: str = Field(description="Equal for deliveries of the same content.")
    body_bytes: int
    topic: str | None = Field(description="Where it goes; null: nowhere.")
    published_at: Timestamp | None = Field(description="When the broker confirmed it.")
    publish_error: str | None
    conflict_count: int = Field(description="Deliveries with the same id and other content.")
    origin: EventOrigin = Field(description="backfilled: the provider was asked for it.")

    @classmethod
    def of(cls, event: WebhookEvent) -> Self:
        """Describe an event."""
        return cls(**_event_members(event))


class WebhookEventDetailAnswer(WebhookEventAnswer):
    """An event with its body."""

    body: str = Field(description="As it was received.")

    @classmethod
    def of(cls, event: WebhookEvent) -> Self:
        """Describe an event."""
        return cls(**_event_members(event), body=(event.raw or b"").decode())


def _event_members(event: WebhookEvent) -> dict[str, object]:
    members = {name: value for name, value in asdict(event).items() if name not in {"raw", "provider_event_id"}}
    return {**members, "event_id": event.provider_event_id, "content_hash": event.content_hash.hex()}


class WebhookConflictAnswer(AnswerModel):
    """Other content under the id of an event that is stored."""

    id: int
    stored_id: int = Field(description="The event that came first: `.../events/{stored_id}`.")
    event_id: str
    content_hash: str = Field(description="Empty: all contents beyond the first 100.")
    seen_count: int
    first_seen_at: Timestamp
    last_seen_at: Timestamp
    body_bytes: int
    body: str = Field(description=f"Its first {MAX_CONFLICT_BYTES} bytes.")

    @classmethod
    def of(cls, conflict: WebhookConflict) -> Self:
        """Describe a conflict."""
        return cls(
            id=conflict.id,
            stored_id=conflict.event_id,
            event_id=conflict.provider_event_id,
            content_hash=conflict.content_hash.hex(),
            seen_count=conflict.seen_count,
            first_seen_at=conflict.first_seen_at,
            last_seen_at=conflict.last_seen_at,
            body_bytes=conflict.body_bytes,
            body=conflict.raw.decode(errors="replace"),
        )


class WebhookAttemptAnswer(AnswerModel):
    """A delivery that was refused. Neither its headers nor its body are kept."""

    id: int
    reason: RefusalReason
    received_at: Timestamp
    caller_address: str
    body_bytes: int
    body_sha256: str

    @classmethod
    def of(cls, attempt: WebhookAttempt) -> Self:
        """Describe an attempt."""
        members = {name: value for name, value in asdict(attempt).items() if name != "body_hash"}
        return cls(**members, body_sha256=attempt.body_hash.hex())


class AttemptCountAnswer(AnswerModel):
    """Refused deliveries of one hour, also those that were only counted."""

    hour: Timestamp
    reason: RefusalReason
    attempt_count: int
