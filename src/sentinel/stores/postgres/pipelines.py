"""Pipelines in PostgreSQL."""

from __future__ import annotations

from typing import Any

from psycopg.errors import ForeignKeyViolation
from psycopg.types.json import Jsonb

from sentinel.domain.pipeline import Pipeline, PipelineConfig, PipelineStatus
from sentinel.errors import NotFoundError
from sentinel.stores.postgres.database import Connection, Database, Row
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("pipelines")


class PostgresPipelines:
    """The pipelines of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, pipeline_id: int) -> Pipeline | None:
        """Return the pipeline."""
        row = self._connection.execute(_SQL["get"], {"pipeline_id": pipeline_id}).fetchone()
        return _pipeline(row) if row else None

    def list(self) -> list[Pipeline]:
        """Return all pipelines, oldest first."""
        return [_pipeline(row) for row in self._connection.execute(_SQL["list"])]

    def lock(self, pipeline_id: int) -> Pipeline | None:
        """Return the pipeline, locked until the transaction ends."""
        self._connection.execute(_SQL["lock"], {"pipeline_id": pipeline_id})
        return self.get(pipeline_id)

    def add(
        self, *, name: str, kafka_topic: str, config: PipelineConfig, start_at: str, status: PipelineStatus
    ) -> Pipeline | None:
        """Create a pipeline with rule set 0; None when the name is taken.

        Raises:
            NotFoundError: The tenant does not exist.
        """
        parameters = {
            "name": name,
            "kafka_topic": kafka_topic,
            "config": Jsonb(config.as_json()),
            "start_at": start_at,
            "status": status,
        }
        try:
            row = self._connection.execute(_SQL["add"], parameters).fetchone()
        except ForeignKeyViolation as error:
            raise NotFoundError(
                "the tenant does not exist; `sentinel up` creates the one in SENTINEL_TENANT"
            ) from error
        if row is None:
            return None
        self._connection.execute(_SQL["add_empty_rule_set"], {"pipeline_id": row["id"]})
        return self.get(row["id"])

    def set_status(self, pipeline_id: int, status: PipelineStatus) -> Pipeline:
        """Change its status."""
        return self._set("set_status", pipeline_id, status)

    def set_config(self, pipeline_id: int, config: PipelineConfig) -> Pipeline:
        """Change its settings."""
        return self._set("set_config", pipeline_id, Jsonb(config.as_json()))

    def set_schema_version(self, pipeline_id: int, version: int) -> Pipeline:
        """Point to another schema version."""
        return self._set("set_schema_version", pipeline_id, version)

    def set_rule_set_version(self, pipeline_id: int, version: int) -> Pipeline:
        """Point to another rule set."""
        return self._set("set_rule_set_version", pipeline_id, version)

    def _set(self, statement: str, pipeline_id: int, value: Any) -> Pipeline:
        self._connection.execute(_SQL[statement], {"pipeline_id": pipeline_id, "value": value})
        pipeline = self.get(pipeline_id)
        if pipeline is None:
            raise NotFoundError(f"there is no pipeline {pipeline_id}")
        return pipeline


def find_topic_owner(database: Database, topic: str) -> str | None:
    """Return the tenant whose id a topic begins with, else the one whose pipeline was the first on it; None: nobody."""
    with database.transaction("", kafka_topic=topic) as connection:
        row = connection.execute(_SQL["topic_owner"], {"topic": topic}).fetchone()
    found: str | None = row["tenant_id"] if row else None
    return found


def _pipeline(row: Row) -> Pipeline:
    return Pipeline(
        **{
            **row,
            "status": PipelineStatus(row["status"]),
            "config": PipelineConfig.from_json(row["config"]),
        }
    )
