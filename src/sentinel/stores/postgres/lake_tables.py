"""What lake tables are made of, from PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sentinel.domain.event_schema import EventSchema
from sentinel.stores.postgres.database import Connection
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("lake_tables")


class PostgresLakeTables:
    """The lake tables of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pipelines(self) -> list[tuple[int, str]]:
        """Return id and name of every pipeline, by id."""
        return [(row["id"], row["name"]) for row in self._connection.execute(_SQL["pipelines"])]

    def histories(self, pipeline_ids: Sequence[int]) -> Mapping[int, list[tuple[int, EventSchema]]]:
        """Return the schema versions of pipelines, each oldest first."""
        found: dict[int, list[tuple[int, EventSchema]]] = {identity: [] for identity in pipeline_ids}
        for row in self._connection.execute(_SQL["histories"], {"pipeline_ids": list(pipeline_ids)}):
            found[row["pipeline_id"]].append((row["version"], EventSchema.from_json(row["fields"])))
        return found

    def archived_at(self, pipeline_ids: Sequence[int]) -> Mapping[int, datetime]:
        """Return when events were last written to the lake; nothing of those of which none were."""
        rows = self._connection.execute(_SQL["archived_at"], {"pipeline_ids": list(pipeline_ids)})
        return {row["pipeline_id"]: row["committed_at"] for row in rows}
