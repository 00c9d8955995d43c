"""Reads everything that a generation is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import PipelineConfig, PipelineSnapshot, PipelineStatus
from sentinel.domain.rule import RuleSet, RuleSetMembers, RuleVersion, Severity
from sentinel.errors import NotFoundError
from sentinel.stores.postgres.database import Connection, Database, Row
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("snapshots")


class CatalogReader:
    """The running job's view of the configuration."""

    def snapshot(self, connection: Connection, tenant_id: str, pipeline_id: int) -> PipelineSnapshot:
        """Read schema, rule set and settings of a pipeline in one statement, so that they belong together.

        Args:
            connection: Of `Database.transaction(tenant_id)`.

        Raises:
            NotFoundError: This tenant has no such pipeline.
        """
        row = connection.execute(_SQL["snapshot"], {"pipeline_id": pipeline_id}).fetchone()
        if row is None:
            raise NotFoundError(f"tenant {tenant_id!r} has no pipeline {pipeline_id}")
        return PipelineSnapshot(
            tenant_id=tenant_id,
            pipeline_id=pipeline_id,
            name=row["name"],
            kafka_topic=row["kafka_topic"],
            status=PipelineStatus(row["status"]),
            config=PipelineConfig.from_json(row["config"]),
            schema_version=row["schema_version"],
            schema=EventSchema.from_json(row["fields"]),
            rule_set=_rule_set(row["rule_set_version"], row),
            start_at=row["start_at"],
            source_epoch=row["source_epoch"],
        )

    def pipeline_ids(self, connection: Connection) -> list[int]:
        """Return the tenant's pipelines that are not stopped, in order of id (for `--all`)."""
        return [row["id"] for row in connection.execute(_SQL["runnable_pipelines"])]

    def rule_set(self, connection: Connection, pipeline_id: int, version: int) -> RuleSet:
        """Return any rule set that was ever in force.

        Raises:
            NotFoundError: There is no such version.
        """
        row = self._one(
            connection,
            "rule_set",
            f"rule set {version} of pipeline {pipeline_id}",
            {"pipeline_id": pipeline_id, "version": version},
        )
        return _rule_set(version, row)

    def schema(self, connection: Connection, pipeline_id: int, version: int) -> EventSchema:
        """Return any schema version that was ever in force.

        Raises:
            NotFoundError: There is no such version.
        """
        row = self._one(
            connection,
            "schema_fields",
            f"schema version {version} of pipeline {pipeline_id}",
            {"pipeline_id": pipeline_id, "version": version},
        )
        return EventSchema.from_json(row["fields"])

    def _one(self, connection: Connection, statement: str, what: str, parameters: dict[str, Any]) -> Row:
        row = connection.execute(_SQL[statement], parameters).fetchone()
        if row is None:
            raise NotFoundError(f"there is no {what}")
        return row


class SnapshotStore:
    """Snapshots of one tenant's pipelines, each read in a transaction of its own."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._reader = CatalogReader()

    def pipeline_ids(self) -> list[int]:
        """Return the pipelines that are not stopped, in order of id."""
        with self._database.transaction(self._tenant_id) as connection:
            return self._reader.pipeline_ids(connection)

    def current(self, pipeline_id: int) -> PipelineSnapshot:
        """Return the pipeline as it is configured now.

        Raises:
            NotFoundError: The tenant has no such pipeline.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(self._tenant_id) as connection:
            return self._reader.snapshot(connection, self._tenant_id, pipeline_id)

    def at(self, pipeline_id: int, schema_version: int, rule_set_version: int) -> PipelineSnapshot:
        """Return the pipeline with these versions of its schema and rule set.

        Raises:
            NotFoundError: The tenant has no such pipeline or version.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(self._tenant_id) as connection:
            return replace(
                self._reader.snapshot(connection, self._tenant_id, pipeline_id),
                schema_version=schema_version,
                schema=self._reader.schema(connection, pipeline_id, schema_version),
                rule_set=self._reader.rule_set(connection, pipeline_id, rule_set_version),
            )


def _rule_set(version: int, row: Row) -> RuleSet:
    versions = {known.rule_version_id: known for known in map(_rule_version, row["versions"])}
    members = RuleSetMembers.from_json(row["rule_version_ids"], row["members"])
    alerting, shadow = set(members.rules), set(members.shadow)
    return RuleSet(
        version,
        # In the order of the ids of their rules, as they were read.
        rules=tuple(known for number, known in versions.items() if number in alerting),
        shadow=tuple(known for number, known in versions.items() if number in shadow),
        references={name: versions[number] for name, number in members.references.items()},
        arms=members.arms,
        mutes=members.mutes,
        scorecards=members.scorecards,
    )


def _rule_version(row: dict[str, Any]) -> RuleVersion:
    return RuleVersion(
        rule_id=row["rule_id"],
        rule_version_id=row["rule_version_id"],
        version=row["version"],
        condition=row["condition"],
        severity=Severity(row["severity"]),
        description=row["description"],
    )
