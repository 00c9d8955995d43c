"""One pipeline in a driver: its lease, its configuration, its detector and its archive."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from sentinel.clock import monotonic_seconds
from sentinel.domain.generation import Lease, Progress, topic_id_of
from sentinel.domain.pipeline import DetectMode, PipelineSnapshot, PipelineStatus
from sentinel.domain.source_gap import OffsetRange
from sentinel.errors import LeaseLostError, NotFoundError, SentinelError, SourceGapError, TransientError
from sentinel.streaming.job.context import PipelineContext, refuse_gap
from sentinel.streaming.job.telling import RUNNING, SOURCE_GAP, WAITING_FOR_LEASE, PipelineState

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
RANGES_SECONDS = 1.0
RETRY_FIRST_SECONDS = 1.0
RETRY_MOST_SECONDS = 15.0


class Detector(Protocol):
    """One way to run detect."""

    def start(self, snapshot: PipelineSnapshot, ranges: dict[int, OffsetRange], decided: dict[int, int]) -> None:
        """Begin at the decided offsets."""

    def apply(self, snapshot: PipelineSnapshot) -> None:
        """Make this what is to run from now on."""

    def tick(self, ranges: dict[int, OffsetRange]) -> None:
        """Look after things, about ten times a second."""

    def stop(self) -> None:
        """Stop reading; what was found is committed, offsets stay."""

    @property
    def decided(self) -> dict[int, int]:
        """Partition -> offset below which everything is decided."""

    def details(self) -> dict[str, object]:
        """What to tell of it."""


class Companion(Protocol):
    """Something that runs beside detect under the same lease (scores, archive)."""

    def start(self) -> None:
        """Begin."""

    def stop(self, timeout_seconds: float) -> None:
        """End after what is under way."""


class PipelineRunner(threading.Thread):
    """A thread that serves one pipeline until it is stopped.

    1. Wait for the lease. 2. Read the configuration; a paused pipeline waits, a stopped one also gives the lease up.
    3. Find where to go on: the ledger's progress, checked against what the topic holds. 4. Run the detector and its
    companions; renew the lease; hand configuration changes to the detector. 5. On an error: stop, wait, begin at 1.

    A source topic that lacks undecided records stops the pipeline with an alarm (phase `source gap`) until an operator
    decides, or the configuration changes.
    """

    def __init__(
        self,
        pipeline_id: int,
        *,
        make_context: Callable[[Lease], PipelineContext],
        acquire: Callable[[], Lease | None],
        who_holds: Callable[[], str],
        make_parts: Callable[[PipelineContext, DetectMode], tuple[Detector, list[Companion]]],
        changed: threading.Event,
        details: dict[str, Any],
    ) -> None:
        super().__init__(name=f"pipeline-{pipeline_id}", daemon=True)
        self._pipeline_id = pipeline_id
        self._make_context = make_context
        self._acquire = acquire
        self._who_holds = who_holds
        self._make_parts = make_parts
        self._changed = changed
        self._stopping = threading.Event()
        self._details = dict(details)
        self._told: dict[str, Any] = {}
        self._trouble: str | None = None
        self._holder = ""
        self._has_lease = False
        self.phase = "starting"

    def state(self) -> PipelineState:
        """Return what is known of the pipeline; asks nobody. From any thread."""
        told = self._told if self._has_lease else {}
        return PipelineState(
            self._pipeline_id,
            self.phase,
            holder=self._holder,
            trouble=self._trouble,
            waiting_for=told.get("waiting_for"),
            is_refused=bool(told.get("error")) and self.phase == RUNNING,
            lag_records=told.get("lag_records"),
            has_lease=self._has_lease,
        )

    def stop(self) -> None:
        """Ask to stop gracefully; `join` waits for it."""
        self._stopping.set()
        self._changed.set()

    def run(self) -> None:
        """Serve until stopped."""
        pause = RETRY_FIRST_SECONDS
        while not self._stopping.is_set():
            began = monotonic_seconds()
            try:
                self._hold_and_serve()
            except LeaseLostError as error:
                self._trouble = str(error)
                log.error("%s", error)
            except SourceGapError as error:
                self._trouble = str(error)
                log.error("pipeline %s: ALARM: %s", self._pipeline_id, error)
                self._wait_for_change()
            except NotFoundError as error:
                self._trouble = str(error)
                log.error("pipeline %s: %s", self._pipeline_id, error)
            except TransientError as error:
                self._trouble = str(error)
                log.warning("pipeline %s waits: %s", self._pipeline_id, error)
            except SentinelError as error:
                # What it says may hold a rule's text: the log has it, and the ledger, which is the tenant's.
                self._trouble = f"{error.title.lower()}, see the log"
                log.error("pipeline %s failed: %s", self._pipeline_id, error)
            except Exception as error:
                self._trouble = f"{type(error).__name__}, see the log"
                log.exception("pipeline %s failed", self._pipeline_id)
            pause = RETRY_FIRST_SECONDS if monotonic_seconds() - began > 60 else min(pause * 2, RETRY_MOST_SECONDS)
            self._stopping.wait(pause)

    def _wait_for_change(self) -> None:
        self._changed.clear()
        self._changed.wait(RETRY_MOST_SECONDS)

    def _hold_and_serve(self) -> None:
        lease = self._acquire()
        if lease is None:
            if self.phase != WAITING_FOR_LEASE:
                self._holder = self._who_holds()
                log.warning("pipeline %s: waiting for the lease of %s", self._pipeline_id, self._holder)
            self.phase, self._trouble = WAITING_FOR_LEASE, None
            self._stopping.wait(1.0)
            return
        self._has_lease, self._holder = True, ""
        context = self._make_context(lease)
        self._told = {}
        done = threading.Event()
        keeper = threading.Thread(
            target=self._keep_lease, args=(context, done), name=f"lease-{self._pipeline_id}", daemon=True
        )
        keeper.start()
        try:
            self._serve(context)
        except SourceGapError as error:
            self._renew(context, SOURCE_GAP, {"error": str(error)})
            raise
        finally:
            self._has_lease = False
            done.set()
            keeper.join()
            try:
                if self._stopping.is_set() or self.phase == "stopped":
                    context.ledger.release_lease(lease)
            except SentinelError as error:
                log.warning("pipeline %s: the lease could not be released: %s", self._pipeline_id, error)
            context.topics.close()

    def _keep_lease(self, context: PipelineContext, done: threading.Event) -> None:
        """Renew the lease whatever the pipeline's thread is at: a start with many rules takes long."""
        ttl = context.job.lease_ttl_seconds
        while not done.wait(ttl / 3):
            try:
                context.ledger.renew_lease(context.lease, ttl, self._told)
            except LeaseLostError:
                return  # the pipeline's thread learns it from its own next renewal or commit
            except SentinelError as error:
                log.warning("pipeline %s: the lease is not renewed: %s", self._pipeline_id, error)

    def _serve(self, context: PipelineContext) -> None:
        while not self._stopping.is_set():
            self._changed.clear()
            snapshot = context.snapshots.current(self._pipeline_id)
            if snapshot.status is PipelineStatus.ACTIVE:
                self._run_detector(context, snapshot)
                continue
            if self.phase != snapshot.status:
                log.info("pipeline %s is %s", self._pipeline_id, snapshot.status)
            self.phase = snapshot.status
            self._renew(context, self.phase, {})
            self._trouble = None
            if snapshot.status is PipelineStatus.STOPPED:
                self._changed.wait(context.job.lease_ttl_seconds)
                return
            self._changed.wait(context.job.lease_ttl_seconds / 3)

    def _run_detector(self, context: PipelineContext, snapshot: PipelineSnapshot) -> None:
        self.phase = "starting"
        progress = context.ledger.read_progress(context.pipeline_id)
        current = context.topics.topic_id(snapshot.kafka_topic)
        context = replace(context, topic_id=topic_id_of(progress.values()) or current)
        ranges = context.topics.ranges(snapshot.kafka_topic)
        decided = place_in_topic(context, snapshot, progress, ranges)
        context.ledger.note_topic_id(context.lease, context.topic_id)
        detector, companions = self._make_parts(context, snapshot.config.mode)
        for companion in companions:
            companion.start()
        try:
            detector.start(snapshot, ranges, decided)
            self._tend(context, detector, snapshot, ranges)
        except SourceGapError:
            # Before all others: the archive must not read what is not the topic that was decided.
            for companion in companions:
                companion.stop(timeout_seconds=20)
            raise
        finally:
            detector.stop()
            for companion in companions:
                companion.stop(timeout_seconds=20)

    def _tend(
        self,
        context: PipelineContext,
        detector: Detector,
        snapshot: PipelineSnapshot,
        ranges: dict[int, OffsetRange],
    ) -> None:
        renew_at = ranges_at = 0.0
        while not self._stopping.is_set():
            now = monotonic_seconds()
            try:
                # The lease first: it must not wait for a broker that does not answer.
                if now >= renew_at:
                    renew_at = now + context.job.lease_ttl_seconds / 3
                    self._renew(context, RUNNING, {**detector.details(), "lag_records": lag_of(ranges, detector)})
                if now >= ranges_at:
                    ranges_at = now + RANGES_SECONDS
                    # A topic made anew may hold enough records to look like the old one.
                    refuse_gap(context, snapshot.kafka_topic, {}, {})
                    ranges = context.topics.ranges(snapshot.kafka_topic)
                    context.topics.publish_progress(snapshot.kafka_topic, detector.decided)
                    self._trouble = None
                if self._changed.is_set():
                    self._changed.clear()
                    new = context.snapshots.current(self._pipeline_id)
                    if new.status is not PipelineStatus.ACTIVE or different_source(snapshot, new):
                        self._changed.set()
                        return
                    if new.fingerprint != snapshot.fingerprint:
                        detector.apply(new)
                        snapshot = new
            except TransientError as error:
                # Detection goes on while PostgreSQL or the broker's metadata is away.
                self._trouble = str(error)
                log.warning("pipeline %s: %s", self._pipeline_id, error)
                self._changed.set()
                renew_at = 0.0
                self._stopping.wait(0.5)
            detector.tick(ranges)
            self._changed.wait(TICK_SECONDS)

    def _renew(self, context: PipelineContext, phase: str, details: dict[str, object]) -> None:
        self.phase = phase
        self._told = {**self._details, "phase": phase, **details}
        context.ledger.renew_lease(context.lease, context.job.lease_ttl_seconds, self._told)


