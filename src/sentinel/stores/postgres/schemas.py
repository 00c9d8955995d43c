"""Schema versions in PostgreSQL."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from sentinel.domain.event_schema import EventSchema
from sentinel.stores.base import SchemaVersion
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("schemas")


class PostgresSchemas:
    """The schema versions of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, pipeline_id: int, version: int) -> SchemaVersion | None:
        """Return one version."""
        row = self._connection.execute(_SQL["get"], {"pipeline_id": pipeline_id, "version": version}).fetchone()
        return _schema_version(row) if row else None

    def list(self, pipeline_id: int) -> list[SchemaVersion]:
        """Return all versions, newest first."""
        rows = self._connection.execute(_SQL["list"], {"pipeline_id": pipeline_id})
        return [_schema_version(row) for row in rows]

    def add(self, pipeline_id: int, version: int, schema: EventSchema, created_by: str) -> SchemaVersion:
        """Write a version."""
        cursor = self._connection.execute(
            _SQL["add"],
            {
                "pipeline_id": pipeline_id,
                "version": version,
                "fields": Jsonb(schema.as_json()),
                "content_hash": schema.content_hash,
                "created_by": created_by,
            },
        )
        return _schema_version(required(cursor.fetchone()))


def _schema_version(row: Row) -> SchemaVersion:
    return SchemaVersion(
        row["pipeline_id"],
        row["version"],
        EventSchema.from_json(row["fields"]),
        row["created_by"],
        row["created_at"],
    )
