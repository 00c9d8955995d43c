"""Webhooks: sources that sign what they send, what came of it, and what was refused."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

PUBLIC_ID_PREFIX = "whs_"
PUBLIC_ID = re.compile(r"whs_[A-Za-z0-9_-]{22}")
SOURCE_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
SECRET = re.compile(r"[\x21-\x7e]{8,512}")
HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
# RFC 6901. None: the whole body is never an identifier.
JSON_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")

TOLERANCE = timedelta(seconds=300)
MAX_BODY_BYTES = 1_000_000
MAX_SOURCES = 100
MAX_SECRETS = 10
MAX_ID_CHARACTERS = 255
# Of one event: different contents under its id that are kept. More are counted.
MAX_CONFLICTS = 100
MAX_CONFLICT_BYTES = 65_536
# Of one source, hour and reason: attempts that are kept. More are counted.
MAX_ATTEMPTS = 50
ATTEMPT_DAYS = 30
# Longer than a provider sends, or lists, an event again: one that was deleted would be taken for a new one.
MIN_RETENTION_DAYS = 31


class WebhookKind(StrEnum):
    """How a source signs."""

    STRIPE = "stripe"
    STANDARD = "standard"
    GITHUB = "github"
    TOKEN = "token"  # noqa: S105 - the name of a scheme


class SourceStatus(StrEnum):
    """active: deliveries are taken; disabled: they are refused."""

    ACTIVE = "active"
    DISABLED = "disabled"


class RefusalReason(StrEnum):
    """Why a delivery was refused."""

    MISSING_HEADER = "missing_header"
    MALFORMED_HEADER = "malformed_header"
    NO_SECRET = "no_secret"  # noqa: S105 - the source has none that is valid now
    BAD_SIGNATURE = "bad_signature"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    NOT_JSON = "not_json"
    NO_EVENT_ID = "no_event_id"
    TOO_LARGE = "too_large"
    DISABLED = "disabled"


class ReceiptStatus(StrEnum):
    """stored: new; duplicate: it was there; conflict: its id was there with other content."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


