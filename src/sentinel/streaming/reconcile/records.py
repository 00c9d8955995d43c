"""Topic = lake + dead letters, offset by offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition

from sentinel.errors import StoreUnavailableError
from sentinel.settings import KafkaSettings
from sentinel.streaming.reconcile.report import Difference

PLACE = pa.schema([("partition", pa.int32()), ("offset", pa.int64())])
EXAMPLES = 5
SILENCE_SECONDS = 10.0
CHUNK = 10_000


def topic_places(kafka: KafkaSettings, topic: str, spans: Mapping[int, tuple[int, int]]) -> pa.Table:
    """Read which offsets a topic holds in these spans (start inclusive, end exclusive), by reading the records.

    Raises:
        StoreUnavailableError: The broker does not answer.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": "sentinel-reconcile",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 2,
        }
    )
    open_spans = {partition: end for partition, (start, end) in spans.items() if end > start}
    consumer.assign([TopicPartition(topic, p, spans[p][0]) for p in open_spans])
    partitions: list[int] = []
    offsets: list[int] = []
    try:
        while open_spans:
            first = consumer.poll(SILENCE_SECONDS)
            if first is None:
                raise StoreUnavailableError("Kafka", f"{topic!r} gave nothing more for {SILENCE_SECONDS:g} s")
            # What is there already: asked for a number of records, it would wait for the last of them.
            for record in (first, *consumer.consume(CHUNK - 1, timeout=0)):
                partition, offset = record.partition(), record.offset()
                end = open_spans.get(partition)
                if end is None:
                    continue
                if record.error() is None and offset < end:
                    partitions.append(partition)
                    offsets.append(offset)
                if record.error() is not None or offset >= end - 1:
                    del open_spans[partition]
                    consumer.incremental_unassign([TopicPartition(topic, partition)])
    finally:
        consumer.close()
    return pa.table({"partition": partitions, "offset": offsets}, schema=PLACE)


def places(pairs: Sequence[tuple[int, int]]) -> pa.Table:
    """Return (partition, offset) pairs as a table."""
    return pa.table({"partition": [p for p, _ in pairs], "offset": [o for _, o in pairs]}, schema=PLACE)


def compare_records(topic: pa.Table, lake: pa.Table, dead: pa.Table) -> Difference:
    """Compare what the topic holds with lake and dead letters together.

    Lost: in the topic, in neither. Doubled: more than once in the two together, or in them and not in the topic.
    """
    connection = duckdb.connect()
    for name, table in (("topic", topic), ("lake", lake), ("dead", dead)):
        connection.register(name, table)
    connection.execute(
        'CREATE TEMP TABLE kept AS SELECT "partition", "offset", count(*) AS times FROM '
        '(SELECT "partition", "offset" FROM lake UNION ALL SELECT "partition", "offset" FROM dead) GROUP BY ALL'
    )
    lost = connection.execute(
        'SELECT "partition", "offset" FROM topic ANTI JOIN kept USING ("partition", "offset") ORDER BY ALL'
    ).fetchall()
    more = connection.execute(
        'SELECT "partition", "offset", times FROM kept LEFT JOIN (SELECT *, true AS there FROM topic) t '
        'USING ("partition", "offset") WHERE times > 1 OR there IS NULL ORDER BY ALL'
    ).fetchall()
    examples = [f"lost: partition {p}, offset {o}" for p, o in lost[:EXAMPLES]]
    examples += [f"{times} times: partition {p}, offset {o}" for p, o, times in more[:EXAMPLES]]
    return Difference(
        "topic = lake + dead letters",
        expected=topic.num_rows,
        found=lake.num_rows + dead.num_rows,
        lost=len(lost),
        doubled=len(more),
        examples=tuple(examples),
    )
