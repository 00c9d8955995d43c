"""What use cases on webhooks ask of the stores. As in `sentinel.stores.base`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from sentinel.domain.webhook import (
    AttemptCount,
    Delivery,
    EventIdentity,
    EventOrigin,
    KnownSource,
    PrunedEvents,
    PublishFailure,
    ReceiptStatus,
    RefusalReason,
    SourceStatus,
    TokenOptions,
    WaitingEvent,
    WebhookAttempt,
    WebhookConflict,
    WebhookEvent,
    WebhookKind,
    WebhookSource,
)
from sentinel.domain.webhook_backfill import Backfill, BackfillCounts, BackfillRange, BackfillWork


class WebhookSourceStore(Protocol):
    """Keeps sources of webhooks, and reads what they sent."""

    def get(self, source_id: int) -> WebhookSource | None:
        """Return the source."""

    def list(self) -> Sequence[WebhookSource]:
        """Return all sources, oldest first. Others cannot add one until the unit of work ends, once it adds one."""

    def lock(self, source_id: int) -> WebhookSource | None:
        """Return the source and keep others from changing it until the unit of work ends."""

    def lock_all(self) -> None:
        """Keep others from adding sources until the unit of work ends."""

    def add(
        self,
        *,
        public_id: str,
        name: str,
        kind: WebhookKind,
        pipeline_id: int | None,
        options: TokenOptions,
        created_by: str,
    ) -> WebhookSource | None:
        """Create a source without secrets; None when the name is taken."""

    def change(
        self,
        source_id: int,
        *,
        name: str,
        status: SourceStatus,
        pipeline_id: int | None,
        options: TokenOptions,
    ) -> bool:
        """Change a source; False when the name is taken."""

    def delete(self, source_id: int) -> None:
        """Delete a source with everything it sent."""

    def has_events(self, source_id: int) -> bool:
        """Tell whether a source sent anything that is stored."""

    def add_secret(self, source_id: int, secret: str, *, hint: str, added_by: str, expires_at: datetime | None) -> int:
        """Keep a secret and return its id. Those that expired are deleted on the way."""

    def expire_others(self, source_id: int, secret_id: int, expires_at: datetime) -> None:
        """Have all secrets but one end at a time, unless they end earlier."""

    def delete_secret(self, source_id: int, secret_id: int) -> str | None:
        """Delete a secret and return its hint; None when there is none."""

    def events(
        self,
        source_id: int,
        *,
        event_type: str | None,
        provider_event_id: str | None,
        unpublished: bool,
        before: int | None,
        limit: int,
    ) -> Sequence[WebhookEvent]:
        """Return events, newest first, without their bodies."""

    def event(self, source_id: int, event_id: int) -> WebhookEvent | None:
        """Return an event with its body."""

    def conflicts(self, source_id: int, *, before: int | None, limit: int) -> Sequence[WebhookConflict]:
        """Return other contents under ids of stored events, newest first."""

    def attempts(
        self, source_id: int, *, reason: RefusalReason | None, before: int | None, limit: int
    ) -> Sequence[WebhookAttempt]:
        """Return refused deliveries that were kept, newest first."""

    def prune(self, source_id: int, before: datetime, *, after: int, limit: int) -> PrunedEvents:
        """Look at the next events of a source, oldest first; delete old ones that do not wait for the broker."""

    def attempt_counts(self, source_id: int, *, limit: int) -> Sequence[AttemptCount]:
        """Return refused deliveries by hour and reason, newest hour first."""


class InboxTransaction(Protocol):
    """One delivery to one source."""

    def source(self) -> KnownSource | None:
        """Return the source with its secrets; None when it is gone."""

    def store(self, identity: EventIdentity, delivery: Delivery) -> ReceiptStatus:
        """Keep an event, or flag other content under its id."""

    def refuse(self, reason: RefusalReason, delivery: Delivery) -> None:
        """Count a refused delivery, and keep it while there are few."""


class WebhookInbox(Protocol):
    """Where deliveries are taken in, each in a transaction of its own."""

    def find(self, public_id: str) -> tuple[str, int] | None:
        """Return tenant and id of the source of a public id, whatever tenant it belongs to."""

    def find_named(self, tenant_id: str, name: str) -> int | None:
        """Return the id of a tenant's source."""

    def opened(self, tenant_id: str, source_id: int) -> AbstractContextManager[InboxTransaction]:
        """Take in one delivery: what was done is committed when the context ends."""


class ClaimedEvents(Protocol):
    """Events that one publisher holds."""

    events: Sequence[WaitingEvent]

    def settle(self, published: Sequence[int], postponed: Sequence[PublishFailure], *, seconds: float) -> None:
        """Note what the broker confirmed, and what is tried again after some seconds."""


class WebhookOutbox(Protocol):
    """Events that the broker has not confirmed yet."""

    def waiting_tenants(self) -> Sequence[str]:
        """Return the tenants of which an event waits."""

    def claimed(self, tenant_id: str, limit: int) -> AbstractContextManager[ClaimedEvents]:
        """Hold events until the context ends. Others pass them over meanwhile."""


class BackfillStore(Protocol):
    """Keeps, beside each source, the key that its provider is asked with, and how far that is."""

    def get(self, source_id: int) -> Backfill | None:
        """Return how far it is; None where there is no key."""

    def set_key(self, source_id: int, key: str, *, hint: str, added_by: str) -> None:
        """Keep a key in place of the one that is there."""

    def delete_key(self, source_id: int) -> None:
        """Forget the key and how far it is."""

    def begin(self, source_id: int, wanted: BackfillRange) -> bool:
        """Begin a range; False while somebody works on one."""


class BackfillPage(Protocol):
    """One page of a provider's events, taken in by one transaction."""

    def store(self, identity: EventIdentity, delivery: Delivery, origin: EventOrigin) -> ReceiptStatus:
        """Keep an event, or flag other content under its id."""

    def refuse(self, reason: RefusalReason, delivery: Delivery) -> None:
        """Count an event that cannot be kept."""

    def advance(self, cursor: str | None, counts: BackfillCounts, *, is_complete: bool) -> None:
        """Note how far it is, and what became of this page's events."""


class BackfillInbox(Protocol):
    """Where backfills are worked on, by one worker per source at a time."""

    def claim(self, tenant_id: str, source_id: int, holder: str, *, seconds: float) -> BackfillWork | None:
        """Hold a source's backfill for some seconds; None while somebody else does, or where there is none."""

    def page(
        self, tenant_id: str, source_id: int, holder: str, *, seconds: float
    ) -> AbstractContextManager[BackfillPage]:
        """Take in one page, and hold the backfill for some seconds more: committed when the context ends.

        Raises:
            ConflictError: Somebody else holds it by now.
        """

    def release(self, tenant_id: str, source_id: int, holder: str) -> None:
        """Let others hold it."""
