"""Backfills are worked on by one worker at a time, and their place moves with what was taken in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sentinel.domain.webhook import EventIdentity, EventOrigin, TokenOptions, WebhookKind
from sentinel.domain.webhook_backfill import BackfillCounts, BackfillRange
from sentinel.errors import ConflictError
from sentinel.settings import Settings
from sentinel.wiring import Backend
from tests.support.webhooks import delivery

pytestmark = pytest.mark.integration

END = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
EVENT = EventIdentity("evt_1", "charge.failed", END, b"\x01" * 32)


class Store:
    """The backfill of one source."""

    def __init__(self, backend: Backend, tenant: str) -> None:
        self.backend = backend
        self.tenant = tenant
        self.inbox = backend.backfill_inbox()
        with backend.unit(tenant, "test") as unit:
            self.source_id = unit.webhooks.create(
                name="live", kind=WebhookKind.STRIPE, pipeline_id=None, options=TokenOptions(), secrets=[]
            ).id
            unit.backfills.set_key(self.source_id, "rk_test_abcdefgh")
        self.begin(30)

    def begin(self, days: float, until: float = 0) -> None:
        """Begin a range that many days ago."""
        with self.backend._database.transaction(self.tenant) as connection:
            connection.execute(
                "UPDATE sentinel.webhook_backfills SET range_start = %s, range_end = %s, cursor = NULL, "
                "is_complete = false",
                (END - days * DAY, END - until * DAY),
            )

    def complete(self) -> datetime | None:
        """Work on the range up to its end; return what is covered then."""
        assert self.inbox.claim(self.tenant, self.source_id, "w", seconds=60) is not None
        with self.inbox.page(self.tenant, self.source_id, "w", seconds=60) as page:
            page.advance(None, BackfillCounts(), is_complete=True)
        self.inbox.release(self.tenant, self.source_id, "w")
        with self.backend.unit(self.tenant, "test") as unit:
            return unit.backfills.get(self.source_id).covered_until

    def crash(self) -> None:
        """Take in a page, and end before it is committed."""
        with self.inbox.page(self.tenant, self.source_id, "ann", seconds=60) as page:
            page.store(EVENT, delivery(b"{}", {}), EventOrigin.BACKFILLED)
            page.advance("evt_1", BackfillCounts(stored=1), is_complete=False)
            raise KeyboardInterrupt


@pytest.fixture
def store(settings: Settings, tenant: str) -> Iterator[Store]:
    """A source with a range of 30 days that was begun."""
    backend = Backend(settings)
    backend.open()
    yield Store(backend, tenant)
    backend.close()


class TestHolding:
    def test_one_at_a_time_until_it_is_let_go(self, store: Store) -> None:
        assert store.inbox.claim(store.tenant, store.source_id, "ann", seconds=60) is not None
        assert store.inbox.claim(store.tenant, store.source_id, "bob", seconds=60) is None
        store.inbox.release(store.tenant, store.source_id, "bob")
        assert store.inbox.claim(store.tenant, store.source_id, "bob", seconds=60) is None
        store.inbox.release(store.tenant, store.source_id, "ann")
        assert store.inbox.claim(store.tenant, store.source_id, "bob", seconds=60) is not None

    def test_who_was_silent_too_long_writes_nothing_any_more(self, store: Store) -> None:
        assert store.inbox.claim(store.tenant, store.source_id, "ann", seconds=0) is not None
        assert store.inbox.claim(store.tenant, store.source_id, "bob", seconds=60) is not None
        with (
            pytest.raises(ConflictError, match="somebody else works on"),
            store.inbox.page(store.tenant, store.source_id, "ann", seconds=60),
        ):
            pytest.fail("ann still holds it")

    def test_no_range_is_begun_while_somebody_works_on_one(self, store: Store) -> None:
        store.inbox.claim(store.tenant, store.source_id, "ann", seconds=60)
        with (
            store.backend.unit(store.tenant, "test") as unit,
            pytest.raises(ConflictError, match="somebody works on the backfill"),
        ):
            unit.backfills.begin(store.source_id, since=END - DAY, only_failed=True)


class TestPlace:
    def test_a_crash_within_a_page_leaves_nothing_of_it(self, store: Store) -> None:
        store.inbox.claim(store.tenant, store.source_id, "ann", seconds=60)
        with pytest.raises(KeyboardInterrupt):
            store.crash()
        with store.backend.unit(store.tenant, "test") as unit:
            found = unit.backfills.get(store.source_id)
            events = unit.webhooks.events(
                store.source_id, event_type=None, provider_event_id=None, unpublished=False, before=None, limit=5
            )
        assert (found.range, found.counts, list(events)) == (
            BackfillRange(END - 30 * DAY, END, True), BackfillCounts(), [],
        )  # fmt: skip

    def test_what_is_covered_grows_without_gaps(self, store: Store) -> None:
        store.begin(2)
        assert store.complete() is None
        store.begin(33, until=3)
        assert store.complete() == END - 3 * DAY
        store.begin(2)
        assert store.complete() == END - 3 * DAY
        store.begin(4, until=1)
        assert store.complete() == END - DAY
        store.begin(20, until=10)
        assert store.complete() == END - DAY
