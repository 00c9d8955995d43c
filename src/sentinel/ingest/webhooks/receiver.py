"""Takes in deliveries of webhooks: verify, identify, keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from sentinel.domain.webhook import (
    MAX_BODY_BYTES,
    PUBLIC_ID,
    TOLERANCE,
    Delivery,
    EventIdentity,
    KnownSource,
    ReceiptStatus,
    RefusalReason,
    SourceStatus,
    WebhookKind,
)
from sentinel.errors import (
    NotFoundError,
    SealedSecretError,
    SentinelError,
    SourceDisabledError,
    TooLargeError,
    UnsignedDeliveryError,
    UnusableDeliveryError,
)
from sentinel.ingest.webhooks.signatures import SCHEMES
from sentinel.ingest.webhooks.signatures.base import Refused
from sentinel.stores.webhooks import WebhookInbox

_SECONDS = int(TOLERANCE.total_seconds())
_SENTENCES = {
    RefusalReason.MISSING_HEADER: "a header that carries the signature, its time or the event's id is missing",
    RefusalReason.MALFORMED_HEADER: "a header that carries the signature or its time cannot be read",
    RefusalReason.NO_SECRET: "the source has no secret that is valid now; add the provider's",
    RefusalReason.BAD_SIGNATURE: "no secret of the source gives this signature for the body as it came",
    RefusalReason.TOO_OLD: f"it was signed more than {_SECONDS} s ago",
    RefusalReason.IN_FUTURE: f"its time lies more than {_SECONDS} s in the future; compare the clocks",
    RefusalReason.NOT_JSON: "the body is not a JSON object",
    RefusalReason.NO_EVENT_ID: "it names no id of an event: 1 to 255 printable characters",
    RefusalReason.TOO_LARGE: f"a webhook may have {MAX_BODY_BYTES} bytes",
    RefusalReason.DISABLED: "the source is disabled; set its status to active",
}
_UNUSABLE = {RefusalReason.NOT_JSON, RefusalReason.NO_EVENT_ID}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery that was taken."""

    status: ReceiptStatus
    event_id: str


class WebhookReceiver:
    """Takes in deliveries. Safe for many threads.

    1. The source is looked up by its public id, which also tells the tenant.
    2. In one transaction of the tenant the delivery is verified, and kept: as an event, as other content under an id
       that is there, or, refused, as an attempt.
    3. After the commit the publisher is told. A crash before that costs nothing: the publisher looks for what waits.

    Args:
        on_stored: Told the tenant, after the commit of a new event.
        now: The clock.
    """

    def __init__(self, inbox: WebhookInbox, on_stored: Callable[[str], None], now: Callable[[], datetime]) -> None:
        self._inbox = inbox
        self._on_stored = on_stored
        self._now = now

    def receive(self, name: str, delivery: Delivery, *, is_stripe: bool, local_tenant: str | None = None) -> Receipt:
        """Take in one delivery.

        Args:
            name: The public id of the source; where there is a local tenant, the name of one of its sources does, too.
            is_stripe: Where it was sent to: a source of another kind is not found there.

        Raises:
            NotFoundError: There is no such source. Nothing was kept.
            UnsignedDeliveryError, UnusableDeliveryError, SourceDisabledError: It is refused, and an attempt was kept.
            SealedSecretError: It cannot be verified now.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        tenant_id, source_id = self._place(name, local_tenant)
        with self._inbox.opened(tenant_id, source_id) as inbox:
            source = inbox.source()
            if source is None or (source.kind is WebhookKind.STRIPE) != is_stripe:
                raise _no_source()
            outcome = self._judged(source, delivery)
            if isinstance(outcome, RefusalReason):
                inbox.refuse(outcome, delivery)
            else:
                status = inbox.store(outcome, delivery)
        if isinstance(outcome, RefusalReason):
            raise refusal(outcome)
        if status is ReceiptStatus.STORED:
            self._on_stored(tenant_id)
        return Receipt(status, outcome.event_id)

    def _place(self, name: str, local_tenant: str | None) -> tuple[str, int]:
        if PUBLIC_ID.fullmatch(name):
            place = self._inbox.find(name)
        elif local_tenant is not None and name.isascii() and name.isprintable():
            found = self._inbox.find_named(local_tenant, name)
            place = None if found is None else (local_tenant, found)
        else:
            place = None
        if place is None:
            raise _no_source()
        return place

    def _judged(self, source: KnownSource, delivery: Delivery) -> EventIdentity | RefusalReason:
        """Return what a delivery is, or why it is refused.

        Raises:
            SealedSecretError: It may have been signed with a secret that cannot be read.
        """
        if source.status is SourceStatus.DISABLED:
            return RefusalReason.DISABLED
        if delivery.body_bytes > MAX_BODY_BYTES:
            return RefusalReason.TOO_LARGE
        scheme = SCHEMES[source.kind]
        try:
            if not source.secrets:
                raise Refused(RefusalReason.NO_SECRET)
            scheme.verify(delivery, source.secrets, source.options, self._now())
            return scheme.identify(delivery, json_object(delivery.body), source.options)
        except Refused as refused:
            unread = {RefusalReason.NO_SECRET, RefusalReason.BAD_SIGNATURE}
            if source.has_sealed_secrets and refused.reason in unread:
                raise SealedSecretError(
                    "a secret of the source cannot be decrypted, so the signature cannot be checked; start the API "
                    "with the SENTINEL_WEBHOOKS__ENCRYPTION_KEY that it was added with"
                ) from refused
            return refused.reason


def refusal(reason: RefusalReason) -> SentinelError:
    """Return the error that tells the sender why."""
    sentence = _SENTENCES[reason]
    if reason is RefusalReason.DISABLED:
        return SourceDisabledError(sentence)
    if reason is RefusalReason.TOO_LARGE:
        return TooLargeError(sentence, reason=reason.value)
    if reason in _UNUSABLE:
        return UnusableDeliveryError(sentence, reason=reason.value)
    return UnsignedDeliveryError(sentence, reason=reason.value)


def json_object(body: bytes) -> Mapping[str, Any]:
    """Return a JSON object (RFC 8259, so in UTF-8).

    Raises:
        Refused: It is none.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(RefusalReason.NOT_JSON) from None
    if not isinstance(found, dict):
        raise Refused(RefusalReason.NOT_JSON)
    return found


def _no_source() -> NotFoundError:
    return NotFoundError("there is no such webhook source; GET /api/webhook-sources shows the path of each")
