"""Run the checks for a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyspark.sql import SparkSession

from sentinel.domain.generation import Progress
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.source_gap import OffsetRange
from sentinel.errors import StoreUnavailableError
from sentinel.settings import Settings
from sentinel.stores.lake.location import events_uri, spark_uri, storage_options
from sentinel.stores.postgres.archive_ledger import ArchiveLedger
from sentinel.stores.postgres.database import Database, Row, first_line
from sentinel.stores.postgres.ledger import LedgerStore
from sentinel.stores.postgres.lists import ListSnapshotStore
from sentinel.stores.postgres.reconcile_reader import GenerationVersions, ReconcileReader
from sentinel.stores.postgres.refills import RefillStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.stores.redis.scores import ScoreStore, connect
from sentinel.streaming.query.lookups import LookupTables
from sentinel.streaming.query.session import evaluation_session
from sentinel.streaming.reconcile.alerts import REFILLED, Expectations, compare_alerts, expect
from sentinel.streaming.reconcile.decisions import compare_decisions, decided
from sentinel.streaming.reconcile.records import PLACE, compare_records, places, topic_places
from sentinel.streaming.reconcile.refills import Refilled, refilled_alerts
from sentinel.streaming.reconcile.report import ReconcileReport
from sentinel.streaming.reconcile.scores import compare_scores
from sentinel.streaming.topics import Topics


def reconcile(
    settings: Settings,
    database: Database,
    spark: SparkSession,
    tenant_id: str,
    pipeline_id: int,
    *,
    patience_seconds: float = 10.0,
) -> ReconcileReport:
    """Compare topic, lake, dead letters, alerts, scores and decisions of a pipeline.

    Looks at what is in the lake: records of the current source epoch below the end of the last archive commit. The
    job may run meanwhile. Of records that retention removed from the topic the lake is believed; a note says so.

    Args:
        patience_seconds: How long the scores may stand still behind the alerts before they count as lost.

    Raises:
        NotFoundError: The tenant has no such pipeline.
        StoreUnavailableError: One of the stores does not answer.
    """
    snapshot = SnapshotStore(database, tenant_id).current(pipeline_id)
    reader = ReconcileReader(database, tenant_id, pipeline_id)
    archive = ArchiveLedger(database, tenant_id, pipeline_id)
    progress = LedgerStore(database, tenant_id).read_progress(pipeline_id)
    ends = archive.archived_ends(snapshot.source_epoch)
    generations = reader.generations()
    uri = events_uri(settings.lake, tenant_id, pipeline_id)

    topics = Topics(settings.kafka, group_id="sentinel-reconcile")
    try:
        held = topics.ranges(snapshot.kafka_topic)
    finally:
        topics.close()
    spans, notes = spans_of(held, progress, ends)

    epoch = {g.generation_id for g in generations if g.source_epoch == snapshot.source_epoch}
    lake = lake_places(settings, uri, epoch)
    dead = places(reader.dead_letters(snapshot.source_epoch))
    records = compare_records(
        topic_places(settings.kafka, snapshot.kafka_topic, spans), within(lake, spans), within(dead, spans)
    )

    expected, refills = Expectations(), Refilled()
    if lake.num_rows:
        expected, refills = computed_anew(settings, database, evaluation_session(spark), snapshot, generations)
    epochs = {generation.source_epoch for generation in generations}
    archived = {epoch: archive.archived_ends(epoch) for epoch in epochs}
    skips = {epoch: reader.skips(epoch) for epoch in epochs}
    found, elsewhere = by_place(reader.alerts(), archived, skips)
    decisions, later_decisions = by_place(reader.decisions(), archived, skips)
    suppressed = reader.suppressed()
    if suppressed:
        notes.append(f"the storm guard suppressed {sum(suppressed.values())} matches; they are in the lake")
    scores = ScoreStore(connect(settings.redis), settings.redis, tenant_id, pipeline_id)
    return ReconcileReport(
        pipeline_id=pipeline_id,
        lake_rows=lake.num_rows,
        dead_letters=dead.num_rows,
        not_decided=sum(max(0, held[p].high - known.next_offset) for p, known in progress.items() if p in held),
        not_archived=sum(known.next_offset - ends.get(p, known.first_offset) for p, known in progress.items()),
        checks=(
            records,
            compare_alerts(
                # A refill alerts whatever the storm guard held back.
                [*expected.alerts, *((rule_id, event_id, REFILLED) for rule_id, event_id in refills.expected)],
                [(alert["rule_id"], alert["event_id"]) for alert in found],
                [(alert["rule_id"], alert["event_id"]) for alert in elsewhere],
                suppressed=suppressed,
                allowed=refills.allowed,
            ),
            compare_scores(
                reader, scores, ttl_seconds=settings.redis.score_ttl_seconds, patience_seconds=patience_seconds
            ),
            compare_decisions(expected.decisions, [*map(decided, decisions)], [*map(decided, later_decisions)]),
        ),
        notes=tuple(notes),
    )


def computed_anew(
    settings: Settings,
    database: Database,
    session: SparkSession,
    snapshot: PipelineSnapshot,
    generations: Sequence[GenerationVersions],
) -> tuple[Expectations, Refilled]:
    """Return what every generation's rule set, and every refill, says of the lake.

    Raises:
        StoreUnavailableError: One of the stores does not answer.
    """
    tenant_id, pipeline_id = snapshot.tenant_id, snapshot.pipeline_id
    snapshots, archive = SnapshotStore(database, tenant_id), ArchiveLedger(database, tenant_id, pipeline_id)
    uri = spark_uri(events_uri(settings.lake, tenant_id, pipeline_id))
    tables = LookupTables(ListSnapshotStore(database, tenant_id))
    expected = Expectations()
    for generation in generations:
        form = archive.form(generation.generation_id)
        at = snapshots.at(pipeline_id, generation.schema_version, generation.rule_set_version)
        expect(
            session,
            uri,
            generation.generation_id,
            at.in_epoch(generation.source_epoch),
            form.history,
            tables=tables,
            into=expected,
        )
    refills = refilled_alerts(
        session,
        uri,
        RefillStore(database, tenant_id, pipeline_id, score_ttl_seconds=settings.redis.score_ttl_seconds),
        archive,
        kafka_topic=snapshot.kafka_topic,
        generations=generations,
        rule_set=lambda version: snapshots.rule_set(pipeline_id, version),
        tables=tables,
    )
    return expected, refills


def spans_of(
    held: Mapping[int, OffsetRange], progress: Mapping[int, Progress], ends: Mapping[int, int]
) -> tuple[dict[int, tuple[int, int]], list[str]]:
    """Return what can be compared of each partition (start inclusive, end exclusive), and notes on what cannot.

    Args:
        held: Offsets that the topic holds.
        ends: Partition -> end of what the lake holds of it.
    """
    spans, notes = {}, []
    for partition, known in progress.items():
        low = held[partition].low if partition in held else known.next_offset
        if low > known.first_offset:
            notes.append(f"partition {partition}: the topic no longer holds offsets {known.first_offset} to {low - 1}")
        spans[partition] = (max(low, known.first_offset), ends.get(partition, known.first_offset))
    return spans, notes


def by_place(
    rows: Sequence[Row], ends: Mapping[int, Mapping[int, int]], skips: Mapping[int, Sequence[tuple[int, int, int]]]
) -> tuple[list[Row], list[Row]]:
    """Divide what was found: of records that the lake must hold, and of others, not archived yet or skipped for good.

    Args:
        rows: With partition, offset and source_epoch.
        ends: Source epoch -> partition -> end of what the lake holds of it.
        skips: Source epoch -> (partition, first offset, end) of what an operator decided to go on without.
    """
    found: list[Row] = []
    elsewhere: list[Row] = []
    for row in rows:
        partition, offset, epoch = row["partition"], row["offset"], row["source_epoch"]
        skipped = any(p == partition and start <= offset < end for p, start, end in skips[epoch])
        archived = offset < ends[epoch].get(partition, 0) and not skipped
        (found if archived else elsewhere).append(row)
    return found, elsewhere


def lake_places(settings: Settings, uri: str, generation_ids: set[int]) -> pa.Table:
    """Return (partition, offset) of the lake's rows of these generations, one row each.

    Raises:
        StoreUnavailableError: The lake does not answer.
    """
    try:
        table = DeltaTable(uri, storage_options=storage_options(settings.lake) or None)
    except TableNotFoundError:
        return PLACE.empty_table()
    except (DeltaError, OSError) as error:
        raise StoreUnavailableError("the lake", first_line(error)) from error
    connection = duckdb.connect()
    connection.register("lake", table.to_pyarrow_dataset())
    connection.register("chosen", pa.table({"_generation_id": pa.array(sorted(generation_ids), pa.int64())}))
    rows = connection.execute(
        'SELECT _partition::INTEGER AS "partition", _offset AS "offset" '
        "FROM lake SEMI JOIN chosen USING (_generation_id)"
    )
    return rows.to_arrow_table()


def within(rows: pa.Table, spans: dict[int, tuple[int, int]]) -> pa.Table:
    """Keep the places that lie in the spans (start inclusive, end exclusive)."""
    connection = duckdb.connect()
    connection.register("places", rows)
    connection.register(
        "spans",
        pa.table(
            {
                "p": pa.array(list(spans), pa.int32()),
                "a": pa.array([start for start, _ in spans.values()], pa.int64()),
                "b": pa.array([end for _, end in spans.values()], pa.int64()),
            }
        ),
    )
    kept = connection.execute(
        'SELECT "partition", "offset" FROM places JOIN spans ON p = "partition" AND "offset" >= a AND "offset" < b'
    )
    return kept.to_arrow_table()
