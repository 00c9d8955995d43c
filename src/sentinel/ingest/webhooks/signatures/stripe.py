"""Stripe: `Stripe-Signature: t=<unix seconds>,v1=<hex>`, by Stripe's own library."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from stripe import SignatureVerificationError, WebhookSignature

from sentinel.domain.stripe_event import created_at
from sentinel.domain.webhook import Delivery, EventIdentity, RefusalReason, TokenOptions
from sentinel.ingest.webhooks.signatures.base import (
    Refused,
    event_id,
    event_type,
    header,
    refuse_other_time,
    unix_seconds,
)

HEADER = "stripe-signature"
_ITEM = re.compile(r"[a-z][a-z0-9]{0,15}=[A-Za-z0-9+/_.-]{1,200}")
MAX_ITEMS = 20


class StripeScheme:
    """Signed by Stripe."""

    def verify(self, delivery: Delivery, secrets: Sequence[str], options: TokenOptions, now: datetime) -> None:
        """Check the signature, then its time: the library takes a future one.

        The library reads the header leniently and raises whatever comes of it, so the header is read strictly before.
        """
        text = header(delivery, HEADER)
        signed_at = _signed_at(text)
        if not any(_is_signed(delivery.body, text, secret) for secret in secrets):
            raise Refused(RefusalReason.BAD_SIGNATURE)
        refuse_other_time(signed_at, now)

    def identify(self, delivery: Delivery, body: Mapping[str, Any], options: TokenOptions) -> EventIdentity:
        """Return id and type as the event has them.

        `pending_webhooks` counts the deliveries that are still open, so it differs between deliveries of one event; nor
        does the order of members mean anything.
        """
        content = {name: value for name, value in body.items() if name != "pending_webhooks"}
        try:
            content_hash = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
        except orjson.JSONEncodeError:  # nested deeper than it writes, though not than it reads
            content_hash = delivery.body_hash
        return EventIdentity(
            event_id(body.get("id")),
            event_type(body.get("type")),
            created_at(body),
            content_hash,
            event_type(body.get("api_version")) or None,
        )


def _signed_at(text: str) -> int:
    items = text.split(",")
    if len(items) > MAX_ITEMS or not all(_ITEM.fullmatch(item) for item in items):
        raise Refused(RefusalReason.MALFORMED_HEADER)
    pairs = [item.partition("=")[::2] for item in items]
    times = [value for name, value in pairs if name == "t"]
    if len(times) != 1 or not any(name == "v1" for name, _ in pairs):
        raise Refused(RefusalReason.MALFORMED_HEADER)
    return unix_seconds(times[0])


def _is_signed(body: bytes, text: str, secret: str) -> bool:
    try:
        # No tolerance: the library's clock is not ours, and it looks into the past only.
        WebhookSignature.verify_header(body, text, secret, tolerance=None)
    except (SignatureVerificationError, UnicodeDecodeError):
        # A body that is not UTF-8 was not signed by Stripe.
        return False
    return True
