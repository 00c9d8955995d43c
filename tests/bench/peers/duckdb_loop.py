"""A loop of confluent-kafka and DuckDB: batches become a table, one statement evaluates every rule, COPY writes.

Offsets would be committed after the alerts: at least once.
"""

from __future__ import annotations

import duckdb
import orjson
import psycopg
import pyarrow as pa
from confluent_kafka import Consumer

from tests.bench.peers.contract import Watch, read_task

BATCH = 50_000

task, watch = read_task(), Watch()
consumer = Consumer(
    {
        "bootstrap.servers": task.bootstrap,
        "group.id": f"duckdb-{task.table}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "queued.max.messages.kbytes": 131_072,
        "log_level": 0,
    }
)
consumer.subscribe([task.topic])
engine = duckdb.connect(config={"threads": 2})
names = list(task.conditions)
masks = ", ".join(f"({condition}) AS m{number}" for number, condition in enumerate(task.conditions.values()))
any_of = " OR ".join(f"m{number}" for number in range(len(names)))
statement = f"SELECT * FROM (SELECT at, event_id, {masks} FROM events) WHERE {any_of}"
seen = 0
with psycopg.connect(task.conninfo) as connection:
    while seen < task.count:
        values: list[bytes] = []
        while len(values) < BATCH and seen + len(values) < task.count:
            got = consumer.consume(min(10_000, BATCH - len(values)), 0.5)
            if got:
                watch.first()
            values.extend(value for message in got if (value := message.value()) is not None)
        events = pa.Table.from_pylist([orjson.loads(value) for value in values])
        events = events.append_column("at", pa.array(range(len(values))))
        engine.register("events", events)
        found = engine.execute(statement).fetchall()
        with connection.cursor() as cursor, cursor.copy(task.copy) as copy:
            for at, event_id, *matched in found:
                for number, holds in enumerate(matched):
                    if holds:
                        copy.write_row((names[number], event_id, values[at].decode()))
        connection.commit()
        consumer.commit(asynchronous=True)
        seen += len(values)
watch.last()
consumer.close()
watch.tell()
