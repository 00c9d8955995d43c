"""Routes of events, in PostgreSQL."""

from __future__ import annotations

from sentinel.domain.event_route import EventRoute
from sentinel.stores.postgres.database import Connection
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("event_routes")


class PostgresEventRoutes:
    """The routes of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[EventRoute]:
        """Return all routes, by event type."""
        return [EventRoute(**row) for row in self._connection.execute(_SQL["list"])]

    def put(self, route: EventRoute) -> None:
        """Write a route; one of the same type is replaced."""
        parameters = {"event_type": route.event_type, "pipeline_id": route.pipeline_id}
        self._connection.execute(_SQL["put"], parameters)

    def remove(self, event_type: str) -> EventRoute | None:
        """Delete a route and return it; None where there is none."""
        row = self._connection.execute(_SQL["remove"], {"event_type": event_type}).fetchone()
        return EventRoute(**row) if row else None