class EventOrigin(StrEnum):
    """delivered: the provider sent it; backfilled: it was asked for."""

    DELIVERED = "delivered"
    BACKFILLED = "backfilled"


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """How a source of kind `token` sends what the others have a header for.

    Attributes:
        header: Holds the token; empty: `Authorization: Bearer <token>`.
        id_pointer: JSON pointer of the event's id in the body; empty: the SHA-256 of the body is the id.
        type_pointer: JSON pointer of the event's type; empty: it has none.
    """

    header: str = ""
    id_pointer: str = ""
    type_pointer: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the stored form."""
        return {"header": self.header, "id_pointer": self.id_pointer, "type_pointer": self.type_pointer}

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> TokenOptions:
        """Build options from their stored form; what is missing there is at its default."""
        return cls(stored.get("header", ""), stored.get("id_pointer", ""), stored.get("type_pointer", ""))


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """A secret of a source, without the secret.

    Attributes:
        hint: Its last characters, to recognise it by.
        expires_at: From then on it verifies nothing.
    """

    id: int
    hint: str
    is_encrypted: bool
    added_at: datetime
    added_by: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookSource:
    """A provider's endpoint that sends us signed events.

    Attributes:
        public_id: What its URL ends in; unguessable, and unique over all tenants.
        pipeline_id: Where its events go; None: they are kept and go nowhere.
        secrets: Those that did not expire, oldest first.
    """

    id: int
    public_id: str
    name: str
    kind: WebhookKind
    status: SourceStatus
    pipeline_id: int | None
    options: TokenOptions
    version: int
    created_at: datetime
    updated_at: datetime
    secrets: tuple[WebhookSecret, ...]

    @property
    def path(self) -> str:
        """Where the provider is to send to."""
        return f"/webhooks/{'stripe' if self.kind is WebhookKind.STRIPE else 'in'}/{self.public_id}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of a provider, as it came.

    Attributes:
        headers: Names in lower case; values that came several times are joined by a comma (RFC 9110, 5.3).
        body_bytes: How long the body is, or was announced to be; of one that is too long, `body` is empty.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    body_bytes: int
    caller_address: str
    received_at: datetime

    @property
    def body_hash(self) -> bytes:
        """The SHA-256 of the body."""
        return hashlib.sha256(self.body).digest()


@dataclass(frozen=True, slots=True)
class EventIdentity:
    """What a verified delivery says of itself.

    Attributes:
        event_id: The provider's id: 1 to 255 characters.
        content_hash: Equal for deliveries of the same content under one id.
        api_version: Which version of the provider's API it is written in; None: it does not say.
    """

    event_id: str
    event_type: str
    occurred_at: datetime | None
    content_hash: bytes
    api_version: str | None = None


@dataclass(frozen=True, slots=True)
class KnownSource:
    """What receiving a delivery takes: the source with its secrets in clear. Never logged, never answered."""

    id: int
    kind: WebhookKind
    status: SourceStatus
    options: TokenOptions
    secrets: tuple[str, ...] = field(repr=False)
    has_sealed_secrets: bool = False


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """An event that a provider delivered.

    Attributes:
        topic: Where it goes; None: nowhere.
        published_at: When the broker confirmed it.
        raw: The body, byte for byte; None where it was not asked for.
        conflict_count: Deliveries with the same id and other content.
    """

    id: int
    provider_event_id: str
    event_type: str
    received_at: datetime
    occurred_at: datetime | None
    content_hash: bytes
    body_bytes: int
    topic: str | None
    published_at: datetime | None
    publish_error: str | None
    conflict_count: int
    raw: bytes | None = field(default=None, repr=False)
    origin: EventOrigin = EventOrigin.DELIVERED


@dataclass(frozen=True, slots=True)
class WebhookConflict:
    """Other content under the id of an event that is stored.

    Attributes:
        content_hash: Empty: all contents beyond those that are kept.
        raw: The beginning of the body.
    """

    id: int
    event_id: int
    provider_event_id: str
    content_hash: bytes
    seen_count: int
    first_seen_at: datetime
    last_seen_at: datetime
    body_bytes: int
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebhookAttempt:
    """A delivery that was refused. Its headers and its body are not kept."""

    id: int
    reason: RefusalReason
    received_at: datetime
    caller_address: str
    body_bytes: int
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class PrunedEvents:
    """Old events that were deleted.

    Attributes:
        next_after: Go on after this one; None: there are no more old ones.
    """

    deleted: int
    next_after: int | None


@dataclass(frozen=True, slots=True)
class AttemptCount:
    """Refused deliveries of one hour, those included that were only counted."""

    hour: datetime
    reason: RefusalReason
    attempt_count: int


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """An event that the broker has not confirmed yet."""

    id: int
    kind: WebhookKind
    topic: str
    provider_event_id: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublishFailure:
    """Why an event could not be published."""

    event_id: int
    reason: str


def new_public_id() -> str:
    """Return an identifier for a URL: 128 random bits after the prefix."""
    return PUBLIC_ID_PREFIX + secrets.token_urlsafe(16)


def secret_hint(secret: str) -> str:
    """Return the last characters of a secret: four, or fewer of a short one."""
    return secret[-min(4, len(secret) // 4) :]


def topic_prefix(tenant_id: str) -> str:
    """Return how the names of the topics begin that a tenant's webhooks may write to.

    Tenant ids have neither dots nor underscores, so no prefix of one tenant begins that of another. `sentinel.` is the
    engine's own.
    """
    return "sentinel_." if tenant_id == "sentinel" else f"{tenant_id}."


def secret_problem(kind: WebhookKind, secret: str) -> str | None:
    """Return what is wrong with a secret, without saying it; None when nothing is.

    One of Standard Webhooks is 24 to 64 bytes in Base64 after a prefix.
    """
    if not SECRET.fullmatch(secret):
        return "a secret has 8 to 512 visible ASCII characters"
    if kind is not WebhookKind.STANDARD:
        return None
    try:
        size = len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        return "a secret of Standard Webhooks is Base64 after `whsec_`"
    return None if 24 <= size <= 64 else f"a secret of Standard Webhooks stands for 24 to 64 bytes, not {size}"
