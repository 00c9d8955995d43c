"""The ledger and what it leads to, as it is answered."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from config_api.schemas.base import AnswerModel, Timestamp
from sentinel.catalog.scores import Verdict
from sentinel.domain.scorecard import Decision


class BorderAnswer(AnswerModel):
    """Offsets of one partition that a generation answers for."""

    partition: int
    start_offset: int
    end_offset: int | None = Field(description="Not included; null while the generation is active.")


class GenerationAnswer(AnswerModel):
    """A generation: the schema version and rule set that answered for a range of offsets."""

    id: int
    state: str = Field(description="starting, active, retired or failed")
    mode: str
    schema_version: int
    rule_set_version: int
    source_epoch: int
    reason: str
    error: str | None
    started_at: Timestamp
    activated_at: Timestamp | None
    retired_at: Timestamp | None
    borders: list[BorderAnswer]


class PartitionAnswer(AnswerModel):
    """What is decided of one partition."""

    partition: int
    first_offset: int
    next_offset: int = Field(description="Every record before it is alerted, clean or a dead letter.")
    updated_at: Timestamp


class JobAnswer(AnswerModel):
    """The job that runs a pipeline, or ran it last."""

    is_running: bool
    holder: str
    heartbeat_at: Timestamp
    expires_at: Timestamp
    details: dict[str, Any]


class ProgressAnswer(AnswerModel):
    """How far a pipeline is."""

    pipeline_id: int
    decided_records: int = Field(description="Records decided since the pipeline began.")
    partitions: list[PartitionAnswer]
    job: JobAnswer | None


class PipelineProgressAnswer(AnswerModel):
    """How far one of many pipelines is."""

    pipeline_id: int
    decided_records: int = Field(description="Records decided since the pipeline began.")
    per_second: float = Field(description="Records decided per second in the last five whole minutes.")
    job: JobAnswer | None


class DecisionAnswer(AnswerModel):
    """What a scorecard says of an event."""

    scorecard: str
    version: int = Field(description="Of the scorecard.")
    score: int = Field(description="The points of its rules that matched, summed up.")
    decision: Decision
    rule_ids: list[int] = Field(description="The rules that matched, those without points and muted ones among them.")
    decided_at: Timestamp | None = Field(description="Null where no rule of it matched.")


class ScoreAnswer(AnswerModel):
    """What detection says of an event."""

    event_id: str
    status: Verdict = Field(description="matched, clean, not_yet_seen, dead_letter; unknown: clean or not yet seen.")
    score: int | None = Field(description="0 to 100; null unless matched or clean.")
    rule_ids: list[int]
    source: str | None = Field(description="The store that decided: redis, postgresql or ledger.")
    detail: str
    decisions: list[DecisionAnswer] = Field(description="What the scorecards say of it, by name.")
