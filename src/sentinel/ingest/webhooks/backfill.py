"""Asks Stripe for events that it could not deliver, and takes them in as if it had."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sentinel.domain.webhook import (
    MAX_BODY_BYTES,
    Delivery,
    EventOrigin,
    ReceiptStatus,
    RefusalReason,
    SourceStatus,
    TokenOptions,
    WebhookKind,
)
from sentinel.domain.webhook_backfill import BackfillCounts, BackfillRange, BackfillWork
from sentinel.errors import (
    ConflictError,
    RateLimitedError,
    SealedSecretError,
    SentinelError,
    StoreUnavailableError,
)
from sentinel.ingest.webhooks.receiver import json_object
from sentinel.ingest.webhooks.signatures.base import Refused
from sentinel.ingest.webhooks.signatures.stripe import StripeScheme
from sentinel.ingest.webhooks.stripe_events import CursorGoneError, EventPage
from sentinel.stores.webhooks import BackfillInbox, BackfillPage

_LOG = logging.getLogger(__name__)

# One run's; a request of the API waits for it.
BUDGET_SECONDS = 10.0
# Longer than the slowest page, so that nobody else begins while one works.
HOLD_SECONDS = 90.0
MAX_TRIES = 4
BACKOFF_SECONDS = 0.5
# Of one process. Each holds one of the API's threads while Stripe is waited for.
PLACES = 8
# A longer Retry-After is handed on: whoever runs it waits, not we.
MAX_WAIT_SECONDS = 5.0


class Events(Protocol):
    """Where a provider's events are listed."""

    def page(self, api_key: str, wanted: BackfillRange) -> EventPage:
        """Return the page after the cursor. As `StripeEvents.page`."""


