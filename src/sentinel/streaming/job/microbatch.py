"""Micro-batch mode of a pipeline: `foreachBatch`, with schema and rules looked up at each micro-batch.

For clusters without one task slot per partition. Parse, evaluation, findings and their commit are those of Real-Time
Mode; a border between generations is a border between micro-batches.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from sentinel.clock import monotonic_seconds
from sentinel.domain.finding import FindingBatch
from sentinel.domain.generation import Generation
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.source_gap import OffsetRange
from sentinel.errors import LeaseLostError, SentinelError, TransientError
from sentinel.stores.postgres.findings import GenerationFindings
from sentinel.streaming.faults import InjectedFaultError, fault_point
from sentinel.streaming.job.containment import contain, failure_of, may_be_a_rule, short
from sentinel.streaming.job.context import PipelineContext, refuse_gap
from sentinel.streaming.query.evaluate import CompiledRuleSet
from sentinel.streaming.query.findings import add_finding, finding_columns
from sentinel.streaming.query.layout import Mask
from sentinel.streaming.query.parse import parse
from sentinel.streaming.query.physical import PhysicalPlan
from sentinel.streaming.sink.alert_writer import Committer

log = logging.getLogger(__name__)

MAX_RECORDS_PER_BATCH = 200_000
LEAST_RECORDS_PER_BATCH = 50
# So many good micro-batches after one that failed, twice as many records are tried.
GROW_AFTER = 20
RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Active:
    """The generation of the newest micro-batch, compiled, and the plan of its first one for those that follow."""

    generation: Generation
    compiled: CompiledRuleSet
    plan: PhysicalPlan


class MicroBatchDetector:
    """Runs one pipeline in micro-batches. All methods but the batch function are called by the pipeline's thread."""

    def __init__(
        self,
        context: PipelineContext,
        spark: SparkSession,
        compile_rules: Callable[[PipelineSnapshot], CompiledRuleSet],
        make_committer: Callable[[threading.Event], Committer],
    ) -> None:
        self._context = context
        self._spark = spark
        # An adaptive plan is for one run.
        spark.conf.set("spark.sql.adaptive.enabled", "false")
        self._compile = compile_rules
        self._stopped = threading.Event()
        self._committer = make_committer(self._stopped)
        self._query: StreamingQuery | None = None
        self._query_number = 0
        self._checkpoint_dir = context.checkpoint_dir / f"microbatch-{context.pipeline_id}"
        self._active: Active | None = None
        self._tried: Generation | None = None
        self._refused: tuple[object, ...] | None = None
        self._decided: dict[int, int] = {}
        self._topic = ""
        self._batch_records = MAX_RECORDS_PER_BATCH
        self._good_batches = 0
        self._retry_at = 0.0
        self._error: BaseException | None = None
        self.last_error: str | None = None

    # -- what the pipeline's thread calls

    def start(self, snapshot: PipelineSnapshot, ranges: dict[int, OffsetRange], decided: dict[int, int]) -> None:
        """Begin at the decided offsets."""
        self._decided = {p: decided[p] for p in ranges}
        self._topic = snapshot.kafka_topic
        self._start_query()

    def apply(self, snapshot: PipelineSnapshot) -> None:
        """Nothing to do: the next micro-batch looks for itself."""

    def tick(self, ranges: dict[int, OffsetRange]) -> None:
        """Restart a query that failed, from the ledger's progress; add new partitions.

        Raises:
            SentinelError: What ended the query cannot be mended by a restart (the lease is lost).
        """
        if isinstance(self._error, SentinelError):
            raise self._error
        if monotonic_seconds() < self._retry_at:
            return
        added = {p: 0 for p in ranges if p not in self._decided}
        failure = failure_of(self._query) if self._query else "not started"
        may_grow = self._batch_records < MAX_RECORDS_PER_BATCH and self._good_batches >= GROW_AFTER
        if failure is None and not added and not may_grow:
            return
        self._good_batches = 0
        if failure is not None:
            log.error("pipeline %s: the query failed: %s", self._context.pipeline_id, failure)
            self.last_error = failure
        elif may_grow:
            self._batch_records = min(MAX_RECORDS_PER_BATCH, self._batch_records * 2)
        failed = self._query
        self._end_query()
        self._context.ledger.init_progress(self._context.lease, added)
        self._decided = {
            p: known.next_offset for p, known in self._context.ledger.read_progress(self._context.pipeline_id).items()
        }
        # Looked up after the progress: a topic never ends before what was decided in it earlier.
        held = self._context.topics.ranges(self._topic)
        refuse_gap(self._context, self._topic, self._decided, held)
        if failure is not None and not self._contained(failed):
            # What does not fit in memory may fit in halves.
            self._batch_records = max(LEAST_RECORDS_PER_BATCH, self._batch_records // 2)
        self._retry_at = monotonic_seconds() + RETRY_SECONDS
        self._active = None
        self._start_query()

    def _contained(self, failed: StreamingQuery | None) -> bool:
        """Where a rule made the query fail, take it out; the next micro-batch is evaluated without it."""
        tried = self._tried
        if failed is None or tried is None or not may_be_a_rule(failed):
            return False
        return contain(self._spark, self._context, tried.snapshot, tried.generation_id, self._decided)

    def stop(self) -> None:
        """Stop the query. A micro-batch under way is given up; it is found again from the ledger's progress."""
        self._stopped.set()
        self._end_query()

    @property
    def decided(self) -> dict[int, int]:
        """Partition -> offset below which everything is decided."""
        return dict(self._decided)

    def details(self) -> dict[str, object]:
        """What to tell of it."""
        active = self._active
        return {
            "generation": active.generation.generation_id if active else None,
            "waiting_for": self._committer.waiting_for,
            "error": self.last_error,
        }

    # -- the query

    def _start_query(self) -> None:
        self._query_number += 1
        directory = self._checkpoint_dir / str(self._query_number)
        shutil.rmtree(self._checkpoint_dir, ignore_errors=True)
        offsets = {str(partition): offset for partition, offset in self._decided.items()}
        records = (
            self._spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", self._context.kafka.bootstrap_servers)
            .option("assign", json.dumps({self._topic: sorted(self._decided)}))
            .option("startingOffsets", json.dumps({self._topic: offsets}))
            .option("kafka.isolation.level", "read_committed")
            .option("maxOffsetsPerTrigger", self._batch_records)
            .option("failOnDataLoss", "true")
            .option("includeHeaders", str(self._context.job.record_headers).lower())
            .load()
        )

        def on_batch(batch: DataFrame, batch_id: int) -> None:
            self._on_batch(batch, end_offsets_of(directory, batch_id, self._topic))

        self._query = (
            records.writeStream.foreachBatch(on_batch)
            .option("checkpointLocation", f"file://{directory}")
            .trigger(processingTime=f"{self._context.job.microbatch_interval_seconds:g} seconds")
            .queryName(f"microbatch-{self._context.pipeline_id}")
            .start()
        )

    def _end_query(self) -> None:
        if self._query:
            self._query.stop()
        self._query = None
        shutil.rmtree(self._checkpoint_dir, ignore_errors=True)

    def _on_batch(self, batch: DataFrame, end_offsets: dict[int, int]) -> None:
        """Evaluate one micro-batch with the configuration of this moment and commit what it finds.

        1. Look up schema and rules. 2. Evaluate, collect matches and dead letters. 3. Commit them with the progress
        (and the borders, where the configuration changed) in one transaction. A crash before 3 repeats the records.
        """
        try:
            metrics, began = self._context.metrics, monotonic_seconds()
            with metrics.timed("plan"):
                active, findings = self._look_up(batch, end_offsets)
            self._tried = active.generation
            changed = active is not self._active
            with metrics.timed("evaluate"):
                found = collect_findings(findings, active.compiled.masks)
                found.name_dead_letters(active.generation.snapshot)
            found.next_offsets = {p: o for p, o in end_offsets.items() if o > self._decided.get(p, -1)}
            borders = dict(self._decided) if changed else None
            if self._committer.commit([GenerationFindings(active.generation, found, borders)]):
                self._active = active
                if changed:
                    metrics.served(monotonic_seconds() - began)
                self._decided |= found.next_offsets
                self._good_batches += 1
        except SentinelError as error:
            self._error = error
            raise

    def _look_up(self, batch: DataFrame, end_offsets: dict[int, int]) -> tuple[Active, DataFrame]:
        """Return the generation for this micro-batch and its findings, not computed yet.

        A configuration that cannot be compiled leaves the one before in force; without one before, the versions that
        served last.
        """
        context, before = self._context, self._active
        snapshot = context.snapshots.current(context.pipeline_id)
        known = before.generation.snapshot.fingerprint if before else None
        if before is not None and snapshot.fingerprint in {known, self._refused}:
            return self._planned(batch, before, end_offsets)
        reason = snapshot.change_from(before.generation.snapshot) if before else "driver start"
        try:
            return self._prepare(batch, snapshot, reason)
        except (SentinelError, PySparkException, InjectedFaultError) as error:
            if isinstance(error, TransientError | LeaseLostError):
                raise
            self._refused, self.last_error = snapshot.fingerprint, short(error)
            log.error("pipeline %s: the new generation cannot start: %s", context.pipeline_id, self.last_error)
            if before is not None:
                return self._planned(batch, before, end_offsets)
            versions = context.ledger.last_active_versions(context.pipeline_id)
            if versions is None:
                raise
            return self._prepare(batch, context.snapshots.at(context.pipeline_id, *versions), "last good versions")

    def _prepare(self, batch: DataFrame, snapshot: PipelineSnapshot, reason: str) -> tuple[Active, DataFrame]:
        context, ledger = self._context, self._context.ledger
        generation_id = ledger.create_generation(context.lease, snapshot, reason=reason, marker_every=1)
        try:
            fault_point("start_generation")
            generation = Generation(generation_id, snapshot, 1, dict(self._decided))
            compiled = self._compile(snapshot)
            findings = plan_findings(batch, generation, compiled)
            active = Active(generation, compiled, PhysicalPlan(findings, batch))
        except (SentinelError, PySparkException, InjectedFaultError) as error:
            context.metrics.not_served()
            ledger.fail_generation(generation_id, short(error))
            raise
        log.info("pipeline %s: generation %s serves: %s", context.pipeline_id, generation_id, reason)
        if not active.plan.is_reusable:
            log.warning(
                "pipeline %s: every micro-batch of generation %s is planned", context.pipeline_id, generation_id
            )
        return active, findings

    def _planned(self, batch: DataFrame, active: Active, end_offsets: dict[int, int]) -> tuple[Active, DataFrame]:
        """Return the findings of a micro-batch by the plan that its generation has."""
        count = sum(end - self._decided.get(partition, end) for partition, end in end_offsets.items())
        findings = active.plan.over(batch, count)
        return active, plan_findings(batch, active.generation, active.compiled) if findings is None else findings


def plan_findings(batch: DataFrame, generation: Generation, compiled: CompiledRuleSet) -> DataFrame:
    """Build the findings of a micro-batch; analysed at once, computed when collected."""
    snapshot = generation.snapshot
    parsed = parse(
        batch, snapshot.schema, snapshot.config, topic=snapshot.kafka_topic, source_epoch=snapshot.source_epoch
    )
    return finding_columns(
        compiled.evaluate(parsed),
        compiled,
        snapshot.schema,
        generation_id=generation.generation_id,
        marker_every=0,
        first_offsets={},
        config=snapshot.config,
    )


def collect_findings(findings: DataFrame, masks: Sequence[Mask]) -> FindingBatch:
    """Compute the findings; matches, dead letters and clean events come to the driver, nothing else."""
    found = FindingBatch()
    for row in findings.collect():
        value = None if row.value is None else bytes(row.value)
        add_finding(found, row.partition, orjson.loads(row.key), value, masks)
    return found


def end_offsets_of(checkpoint_dir: Path, batch_id: int, topic: str) -> dict[int, int]:
    """Return where a micro-batch ends, from Spark's offset log, which is written before the batch runs.

    The log's entry is a version line, a metadata line and one line of JSON per source (Spark's `OffsetSeqLog`).
    """
    lines = (checkpoint_dir / "offsets" / str(batch_id)).read_text().splitlines()
    return {int(partition): offset for partition, offset in json.loads(lines[2])[topic].items()}
