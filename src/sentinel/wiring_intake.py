"""Settings -> stores -> the intake of events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sentinel.catalog.intake import Intake
from sentinel.catalog.intake_targets import IntakeTargets
from sentinel.clock import monotonic_seconds
from sentinel.settings import Settings
from sentinel.stores.kafka.event_log import AppendFailure, EventLog, EventRecord
from sentinel.stores.kafka.event_places import log_places
from sentinel.stores.kafka.event_spool import EventSpool
from sentinel.stores.redis.rate_limit import RateLimiter
from sentinel.stores.redis.scores import connect
from sentinel.stores.redis.seen_events import SeenEvents
from sentinel.telemetry.traces import NO_TRACES, Traces, Value
from sentinel.wiring import Backend, Unit

CALLER = "event intake"


@dataclass(frozen=True, slots=True)
class EventIntake:
    """The intake of one process.

    Attributes:
        intake: Takes events.
        seen: Keeps the answers to requests with an Idempotency-Key.
        spool: Where events wait for the broker; None: it is switched off.
        make_topic: Creates a topic; None: that is switched off.
    """

    intake: Intake
    seen: SeenEvents
    log: EventLog
    spool: EventSpool | None
    make_topic: Callable[[str], None] | None

    def open(self) -> None:
        """Begin to bring what was spooled to the broker."""
        if self.spool is not None:
            self.spool.start(self.log, self.make_topic)

    def close(self) -> None:
        """Stop; wait for what is on its way."""
        if self.spool is not None:
            self.spool.stop()
        self.log.close()


def build_intake(settings: Settings, backend: Backend, traces: Traces = NO_TRACES) -> EventIntake:
    """Build the intake of a process. Its stores need not answer yet."""
    chosen = settings.ingest
    note = log_places if settings.telemetry.log_events else None
    log = EventLog(settings.kafka, timeout_seconds=chosen.timeout_seconds, note=note)
    seen = SeenEvents(connect(settings.redis), seconds=max(1, round(chosen.deduplicate_hours * 3600)))

    @contextmanager
    def unit(tenant_id: str) -> Iterator[Unit]:
        with backend.unit(tenant_id, CALLER) as opened:
            yield opened

    def make_topic(topic: str) -> None:
        log.ensure_topic(topic, partitions=chosen.default_partitions, replication=chosen.replication)

    spool = None
    if chosen.spool_max_bytes:
        spool = EventSpool(settings.spool_path, max_bytes=chosen.spool_max_bytes)
    intake = Intake(
        IntakeTargets(unit, make_topic, backend.topic_owner, now=monotonic_seconds, keep_seconds=chosen.config_seconds),
        _TracedLog(log, traces),
        seen,
        RateLimiter(settings.redis, per_minute=chosen.events_per_minute),
        spool=spool,
        needs_redis=chosen.without_redis == "refuse",
        create_topic=chosen.create_topics,
    )
    return EventIntake(intake, seen, log, spool, make_topic if chosen.create_topics else None)


@dataclass(frozen=True, slots=True)
class _TracedLog:
    """The log, with a span per request: how long the broker took."""

    log: EventLog
    traces: Traces

    def append(self, records: Sequence[EventRecord]) -> list[AppendFailure | None]:
        """Write records, as the log does."""
        if not records:
            return []
        topics = sorted({record.topic for record in records})
        told: dict[str, Value] = {
            "messaging.system": "kafka",
            "messaging.destination.name": topics,
            "messaging.batch.message_count": len(records),
        }
        with self.traces.span("produce", told, kind="producer") as span:
            failures = self.log.append(records)
            failed = sum(failure is not None for failure in failures)
            if failed:
                span.failed(f"{failed} records are not held")
        return failures
