"""Deliveries of webhooks taken in, and events handed on, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from sentinel.domain.webhook import (
    ATTEMPT_DAYS,
    MAX_ATTEMPTS,
    MAX_CONFLICT_BYTES,
    MAX_CONFLICTS,
    Delivery,
    EventIdentity,
    EventOrigin,
    KnownSource,
    PublishFailure,
    ReceiptStatus,
    RefusalReason,
    SourceStatus,
    TokenOptions,
    WaitingEvent,
    WebhookKind,
)
from sentinel.errors import NotFoundError
from sentinel.stores.postgres.database import Connection, Database, required
from sentinel.stores.postgres.secret_box import SecretBox
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("webhook_inbox")
MAX_REMEMBERED = 10_000


class PostgresWebhookInbox:
    """Where deliveries are taken in and handed on, for every tenant."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box
        # A public id never names another source, so what it once named need not be looked up again.
        self._places = lru_cache(MAX_REMEMBERED)(self._place)

    def find(self, public_id: str) -> tuple[str, int] | None:
        """Return tenant and id of the source of a public id, whatever tenant it belongs to.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        try:
            return self._places(public_id)
        except LookupError:
            return None

    def find_named(self, tenant_id: str, name: str) -> int | None:
        """Return the id of a tenant's source.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(tenant_id) as connection:
            row = connection.execute(_SQL["named"], {"name": name}).fetchone()
        return int(row["id"]) if row else None

    @contextmanager
    def opened(self, tenant_id: str, source_id: int) -> Iterator[PostgresInboxTransaction]:
        """Take in one delivery: what was done is committed when the context ends.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(tenant_id) as connection:
            yield PostgresInboxTransaction(connection, self._box, source_id)

    def waiting_tenants(self) -> list[str]:
        """Return the tenants of which an event waits.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction("", webhook_publisher="all") as connection:
            return [row["tenant_id"] for row in connection.execute(_SQL["waiting_tenants"])]

    @contextmanager
    def claimed(self, tenant_id: str, limit: int) -> Iterator[PostgresClaimedEvents]:
        """Hold events until the context ends. Others pass them over meanwhile.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(tenant_id) as connection:
            yield PostgresClaimedEvents(connection, limit)

    def _place(self, public_id: str) -> tuple[str, int]:
        """Return tenant and id.

        Raises:
            LookupError: There is no such source; that is not remembered.
        """
        with self._database.transaction("", webhook_source=public_id) as connection:
            row = connection.execute(_SQL["presented"], {"public_id": public_id}).fetchone()
        found = required(row)
        return found["tenant_id"], found["id"]


class PostgresInboxTransaction:
    """One delivery to one source."""

    def __init__(self, connection: Connection, box: SecretBox, source_id: int) -> None:
        self._connection = connection
        self._box = box
        self._source_id = source_id

    def source(self) -> KnownSource | None:
        """Return the source with its secrets, newest first; None when it is gone."""
        rows = self._connection.execute(_SQL["known"], {"source_id": self._source_id}).fetchall()
        if not rows:
            return None
        opened = [
            self._box.unseal(row["sealed"], is_encrypted=row["is_encrypted"])
            for row in rows
            if row["sealed"] is not None
        ]
        return KnownSource(
            id=rows[0]["id"],
            kind=WebhookKind(rows[0]["kind"]),
            status=SourceStatus(rows[0]["status"]),
            options=TokenOptions.from_json(rows[0]["options"]),
            secrets=tuple(secret for secret in opened if secret is not None),
            has_sealed_secrets=None in opened,
        )

    def store(
        self, identity: EventIdentity, delivery: Delivery, origin: EventOrigin = EventOrigin.DELIVERED
    ) -> ReceiptStatus:
        """Keep an event, or flag other content under its id.

        Of several deliveries at once, the others wait for the first one's commit. A provider may deliver an event in
        another version of its API than it lists it in: those two are no other content.

        Raises:
            NotFoundError: The source was deleted meanwhile.
        """
        parameters = {
            "source_id": self._source_id,
            "provider_event_id": identity.event_id,
            "event_type": identity.event_type,
            "received_at": delivery.received_at,
            "occurred_at": identity.occurred_at,
            "content_hash": identity.content_hash,
            "raw": delivery.body,
            "origin": origin,
            "api_version": identity.api_version,
        }
        if self._connection.execute(_SQL["store"], parameters).fetchone() is not None:
            return ReceiptStatus.STORED
        found = self._connection.execute(_SQL["stored"], parameters).fetchone()
        if found is None:
            raise NotFoundError("there is no such webhook source")
        if found["content_hash"] == identity.content_hash:
            return ReceiptStatus.DUPLICATE
        if found["origin"] != origin and found["api_version"] != identity.api_version:
            return ReceiptStatus.DUPLICATE
        conflict = {
            **parameters,
            "event_id": found["id"],
            "body_bytes": delivery.body_bytes,
            "raw": delivery.body[:MAX_CONFLICT_BYTES],
            "max_conflicts": MAX_CONFLICTS,
        }
        self._connection.execute(_SQL["lock_event"], conflict)
        self._connection.execute(_SQL["add_conflict"], conflict)
        return ReceiptStatus.CONFLICT

    def refuse(self, reason: RefusalReason, delivery: Delivery) -> None:
        """Count a refused delivery, and keep it while there are few in this hour for this reason."""
        parameters = {
            "source_id": self._source_id,
            "reason": reason,
            "received_at": delivery.received_at,
            "caller_address": delivery.caller_address,
            "body_bytes": delivery.body_bytes,
            "body_hash": delivery.body_hash,
            "days": ATTEMPT_DAYS,
        }
        row = required(self._connection.execute(_SQL["count_attempt"], parameters).fetchone())
        self._connection.execute(_SQL["count_slot"], parameters)
        if row["attempt_count"] == 1:
            self._connection.execute(_SQL["prune_attempts"], parameters)
            self._connection.execute(_SQL["prune_slots"], parameters)
        if row["attempt_count"] <= MAX_ATTEMPTS:
            self._connection.execute(_SQL["add_attempt"], parameters)


class PostgresClaimedEvents:
    """Events that one publisher holds."""

    def __init__(self, connection: Connection, limit: int) -> None:
        self._connection = connection
        rows = connection.execute(_SQL["claim"], {"limit": limit})
        self.events: Sequence[WaitingEvent] = [
            WaitingEvent(row["id"], WebhookKind(row["kind"]), row["topic"], row["provider_event_id"], row["raw"])
            for row in rows
        ]

    def settle(self, published: Sequence[int], postponed: Sequence[PublishFailure], *, seconds: float) -> None:
        """Note what the broker confirmed, and what is tried again after some seconds."""
        if published:
            self._connection.execute(_SQL["published"], {"ids": list(published)})
        for failure in postponed:
            parameters = {"event_id": failure.event_id, "reason": failure.reason[:500], "seconds": seconds}
            self._connection.execute(_SQL["postpone"], parameters)
