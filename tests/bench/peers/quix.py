"""Quix Streams: JSON values, one function with all rules, a batching sink that copies; checkpoints every 50,000."""

from __future__ import annotations

import json
from typing import Any

import psycopg
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

from tests.bench.peers.contract import Watch, read_task

task, watch = read_task(), Watch()
matches = task.matcher()


class Alerts(BatchingSink):
    """Writes the alerts of a checkpoint by COPY."""

    def __init__(self) -> None:
        super().__init__()
        self._connection = psycopg.connect(task.conninfo)

    def setup(self) -> None:
        """Nothing to prepare."""

    def write(self, batch: SinkBatch) -> None:
        """Write the alerts of one partition."""
        with self._connection.cursor() as cursor, cursor.copy(task.copy) as copy:
            for item in batch:
                rule, event = item.value
                copy.write_row((rule, event["event_id"], json.dumps(event)))
        self._connection.commit()


def alerts_of(event: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    watch.first()
    return [(rule, event) for rule in matches(event)]


app = Application(
    broker_address=task.bootstrap,
    consumer_group=f"quix-{task.table}",
    auto_offset_reset="earliest",
    auto_create_topics=False,
    loglevel="ERROR",
    commit_interval=5.0,
    commit_every=50_000,
    state_dir=task.directory,
    consumer_extra_config={"queued.max.messages.kbytes": 131_072},
)
frame = app.dataframe(app.topic(task.topic, value_deserializer="json"))
frame = frame.apply(alerts_of, expand=True)
frame.sink(Alerts())
app.run(count=task.count, collect=False)
watch.last()
watch.tell()
