"""Write events to topics and wait until the broker holds them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from sentinel.clock import monotonic_seconds
from sentinel.errors import ConfigurationError, StoreUnavailableError
from sentinel.settings import KafkaSettings

POLL_SECONDS = 0.1
ASK_SECONDS = 2.0
# Confirmations arrive a moment after the producer has given a record up.
GRACE_SECONDS = 1.0
_MISSING = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}
_PERMANENT = _MISSING | {
    KafkaError._UNKNOWN_PARTITION,
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.INVALID_RECORD,
}
_REFUSED = {
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.POLICY_VIOLATION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.INVALID_PARTITIONS,
    KafkaError.INVALID_CONFIG,
}


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A record to be written.

    Attributes:
        key: Chooses the partition; None: any.
    """

    topic: str
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class AppendFailure:
    """Why a record was not written.

    Attributes:
        is_permanent: The same record cannot be written later either, unless somebody changes the topic.
        is_missing_topic: There is no such topic.
    """

    reason: str
    is_permanent: bool = False
    is_missing_topic: bool = False


Place = tuple[int, int]
"""Partition and offset."""

Note = Callable[[Sequence[EventRecord], Sequence[Place | None]], None]
"""Is told records and, for each, where it lies; None: the broker does not hold it, or nobody knows."""


@dataclass(slots=True)
class _Batch:
    """Records on their way.

    Attributes:
        places: Where each lies; None: nobody asks.
    """

    count: int
    places: list[Place | None] | None = None
    settled: dict[int, AppendFailure | None] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def settle(self, index: int, failure: AppendFailure | None) -> None:
        """Note what became of a record: None when the broker holds it."""
        with self.lock:
            self.settled[index] = failure
            if len(self.settled) == self.count:
                self.done.set()

    def results(self, otherwise: AppendFailure) -> list[AppendFailure | None]:
        """Return what became of each record; of those that are still open, `otherwise`."""
        with self.lock:
            return [self.settled.get(index, otherwise) for index in range(self.count)]


