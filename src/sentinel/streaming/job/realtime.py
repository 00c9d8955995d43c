"""Real-Time Mode of a pipeline: generations that hand over to one another without a pause."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from sentinel.clock import monotonic_seconds
from sentinel.domain.generation import Generation
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.source_gap import OffsetRange
from sentinel.errors import ConfigurationError, SentinelError, TerminalError, TransientError
from sentinel.streaming.faults import InjectedFaultError
from sentinel.streaming.job.containment import contain, failure_of, may_be_a_rule, short
from sentinel.streaming.job.context import PipelineContext, first_offsets, refuse_gap
from sentinel.streaming.job.slots import check_slots, slots_for
from sentinel.streaming.query.detect import rehearse, start_realtime_query
from sentinel.streaming.query.evaluate import CompiledRuleSet
from sentinel.streaming.sink.alert_writer import Activated, AlertWriter, Committer, WriterFailed

log = logging.getLogger(__name__)

# With a backlog of more records than this a generation writes sparse markers; near the end a dense one takes over.
BACKLOG_RECORDS = 50_000
SPARSE_MARKER_EVERY = 256
CAUGHT_UP_RECORDS = 20_000
SILENCE_SECONDS = 3.0
STUCK_SECONDS = 10.0
RETRY_FIRST_SECONDS = 5.0
RETRY_MOST_SECONDS = 60.0
CALM_RECORDS = 1_000
SHORT_LIFE_SECONDS = 60.0
# A change that could not start while nothing served is tried again beside the versions that serve instead.
WANTED_AGAIN_SECONDS = 60.0


@dataclass(slots=True)
class RunningQuery:
    """A generation and its Spark query.

    Attributes:
        started_at: When its query was started.
        decided: What was decided when it started.
        idle: The partitions that held nothing undecided then.
        began_at: When it was begun: before it was compiled.
    """

    generation: Generation
    query: StreamingQuery
    started_at: float
    checkpoint_dir: Path
    decided: dict[int, int]
    idle: set[int]
    began_at: float


class RealtimeDetector:
    """Runs the generations of one pipeline in Real-Time Mode.

    All methods are called by the pipeline's thread. `tick` is called about ten times a second.
    """

    def __init__(
        self,
        context: PipelineContext,
        spark: SparkSession,
        compile_rules: Callable[[PipelineSnapshot], CompiledRuleSet],
        make_committer: Callable[[threading.Event], Committer],
    ) -> None:
        self._context = context
        # From now on, and not only from `start`: what runs beside it is begun before that.
        context.changing.set()
        self._spark = spark
        self._compile = compile_rules
        self._make_committer = make_committer
        self._current: RunningQuery | None = None
        self._candidate: RunningQuery | None = None
        self._writer: AlertWriter | None = None
        self._target: PipelineSnapshot | None = None
        # What should serve instead of the target, and when that is tried again.
        self._wanted: PipelineSnapshot | None = None
        self._wanted_at = 0.0
        self._rehearsed = False
        self._stopping = threading.Event()
        self._retry_at = 0.0
        self._retry_seconds = RETRY_FIRST_SECONDS
        self.last_error: str | None = None

    # -- what the pipeline's thread calls

    def start(self, snapshot: PipelineSnapshot, ranges: dict[int, OffsetRange], decided: dict[int, int]) -> None:
        """Begin at the decided offsets."""
        self._context.topics.ensure_findings_topic(self._context.findings_topic, max(ranges) + 1)
        findings = self._context.topics.ranges(self._context.findings_topic)
        self._writer = AlertWriter(
            self._context.kafka,
            self._context.findings_topic,
            decided,
            {partition: place.high for partition, place in findings.items()},
            self._make_committer,
            batch_max_findings=self._context.job.writer_batch_max_findings,
            name=f"alerts-{self._context.pipeline_id}",
        )
        self._writer.start()
        self._target = snapshot
        self._begin(snapshot, "driver start")

    def apply(self, snapshot: PipelineSnapshot) -> None:
        """Make this what is to run; `tick` starts the next generation for it."""
        self._target, self._wanted = snapshot, None
        self._retry_at = 0.0

    def tick(self, ranges: dict[int, OffsetRange]) -> None:
        """Look after the generations.

        Args:
            ranges: What the source's partitions hold, looked up not long ago.

        Raises:
            LeaseLostError: Another driver took the pipeline over.
            SourceGapError: The topic lacks records that are not decided.
            TerminalError: The findings topic cannot be read any more.
        """
        self._take_events()
        self._check_candidate(ranges)
        self._check_current(ranges)
        self._start_wanted(ranges)

    def stop(self) -> None:
        """Stop the queries, commit what was found, end the writer. Offsets stay where they are."""
        self._stopping.set()
        self._context.changing.clear()
        for running in (self._candidate, self._current):
            if running:
                self._end(running)
        self._candidate = self._current = None
        if self._writer:
            self._writer.stop(timeout_seconds=15)

    @property
    def decided(self) -> dict[int, int]:
        """Partition -> offset below which everything is decided."""
        return self._writer.decided if self._writer else {}

    def details(self) -> dict[str, object]:
        """What the job tells of this pipeline."""
        return {
            "generation": self._current.generation.generation_id if self._current else None,
            "candidate": self._candidate.generation.generation_id if self._candidate else None,
            "waiting_for": self._writer.committer.waiting_for if self._writer else None,
            "error": self.last_error,
            "serves_older_versions": self._wanted is not None,
        }

    # -- steps of a tick

    def _take_events(self) -> None:
        assert self._writer is not None  # noqa: S101 - started
        while not self._writer.events.empty():
            event = self._writer.events.get()
            if isinstance(event, WriterFailed):
                raise event.error
            if isinstance(event, Activated) and self._candidate and event.generation == self._candidate.generation:
                old, self._current, self._candidate = self._current, self._candidate, None
                self._context.metrics.served(monotonic_seconds() - self._current.began_at)
                self._context.changing.clear()
                log.info(
                    "pipeline %s: generation %s serves (schema %s, rule set %s)",
                    self._context.pipeline_id,
                    event.generation.generation_id,
                    event.generation.snapshot.schema_version,
                    event.generation.snapshot.rule_set.version,
                )
                if self._wanted is None:
                    self.last_error = None
                    self._retry_seconds = RETRY_FIRST_SECONDS
                if old:
                    self._end(old)

    def _check_candidate(self, ranges: dict[int, OffsetRange]) -> None:
        running = self._candidate
        if running is None or self._writer is None:
            return
        age = monotonic_seconds() - running.started_at
        failure = failure_of(running.query)
        if failure is not None:
            self._give_up(running, failure)
            self._contain(running)
        elif self._current is not None and self._writer.held_count > self._context.job.overlap_max_held:
            self._give_up(running, f"more than {self._context.job.overlap_max_held} findings were held")
        elif self._current is not None and age > self._context.job.overlap_max_seconds:
            self._give_up(running, f"it did not catch up within {self._context.job.overlap_max_seconds:g} s")
        elif age > SILENCE_SECONDS:
            # Offsets may be no records (transaction markers, compacted away): nobody will ever answer for those.
            silent = running.idle if self._writer.candidate_answers or age > STUCK_SECONDS else set()
            if age > STUCK_SECONDS:
                decided = self._writer.decided
                silent = silent | {p for p, at_start in running.decided.items() if decided[p] == at_start}
            self._writer.accept_silence(sorted(silent))

    def _check_current(self, ranges: dict[int, OffsetRange]) -> None:
        running = self._current
        if running is None or self._writer is None:
            return
        failure = failure_of(running.query)
        if failure is not None:
            log.error("pipeline %s: the query failed: %s", self._context.pipeline_id, failure)
            self.last_error = failure
            self._writer.retire(running.generation.generation_id)
            self._end(running)
            self._current = None
            if monotonic_seconds() - running.started_at < SHORT_LIFE_SECONDS:
                self._wait_longer()
            self._contain(running)
        else:
            self._rehearse(running, ranges)

    def _start_wanted(self, ranges: dict[int, OffsetRange]) -> None:
        if self._candidate is not None or self._target is None or monotonic_seconds() < self._retry_at:
            return
        if self._current is not None and self._wanted is not None and monotonic_seconds() >= self._wanted_at:
            self._target, self._wanted = self._wanted, None
        reason = self._reason_to_begin(self._target, ranges)
        if reason is None:
            return
        try:
            self._begin(self._target, reason)
        except TransientError as error:
            # What serves goes on meanwhile.
            log.warning("pipeline %s: the next generation waits: %s", self._context.pipeline_id, error)
            self._retry_at = monotonic_seconds() + 1.0
        except ConfigurationError as error:
            if self._current is None:
                raise
            log.error("pipeline %s: the next generation waits: %s", self._context.pipeline_id, error)
            self.last_error = str(error)
            self._wait_longer()

    def _reason_to_begin(self, target: PipelineSnapshot, ranges: dict[int, OffsetRange]) -> str | None:
        if self._current is None:
            return f"after a failure: {self.last_error}"[:500]
        generation = self._current.generation
        if generation.snapshot.fingerprint != target.fingerprint:
            return target.change_from(generation.snapshot)
        if set(ranges) - set(generation.start_offsets):
            return f"the topic has {len(ranges)} partitions now"
        if generation.marker_every > 1 and self._lag(ranges) < CAUGHT_UP_RECORDS:
            return "caught up: progress is marked at every record"
        return None

    # -- generations

    def _begin(self, snapshot: PipelineSnapshot, reason: str) -> None:
        context, began = self._context, monotonic_seconds()
        assert self._writer is not None  # noqa: S101 - started
        # In this order: a topic never ends before what was decided in it earlier.
        decided = self._writer.decided
        ranges = context.topics.ranges(snapshot.kafka_topic)
        added = {partition: 0 for partition in ranges if partition not in decided}
        if added:
            context.ledger.init_progress(context.lease, added)
            decided |= added
        refuse_gap(context, snapshot.kafka_topic, decided, ranges)
        context.topics.ensure_findings_topic(context.findings_topic, max(ranges) + 1)
        # A topic may have grown, or the pipeline may have been one of micro-batches when the driver started.
        check_slots(self._spark, slots_for(len(ranges)))
        before = self._current
        is_behind = sum(max(0, place.high - decided[p]) for p, place in ranges.items()) > BACKLOG_RECORDS
        marker_every = SPARSE_MARKER_EVERY if is_behind else 1
        generation_id = context.ledger.create_generation(
            context.lease, snapshot, reason=reason, marker_every=marker_every
        )
        generation = Generation(generation_id, snapshot, marker_every, first_offsets(ranges, decided))
        checkpoint_dir = context.checkpoint_dir / f"detect-{context.pipeline_id}" / str(generation_id)
        log.info("pipeline %s: generation %s starts: %s", context.pipeline_id, generation_id, reason)
        context.changing.set()
        try:
            compiled = self._compile(snapshot)
            if before is not None and is_behind:
                # Alerts are late anyway. Two generations beside one another would each get half of a processor that is
                # not enough for one, and the next would never catch up.
                log.info("pipeline %s: generation %s makes room", context.pipeline_id, before.generation.generation_id)
                self._writer.retire(before.generation.generation_id)
                self._end(before)
                self._current = None
                decided |= self._writer.decided
                generation = replace(generation, start_offsets=first_offsets(ranges, decided))
            decided = {p: decided[p] for p in ranges}
            self._writer.propose(generation, {p: place.high for p, place in ranges.items()})
            query = start_realtime_query(
                self._spark,
                generation,
                compiled,
                kafka=context.kafka,
                job=context.job,
                findings_topic=context.findings_topic,
                checkpoint_dir=checkpoint_dir,
            )
        except (SentinelError, PySparkException, InjectedFaultError) as error:
            self._writer.withdraw(generation.generation_id)
            self._failed(generation, short(error))
            return
        idle = {p for p, place in ranges.items() if place.high <= decided[p]}
        self._candidate = RunningQuery(
            generation, query, monotonic_seconds(), checkpoint_dir, decided, idle, began_at=began
        )
        self._writer.started(generation_id)

    def _give_up(self, running: RunningQuery, why: str) -> None:
        assert self._writer is not None  # noqa: S101 - started
        if not self._writer.withdraw(running.generation.generation_id):
            return
        self._candidate = None
        self._end(running)
        self._failed(running.generation, why)

    def _failed(self, generation: Generation, why: str) -> None:
        self._context.changing.clear()
        self._context.metrics.not_served()
        serving = self._current.generation.generation_id if self._current else None
        log.error(
            "pipeline %s: generation %s cannot start, %s: %s",
            self._context.pipeline_id,
            generation.generation_id,
            f"generation {serving} serves on" if serving else "none serves",
            why,
        )
        self.last_error = why
        self._wait_longer()
        try:
            self._context.ledger.fail_generation(generation.generation_id, why)
            if self._current is None:
                self._fall_back(generation.snapshot)
        except TransientError as error:
            log.warning("pipeline %s: %s", self._context.pipeline_id, error)

    def _contain(self, failed: RunningQuery) -> None:
        """Where a rule made a query fail, go on at once without it."""
        context, generation = self._context, failed.generation
        if not may_be_a_rule(failed.query):
            return
        decided = {p: offset for p, offset in self.decided.items() if p in failed.decided}
        if contain(self._spark, context, generation.snapshot, generation.generation_id, decided):
            try:
                self.apply(context.snapshots.current(context.pipeline_id))
            except TransientError as error:
                # The change of the rule set is noticed like any other.
                log.warning("pipeline %s: %s", context.pipeline_id, error)

    def _wait_longer(self) -> None:
        self._retry_at = monotonic_seconds() + self._retry_seconds
        self._retry_seconds = min(self._retry_seconds * 2, RETRY_MOST_SECONDS)

    def _fall_back(self, refused: PipelineSnapshot) -> None:
        """With nothing serving, go on with the versions that served last."""
        versions = self._context.ledger.last_active_versions(self._context.pipeline_id)
        if versions and versions != (refused.schema_version, refused.rule_set.version):
            self._wanted, self._wanted_at = refused, monotonic_seconds() + WANTED_AGAIN_SECONDS
            good = self._context.snapshots.at(self._context.pipeline_id, *versions)
            self._target = good
            self._retry_at = 0.0
            log.warning("pipeline %s: going on with schema %s, rule set %s", self._context.pipeline_id, *versions)

    def _rehearse(self, running: RunningQuery, ranges: dict[int, OffsetRange]) -> None:
        """Once nothing is behind, make the JVM ready for the next change, beside what runs."""
        if self._rehearsed or self._lag(ranges) > CALM_RECORDS:
            return
        self._rehearsed = True

        def go_through(name: str) -> None:
            if self._context.changing.is_set():
                return  # A change has come, which is as good as a rehearsal.
            # With one more field nothing of it is compiled already.
            other = running.generation.changed(name)
            try:
                rehearse(self._spark, other, self._compile(other.snapshot))
            except PySparkException as error:
                raise TerminalError(short(error)) from error

        self._context.rehearsals.hold(self._context.pipeline_id, go_through, self._stopping)

    def _end(self, running: RunningQuery) -> None:
        running.query.stop()
        shutil.rmtree(running.checkpoint_dir, ignore_errors=True)

    def _lag(self, ranges: dict[int, OffsetRange]) -> int:
        decided = self.decided
        return sum(max(0, place.high - decided.get(p, 0)) for p, place in ranges.items())
