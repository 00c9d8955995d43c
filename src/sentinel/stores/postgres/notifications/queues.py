"""How far notifying is behind, from PostgreSQL."""

from __future__ import annotations

from sentinel.domain.figures import QueueFigures
from sentinel.stores.postgres.database import Database, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("notification_queues")
MOST_COUNTED = 100_000


class PostgresQueueFigures:
    """The queues of all tenants together: for the operator, and without anything of a tenant's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> QueueFigures:
        """Return the figures of now.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction("", notifier="all") as connection:
            row = required(connection.execute(_SQL["figures"], {"most": MOST_COUNTED}).fetchone())
        return QueueFigures(
            outbox_entries=row["outbox_entries"],
            outbox_age_seconds=max(0.0, row["outbox_age_seconds"] or 0.0),
            overdue_seconds=max(0.0, row["overdue_seconds"] or 0.0),
            open_circuits=row["open_circuits"],
        )
