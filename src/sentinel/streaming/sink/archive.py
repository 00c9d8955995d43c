"""Archive: every decided record that is an event goes to the lake, exactly once."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from sentinel.clock import monotonic_seconds
from sentinel.domain.archive_commit import ArchiveCommit
from sentinel.domain.generation import Lease
from sentinel.domain.lake_table import column_names
from sentinel.domain.source_gap import gap_between
from sentinel.errors import (
    LeaseLostError,
    SentinelError,
    SourceGapError,
    StoreUnavailableError,
    TerminalError,
    TransientError,
)
from sentinel.settings import Settings
from sentinel.stores.lake.location import events_uri, spark_uri, storage_options
from sentinel.stores.postgres.archive_ledger import ArchiveLedger, ArchiveSource, GenerationForm
from sentinel.stores.postgres.database import Database, first_line
from sentinel.stores.postgres.lake_turns import ARCHIVE_TURN_SECONDS, LOOK_SECONDS, LakeTurns
from sentinel.streaming.faults import fault_point
from sentinel.streaming.metrics import PipelineMetrics
from sentinel.streaming.query.parse import parse
from sentinel.streaming.query.session import evaluation_session
from sentinel.streaming.sink.calm import wait_for_calm
from sentinel.streaming.sink.lake_table import TableTransaction, append, lake_rows, last_transaction
from sentinel.streaming.topics import Topics

log = logging.getLogger(__name__)

RETRY_FIRST_SECONDS = 1.0
RETRY_MOST_SECONDS = 30.0
# A compaction takes seconds. One that takes longer is waited for with an alarm.
TURN_WAIT_SECONDS = 30.0
# More records than this are written by two tasks, the slots that the driver keeps for the archive.
TWO_TASKS_FROM = 200_000
# Rows of so many dates go into as many files at once. Else a task sorts them by date before: for a million rows that
# is 350 MB of the heap and a tenth of the processor time.
OPEN_FILES = 8


@dataclass(frozen=True, slots=True)
class Counts:
    """Records of one commit: events and dead letters."""

    events: int
    dead: int


class Archive:
    """Writes one pipeline's decided events to its Delta table, in numbered commits.

    Per commit:

    1. Plan it in the ledger: a number, the offsets, all of one generation.
    2. Append its events to the Delta table, in a transaction of that number, while it is our turn at the table.
    3. Mark it committed, with its counts.

    A crash between 1 and 2 repeats the commit as planned. A crash between 2 and 3 repeats it, too; the table knows the
    number, nothing is written, and the counts are taken again from the topic. The offsets come from the ledger and
    never from a checkpoint. It reads the topic itself: detect is not slowed down, and its findings are checked
    against a second reading.

    Uses at most two task slots. One instance per thread.
    """

    def __init__(
        self,
        spark: SparkSession,
        database: Database,
        settings: Settings,
        tenant_id: str,
        pipeline_id: int,
        *,
        lease: Lease | None = None,
        changing: threading.Event | None = None,
        metrics: PipelineMetrics | None = None,
    ) -> None:
        """Build it.

        Args:
            changing: While it is set no commit is begun, for some seconds at most: a start or a change of what detects
                has the processor to itself.
        """
        self._metrics = metrics or PipelineMetrics.silent()
        self._changing = changing or threading.Event()
        self._driver_session = spark
        self._settings = settings
        self._tenant_id = tenant_id
        self._pipeline_id = pipeline_id
        self._lease = lease
        self._ledger = ArchiveLedger(database, tenant_id, pipeline_id)
        self._uri = events_uri(settings.lake, tenant_id, pipeline_id)
        holder = f"archive/{lease.holder}/{lease.epoch}" if lease else "archive"
        self._turns = LakeTurns(database, tenant_id, pipeline_id, "archive", holder)
        self._stopped = threading.Event()
        self._checked = False
        self._form: GenerationForm | None = None
        self.alarm: str | None = None

    @cached_property
    def _spark(self) -> SparkSession:
        """Return its session; made by its own thread, when nobody waits for that."""
        session = evaluation_session(self._driver_session)
        session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        session.conf.set("spark.sql.maxConcurrentOutputFileWriters", OPEN_FILES)
        return session

    def run(self, stopped: threading.Event) -> None:
        """Commit every `archive_interval_seconds`, more often while there is a backlog, until stopped.

        A store that is away is waited for. What waiting cannot mend is logged as an error, kept in `alarm`, and tried
        again: an operator's remedy takes effect without a restart.
        """
        self._stopped = stopped
        interval = self._settings.job.archive_interval_seconds
        pause = 0.0
        retry = RETRY_FIRST_SECONDS
        while not stopped.wait(pause) and not wait_for_calm(self._changing, stopped):
            try:
                commit = self.run_once()
            except LeaseLostError as error:
                log.warning("the archive ends: %s", error)
                return
            except SentinelError as error:
                self._metrics.not_archived()
                self._complain(error)
                pause, retry = retry, min(retry * 2, RETRY_MOST_SECONDS)
                continue
            except Exception as error:
                self._metrics.not_archived()
                if first_line(error) != self.alarm:
                    log.exception("the archive of pipeline %d failed; trying again", self._pipeline_id)
                self.alarm = first_line(error)
                pause, retry = retry, min(retry * 2, RETRY_MOST_SECONDS)
                continue
            if self.alarm is not None:
                log.info("pipeline %d is archived again", self._pipeline_id)
            self.alarm, retry = None, RETRY_FIRST_SECONDS
            full = commit is not None and commit.offset_count >= self._settings.job.archive_max_records // 2
            pause = 0.0 if full else interval

    def _complain(self, error: SentinelError) -> None:
        if str(error) != self.alarm:
            level = logging.WARNING if isinstance(error, TransientError) else logging.ERROR
            log.log(level, "the archive of pipeline %d waits: %s", self._pipeline_id, error)
        self.alarm = str(error)

    def run_once(self) -> ArchiveCommit | None:
        """Finish the open commit, or plan and make the next one; None when the lake is up to date.

        Raises:
            StoreUnavailableError: PostgreSQL, Kafka or the lake does not answer; repeat it.
            SourceGapError: The topic does not hold the offsets any more; the message names them.
            LeaseLostError: Another driver holds the pipeline.
            TerminalError: The lake is ahead of the ledger, or the ledger has a gap.
        """
        source = self._ledger.source()
        # A pipeline that was created anew under an old id begins at 1 again, under another name.
        application_id = f"sentinel/{self._tenant_id}/{self._pipeline_id}/{source.created_at.timestamp():.6f}"
        commit = self._ledger.open_commit()
        written = 0
        if commit is not None or not self._checked:
            written = self._last_transaction(application_id)
            self._check_ahead(written)
        if commit is None:
            commit = self._ledger.plan(self._lease, source, max_records=self._settings.job.archive_max_records)
            if commit is None:
                return None
            fault_point("archive_planned")
        began = monotonic_seconds()
        counts = self._write(commit, source, TableTransaction(application_id, commit.seq), known=written >= commit.seq)
        fault_point("archive_written")
        self._ledger.mark_committed(commit.seq, event_count=counts.events, dead_count=counts.dead)
        self._metrics.archived(monotonic_seconds() - began, events=counts.events, dead=counts.dead)
        log.info(
            "archived commit %d of pipeline %d: %d events, %d dead letters",
            commit.seq,
            self._pipeline_id,
            counts.events,
            counts.dead,
        )
        return commit

    def _last_transaction(self, application_id: str) -> int:
        try:
            return last_transaction(self._uri, storage_options(self._settings.lake), application_id)
        except (OSError, RuntimeError, ValueError, DeltaError) as error:
            raise StoreUnavailableError("the lake", first_line(error)) from error

    def _check_ahead(self, written: int) -> None:
        given = self._ledger.last_seq()
        if written > given:
            raise TerminalError(
                f"the lake {self._uri} holds commit {written} of pipeline {self._pipeline_id}, the ledger only knows "
                f"{given}: PostgreSQL was restored from an older state. Restore the lake's table to version of commit "
                f"{given}, or move the table away and archive anew"
            )
        self._checked = True

    def _write(
        self, commit: ArchiveCommit, source: ArchiveSource, transaction: TableTransaction, *, known: bool
    ) -> Counts:
        form = self._form_of(commit.generation_id)
        self._check_source(commit, source)
        parsed = self._read(commit, source, form)
        valid = F.col("cause").isNull()
        totals = (
            F.coalesce(F.count_if(valid), F.lit(0)).alias("events"),
            F.coalesce(F.count_if(~valid), F.lit(0)).alias("dead"),
        )
        try:
            if known:
                row = parsed.agg(*totals).collect()[0]
                return Counts(row["events"], row["dead"])
            observed = Observation()
            rows = lake_rows(
                parsed.observe(observed, *totals),
                column_names(form.history),
                form.schema,
                topic=source.kafka_topic,
                schema_version=form.schema_version,
                generation_id=commit.generation_id,
            )
            with self._turn():
                append(rows, spark_uri(self._uri), transaction)
            found = observed.get
            return Counts(found["events"], found["dead"])
        except (PySparkException, Py4JError) as error:
            raise StoreUnavailableError("the lake or Kafka", cause_of(error)) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Commit while nobody else does.

        Raises:
            TransientError: The table is being cared for; the commit stays planned.
        """
        deadline = monotonic_seconds() + TURN_WAIT_SECONDS
        while not self._turns.take(ARCHIVE_TURN_SECONDS):
            if self._stopped.is_set() or monotonic_seconds() >= deadline:
                raise TransientError("the files of its lake table are being merged; it commits after that")
            self._stopped.wait(LOOK_SECONDS)
        with self._turns.held():
            yield

    def _read(self, commit: ArchiveCommit, source: ArchiveSource, form: GenerationForm) -> DataFrame:
        topic = source.kafka_topic
        filled = commit.filled
        records = (
            self._spark.read.format("kafka")
            .option("kafka.bootstrap.servers", self._settings.kafka.bootstrap_servers)
            .option("assign", json.dumps({topic: sorted(filled)}))
            .option("startingOffsets", json.dumps({topic: {str(p): start for p, (start, _) in filled.items()}}))
            .option("endingOffsets", json.dumps({topic: {str(p): end for p, (_, end) in filled.items()}}))
            .option("failOnDataLoss", "true")
            .option("kafka.isolation.level", "read_committed")
            .load()
        )
        tasks = 2 if commit.offset_count >= TWO_TASKS_FROM else 1
        return parse(records.coalesce(tasks), form.schema, form.config, topic=topic, source_epoch=form.source_epoch)

    def _form_of(self, generation_id: int) -> GenerationForm:
        if self._form is None or self._form.generation_id != generation_id:
            self._form = self._ledger.form(generation_id)
        return self._form

    def _check_source(self, commit: ArchiveCommit, source: ArchiveSource) -> None:
        topics = Topics(self._settings.kafka, group_id=f"sentinel-archive-{self._pipeline_id}")
        try:
            held = topics.ranges(source.kafka_topic)
            gap = gap_between({}, {}, (source.topic_id, topics.topic_id(source.kafka_topic)))
        finally:
            topics.close()
        gaps = [str(gap)] if gap else []
        for partition, (start, end) in commit.filled.items():
            span = held.get(partition)
            if span is None or end > span.high:
                gaps.append(f"partition {partition}: offsets {start} to {end - 1}, the topic was made anew")
            elif start < span.low:
                gaps.append(f"partition {partition}: offsets {start} to {min(end, span.low) - 1}")
        if gaps:
            raise SourceGapError(
                f"the topic {source.kafka_topic!r} no longer holds records that are decided but not in the lake: "
                f"{'; '.join(gaps)}"
            )


def cause_of(error: Exception) -> str:
    """Return the first line of a JVM error's innermost cause."""
    java = getattr(error, "java_exception", None)
    text = first_line(error)
    if java is not None:
        while java.getCause() is not None:
            java = java.getCause()
        text = java.toString().splitlines()[0]
    return text[:500]
