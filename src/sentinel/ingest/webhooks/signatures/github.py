"""GitHub: `X-Hub-Signature-256: sha256=<hex>` over the body (<https://docs.github.com/webhooks>)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel.domain.webhook import Delivery, EventIdentity, RefusalReason, TokenOptions
from sentinel.ingest.webhooks.signatures.base import Refused, any_matches, event_id, event_type, header

_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})")


class GithubScheme:
    """Signed as GitHub does. Neither the id nor a time is signed: who has a delivery can send it again as another."""

    def verify(self, delivery: Delivery, secrets: Sequence[str], options: TokenOptions, now: datetime) -> None:
        """Check the signature of the body."""
        found = _SIGNATURE.fullmatch(header(delivery, "x-hub-signature-256"))
        if found is None:
            raise Refused(RefusalReason.MALFORMED_HEADER)
        expected = [hmac.digest(secret.encode(), delivery.body, hashlib.sha256) for secret in secrets]
        if not any_matches(expected, [bytes.fromhex(found[1])]):
            raise Refused(RefusalReason.BAD_SIGNATURE)

    def identify(self, delivery: Delivery, body: Mapping[str, Any], options: TokenOptions) -> EventIdentity:
        """Return the delivery's id, and the event with its action, as in `pull_request.opened`."""
        event = event_type(header(delivery, "x-github-event"))
        action = event_type(body.get("action"))
        return EventIdentity(
            event_id(header(delivery, "x-github-delivery")),
            event_type(f"{event}.{action}" if action else event),
            None,
            delivery.body_hash,
        )
