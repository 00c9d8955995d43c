"""Pipelines and their schemas."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from sentinel.client.models.base import Model, Status


class PipelineConfig(Model):
    """How the job runs a pipeline."""

    mode: str
    score_every_event: bool
    future_tolerance_seconds: int
    max_record_bytes: int
    storm_limit: int
    fresh_backtest_hours: int = 0
    rollout_max_ratio: float = 2.0
    edge_check: str = "strict"


class Pipeline(Model):
    """A pipeline."""

    id: int
    name: str
    kafka_topic: str
    status: Status
    created_at: datetime
    updated_at: datetime
    alert_count: int
    schema_version: int
    rule_set_version: int
    start_at: str
    config: PipelineConfig
    version: int


class SchemaField(Model):
    """One field of an event schema."""

    name: str
    type: str
    nullable: bool = True
    role: str | None = None


class Schema(Model):
    """A schema version."""

    pipeline_id: int
    version: int
    fields: list[SchemaField] = Field(alias="schema")
    created_at: datetime
    created_by: str = ""


class SchemaPut(Schema):
    """A schema after a change."""

    changed: bool
    deactivated_rules: list[int]
    message: str
