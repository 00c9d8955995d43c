"""`sentinel kafka-consume TOPIC`."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from sentinel.errors import NotFoundError, StoreUnavailableError
from sentinel.settings import Settings

_TIMEOUT_SECONDS = 10.0


def kafka_consume(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    count: Annotated[int, typer.Option("-n", "--count", min=0, help="Stop after so many records; 0: never.")] = 0,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest record.")] = False,
    values_only: Annotated[bool, typer.Option("--values-only", help="Leave out partition and offset.")] = False,
) -> None:
    """Show the records of a topic: partition, offset, value. Leaves no consumer group behind."""
    consumer = Consumer(
        {
            "bootstrap.servers": Settings.load().kafka.bootstrap_servers,
            "group.id": f"sentinel-show-{uuid.uuid4().hex[:8]}",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    try:
        consumer.assign(_starts(consumer, topic, from_beginning))
        shown = 0
        while not count or shown < count:
            record = consumer.poll(0.5)
            if record is None:
                continue
            error = record.error()
            if error is not None:
                raise StoreUnavailableError("Kafka", error.str())
            print(_line(record, values_only), flush=True)
            shown += 1
    except KafkaException as error:
        raise StoreUnavailableError("Kafka", str(error.args[0].str())) from error
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()


def _starts(consumer: Consumer, topic: str, from_beginning: bool) -> list[TopicPartition]:
    found = consumer.list_topics(timeout=_TIMEOUT_SECONDS).topics
    if topic not in found or found[topic].error is not None:
        known = ", ".join(sorted(name for name in found if not name.startswith("__"))) or "none"
        raise NotFoundError(f"there is no topic {topic!r}; there are: {known}")
    starts = []
    for partition in sorted(found[topic].partitions):
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_TIMEOUT_SECONDS)
        starts.append(TopicPartition(topic, partition, low if from_beginning else high))
    return starts


def _line(record: Message, values_only: bool) -> str:
    value = record.value()
    text = "<tombstone>" if value is None else value.decode(errors="backslashreplace")
    return text if values_only else f"{record.partition()}:{record.offset()}\t{text}"
