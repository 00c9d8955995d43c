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
    storm_limit: int
    fresh_backtest_hours: int = 0
    rollout_max_ratio: float = 2.0


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
    name: str = ""
    state: str = ""
    candidate: Candidate | None = None
    rollout: Rollout | None = None
    issues: list[Issue] = []


class Candidate(Model):
    """A version that is tried beside a rule's current one."""

    state: str
    version: int
    rule_version_id: int
    rule_expression: str
    short_form: str | None = None
    severity: Severity
    description: str


class Rollout(Model):
    """For whom a version on trial counts."""

    entity: str
    share_percent: float
    salt: str


class RuleChange(Model):
    """What a version changed in one field."""

    field: str
    before: Any
    after: Any


class TrialHour(Model):
    """A version on trial in one hour, held against the one in force."""

    hour: datetime
    rule_version_id: int
    version: int
    control_version: int | None
    evaluated: int
    unknown: int
    both: int
    only_trial: int
    only_control: int


class TrialSample(Model):
    """An event that only one of two versions matches."""

    rule_version_id: int
    kind: Literal["only_trial", "only_control"]
    event_id: str
    kafka_partition: int
    kafka_offset: int
    kafka_timestamp: datetime


class RuleTrials(Model):
    """What is, or was, tried of a rule."""

    hours: list[TrialHour]
    samples: list[TrialSample]


class RuleCost(Model):
    """What a rule costs per event."""

    rule_version_id: int
    microseconds: float
    sampled_events: int
    measured_at: datetime


class HourOutcomes(Model):
    """What a rule said of the events of one hour."""

    hour: datetime
    evaluated: int
    matched: int
    alerts: int
    suppressed: int
    not_matched: int
    unknown: int
    missing: dict[str, int]


class Quarantine(Model):
    """A rule version that a job took out of its rule set."""

    id: int
    pipeline_id: int
    rule_id: int
    rule_version_id: int
    rule_version: int
    generation_id: int
    cause: str
    kafka_partition: int | None
    kafka_offset: int | None
    quarantined_at: datetime
    released_at: datetime | None
    released_by: str | None
    comment: str


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
    list_versions: dict[str, int] = {}
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


class RolloutArm(Model):
    """Alerts of one arm while a rollout had one share."""

    share_percent: float
    arm: str
    version: int
    rule_version_id: int
    match_count: int
    entity_count: int


class RolloutResult(Model):
    """What a rollout has shown so far."""

    rule_id: int
    state: str
    rollout: Rollout | None
    control_version: int | None
    candidate_version: int | None
    arms: list[RolloutArm]
    guard_rail: str | None


class Mute(Model):
    """A mute or snooze."""

    id: int
    pipeline_id: int
    rule_id: int | None
    field: str | None
    value: str | None
    expires_at: datetime | None
    reason: str
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None


class Suppressed(Model):
    """Matches of one rule that raised no alert, in one hour."""

    rule_id: int
    hour: datetime
    cause: str
    match_count: int


class Thresholds(Model):
    """From which score on an event is reviewed, and declined."""

    review: int
    decline: int


class Scorecard(Model):
    """A scorecard with its current version."""

    id: int
    pipeline_id: int
    name: str
    is_active: bool
    version: int
    weights: dict[str, int]
    thresholds: Thresholds
    row_version: int


class AuditEntry(Model):
    """One change that somebody made."""

    id: int
    pipeline_id: int | None
    actor: str
    action: str
    object_type: str
    object_id: int
    object_name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    comment: str
    created_at: datetime


class EventDecision(Model):
    """What a scorecard says of an event: approve, review or decline."""

    scorecard: str
    version: int
    score: int
    decision: str
    rule_ids: list[int]
    decided_at: datetime | None


class EventScore(Model):
    """What detection says of an event: matched, clean, not_yet_seen, dead_letter or unknown."""

    event_id: str
    status: str
    score: int | None
    rule_ids: list[int]
    source: str | None
    detail: str
    decisions: list[EventDecision] = []


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
