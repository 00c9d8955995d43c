"""The alert writer: findings topic -> PostgreSQL -> (through the score writer) Redis."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from sentinel.clock import monotonic_seconds, utc_now
from sentinel.domain.generation import Generation, Lease
from sentinel.domain.timestamps import utc
from sentinel.errors import SentinelError, StoreUnavailableError, TerminalError
from sentinel.settings import KafkaSettings
from sentinel.stores.postgres.findings import FindingStore, GenerationFindings
from sentinel.stores.postgres.verdicts import judge
from sentinel.streaming.faults import fault_point
from sentinel.streaming.metrics import PipelineMetrics
from sentinel.streaming.query.evaluate import masks_of
from sentinel.streaming.query.findings import FindingDecoder
from sentinel.streaming.query.layout import Mask
from sentinel.streaming.sink.handover import Handover
from sentinel.streaming.sink.score_writer import ScoreWriter
from sentinel.telemetry.traces import NO_TRACES, Traces, Value

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
# Progress without findings is committed this often: "exact within a second" at a tenth of the transactions.
PROGRESS_SECONDS = 0.1
# Findings about older records are a backlog. A transaction then waits so many times longer than the last one took.
BACKLOG_SECONDS = 1.0
BACKLOG_PAUSE = 5
# Other alerts wait for as long as the last commit took, at the most so long: on a machine that is busy, what comes in
# meanwhile shares a transaction.
FRESH_PAUSE_SECONDS = 0.02
RETRY_FIRST_SECONDS = 0.1
RETRY_MOST_SECONDS = 2.0


class Committer:
    """Commits findings and repeats it until PostgreSQL takes them."""

    def __init__(
        self,
        store: FindingStore,
        lease: Lease,
        scores: ScoreWriter,
        stopped: threading.Event,
        metrics: PipelineMetrics | None = None,
        *,
        traces: Traces = NO_TRACES,
    ) -> None:
        self._store = store
        self._traces = traces
        self._lease = lease
        self._scores = scores
        self._stopped = stopped
        self.metrics = metrics or PipelineMetrics.silent()
        self.alert_count = 0
        self.waiting_for: str | None = None

    def commit(self, parts: list[GenerationFindings]) -> bool:
        """Commit in one transaction; wait and repeat while PostgreSQL is away.

        Returns:
            False when stopped before it succeeded. The next driver finds the same again.

        Raises:
            LeaseLostError: Another driver holds the pipeline; nothing was written.
        """
        pause = RETRY_FIRST_SECONDS
        fault_point("before_commit")
        while True:
            try:
                began = monotonic_seconds()
                alerts = self._store.commit(self._lease, parts)
                self.metrics.phase("commit", monotonic_seconds() - began)
                break
            except StoreUnavailableError as error:
                self.metrics.retried()
                if self.waiting_for is None:
                    log.warning("alerts wait: %s", error)
                self.waiting_for = str(error)
                if self._stopped.wait(pause):
                    return False
                pause = min(pause * 2, RETRY_MOST_SECONDS)
        self.alert_count += alerts
        self.metrics.committed(parts, alerts, utc_now())
        if self.waiting_for is not None:
            log.info("alerts are written again")
            self.waiting_for = None
        if self._traces is not NO_TRACES:
            trace_matches(self._traces, parts)
        fault_point("after_commit")
        if any(part.borders is not None for part in parts):
            fault_point("generation_switched")
        self._scores.notify([event_id for part in parts for event_id in without_alert(part)])
        return True


@dataclass(frozen=True, slots=True)
class Activated:
    """The candidate became the current generation, and the ledger says so."""

    generation: Generation


@dataclass(frozen=True, slots=True)
class WriterFailed:
    """The writer ended with this error."""

    error: BaseException


WriterEvent = Activated | WriterFailed


def trace_matches(traces: Traces, parts: list[GenerationFindings]) -> None:
    """Begin and end a span for each match whose event is part of a trace: from its record's timestamp to now."""
    for part in parts:
        for match in part.batch.matches:
            if match.origin.traceparent:
                told: dict[str, Value] = {
                    "sentinel.request_id": match.origin.request_id,
                    "sentinel.tenant": part.generation.snapshot.tenant_id,
                    "sentinel.pipeline_id": part.generation.snapshot.pipeline_id,
                    "sentinel.event_ids": [match.event_id],
                }
                began_at = utc(match.timestamp_ms)
                with traces.span("detect", told, parent=match.origin.traceparent, kind="consumer", began_at=began_at):
                    pass


