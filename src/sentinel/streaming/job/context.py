"""What the parts of one pipeline's runtime share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sentinel.domain.generation import Lease
from sentinel.domain.source_gap import OffsetRange, gap_between
from sentinel.errors import SourceGapError
from sentinel.settings import JobSettings, KafkaSettings
from sentinel.stores.postgres.ledger import LedgerStore
from sentinel.stores.postgres.quarantines import QuarantineStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.job.rehearsals import Rehearsals
from sentinel.streaming.metrics import PipelineMetrics
from sentinel.streaming.query.lookups import LookupTables
from sentinel.streaming.topics import Topics


@dataclass(frozen=True, slots=True)
class PipelineContext:
    """One pipeline under one lease.

    Attributes:
        tables: Where the rows of lists come from.
        topic_id: Kafka's id of the topic that is read; empty where it is not known.
        changing: Set while a generation is on its way to serve: what can wait leaves it the processor.
        rehearsals: Those of the driver, for all of its pipelines.
    """

    tenant_id: str
    pipeline_id: int
    lease: Lease
    kafka: KafkaSettings
    job: JobSettings
    ledger: LedgerStore
    snapshots: SnapshotStore
    quarantines: QuarantineStore
    tables: LookupTables
    topics: Topics
    findings_topic: str
    checkpoint_dir: Path
    topic_id: str = ""
    changing: threading.Event = field(default_factory=threading.Event)
    metrics: PipelineMetrics = field(default_factory=PipelineMetrics.silent)
    rehearsals: Rehearsals = field(default_factory=lambda: Rehearsals(0))


def refuse_gap(
    context: PipelineContext, topic: str, decided: Mapping[int, int], ranges: Mapping[int, OffsetRange]
) -> None:
    """Check before a start that the topic is the one that was read and holds what is to be read next.

    Raises:
        SourceGapError: It does not; names partitions and offsets, and the way out.
    """
    gap = gap_between(decided, ranges, (context.topic_id, context.topics.topic_id(topic)))
    if gap:
        raise SourceGapError(
            f"the topic {topic!r} does not hold what is to be read next: {gap}. To go on without it, decide so with "
            f"`sentinel resume-source {context.pipeline_id} --reason ...`; the decision is recorded"
        )


def first_offsets(ranges: Mapping[int, OffsetRange], decided: Mapping[int, int]) -> dict[int, int]:
    """Return where a generation begins to read: one record before what is not decided, where there is one.

    The marker of that record shows that the generation answers, also on an idle topic.
    """
    return {partition: max(place.low, decided[partition] - 1) for partition, place in ranges.items()}
