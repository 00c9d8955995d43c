"""confluent-kafka alone: every record is read and counted, nothing else. No alerts."""

from __future__ import annotations

from confluent_kafka import Consumer

from tests.bench.peers.contract import Watch, read_task

task, watch = read_task(), Watch()
consumer = Consumer(
    {
        "bootstrap.servers": task.bootstrap,
        "group.id": f"raw-{task.table}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "fetch.max.bytes": 52_428_800,
        "queued.max.messages.kbytes": 131_072,
        "log_level": 0,
    }
)
consumer.subscribe([task.topic])
seen = 0
while seen < task.count:
    got = consumer.consume(10_000, 0.5)
    if got:
        watch.first()
    seen += len(got)
watch.last()
consumer.close()
watch.tell()