def without_alert(part: GenerationFindings) -> list[str]:
    """Return the events whose score is 0, where every event is scored: those that are clean, and those that only
    muted or snoozed rules matched.
    """
    snapshot = part.generation.snapshot
    events = [event.event_id for event in part.batch.clean]
    if snapshot.config.score_every_event and snapshot.rule_set.mutes:
        events += [each.event_id for each in judge(snapshot.rule_set, part.batch.matches) if not each.alerted]
    return events


def collect(parts: list[GenerationFindings], pending: list[GenerationFindings]) -> None:
    """Add findings to those that wait for a commit; of one generation they are written together."""
    for part in parts:
        if pending and part.borders is None and pending[-1].generation is part.generation:
            pending[-1].batch.extend(part.batch)
        else:
            pending.append(part)


def pause_before_commit(pending: list[GenerationFindings], now: datetime, took_seconds: float) -> float:
    """Return how long after the last commit these findings are due, in seconds.

    A tenth of the processor goes into transactions where every alert has one of its own. In a backlog alerts are late
    anyway: larger transactions then leave most of the processor to detection.

    Args:
        took_seconds: How long the last commit took.
    """
    if any(part.borders is not None for part in pending):
        return 0.0
    newest = max((part.batch.newest_ms for part in pending if part.batch.tells_something), default=None)
    if newest is None:
        return PROGRESS_SECONDS
    late = now.timestamp() - newest / 1000 > BACKLOG_SECONDS
    if late:
        return min(PROGRESS_SECONDS, BACKLOG_PAUSE * took_seconds)
    return min(FRESH_PAUSE_SECONDS, took_seconds)


