"""What the ledger tells a reader: generations with their borders, progress, the running job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Border:
    """The offsets of one partition that a generation answers for; `end_offset` None while it is active."""

    partition: int
    start_offset: int
    end_offset: int | None


@dataclass(frozen=True, slots=True)
class GenerationEntry:
    """A generation in the ledger.

    Attributes:
        borders: Empty until it became active.
        error: Why it failed.
    """

    id: int
    mode: str
    schema_version: int
    rule_set_version: int
    source_epoch: int
    reason: str
    state: str
    error: str | None
    started_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None
    borders: tuple[Border, ...]


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """Offsets in [first_offset, next_offset) are decided."""

    partition: int
    first_offset: int
    next_offset: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RunningJob:
    """The driver that holds a pipeline's lease.

    Attributes:
        details: What the job says of itself.
    """

    holder: str
    is_running: bool
    heartbeat_at: datetime
    expires_at: datetime
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PipelineProgress:
    """How far one of many pipelines is.

    Attributes:
        decided_records: Since it began.
        per_second: Records decided per second in the last five whole minutes; 0.0 where none were.
        job: Who runs it, or ran it last.
    """

    pipeline_id: int
    decided_records: int
    per_second: float
    job: RunningJob | None


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Where a record lies in the topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class EventMatches:
    """What PostgreSQL knows of an event: the severities and rules of its alerts."""

    severities: tuple[str, ...]
    rule_ids: tuple[int, ...]
