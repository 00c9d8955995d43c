"""Standard Webhooks 1.0, as <https://www.standardwebhooks.com> has it: the id, the time and the body are signed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from sentinel.domain.webhook import Delivery, EventIdentity, RefusalReason, TokenOptions
from sentinel.ingest.webhooks.signatures.base import (
    Refused,
    any_matches,
    event_id,
    event_type,
    header,
    refuse_other_time,
    unix_seconds,
)

MAX_SIGNATURES = 20
_SIGNATURE = re.compile(r"v[0-9]{1,3}[a-z]?,[A-Za-z0-9+/=_-]{1,200}")


class StandardScheme:
    """Signed as Standard Webhooks has it."""

    def verify(self, delivery: Delivery, secrets: Sequence[str], options: TokenOptions, now: datetime) -> None:
        """Check the signature, then its time.

        The library signs; its own `verify` looks at the clock itself, and raises ValueError for a malformed header.
        """
        identifier = header(delivery, "webhook-id")
        signed_at = unix_seconds(header(delivery, "webhook-timestamp"))
        given = list(_signatures(header(delivery, "webhook-signature")))
        try:
            text = delivery.body.decode()
        except UnicodeDecodeError:
            raise Refused(RefusalReason.BAD_SIGNATURE) from None
        at = datetime.fromtimestamp(signed_at, UTC)
        expected = [_decoded(Webhook(secret).sign(identifier, at, text).partition(",")[2]) for secret in secrets]
        if not any_matches(expected, given):
            raise Refused(RefusalReason.BAD_SIGNATURE)
        refuse_other_time(signed_at, now)

    def identify(self, delivery: Delivery, body: Mapping[str, Any], options: TokenOptions) -> EventIdentity:
        """Return the id that was signed, and the type and time that the specification asks of a body."""
        return EventIdentity(
            event_id(delivery.headers.get("webhook-id")),
            event_type(body.get("type")),
            _time(body.get("timestamp")),
            delivery.body_hash,
        )


def _signatures(text: str) -> Iterator[bytes]:
    items = text.split(" ")
    if len(items) > MAX_SIGNATURES or not all(_SIGNATURE.fullmatch(item) for item in items):
        raise Refused(RefusalReason.MALFORMED_HEADER)
    known = [value for version, _, value in (item.partition(",") for item in items) if version == "v1"]
    if not known:
        raise Refused(RefusalReason.MALFORMED_HEADER)
    yield from map(_decoded, known)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(RefusalReason.MALFORMED_HEADER) from None


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
