"""Use cases on pipelines: create, read, pause, configure."""

from __future__ import annotations

from collections.abc import Sequence

from sentinel.catalog.audit import Auditor
from sentinel.catalog.rules import no_pipeline
from sentinel.catalog.versions import refuse_other_version
from sentinel.domain.pipeline import Pipeline, PipelineConfig, PipelineStatus
from sentinel.domain.schema_definition import FieldDefinition, read_schema
from sentinel.domain.topic import topic_problem
from sentinel.errors import ConflictError, ErrorDetail, InvalidError
from sentinel.stores.base import PipelineStore, SchemaStore


class PipelineCatalog:
    """Pipelines of one tenant."""

    def __init__(self, pipelines: PipelineStore, schemas: SchemaStore, auditor: Auditor, caller: str) -> None:
        self._pipelines = pipelines
        self._schemas = schemas
        self._auditor = auditor
        self._caller = caller

    def list(self) -> list[Pipeline]:
        """Return all pipelines, oldest first."""
        return self._pipelines.list()

    def get(self, pipeline_id: int) -> Pipeline:
        """Return a pipeline.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        pipeline = self._pipelines.get(pipeline_id)
        if pipeline is None:
            raise no_pipeline(pipeline_id)
        return pipeline

    def create(
        self,
        *,
        name: str,
        kafka_topic: str,
        definitions: Sequence[FieldDefinition],
        config: PipelineConfig,
        start_at: str,
        status: PipelineStatus,
    ) -> Pipeline:
        """Create a pipeline with schema version 1 and no rules.

        Raises:
            InvalidError: Topic or schema cannot work; everything wrong is listed.
            ConflictError: The name is taken.
        """
        schema, problems = read_schema(definitions)
        topic = topic_problem(kafka_topic)
        if topic is not None:
            problems.insert(0, ErrorDetail("/kafka_topic", topic))
        if problems:
            raise InvalidError(counted(problems), details=problems)
        pipeline = self._pipelines.add(
            name=name, kafka_topic=kafka_topic, config=config, start_at=start_at, status=status
        )
        if pipeline is None:
            raise ConflictError(
                f"there is a pipeline named {name!r} already; choose another name",
                details=[ErrorDetail("/name", "taken")],
            )
        self._schemas.add(pipeline.id, 1, schema, self._caller)
        return self._auditor.pipeline("add", None, pipeline)

    def set_status(self, pipeline_id: int, status: PipelineStatus, *, expected_version: int | None) -> Pipeline:
        """Set a pipeline active, paused or stopped.

        Raises:
            NotFoundError: There is no such pipeline.
            VersionMismatchError: It is no longer at the expected version.
        """
        pipeline = self._locked(pipeline_id, expected_version)
        if pipeline.status == status:
            return pipeline
        return self._auditor.pipeline("status", pipeline, self._pipelines.set_status(pipeline_id, status))

    def set_config(self, pipeline_id: int, config: PipelineConfig, *, expected_version: int | None) -> Pipeline:
        """Change how the job runs a pipeline.

        Raises:
            NotFoundError: There is no such pipeline.
            VersionMismatchError: It is no longer at the expected version.
        """
        pipeline = self._locked(pipeline_id, expected_version)
        if pipeline.config == config:
            return pipeline
        return self._auditor.pipeline("config", pipeline, self._pipelines.set_config(pipeline_id, config))

    def _locked(self, pipeline_id: int, expected_version: int | None) -> Pipeline:
        pipeline = self._pipelines.lock(pipeline_id)
        if pipeline is None:
            raise no_pipeline(pipeline_id)
        refuse_other_version(f"pipeline {pipeline_id}", pipeline.version, expected_version)
        return pipeline


def counted(problems: Sequence[ErrorDetail]) -> str:
    """Return a sentence that says how many things are wrong, and the first of them."""
    rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{problems[0].detail}{rest}"
