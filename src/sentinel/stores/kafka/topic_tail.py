"""Read the newest records of a topic, for looking at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from sentinel.clock import monotonic_seconds
from sentinel.errors import NotFoundError, StoreUnavailableError
from sentinel.settings import KafkaSettings

ASK_SECONDS = 2.0
READ_SECONDS = 3.0
# Of each record so much is kept; its full size is told.
MAX_RECORD_BYTES = 16 * 1024
# A topic with more partitions than this is read in those of the lowest numbers.
MAX_PARTITIONS = 64
# So much is fetched ahead of what is asked for, per partition.
_FETCH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TailRecord:
    """A record as it lies in Kafka.

    Attributes:
        value: At most `MAX_RECORD_BYTES` of it; None: it has none.
        size_bytes: Of the whole value.
    """

    partition: int
    offset: int
    kafka_timestamp: datetime
    value: bytes | None
    size_bytes: int


def newest_records(settings: KafkaSettings, topic: str, limit: int) -> list[TailRecord]:
    """Return the newest records of a topic, newest first, `limit` at most.

    Joins no group and commits nothing, so nobody's place changes. Takes some seconds at most: what was not read by then
    is left out.

    Raises:
        NotFoundError: There is no such topic.
        StoreUnavailableError: Kafka does not answer.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            # Required by the library; no group is joined, since partitions are assigned by hand.
            "group.id": "sentinel-look",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "fetch.message.max.bytes": _FETCH_BYTES,
            "queued.max.messages.kbytes": 4 * 1024,
            "log_level": 2,
        }
    )
    try:
        return _read(consumer, topic, limit)
    except KafkaException as error:
        raise StoreUnavailableError("Kafka", error.args[0].str()) from error
    finally:
        consumer.close()


def _read(consumer: Consumer, topic: str, limit: int) -> list[TailRecord]:
    found = consumer.list_topics(topic, timeout=ASK_SECONDS).topics.get(topic)
    if found is None or (found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART):
        raise NotFoundError(f"there is no topic {topic!r} in Kafka yet; whoever sends the first record makes it")
    if found.error is not None:
        raise KafkaException(found.error)
    deadline = monotonic_seconds() + READ_SECONDS
    wanted: list[TopicPartition] = []
    for partition in sorted(found.partitions)[:MAX_PARTITIONS]:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ASK_SECONDS)
        if OFFSET_INVALID not in {low, high} and high > low:
            wanted.append(TopicPartition(topic, partition, max(low, high - limit)))
        if monotonic_seconds() > deadline:
            break
    if not wanted:
        return []
    consumer.assign(wanted)
    at_end: set[int] = set()
    records: list[TailRecord] = []
    while len(at_end) < len(wanted) and monotonic_seconds() < deadline:
        for message in consumer.consume(500, timeout=0.2):
            error = message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                at_end.add(message.partition())
                continue
            value = message.value()
            size = 0 if value is None else len(value)
            moment = datetime.fromtimestamp(max(0, message.timestamp()[1]) / 1000, UTC)
            kept = None if value is None else value[:MAX_RECORD_BYTES]
            records.append(TailRecord(message.partition(), message.offset(), moment, kept, size))
        # A topic that is written to as fast as it is read has no end.
        records = _newest(records, limit)
    return records


def _newest(records: list[TailRecord], limit: int) -> list[TailRecord]:
    return sorted(records, key=lambda each: (each.kafka_timestamp, each.offset, each.partition), reverse=True)[:limit]