class EventLog:
    """Topics that events are appended to. Safe for many threads; connects when first used.

    Args:
        note: Is told, after each `append`, where the records lie; None: where that is, nobody asks.
    """

    def __init__(
        self, settings: KafkaSettings, *, timeout_seconds: float, linger_ms: int = 2, note: Note | None = None
    ) -> None:
        self._note = note
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._linger_ms = linger_ms
        self._producer: Producer | None = None
        self._poller: threading.Thread | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def append(self, records: Sequence[EventRecord]) -> list[AppendFailure | None]:
        """Write records; return, for each, None when every replica in sync holds it, else why not.

        Takes as long as the slowest of them, at most about the time-out. A record that timed out may be held all the
        same: whoever sends it again must expect two.
        """
        return self._append(records, None if self._note is None else [None] * len(records))

    def append_placed(self, records: Sequence[EventRecord]) -> list[Place | AppendFailure]:
        """Do the same, and return where each record lies."""
        places: list[Place | None] = [None] * len(records)
        failures = self._append(records, places)
        unknown = AppendFailure("the broker did not say where it lies")
        return [failure or place or unknown for failure, place in zip(failures, places, strict=True)]

    def _append(self, records: Sequence[EventRecord], places: list[Place | None] | None) -> list[AppendFailure | None]:
        if not records:
            return []
        producer = self._started()
        batch = _Batch(len(records), places)
        deadline = monotonic_seconds() + self._timeout_seconds
        for index, record in enumerate(records):
            self._produce(producer, record, index, batch, deadline)
        batch.done.wait(max(0.0, deadline - monotonic_seconds()) + GRACE_SECONDS)
        if self._note is not None and batch.places is not None:
            self._note(records, batch.places)
        return batch.results(AppendFailure(f"not confirmed within {self._timeout_seconds:g} s"))

    def ensure_topic(self, topic: str, *, partitions: int, replication: int = 1) -> None:
        """Create a topic where there is none, and wait until records can be appended to it.

        Raises:
            ConfigurationError: The broker refuses such a topic.
            StoreUnavailableError: The broker does not answer.
        """
        admin = AdminClient({"bootstrap.servers": self._settings.bootstrap_servers, "log_level": 2})
        deadline = monotonic_seconds() + self._timeout_seconds
        try:
            if topic not in admin.list_topics(timeout=self._timeout_seconds).topics:
                wanted = NewTopic(topic, num_partitions=partitions, replication_factor=replication)
                for future in admin.create_topics([wanted], operation_timeout=self._timeout_seconds).values():
                    _created(future, self._timeout_seconds)
            # The producer remembers which topics there were not, until it is made to look again.
            while not self._sees(topic):
                if monotonic_seconds() > deadline:
                    raise StoreUnavailableError("Kafka", f"it has not created the topic {topic!r} in time")
                self._closing.wait(0.05)
        except KafkaException as error:
            if error.args[0].code() in _REFUSED:
                raise ConfigurationError(f"the topic {topic!r} cannot be created: {error.args[0].str()}") from error
            raise StoreUnavailableError("Kafka", str(error.args[0])) from error
        except TimeoutError as error:
            raise StoreUnavailableError("Kafka", f"it has not created the topic {topic!r} in time") from error

    def trouble(self) -> str | None:
        """Ask whether the broker answers, and return what is wrong, None where nothing is. Takes 2 s at most."""
        try:
            self._started().list_topics(timeout=ASK_SECONDS)
        except KafkaException as error:
            return StoreUnavailableError("Kafka", error.args[0].str()).message
        return None

    def _sees(self, topic: str) -> bool:
        found = self._started().list_topics(topic, timeout=self._timeout_seconds).topics.get(topic)
        return found is not None and found.error is None and len(found.partitions) > 0

    def close(self) -> None:
        """Wait for what is on its way and leave the broker."""
        self._closing.set()
        if self._poller is not None:
            self._poller.join(timeout=5)
        if self._producer is not None:
            self._producer.flush(self._timeout_seconds)

    def _started(self) -> Producer:
        with self._lock:
            if self._producer is None:
                self._producer = Producer(
                    {
                        "bootstrap.servers": self._settings.bootstrap_servers,
                        "acks": "all",
                        "enable.idempotence": True,
                        "linger.ms": self._linger_ms,
                        "message.timeout.ms": int(self._timeout_seconds * 1000),
                        "message.max.bytes": 8 * 1024 * 1024,
                        "queue.buffering.max.messages": 200_000,
                        "queue.buffering.max.kbytes": 131_072,
                        "topic.metadata.propagation.max.ms": 1_000,
                        "log_level": 2,
                    }
                )
                self._poller = threading.Thread(target=self._poll, name="event-log", daemon=True)
                self._poller.start()
            return self._producer

    def _poll(self) -> None:
        assert self._producer is not None  # noqa: S101 - it is started after that
        while not self._closing.is_set():
            self._producer.poll(POLL_SECONDS)

    def _produce(
        self,
        producer: Producer,
        record: EventRecord,
        index: int,
        batch: _Batch,
        deadline: float,
    ) -> None:
        settle = partial(batch.settle, index)

        def confirmed(error: KafkaError | None, message: Message) -> None:
            if batch.places is not None and error is None:
                batch.places[index] = (message.partition(), message.offset())
            settle(None if error is None else _failure(error))

        while True:
            try:
                producer.produce(
                    record.topic, record.value, record.key, headers=list(record.headers), on_delivery=confirmed
                )
            except BufferError:
                # Full of records that the broker has not taken: bounded memory, then a bounded wait.
                if monotonic_seconds() > deadline:
                    settle(AppendFailure("the broker takes records too slowly"))
                    return
                self._closing.wait(0.01)
            except KafkaException as error:
                settle(_failure(error.args[0]))
                return
            else:
                return


def _failure(error: KafkaError) -> AppendFailure:
    return AppendFailure(error.str(), error.code() in _PERMANENT, error.code() in _MISSING)


def _created(future: Future[None], timeout_seconds: float) -> None:
    try:
        future.result(timeout_seconds)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
