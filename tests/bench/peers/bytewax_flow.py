"""Bytewax: batches of 1,000 from Kafka, orjson, one function with all rules, a sink that copies."""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
import orjson
import psycopg
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from tests.bench.peers.contract import Watch, read_task

task, watch = read_task(), Watch()
matches = task.matcher()


class Alerts(StatelessSinkPartition[Any]):
    """Writes alerts by COPY."""

    def __init__(self) -> None:
        self._connection = psycopg.connect(task.conninfo)

    def write_batch(self, items: list[Any]) -> None:
        """Write alerts as they come."""
        with self._connection.cursor() as cursor, cursor.copy(task.copy) as copy:
            for rule, event_id, raw in items:
                copy.write_row((rule, event_id, raw))
        self._connection.commit()
        watch.last()


class Sink(DynamicSink[Any]):
    """One connection per worker."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Alerts:
        """Open it."""
        return Alerts()


def alerts_of(messages: list[Any]) -> list[Any]:
    watch.first()
    found = []
    for message in messages:
        event = orjson.loads(message.value)
        found.extend((rule, event["event_id"], message.value.decode()) for rule in matches(event))
    return found


flow = Dataflow("peer")
source = KafkaSource(
    [task.bootstrap], [task.topic], tail=False, batch_size=1000, add_config={"queued.max.messages.kbytes": "131072"}
)
records = op.input("in", flow, source)
alerts = op.flat_map_batch("rules", records, alerts_of)
op.output("out", alerts, Sink())
run_main(flow)
watch.last()
watch.tell()