class StripeBackfill:
    """Works on backfills of Stripe. Safe for many threads.

    1. The backfill is held, so that nobody else works on it, and let go at the end.
    2. A page is asked for, outside of any transaction.
    3. In one transaction its events are taken in, like deliveries, and the cursor moves on. A crash before that asks
       for the page again; the events that were there are duplicates.
    4. The publisher is told.

    Args:
        on_stored: Told the tenant, after the commit of new events.
        now, monotonic: The clocks.
        chance: A number in [0, 1), for the jitter.
        new_holder: A name for each run.
    """

    def __init__(
        self,
        inbox: BackfillInbox,
        events: Events,
        on_stored: Callable[[str], None],
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        chance: Callable[[], float],
        new_holder: Callable[[], str],
    ) -> None:
        self._inbox = inbox
        self._events = events
        self._on_stored = on_stored
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._chance = chance
        self._new_holder = new_holder
        self._scheme = StripeScheme()
        self._places = threading.BoundedSemaphore(PLACES)

    def run(self, tenant_id: str, source_id: int, *, seconds: float = BUDGET_SECONDS) -> None:
        """Work on the range that was begun until it is complete, or for some seconds: at least one page.

        Raises:
            ConflictError: Somebody else works on it, the source is disabled, or Stripe refuses the key.
            RateLimitedError: Stripe asks for patience, or too many run. What was taken in stays; the next run goes on.
            SealedSecretError: The key cannot be decrypted.
            StoreUnavailableError: Stripe or PostgreSQL does not answer. Likewise.
        """
        if not self._places.acquire(blocking=False):
            raise RateLimitedError(f"{PLACES} backfills run already; try again", retry_after_seconds=seconds)
        try:
            self._run(tenant_id, source_id, seconds)
        finally:
            self._places.release()

    def _run(self, tenant_id: str, source_id: int, seconds: float) -> None:
        holder = self._new_holder()
        work = self._inbox.claim(tenant_id, source_id, holder, seconds=HOLD_SECONDS)
        if work is None:
            raise ConflictError(f"somebody else works on the backfill of source {source_id}; try again in a minute")
        deadline = self._monotonic() + seconds
        try:
            key, wanted = _usable(work)
            while wanted is not None:
                page, wanted = self._listed(source_id, key, wanted, deadline)
                with self._inbox.page(tenant_id, source_id, holder, seconds=HOLD_SECONDS) as inbox:
                    counts = self._take(inbox, page)
                    inbox.advance(page.last_id or wanted.cursor, counts, is_complete=not page.has_more)
                if counts.stored:
                    self._on_stored(tenant_id)
                wanted = replace(wanted, cursor=page.last_id) if page.has_more else None
                if self._monotonic() >= deadline:
                    return
        finally:
            self._let_go(tenant_id, source_id, holder)

    def _listed(
        self, source_id: int, key: str, wanted: BackfillRange, deadline: float
    ) -> tuple[EventPage, BackfillRange]:
        """Return a page, and the range as it was asked for."""
        try:
            page = self._page(key, wanted, deadline)
        except CursorGoneError:
            # Older than the provider keeps events, or of another account: the range begins anew.
            _LOG.warning("the backfill of source %d begins its range again: its cursor is gone", source_id)
            wanted = replace(wanted, cursor=None)
            page = self._page(key, wanted, deadline)
        if page.has_more and page.last_id in (None, wanted.cursor):
            raise StoreUnavailableError("Stripe", "its pages do not go on")
        return page, wanted

    def _page(self, key: str, wanted: BackfillRange, deadline: float) -> EventPage:
        """Return a page; what passes is waited for, with jitter, as long as there is time."""
        for attempt in range(1, MAX_TRIES + 1):
            try:
                return self._events.page(key, wanted)
            except (RateLimitedError, StoreUnavailableError) as error:
                wait = BACKOFF_SECONDS * 2 ** (attempt - 1) * (0.5 + self._chance())
                if isinstance(error, RateLimitedError):
                    wait = max(wait, error.retry_after_seconds)
                if attempt == MAX_TRIES or wait > MAX_WAIT_SECONDS or self._monotonic() + wait >= deadline:
                    raise
                self._sleep(wait)
        raise AssertionError("unreachable")

    def _take(self, inbox: BackfillPage, page: EventPage) -> BackfillCounts:
        outcomes = [self._taken(inbox, raw) for raw in page.events]
        return BackfillCounts(
            stored=outcomes.count(ReceiptStatus.STORED),
            duplicate=outcomes.count(ReceiptStatus.DUPLICATE),
            conflict=outcomes.count(ReceiptStatus.CONFLICT),
            refused=outcomes.count(None),
        )

    def _taken(self, inbox: BackfillPage, raw: bytes) -> ReceiptStatus | None:
        delivery = Delivery({}, raw, len(raw), "", self._now())
        try:
            if len(raw) > MAX_BODY_BYTES:
                raise Refused(RefusalReason.TOO_LARGE)
            identity = self._scheme.identify(delivery, json_object(raw), TokenOptions())
        except Refused as refused:
            inbox.refuse(refused.reason, delivery)
            return None
        return inbox.store(identity, delivery, EventOrigin.BACKFILLED)

    def _let_go(self, tenant_id: str, source_id: int, holder: str) -> None:
        try:
            self._inbox.release(tenant_id, source_id, holder)
        except SentinelError as error:
            _LOG.warning("the backfill of source %d is held until its time is up: %s", source_id, error.message)


def _usable(work: BackfillWork) -> tuple[str, BackfillRange | None]:
    if work.kind is not WebhookKind.STRIPE:
        raise ConflictError("only sources of Stripe can be asked for events")
    if work.status is SourceStatus.DISABLED:
        raise ConflictError("the source is disabled; set its status to active")
    if work.api_key is None:
        raise SealedSecretError(
            "the restricted key of the source cannot be decrypted; start the API with the "
            "SENTINEL_WEBHOOKS__ENCRYPTION_KEY that it was added with"
        )
    return work.api_key, None if work.is_complete else work.range
