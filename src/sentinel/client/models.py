"""What the API answers, typed. Members that this client does not know are ignored, so that the API may grow."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["active", "paused", "stopped"]
Severity = Literal["critical", "warning", "info"]


class Model(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class PipelineConfig(Model):
    """How the job runs a pipeline."""

    mode: str
    score_every_event: bool
    future_tolerance_seconds: int
    max_record_bytes: int
    fresh_backtest_hours: int = 0


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


class SchemaPut(Schema):
    """A schema after a change."""

    changed: bool
    deactivated_rules: list[int]
    message: str


class Action(Model):
    """What a rule asks for when it matches."""

    kind: str
    value: str | int


class Rule(Model):
    """A rule with its current version."""

    id: int
    pipeline_id: int
    rule_expression: str
    short_form: str | None = None
    actions: list[Action] = []
    severity: Severity
    description: str
    is_active: bool
    version: int
    row_version: int
    created_at: datetime
    updated_at: datetime


class RuleChange(Model):
    """What a version changed in one field."""

    field: str
    before: Any
    after: Any


class RuleVersion(Model):
    """One version of a rule."""

    version: int
    rule_version_id: int
    rule_expression: str
    short_form: str | None = None
    actions: list[Action] = []
    severity: Severity
    description: str
    content_hash: str
    comment: str
    created_by: str
    created_at: datetime
    changes: list[RuleChange]


class Issue(Model):
    """Something about a rule expression, with its place in the text."""

    severity: Literal["error", "warning"]
    code: str
    start: int | None = None
    end: int | None = None
    message: str
    suggestion: str | None = None


class RuleCheck(Model):
    """Whether an expression can be a rule."""

    valid: bool
    issues: list[Issue]
    columns: list[str]
    rule_expression: str
    actions: list[Action]


class Evidence(Model):
    """A condition that had to be true for the rule to match, with the fields that it looks at."""

    condition: str
    values: dict[str, Any]


class Alert(Model):
    """An alert."""

    id: int
    pipeline_id: int
    rule_id: int
    severity: Severity
    rule_description: str
    alert_timestamp: datetime
    transaction_data: Any
    evidence: list[Evidence] = []
    event_id: str
    score: int
    kafka_partition: int
    kafka_offset: int
    kafka_timestamp: datetime
    refill_id: int | None = None


class AlertPage(Model):
    """Alerts, newest first; continue with `before=next_before` until it is None."""

    alerts: list[Alert]
    next_before: int | None


class Partition(Model):
    """Offsets in [first_offset, next_offset) are decided."""

    partition: int
    first_offset: int
    next_offset: int
    updated_at: datetime


class Job(Model):
    """The job that runs a pipeline, or ran it last."""

    is_running: bool
    holder: str
    heartbeat_at: datetime
    expires_at: datetime
    details: dict[str, Any]


class Progress(Model):
    """How far a pipeline is."""

    pipeline_id: int
    decided_records: int
    partitions: list[Partition]
    job: Job | None


class Border(Model):
    """Offsets of one partition that a generation answers for."""

    partition: int
    start_offset: int
    end_offset: int | None


class Generation(Model):
    """A generation in the ledger."""

    id: int
    state: str
    mode: str
    schema_version: int
    rule_set_version: int
    reason: str
    error: str | None
    started_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None
    borders: list[Border]


class DeadLetter(Model):
    """A record that is not an event."""

    id: int
    cause: str
    field: str | None
    detail: str
    kafka_partition: int
    kafka_offset: int
    raw_base64: str | None
    raw_text: str | None
    raw_size_bytes: int
    created_at: datetime


class EventScore(Model):
    """What detection says of an event: matched, clean, not_yet_seen, dead_letter or unknown."""

    event_id: str
    status: str
    score: int | None
    rule_ids: list[int]
    source: str | None
    detail: str


class Readiness(Model):
    """Whether the API can serve."""

    status: str
    checks: dict[str, Any]


class TaskFailure(Model):
    """Why a backtest or a refill failed."""

    slug: str
    message: str


class HistoryTask(Model):
    """A backtest or a refill: how far it is, and its result once it is done."""

    id: int
    pipeline_id: int
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: dict[str, Any]
    request: dict[str, Any]
    result: dict[str, Any] | None = None
    error: TaskFailure | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class LabelSet(Model):
    """Labels that were uploaded."""

    id: int
    pipeline_id: int
    name: str
    label_count: int
    true_count: int
    content_hash: str
    created_at: datetime