class AlertWriter(threading.Thread):
    """A thread that reads findings and commits them.

    Per turn: 1. poll findings; 2. let the hand-over decide whose count; 3. commit alerts, dead letters, borders and
    progress in one transaction; 4. tell the score writer. A crash before 3 loses nothing: the next driver starts a
    generation at the ledger's progress, so the same records are found again. A crash after 3 leaves scores to be
    written, which the score writer sees from the position in Redis.

    Findings that earlier drivers left in the topic are not read: their offsets are decided anew.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        findings_topic: str,
        decided: Mapping[int, int],
        starts: Mapping[int, int],
        make_committer: Callable[[threading.Event], Committer],
        *,
        batch_max_findings: int,
        name: str,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._topic = findings_topic
        self._batch_max_findings = batch_max_findings
        self._stopped = threading.Event()
        self.committer = make_committer(self._stopped)
        self._lock = threading.Lock()
        self._handover = Handover(decided)
        self._masks: dict[int, tuple[Mask, ...]] = {}
        self.events: queue.SimpleQueue[WriterEvent] = queue.SimpleQueue()
        self._assigned = set(starts)
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap_servers,
                "group.id": f"{findings_topic}.writer",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 50,
                "fetch.error.backoff.ms": 50,
                "queued.max.messages.kbytes": 65_536,
                "reconnect.backoff.max.ms": 1000,
                "log_level": 2,
            }
        )
        self._consumer.assign([TopicPartition(findings_topic, p, offset) for p, offset in starts.items()])

    # -- called by the runner

    def propose(self, generation: Generation, highs: Mapping[int, int]) -> None:
        """Make a generation the candidate, before its query starts; `events` says when it became active."""
        with self._lock:
            self._handover.propose(generation, highs, monotonic_seconds())
            added = [p for p in generation.start_offsets if p not in self._assigned]
            self._assigned.update(added)
        if added:
            self._consumer.incremental_assign([TopicPartition(self._topic, p, 0) for p in added])

    def started(self, generation_id: int) -> None:
        """See `Handover.started`."""
        with self._lock:
            self._handover.started(generation_id, monotonic_seconds())

    def retire(self, generation_id: int) -> None:
        """See `Handover.retire`."""
        with self._lock:
            self._handover.retire(generation_id)

    def withdraw(self, generation_id: int) -> bool:
        """Forget the candidate; False when it serves by now, and the event of it is on its way."""
        with self._lock:
            return self._handover.withdraw(generation_id)

    def accept_silence(self, partitions: list[int]) -> None:
        """See `Handover.accept_silence`."""
        with self._lock:
            self._handover.accept_silence(partitions)

    @property
    def decided(self) -> dict[int, int]:
        """Partition -> offset below which everything is decided."""
        with self._lock:
            return dict(self._handover.decided)

    @property
    def candidate_answers(self) -> bool:
        """Whether the candidate has said anything."""
        with self._lock:
            return self._handover.candidate is not None and self._handover.candidate.answers

    @property
    def held_count(self) -> int:
        """How many findings of the candidate are held in memory."""
        with self._lock:
            return self._handover.candidate.held_count if self._handover.candidate else 0

    def stop(self, timeout_seconds: float) -> None:
        """Commit what was read and end."""
        self._stopped.set()
        self.join(timeout_seconds)

    # -- the thread

    def run(self) -> None:
        """Read and commit until stopped."""
        try:
            self._follow()
        except BaseException as error:
            if not isinstance(error, SentinelError):
                log.exception("the alert writer failed")
            self.events.put(WriterFailed(error))
        finally:
            self._consumer.close()

    def _follow(self) -> None:
        pending: list[GenerationFindings] = []
        last_commit, took, wait = monotonic_seconds(), 0.0, POLL_SECONDS
        while not self._stopped.is_set():
            records = self._poll(wait)
            with self._lock:
                generations = self._handover.generations
                self._masks = {number: self._masks_of(generation) for number, generation in generations.items()}
                began = monotonic_seconds()
                decoded = FindingDecoder(self._masks).decode(records)
                for generation_id, batch in decoded.batches.items():
                    batch.name_dead_letters(generations[generation_id].snapshot)
                parts = self._handover.absorb(decoded.batches, monotonic_seconds())
            if records:
                self.committer.metrics.phase("decode", monotonic_seconds() - began)
            collect(parts, pending)
            now = monotonic_seconds()
            wait = last_commit + pause_before_commit(pending, utc_now(), took) - now if pending else POLL_SECONDS
            if pending and wait <= 0:
                if not self.committer.commit(pending):
                    return
                last_commit = monotonic_seconds()
                took = last_commit - now
                for part in pending:
                    if part.borders is not None:
                        self.events.put(Activated(part.generation))
                pending, wait = [], POLL_SECONDS
        if pending:
            self.committer.commit(pending)

    def _masks_of(self, generation: Generation) -> tuple[Mask, ...]:
        known = self._masks.get(generation.generation_id)
        if known is not None:
            return known
        return masks_of(generation.snapshot.rule_set, generation.snapshot.schema)

    def _poll(self, wait_seconds: float) -> list[Message]:
        # consume(n, timeout) waits for n records: poll for one, then take what is there.
        first = self._consumer.poll(min(wait_seconds, POLL_SECONDS))
        if first is None:
            return []
        records = [first, *self._consumer.consume(self._batch_max_findings - 1, timeout=0)]
        good = []
        for record in records:
            error = record.error()
            if error is None:
                good.append(record)
            elif error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:
                raise TerminalError(f"the findings topic {self._topic!r} was cut while it was read: {error.str()}")
            elif error.fatal():
                raise TerminalError(f"reading the findings topic {self._topic!r} failed: {error.str()}")
            else:
                log.warning("reading findings: %s", error.str())
        return good
