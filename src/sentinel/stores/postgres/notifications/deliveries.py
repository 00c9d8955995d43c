"""Deliveries that are sent, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sentinel.domain.delivery import AttemptResult, ChannelQueue, ClaimedDelivery, DeliveryState
from sentinel.domain.notification_decision import Decision, Outcome
from sentinel.stores.postgres.database import Database, required
from sentinel.stores.postgres.notifications.rows import json_of, write_decisions
from sentinel.stores.postgres.notifications.tenant_statements import TenantStatements
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("deliveries")
_STATES = {Outcome.SENT: DeliveryState.SENT, Outcome.RETRIED: DeliveryState.QUEUED}


class PostgresDeliveries:
    """Where the dispatcher finds what to send, for every tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due_channels(
        self, at: datetime, limit: int, besides: Sequence[int], tenants: Sequence[str]
    ) -> list[tuple[str, int]]:
        """Return tenants and channels for which a delivery is due and whose circuit is not open, longest due first.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction("", notifier="all") as connection:
            parameters = {"at": at, "limit": limit, "besides": list(besides), "tenants": list(tenants)}
            rows = connection.execute(_SQL["due_channels"], parameters)
            return [(row["tenant_id"], row["channel_id"]) for row in rows]

    @contextmanager
    def opened(self, tenant_id: str) -> Iterator[PostgresDeliveryTransaction]:
        """Begin a transaction of a tenant.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(tenant_id) as connection:
            yield PostgresDeliveryTransaction(connection, tenant_id)


class PostgresDeliveryTransaction(TenantStatements):
    """Deliveries of one tenant."""

    statements = _SQL

    def queue(self, channel_id: int, *, wait: bool) -> ChannelQueue | None:
        """Return a channel's queue and hold it; None: there is none, or, unless waited for, somebody else holds it."""
        for row in self._rows("queue" if wait else "free_queue", channel_id=channel_id):
            return ChannelQueue(**row)
        return None

    def take(self, channel_id: int, at: datetime, limit: int, *, until: datetime) -> list[ClaimedDelivery]:
        """Take the deliveries of a channel that are due, longest first; they count as being sent until then."""
        if limit <= 0:
            return []
        rows = self._rows("take", channel_id=channel_id, at=at, limit=limit, until=until)
        return [ClaimedDelivery(**row) for row in rows]

    def limited(self, channel_id: int, at: datetime, limit: int) -> list[tuple[str, str]]:
        """Note of what is due next that it waits for the channel's rate; return those of which it was not noted before,
        with their targets.
        """
        return [(row["id"], row["target"]) for row in self._rows("limited", channel_id=channel_id, at=at, limit=limit)]

    def save_queue(self, queue: ChannelQueue, *, not_before: datetime | None = None) -> None:
        """Write a queue. It is due when the first of its deliveries is, but not before its circuit closes."""
        self._run(
            "save_queue",
            channel_id=queue.channel_id,
            failure_count=queue.failure_count,
            open_until=queue.open_until,
            rate_free_at=queue.rate_free_at,
            not_before=not_before,
        )

    def record(self, results: Sequence[AttemptResult], *, at: datetime) -> list[AttemptResult]:
        """Write what became of attempts; return those that count: not those of which another worker wrote one since."""
        rows = [
            {
                "delivery_id": result.delivery.id,
                "attempt": result.delivery.attempt,
                "outcome": result.outcome.value,
                "state": _STATES.get(result.outcome, DeliveryState.DEAD).value,
                "reason": result.reason,
                "detail": result.detail,
                "status": result.status,
                "started_at": result.started_at,
                "seconds": result.seconds,
                "next_attempt_at": result.next_attempt_at,
            }
            for result in results
        ]
        written = {row["delivery_id"] for row in self._rows("record", results=json_of(rows), at=at)}
        return [result for result in results if result.delivery.id in written]

    def hasten(self, channel_id: int, at: datetime) -> int:
        """Have what was tried and waits on a channel be due at once; return how much that is."""
        return self._run("hasten", channel_id=channel_id, at=at)

    def give_up(self, channel_id: int, reason: str, at: datetime, *, limit: int, disable: bool) -> int:
        """Have what waits for a channel be dead, longest due first, each with a decision; return how much that is."""
        parameters = {
            "tenant_id": self._tenant_id,
            "channel_id": channel_id,
            "reason": reason,
            "at": at,
            "limit": limit,
        }
        if disable:
            self._connection.execute(_SQL["disable"], parameters)
        return int(required(self._connection.execute(_SQL["give_up"], parameters).fetchone())["dead"])

    def thread(self, group_id: int, thread: str) -> None:
        """Keep what later notifications of a group are given, unless there is something already."""
        self._run("thread", group_id=group_id, thread=thread)

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Write decisions, in their order."""
        write_decisions(self._connection, self._tenant_id, decisions)
