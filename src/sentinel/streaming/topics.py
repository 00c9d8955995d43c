"""Offsets and topics of Kafka, as the driver needs them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from sentinel.clock import monotonic_seconds
from sentinel.domain.source_gap import OffsetRange
from sentinel.errors import NotFoundError, StoreUnavailableError
from sentinel.settings import KafkaSettings

MAX_FINDING_BYTES = 8 * 1024 * 1024
TIMEOUT_SECONDS = 10.0
# Zero, in the URL-safe base 64 in which Kafka shows ids.
NO_TOPIC_ID = "A" * 22


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into StoreUnavailableError."""
    try:
        yield
    except KafkaException as error:
        raise StoreUnavailableError("Kafka", str(error.args[0] if error.args else error)) from error


class Topics:
    """Look up and create topics. One instance per thread that uses it."""

    def __init__(self, settings: KafkaSettings, *, group_id: str) -> None:
        self._settings = settings
        self._admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 2})
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                "group.id": group_id,
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def partitions(self, topic: str) -> list[int]:
        """Return the partition numbers of a topic.

        Raises:
            NotFoundError: The topic does not exist.
            StoreUnavailableError: The broker does not answer.
        """
        with translated():
            found = self._consumer.list_topics(topic, timeout=TIMEOUT_SECONDS).topics.get(topic)
        if found is None or found.error is not None or not found.partitions:
            raise NotFoundError(f"the topic {topic!r} does not exist on {self._settings.bootstrap_servers}")
        return sorted(found.partitions)

    def ranges(self, topic: str) -> dict[int, OffsetRange]:
        """Return what each partition of a topic holds now.

        Raises:
            NotFoundError: The topic does not exist.
            StoreUnavailableError: The broker does not answer.
        """
        ranges = {}
        with translated():
            for partition in self.partitions(topic):
                low, high = self._consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=TIMEOUT_SECONDS
                )
                ranges[partition] = OffsetRange(low, high)
        return ranges

    def topic_id(self, topic: str) -> str:
        """Return Kafka's id of a topic, which a topic made anew under the same name does not have.

        Empty where the broker knows no ids (before Kafka 2.8).

        Raises:
            NotFoundError: The topic does not exist.
            StoreUnavailableError: The broker does not answer.
        """
        try:
            (future,) = self._admin.describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT_SECONDS).values()
            # The request's own limit ends first.
            found = str(future.result(2 * TIMEOUT_SECONDS).topic_id)
        except TimeoutError as error:
            raise StoreUnavailableError("Kafka", "the controller does not answer") from error
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise NotFoundError(
                    f"the topic {topic!r} does not exist on {self._settings.bootstrap_servers}"
                ) from error
            raise StoreUnavailableError("Kafka", str(error.args[0])) from error
        return "" if found == NO_TOPIC_ID else found

    def ensure_findings_topic(self, topic: str, partitions: int) -> None:
        """Create the findings topic, or widen it to at least so many partitions.

        Raises:
            StoreUnavailableError: The broker does not answer or refuses.
        """
        with translated():
            try:
                existing = len(self.partitions(topic))
            except NotFoundError:
                existing = 0
            if existing == 0:
                wanted = NewTopic(
                    topic,
                    num_partitions=partitions,
                    replication_factor=self._settings.findings_replication,
                    config={
                        "retention.ms": str(self._settings.findings_retention_hours * 3_600_000),
                        "max.message.bytes": str(MAX_FINDING_BYTES),
                        "compression.type": "producer",
                    },
                )
                for future in self._admin.create_topics([wanted]).values():
                    try:
                        future.result(TIMEOUT_SECONDS)
                    except KafkaException as error:
                        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                            raise
            elif existing < partitions:
                for future in self._admin.create_partitions([NewPartitions(topic, partitions)]).values():
                    future.result(TIMEOUT_SECONDS)
        self._wait_for(topic, partitions)

    def _wait_for(self, topic: str, partitions: int) -> None:
        """A broker answers for a new topic a moment after it has created it."""
        deadline = monotonic_seconds() + TIMEOUT_SECONDS
        while True:
            try:
                if len(self.ranges(topic)) >= partitions:
                    return
            except (NotFoundError, StoreUnavailableError):
                if monotonic_seconds() > deadline:
                    raise
            time.sleep(0.05)

    def publish_progress(self, topic: str, next_offsets: dict[int, int]) -> None:
        """Commit processed offsets to the consumer group, so that the usual Kafka tools show the lag.

        For display only: the ledger decides where to go on.

        Raises:
            StoreUnavailableError: The broker does not answer.
        """
        if next_offsets:
            with translated():
                self._consumer.commit(
                    offsets=[TopicPartition(topic, partition, offset) for partition, offset in next_offsets.items()],
                    asynchronous=True,
                )


def group_id_of(tenant_id: str, pipeline_id: int) -> str:
    """Return the consumer group under which a pipeline's progress is published."""
    return f"sentinel-{tenant_id}-{pipeline_id}"
