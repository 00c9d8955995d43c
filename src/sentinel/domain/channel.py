"""Channels: where a tenant's notifications may go, as they are kept."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

CHANNEL_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
# What is sent in headers and commands must hold no space and no control character.
CHANNEL_SECRET = re.compile(r"[\x21-\x7e]{8,2000}")

MAX_CHANNELS = 100
# Of one channel that are valid at the same time. Each adds a signature to every request.
MAX_CHANNEL_SECRETS = 5
MAX_RATE_PER_MINUTE = 100_000
MAX_REASON_CHARACTERS = 500
DEFAULT_OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=30)


class ChannelKind(StrEnum):
    """What a channel speaks."""

    SLACK = "slack"
    WEBHOOK = "webhook"
    EMAIL = "email"
    PAGERDUTY = "pagerduty"
    TEAMS = "teams"
    APPRISE = "apprise"


class SecretRule(StrEnum):
    """Whether a channel takes a secret.

    none: it has none. required: it has one. generated: it has one or, while they change over, several; one is made
    where none is given.
    """

    NONE = "none"
    REQUIRED = "required"
    GENERATED = "generated"


class ChannelStatus(StrEnum):
    """active: notifications are sent; disabled: they are not, and `disabled_reason` says why."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class ChannelSecret:
    """A secret of a channel, without the secret.

    Attributes:
        hint: Its last characters, to recognise it by.
        expires_at: From then on it signs nothing.
    """

    id: int
    hint: str
    is_encrypted: bool
    added_at: datetime
    added_by: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class NotificationChannel:
    """A target of notifications, as it is kept.

    Attributes:
        options: Public options of its kind, in their stored form.
        version: Grows with every change, those of its secrets included.
        secrets: Those that did not expire, oldest first.
    """

    id: int
    name: str
    kind: ChannelKind
    options: Mapping[str, Any]
    status: ChannelStatus
    disabled_reason: str
    rate_per_minute: int | None
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    secrets: tuple[ChannelSecret, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """A secret in clear. Never logged, never answered."""

    value: str = field(repr=False)
    expires_at: datetime | None = None

    def is_valid_at(self, moment: datetime) -> bool:
        """Tell whether it may still be used."""
        return self.expires_at is None or moment < self.expires_at


@dataclass(frozen=True, slots=True)
class KnownChannel:
    """What sending takes: a channel with its secrets in clear, newest first. Never logged, never answered."""

    id: int
    name: str
    kind: ChannelKind
    options: Mapping[str, Any]
    status: ChannelStatus
    disabled_reason: str
    rate_per_minute: int | None
    version: int
    secrets: tuple[KeptSecret, ...] = field(default=(), repr=False)
    has_sealed_secrets: bool = False


def new_signing_secret() -> str:
    """Return a secret of Standard Webhooks: 256 random bits."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