def different_source(old: PipelineSnapshot, new: PipelineSnapshot) -> bool:
    """Whether the change needs another detector, not only another generation."""
    return (
        old.config.mode != new.config.mode or old.kafka_topic != new.kafka_topic or old.source_epoch != new.source_epoch
    )


def place_in_topic(
    context: PipelineContext,
    snapshot: PipelineSnapshot,
    progress: dict[int, Progress],
    ranges: dict[int, OffsetRange],
) -> dict[int, int]:
    """Return where to go on, per partition: the ledger's progress, or the pipeline's start for new partitions.

    Args:
        ranges: What the topic holds, looked up after the progress was read.

    Raises:
        SourceGapError: The topic does not hold the next undecided record of a partition.
    """
    if not progress:
        # A topic that was made anew is read from its first record whatever the pipeline's start was.
        from_low = snapshot.start_at == "earliest" or snapshot.source_epoch > 0
        starts = {p: place.low if from_low else place.high for p, place in ranges.items()}
    else:
        starts = {p: place.low for p, place in ranges.items() if p not in progress}
    if starts:
        context.ledger.init_progress(context.lease, starts)
    decided = {p: known.next_offset for p, known in progress.items()} | starts
    refuse_gap(context, snapshot.kafka_topic, decided, ranges)
    return decided


def lag_of(ranges: dict[int, OffsetRange], detector: Detector) -> int:
    """Return how many records are not decided yet."""
    decided = detector.decided
    return sum(max(0, place.high - decided.get(partition, 0)) for partition, place in ranges.items())
