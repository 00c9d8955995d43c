"""What topics hold, read by a consumer of no group that anybody else is in."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from confluent_kafka import Consumer, Message, TopicPartition

from sentinel.settings import Settings

# A broker answers at once; on a machine that is busy enough, nobody does.
SECONDS = 60


class Held(NamedTuple):
    """One record."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def held(settings: Settings, topic: str) -> list[Held]:
    """Return every record that a topic holds now."""
    found = []
    with _reader(settings) as reader:
        for partition in reader.list_topics(topic, timeout=SECONDS).topics[topic].partitions:
            place = TopicPartition(topic, partition, 0)
            _, high = reader.get_watermark_offsets(place, timeout=SECONDS)
            reader.assign([place])
            while high:
                record = reader.poll(SECONDS)
                assert record is not None
                assert record.error() is None, record.error()
                found.append(_held(record))
                if record.offset() == high - 1:
                    break
    return found


def awaited(settings: Settings, topic: str, count: int) -> list[Held]:
    """Return so many records, waiting for them, or as many as come within a minute."""
    with _reader(settings) as reader:
        reader.subscribe([topic])
        return [_held(record) for record in reader.consume(count, timeout=SECONDS)]


@contextmanager
def _reader(settings: Settings) -> Iterator[Consumer]:
    reader = Consumer(
        {
            "bootstrap.servers": settings.kafka.bootstrap_servers,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        yield reader
    finally:
        reader.close()


def _held(record: Message) -> Held:
    return Held(record.key(), record.value(), record.headers() or [])
