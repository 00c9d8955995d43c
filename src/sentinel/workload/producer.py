"""Sends chunks of records to Kafka by their timetable, and counts what became of every one of them.

Open loop: a record is due at its scheduled time whatever the broker does, so that a slow system shows as lateness
and is not spared by the load generator.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from sentinel.clock import monotonic_seconds
from sentinel.errors import InvalidError, StoreUnavailableError
from sentinel.settings import KafkaSettings
from sentinel.workload.feed import Chunk

TIMEOUT_SECONDS = 10.0
BATCH = 512
PROGRESS_SECONDS = 0.2
MIN_SLEEP_SECONDS = 0.001
FULL_QUEUE_WAIT_SECONDS = 0.01
_CONFIG = {
    # A load generator that doubles a record on a retry would accuse the system under test.
    "enable.idempotence": True,
    # A report per record costs more than sending it; failures are reported one by one, the rest is counted.
    "delivery.report.only.error": True,
    # Keys land where the Java clients put them.
    "partitioner": "murmur2_random",
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 131_072,
    "batch.num.messages": 10_000,
    "log_level": 2,
}


@dataclass(slots=True)
class SendSummary:
    """What was sent and what became of it; also the state on the way there.

    Attributes:
        sent: Records handed to the client or refused by it.
        failed: Records that will never arrive, by the broker's or the client's reason in `reasons`.
        bytes: Of the values.
        late_seconds: The worst lateness of a record against its timetable.
        stopped: Ended early, on request.
    """

    topic: str
    sent: int = 0
    failed: int = 0
    in_flight: int = 0
    bytes: int = 0
    seconds: float = 0.0
    late_seconds: float = 0.0
    stopped: bool = False
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def delivered(self) -> int:
        """Records the broker has acknowledged."""
        return self.sent - self.failed - self.in_flight

    @property
    def rate(self) -> float:
        """Records delivered per second."""
        return self.delivered / self.seconds if self.seconds > 0 else 0.0


def ensure_topic(settings: KafkaSettings, topic: str, partitions: int) -> int:
    """Create a topic unless it exists, and return how many partitions it has.

    Raises:
        InvalidError: Kafka refuses the name.
        StoreUnavailableError: The broker does not answer.
    """
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 2})
    deadline = monotonic_seconds() + TIMEOUT_SECONDS
    try:
        found = admin.list_topics(timeout=TIMEOUT_SECONDS).topics.get(topic)
        if found is not None and found.partitions:
            return len(found.partitions)
        wanted = NewTopic(topic, num_partitions=partitions, replication_factor=1)
        try:
            admin.create_topics([wanted])[topic].result(TIMEOUT_SECONDS)
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.TOPIC_EXCEPTION:
                raise InvalidError(f"Kafka refuses the topic name {topic!r}: {error.args[0].str()}") from error
            if code != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        while monotonic_seconds() < deadline:
            found = admin.list_topics(topic, timeout=TIMEOUT_SECONDS).topics.get(topic)
            if found is not None and found.partitions and all(p.leader >= 0 for p in found.partitions.values()):
                return len(found.partitions)
            threading.Event().wait(0.05)
    except KafkaException as error:
        raise StoreUnavailableError("Kafka", f"{settings.bootstrap_servers}: {error.args[0].str()}") from error
    raise StoreUnavailableError("Kafka", f"the topic {topic!r} has no leaders after {TIMEOUT_SECONDS:.0f} s")


def send(
    settings: KafkaSettings,
    topic: str,
    chunks: Iterable[Chunk],
    *,
    begin: float | None = None,
    seconds: float | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[SendSummary], None] | None = None,
    flush_seconds: float = 60.0,
    config: dict[str, Any] | None = None,
) -> SendSummary:
    """Send chunks and wait until each record is delivered or has failed.

    Args:
        begin: Reading of `monotonic_seconds` from which `Chunk.due` counts; None: now.
        seconds: Send nothing that is due, or still waiting, later than this after `begin`.
        stop: Ends sending when set; what was handed over is still delivered.
        on_progress: Called about five times a second from this thread.
        flush_seconds: What is not acknowledged so long after the last record counts as failed.
        config: Further settings of the Kafka client.
    """
    return _Sending(
        settings,
        topic,
        begin=begin,
        seconds=seconds,
        stop=stop or threading.Event(),
        on_progress=on_progress,
        config=config,
    ).run(iter(chunks), flush_seconds)


class _Sending:
    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        *,
        begin: float | None,
        seconds: float | None,
        stop: threading.Event,
        on_progress: Callable[[SendSummary], None] | None,
        config: dict[str, Any] | None,
    ) -> None:
        base = {"bootstrap.servers": settings.bootstrap_servers, "linger.ms": 2, **_CONFIG}
        self._producer = Producer({**base, **(config or {})})
        self._begin = monotonic_seconds() if begin is None else begin
        self._end = None if seconds is None else self._begin + seconds
        self._stop = stop
        self._on_progress = on_progress
        self._next_progress = 0.0
        self._ahead: Chunk | None = None
        self.summary = SendSummary(topic)

    def run(self, chunks: Iterator[Chunk], flush_seconds: float) -> SendSummary:
        while not self._over() and (chunk := self._next(chunks)) is not None:
            self._send_chunk(chunk, chunks)
        self.summary.stopped = self._stop.is_set()
        self._flush(flush_seconds)
        return self.summary

    def _over(self) -> bool:
        return self._stop.is_set() or (self._end is not None and monotonic_seconds() >= self._end)

    def _next(self, chunks: Iterator[Chunk]) -> Chunk | None:
        chunk, self._ahead = self._ahead, None
        return chunk or next(chunks, None)

    def _send_chunk(self, chunk: Chunk, chunks: Iterator[Chunk]) -> None:
        at, size = 0, len(chunk.messages)
        while at < size and not self._over():
            now = monotonic_seconds()
            due = size if chunk.due is None else bisect_right(chunk.due, now - self._begin)
            if due > at:
                upto = min(due, at + BATCH)
                if chunk.due is not None:
                    self.summary.late_seconds = max(self.summary.late_seconds, now - self._begin - chunk.due[at])
                self._hand_over(chunk.messages[at:upto])
                at = upto
            elif chunk.due is not None:
                self._idle(chunk.due[at] - (now - self._begin), chunks)
            self._tell()

    def _idle(self, gap: float, chunks: Iterator[Chunk]) -> None:
        """Use the time until the next record is due: prepare the next chunk, else sleep."""
        if gap > 0.005 and self._ahead is None:
            self._ahead = next(chunks, None)
            if self._ahead is not None:
                return
        until_end = gap if self._end is None else min(gap, self._end - monotonic_seconds())
        self._producer.poll(0)
        self._stop.wait(min(max(until_end, MIN_SLEEP_SECONDS), PROGRESS_SECONDS))

    def _hand_over(self, messages: list[dict[str, bytes | None]]) -> None:
        waiting: list[dict[str, Any]] = list(messages)
        while waiting:
            self._producer.produce_batch(self.summary.topic, waiting, on_delivery=self._failed)
            refused: list[dict[str, Any]] = []
            for message in waiting:
                error = message.pop("_error", None)
                if error is not None and error.code() == KafkaError._QUEUE_FULL:
                    refused.append(message)
                    continue
                self.summary.sent += 1
                self.summary.bytes += len(message["value"] or b"")
                if error is not None:
                    self._count_failure(error)
            waiting = refused
            if waiting:
                self._producer.poll(FULL_QUEUE_WAIT_SECONDS)
                self._tell()
                if self._stop.is_set():
                    return
        self._producer.poll(0)

    def _failed(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._count_failure(error)

    def _count_failure(self, error: KafkaError) -> None:
        self.summary.failed += 1
        self.summary.reasons[error.str()] += 1

    def _tell(self) -> None:
        now = monotonic_seconds()
        if now >= self._next_progress:
            self._next_progress = now + PROGRESS_SECONDS
            self._update(now)
            if self._on_progress is not None:
                self._on_progress(self.summary)

    def _update(self, now: float) -> None:
        # A failure's report may still wait in the queue, so the number in flight never exceeds what is undecided.
        self.summary.in_flight = min(len(self._producer), self.summary.sent - self.summary.failed)
        self.summary.seconds = max(0.0, now - self._begin)

    def _flush(self, flush_seconds: float) -> None:
        deadline = monotonic_seconds() + flush_seconds
        while len(self._producer) and monotonic_seconds() < deadline:
            self._producer.flush(PROGRESS_SECONDS)
            self._tell()
        if len(self._producer):
            self._producer.purge()
            self._producer.flush(1.0)
        self._producer.poll(0)
        self._update(monotonic_seconds())
