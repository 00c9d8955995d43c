"""The running job, its ledger, and whether the API can serve."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sentinel.client.models.base import Model


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


class PipelineProgress(Model):
    """How far one of many pipelines is; `per_second` is of the last five whole minutes."""

    pipeline_id: int
    decided_records: int
    per_second: float
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
    state: str = "open"
    reason: str = ""
    changed_by: str = ""
    changed_at: datetime | None = None
    redrive_of: int | None = None
    first_id: int | None = None
    redrive_count: int = 0


class Readiness(Model):
    """Whether the API can serve."""

    status: str
    checks: dict[str, Any]
