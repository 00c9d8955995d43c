"""A plain token in a header, for providers that sign nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel.domain.webhook import Delivery, EventIdentity, RefusalReason, TokenOptions
from sentinel.ingest.webhooks.signatures.base import Refused, any_matches, event_id, event_type, header


class TokenScheme:
    """Shown by a token. The body is not signed: what lies between the provider and us must be trusted (TLS)."""

    def verify(self, delivery: Delivery, secrets: Sequence[str], options: TokenOptions, now: datetime) -> None:
        """Compare the token."""
        name = options.header.lower() or "authorization"
        token = header(delivery, name)
        if not options.header:
            scheme, _, token = token.partition(" ")
            if scheme.lower() != "bearer" or not token:
                raise Refused(RefusalReason.MALFORMED_HEADER)
        if not any_matches([secret.encode() for secret in secrets], [token.encode()]):
            raise Refused(RefusalReason.BAD_SIGNATURE)

    def identify(self, delivery: Delivery, body: Mapping[str, Any], options: TokenOptions) -> EventIdentity:
        """Return what the pointers lead to; without one for the id, equal bodies are the same event."""
        content = delivery.body_hash
        return EventIdentity(
            event_id(value_at(body, options.id_pointer)) if options.id_pointer else content.hex(),
            event_type(value_at(body, options.type_pointer)) if options.type_pointer else "",
            None,
            content,
        )


def value_at(document: Any, pointer: str) -> Any:
    """Return what a JSON pointer (RFC 6901) leads to; None where it leads nowhere."""
    found = document
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list) and name.isascii() and name.isdecimal() and len(name) < 10:
            found = found[int(name)] if int(name) < len(found) else None
        else:
            return None
    return found
