"""The driver: one Spark session, one runner per pipeline, until a signal stops it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from pyspark.sql import SparkSession

from sentinel.domain.generation import Lease
from sentinel.domain.pipeline import DetectMode, PipelineSnapshot
from sentinel.errors import ConfigurationError, NotFoundError, TerminalError
from sentinel.rules.explanation.evidence import evidence_plan
from sentinel.settings import Settings
from sentinel.stores.postgres.alert_scores import AlertScoreReader
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.findings import FindingStore
from sentinel.stores.postgres.ledger import LedgerStore
from sentinel.stores.postgres.lists import ListSnapshotStore
from sentinel.stores.postgres.quarantines import QuarantineStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.stores.redis.scores import ScoreStore, connect
from sentinel.streaming.job.config_watch import ConfigWatcher
from sentinel.streaming.job.context import PipelineContext
from sentinel.streaming.job.list_expiry import ListExpiry
from sentinel.streaming.job.microbatch import MicroBatchDetector
from sentinel.streaming.job.realtime import RealtimeDetector
from sentinel.streaming.job.rehearsals import Rehearsals
from sentinel.streaming.job.runner import Companion, Detector, PipelineRunner
from sentinel.streaming.job.slots import SLOTS_PER_PARTITION, check_slots, slots_for
from sentinel.streaming.metrics import JobMetrics
from sentinel.streaming.query.evaluate import CompiledRuleSet, compile_rule_set
from sentinel.streaming.query.gate import refused_conditions
from sentinel.streaming.query.lookups import LookupTables
from sentinel.streaming.query.session import build_session, evaluation_session
from sentinel.streaming.sink.alert_writer import Committer
from sentinel.streaming.sink.archive import Archive
from sentinel.streaming.sink.observer import Observer
from sentinel.streaming.sink.score_writer import ScoreWriter
from sentinel.streaming.topics import Topics, group_id_of
from sentinel.telemetry.traces import NO_TRACES, Traces

log = logging.getLogger(__name__)

# Every call to the JVM gives the interpreter lock away and, with the default of 5 ms, gets it back that much later
# when another thread computes. A generation is thousands of calls.
SWITCH_INTERVAL_SECONDS = 0.0005
STOP_SECONDS = 25.0


class Driver:
    """Serves pipelines of one tenant in one process."""

    def __init__(
        self,
        settings: Settings,
        pipeline_ids: Sequence[int],
        *,
        master: str = "",
        metrics: JobMetrics | None = None,
        traces: Traces = NO_TRACES,
    ) -> None:
        self._traces = traces
        self._metrics = metrics or JobMetrics()
        self.runners: list[PipelineRunner] = []
        self._settings = settings
        self._tenant_id = settings.tenant
        self._pipeline_ids = list(pipeline_ids)
        self._master = master or settings.job.master
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        # Per pipeline: its own thread and those of writer, scores, archive and observer use a connection at a time; the
        # expiry of lists is one more.
        self._database = Database(settings.postgres, pool_size=5 * max(1, len(self._pipeline_ids)) + 1)
        self._stopping = threading.Event()
        self._rehearsals = Rehearsals(settings.job.rehearsals)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            ConfigurationError: Too few task slots, or a database role that bypasses row-level security.
            NotFoundError: No such pipeline.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        self._database.open()
        self._database.refuse_privileged_role()
        snapshots = SnapshotStore(self._database, self._tenant_id)
        configured = [snapshots.current(pipeline_id) for pipeline_id in self._pipeline_ids]
        slots = self._slots_needed(configured)
        spark = build_session(self._settings, app_name=self._name(configured), master=self._master or f"local[{slots}]")
        try:
            check_slots(spark, slots)
            self._serve(spark)
        finally:
            if not spark_is_gone(spark):
                spark.stop()
            self._database.close()

    def stop(self) -> None:
        """Ask to stop, from any thread."""
        self._stopping.set()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        log.info("stopping: %s", signal.Signals(number).name)
        self._stopping.set()

    def _serve(self, spark: SparkSession) -> None:
        watcher = ConfigWatcher(self._settings.postgres, poll_seconds=self._settings.job.config_poll_seconds)
        self.runners += [self._make_runner(spark, pipeline_id, watcher) for pipeline_id in self._pipeline_ids]
        runners = self.runners
        expiry = ListExpiry(
            ListSnapshotStore(self._database, self._tenant_id),
            interval_seconds=self._settings.job.list_expiry_seconds,
        )
        watcher.start()
        expiry.start()
        for runner in runners:
            runner.start()
        lost = False
        while not self._stopping.wait(0.5) and not lost:
            lost = spark_is_gone(spark)
        for runner in runners:
            runner.stop()
        watcher.stop()
        expiry.stop()
        for runner in runners:
            runner.join(STOP_SECONDS)
        if lost:
            raise TerminalError("Spark ended under the driver; the log above says why. Start the job again")

    def _make_runner(self, spark: SparkSession, pipeline_id: int, watcher: ConfigWatcher) -> PipelineRunner:
        settings, tenant_id = self._settings, self._tenant_id
        ledger = LedgerStore(self._database, tenant_id)
        snapshots = SnapshotStore(self._database, tenant_id)
        redis = connect(settings.redis)
        session = evaluation_session(spark)
        tables = LookupTables(ListSnapshotStore(self._database, tenant_id))
        ttl = settings.redis.score_ttl_seconds
        archives_alone, observers_alone = threading.Lock(), threading.Lock()
        metrics = self._metrics.of(pipeline_id)

        def acquire() -> Lease | None:
            return ledger.acquire_lease(pipeline_id, self._holder, settings.job.lease_ttl_seconds)

        def make_context(lease: Lease) -> PipelineContext:
            return PipelineContext(
                tenant_id=tenant_id,
                pipeline_id=pipeline_id,
                lease=lease,
                kafka=settings.kafka,
                job=settings.job,
                ledger=ledger,
                snapshots=snapshots,
                quarantines=QuarantineStore(self._database, tenant_id),
                tables=tables,
                topics=Topics(settings.kafka, group_id=group_id_of(tenant_id, pipeline_id)),
                findings_topic=settings.kafka.findings_topic_template.format(
                    tenant_id=tenant_id, pipeline_id=pipeline_id
                ),
                checkpoint_dir=settings.checkpoint_dir,
                metrics=metrics,
                rehearsals=self._rehearsals,
            )

        def make_parts(context: PipelineContext, mode: DetectMode) -> tuple[Detector, list[Companion]]:
            scores = ScoreWriter(
                AlertScoreReader(self._database, tenant_id, pipeline_id, score_ttl_seconds=ttl),
                ScoreStore(redis, settings.redis, tenant_id, pipeline_id),
                name=f"scores-{pipeline_id}",
            )

            def make_committer(stopped: threading.Event) -> Committer:
                store = FindingStore(self._database, tenant_id, score_ttl_seconds=ttl, plan_evidence=evidence_plan)
                return Committer(store, context.lease, scores, stopped, metrics, traces=self._traces)

            kind = RealtimeDetector if mode is DetectMode.REALTIME else MicroBatchDetector
            detector = kind(context, session, lambda snapshot: compile_gated(session, snapshot, tables), make_committer)
            archive, observer = self._followers(spark, context, tables)
            return detector, [
                scores,
                LoopThread(f"archive-{pipeline_id}", archive.run, archives_alone),
                LoopThread(f"observer-{pipeline_id}", observer.run, observers_alone),
            ]

        return PipelineRunner(
            pipeline_id,
            make_context=make_context,
            acquire=acquire,
            who_holds=lambda: ledger.lease_holder(pipeline_id),
            make_parts=make_parts,
            changed=watcher.watch(pipeline_id),
            details=self._details(spark),
        )

    def _followers(
        self, spark: SparkSession, context: PipelineContext, tables: LookupTables
    ) -> tuple[Archive, Observer]:
        """Return what reads again, off the alert path, what detect has decided."""
        archive = Archive(
            spark,
            self._database,
            self._settings,
            self._tenant_id,
            context.pipeline_id,
            lease=context.lease,
            changing=context.changing,
            metrics=context.metrics,
        )
        observer = Observer(
            spark,
            self._database,
            self._settings,
            self._tenant_id,
            context.lease,
            tables=tables,
            changing=context.changing,
            metrics=context.metrics,
        )
        return archive, observer

    def _details(self, spark: SparkSession) -> dict[str, Any]:
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "spark_ui": spark.sparkContext.uiWebUrl,
            "master": spark.sparkContext.master,
        }

    def _name(self, configured: list[PipelineSnapshot]) -> str:
        return "sentinel " + ", ".join(f"{snapshot.pipeline_id} {snapshot.name}" for snapshot in configured)

    def _slots_needed(self, configured: list[PipelineSnapshot]) -> int:
        """Two generations hold one slot per partition while one hands over to the next; the archive needs some too."""
        topics = Topics(self._settings.kafka, group_id="sentinel-driver")
        slots = slots_for(0)
        try:
            for snapshot in configured:
                if snapshot.config.mode is DetectMode.REALTIME:
                    try:
                        slots += SLOTS_PER_PARTITION * len(topics.partitions(snapshot.kafka_topic))
                    except NotFoundError:
                        slots += SLOTS_PER_PARTITION * 4
        finally:
            topics.close()
        return slots


def spark_is_gone(spark: SparkSession) -> bool:
    """Whether the JVM died or stopped its context."""
    try:
        return bool(spark.sparkContext._jsc.sc().isStopped())
    except Exception:  # py4j raises many kinds when the other side is gone
        return True


class LoopThread(threading.Thread):
    """Runs a loop (the archive, the observer) beside detect."""

    def __init__(self, name: str, loop: Callable[[threading.Event], None], alone: threading.Lock) -> None:
        super().__init__(name=name, daemon=True)
        self._loop = loop
        self._alone = alone
        self._stopped = threading.Event()

    def run(self) -> None:
        """Run the loop until stopped, after an earlier thread of the pipeline that a slow store held up has ended."""
        while not self._alone.acquire(timeout=0.5):
            if self._stopped.is_set():
                return
        try:
            self._loop(self._stopped)
        finally:
            self._alone.release()

    def stop(self, timeout_seconds: float) -> None:
        """End after what is under way; what does not end in time is repeated by the next driver."""
        self._stopped.set()
        self.join(timeout_seconds)


def compile_gated(
    spark: SparkSession, snapshot: PipelineSnapshot, tables: LookupTables | None = None
) -> CompiledRuleSet:
    """Compile a snapshot's rules after the job's own gate has passed them.

    Args:
        tables: Where the rows of lists come from.

    Raises:
        ConfigurationError: A rule that the gate refuses, named with the reasons.
        InvalidRuleError: A rule that does not compile against this schema version.
    """
    compiled = compile_rule_set(snapshot.rule_set, snapshot.schema, tables)
    for index, reasons in refused_conditions(spark, compiled.conditions).items():
        rule = snapshot.rule_set.rules[index]
        raise ConfigurationError(f"rule {rule.rule_id} is refused by the job: {'; '.join(reasons)}")
    gates = [mask.gate for mask in compiled.masks if mask.gate is not None]
    for index, reasons in refused_conditions(spark, gates).items():
        raise ConfigurationError(f"what rules require is refused by the job: {gates[index]:.200}: {'; '.join(reasons)}")
    texts = compiled.lookups.texts
    for index, reasons in refused_conditions(spark, texts).items():
        raise ConfigurationError(f"a subquery is refused by the job: {texts[index]:.200}: {'; '.join(reasons)}")
    return compiled
