"""Backfills of webhook sources in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sentinel.domain.webhook import (
    Delivery,
    EventIdentity,
    EventOrigin,
    ReceiptStatus,
    RefusalReason,
    SourceStatus,
    WebhookKind,
)
from sentinel.domain.webhook_backfill import HORIZON, Backfill, BackfillCounts, BackfillRange, BackfillWork
from sentinel.errors import ConflictError
from sentinel.stores.postgres.database import Connection, Database, Row
from sentinel.stores.postgres.secret_box import SecretBox
from sentinel.stores.postgres.statements import load_statements
from sentinel.stores.postgres.webhook_inbox import PostgresInboxTransaction

_SQL = load_statements("webhook_backfills")


class PostgresBackfills:
    """The backfills of the transaction's tenant."""

    def __init__(self, connection: Connection, box: SecretBox) -> None:
        self._connection = connection
        self._box = box

    def get(self, source_id: int) -> Backfill | None:
        """Return how far it is; None where there is no key."""
        row = self._connection.execute(_SQL["get"], {"source_id": source_id}).fetchone()
        if row is None:
            return None
        return Backfill(
            key_hint=row["hint"],
            is_encrypted=row["is_encrypted"],
            key_added_at=row["key_added_at"],
            key_added_by=row["key_added_by"],
            range=_range(row),
            is_complete=row["is_complete"],
            counts=BackfillCounts(row["stored"], row["duplicate"], row["conflict"], row["refused"]),
            covered_until=row["covered_until"],
            updated_at=row["updated_at"],
            running_until=row["held_until"],
        )

    def set_key(self, source_id: int, key: str, *, hint: str, added_by: str) -> None:
        """Keep a key in place of the one that is there."""
        sealed, is_encrypted = self._box.seal(key)
        values = {
            "source_id": source_id, "sealed": sealed, "is_encrypted": is_encrypted, "hint": hint, "added_by": added_by
        }  # fmt: skip
        self._connection.execute(_SQL["set_key"], values)

    def delete_key(self, source_id: int) -> None:
        """Forget the key and how far it is."""
        self._connection.execute(_SQL["delete_key"], {"source_id": source_id})

    def begin(self, source_id: int, wanted: BackfillRange) -> bool:
        """Begin a range; False while somebody works on one."""
        values = {
            "source_id": source_id, "start": wanted.start, "end": wanted.end, "only_failed": wanted.only_failed
        }  # fmt: skip
        return self._connection.execute(_SQL["begin"], values).fetchone() is not None


class PostgresBackfillInbox:
    """Where backfills are worked on, for every tenant."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box

    def claim(self, tenant_id: str, source_id: int, holder: str, *, seconds: float) -> BackfillWork | None:
        """Hold a source's backfill for some seconds; None while somebody else does, or where there is none.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        values = {"source_id": source_id, "holder": holder, "seconds": seconds}
        with self._database.transaction(tenant_id) as connection:
            row = connection.execute(_SQL["claim"], values).fetchone()
        if row is None:
            return None
        return BackfillWork(
            kind=WebhookKind(row["kind"]),
            status=SourceStatus(row["status"]),
            api_key=self._box.unseal(row["sealed"], is_encrypted=row["is_encrypted"]),
            range=_range(row),
            is_complete=row["is_complete"],
        )

    @contextmanager
    def page(self, tenant_id: str, source_id: int, holder: str, *, seconds: float) -> Iterator[PostgresBackfillPage]:
        """Take in one page, and hold the backfill for some seconds more: committed when the context ends.

        Raises:
            ConflictError: Somebody else holds it by now.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(tenant_id) as connection:
            values = {"source_id": source_id, "holder": holder, "seconds": seconds}
            if connection.execute(_SQL["hold_on"], values).fetchone() is None:
                raise ConflictError(f"somebody else works on the backfill of source {source_id} by now")
            yield PostgresBackfillPage(connection, self._box, source_id)

    def release(self, tenant_id: str, source_id: int, holder: str) -> None:
        """Let others hold it.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer; it is let go after its time.
        """
        with self._database.transaction(tenant_id) as connection:
            connection.execute(_SQL["release"], {"source_id": source_id, "holder": holder})


class PostgresBackfillPage:
    """One page of a provider's events, taken in by one transaction."""

    def __init__(self, connection: Connection, box: SecretBox, source_id: int) -> None:
        self._connection = connection
        self._inbox = PostgresInboxTransaction(connection, box, source_id)
        self._source_id = source_id

    def store(self, identity: EventIdentity, delivery: Delivery, origin: EventOrigin) -> ReceiptStatus:
        """Keep an event, or flag other content under its id."""
        return self._inbox.store(identity, delivery, origin)

    def refuse(self, reason: RefusalReason, delivery: Delivery) -> None:
        """Count an event that cannot be kept."""
        self._inbox.refuse(reason, delivery)

    def advance(self, cursor: str | None, counts: BackfillCounts, *, is_complete: bool) -> None:
        """Note how far it is, and what became of this page's events."""
        values = {
            "source_id": self._source_id,
            "cursor": cursor,
            "is_complete": is_complete,
            "stored": counts.stored,
            "duplicate": counts.duplicate,
            "conflict": counts.conflict,
            "refused": counts.refused,
            "horizon": HORIZON.days,
        }
        self._connection.execute(_SQL["advance"], values)


def _range(row: Row) -> BackfillRange | None:
    if row["range_start"] is None:
        return None
    return BackfillRange(row["range_start"], row["range_end"], row["only_failed"], row["cursor"])
