"""Pipelines, as they are sent and answered."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, StrictInt

from config_api.schemas.base import AnswerModel, Name, RequestModel, Text, Timestamp
from config_api.schemas.event_schemas import EXAMPLE_FIELDS, FieldAnswer, SchemaField
from sentinel.domain.pipeline import DetectMode, EdgeCheck, Pipeline, PipelineConfig, PipelineStatus

_TEN_YEARS_SECONDS = 10 * 366 * 24 * 3600
# An event that matches travels through the findings topic, whose records may have 8 MiB.
_MAX_RECORD_BYTES = 7 * 1024 * 1024


class ConfigRequest(RequestModel):
    """How the job runs the pipeline. What is left out stays as it is."""

    mode: DetectMode | None = Field(default=None, description="realtime, or microbatch where task slots are few.")
    score_every_event: StrictBool | None = Field(
        default=None, description="Write a score (0) for events without a match, too."
    )
    future_tolerance_seconds: StrictInt | None = Field(
        default=None,
        ge=0,
        le=_TEN_YEARS_SECONDS,
        description="An event dated further after its record is a dead letter.",
    )
    max_record_bytes: StrictInt | None = Field(
        default=None, ge=1, le=_MAX_RECORD_BYTES, description="A larger record is a dead letter."
    )
    storm_limit: StrictInt | None = Field(
        default=None,
        ge=1,
        le=10_000_000,
        description="Alerts of one rule within an hour; further matches are counted as suppressed.",
    )
    fresh_backtest_hours: StrictInt | None = Field(
        default=None,
        ge=0,
        le=8784,
        description="A rule goes into force only with a finished backtest of its condition that is at most so old; 0: "
        "without one, too.",
    )
    rollout_max_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="A candidate in rollout that matches so many times more, or fewer, events is taken back; 0: never.",
    )
    edge_check: EdgeCheck | None = Field(
        default=None,
        description="Of an event by HTTP that the schema cannot hold: strict refuses it, warn takes it and says so.",
    )

    def applied_to(self, config: PipelineConfig) -> PipelineConfig:
        """Return the settings with these changes."""
        return PipelineConfig.from_json({**config.as_json(), **self.model_dump(exclude_none=True)})


class PipelineCreateRequest(RequestModel):
    """A new pipeline."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"name": "Card payments", "kafka_topic": "card-transactions", "schema": EXAMPLE_FIELDS}]
        },
    )

    name: Name
    kafka_topic: Text = Field(description="Where the events are. Several pipelines may read one topic.")
    fields: list[SchemaField] = Field(alias="schema")
    config: ConfigRequest = ConfigRequest()
    start_at: Literal["earliest", "latest"] = Field(
        default="earliest", description="Where it begins in a topic that it has never read."
    )
    status: PipelineStatus = PipelineStatus.ACTIVE


class PipelinePatchRequest(ConfigRequest):
    """Settings to change, at the top level or under `config`."""

    config: ConfigRequest | None = None

    def changes(self) -> ConfigRequest:
        """Return what is to change."""
        nested = self.config.model_dump(exclude_none=True) if self.config else {}
        return ConfigRequest(**{**self.model_dump(exclude_none=True, exclude={"config"}), **nested})


class StatusRequest(RequestModel):
    """A pipeline's status."""

    status: PipelineStatus = Field(
        description="active: the job reads; paused: it keeps its place; stopped: the job leaves it alone.",
        examples=["paused"],
    )


class PipelineCreatedAnswer(AnswerModel):
    """A pipeline was created."""

    id: int
    message: str
    name: str
    kafka_topic: str
    status: PipelineStatus
    schema_version: int


class ConfigAnswer(AnswerModel):
    """How the job runs the pipeline."""

    mode: DetectMode
    score_every_event: bool
    future_tolerance_seconds: int
    max_record_bytes: int
    storm_limit: int
    fresh_backtest_hours: int
    rollout_max_ratio: float
    edge_check: EdgeCheck


class PipelineAnswer(AnswerModel):
    """A pipeline."""

    id: int
    name: str
    kafka_topic: str
    status: PipelineStatus
    created_at: Timestamp
    alert_count: int = Field(description="Alerts raised so far.")
    updated_at: Timestamp
    schema_version: int
    rule_set_version: int
    start_at: str
    config: ConfigAnswer
    version: int = Field(description="Grows with every change; the ETag.")

    @classmethod
    def of(cls, pipeline: Pipeline, **more: Any) -> Self:
        """Build the answer."""
        return cls(
            id=pipeline.id,
            name=pipeline.name,
            kafka_topic=pipeline.kafka_topic,
            status=pipeline.status,
            created_at=pipeline.created_at,
            alert_count=pipeline.alert_count,
            updated_at=pipeline.updated_at,
            schema_version=pipeline.schema_version,
            rule_set_version=pipeline.rule_set_version,
            start_at=pipeline.start_at,
            config=ConfigAnswer.model_validate(pipeline.config.as_json()),
            version=pipeline.version,
            **more,
        )


class PipelineDetailAnswer(PipelineAnswer):
    """A pipeline with its schema and the number of its rules."""

    fields: list[FieldAnswer] = Field(alias="schema")
    rule_count: int
    active_rule_count: int


class StatusAnswer(AnswerModel):
    """A pipeline's status after the change."""

    id: int
    status: PipelineStatus
    message: str
    version: int
