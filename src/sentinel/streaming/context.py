"""What the parts of one pipeline's runtime share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sentinel.domain.generation import Lease
from sentinel.settings import JobSettings, KafkaSettings
from sentinel.stores.postgres.ledger import LedgerStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.topics import Topics


@dataclass(frozen=True, slots=True)
class PipelineContext:
    """One pipeline under one lease."""

    tenant_id: str
    pipeline_id: int
    lease: Lease
    kafka: KafkaSettings
    job: JobSettings
    ledger: LedgerStore
    snapshots: SnapshotStore
    topics: Topics
    findings_topic: str
    checkpoint_dir: Path
