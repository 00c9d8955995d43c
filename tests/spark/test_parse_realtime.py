"""The same verdicts in Real-Time Mode, and a query that outlives every one of them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from sentinel.domain.diagnosis import UNSOUND
from sentinel.domain.pipeline import PipelineConfig
from sentinel.settings import Settings
from sentinel.streaming.query.parse import parse
from sentinel.streaming.query.session import evaluation_session
from tests.support.malformed import ALL, SCHEMA, SIXTEEN

pytestmark = [pytest.mark.spark, pytest.mark.integration]


class Live:
    """A Real-Time Mode query from a topic to a topic of verdicts."""

    def __init__(self, spark: SparkSession, settings: Settings, directory: Path) -> None:
        self.servers = settings.kafka.bootstrap_servers
        name = uuid.uuid4().hex[:12]
        self.source, self.target = f"parse-{name}", f"verdicts-{name}"
        admin = AdminClient({"bootstrap.servers": self.servers})
        wanted = [
            NewTopic(topic, 1, 1, config={"max.message.bytes": "4000000"}) for topic in (self.source, self.target)
        ]
        for future in admin.create_topics(wanted).values():
            future.result(30)
        self.producer = Producer({"bootstrap.servers": self.servers, "message.max.bytes": 4_000_000})
        self.consumer = Consumer({"bootstrap.servers": self.servers, "group.id": name})
        self.consumer.assign([TopicPartition(self.target, 0, 0)])
        self.query = self._start(evaluation_session(spark), directory)

    def _start(self, session: SparkSession, directory: Path) -> StreamingQuery:
        records = (
            session.readStream.format("kafka")
            .option("kafka.bootstrap.servers", self.servers)
            .option("assign", json.dumps({self.source: [0]}))
            .option("startingOffsets", json.dumps({self.source: {"0": 0}}))
            .option("kafka.max.partition.fetch.bytes", str(4_000_000))
            .load()
        )
        found = parse(records, SCHEMA, PipelineConfig(), topic=self.source, source_epoch=0)
        verdict = "to_json(named_struct('o', offset, 'c', cause, 'f', field, 'd', detail, 'e', event)) AS value"
        return (
            found.selectExpr(verdict)
            .writeStream.format("kafka")
            .option("kafka.bootstrap.servers", self.servers)
            .option("topic", self.target)
            .option("checkpointLocation", directory.as_uri())
            .outputMode("update")
            .trigger(realTime="5 minutes")
            .start()
        )

    def send(self, *values: bytes | None) -> None:
        for value in values:
            self.producer.produce(self.source, value, partition=0)
        assert self.producer.flush(30) == 0

    def read(self, count: int, timeout_seconds: float = 90) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + timeout_seconds
        while len(found) < count:
            failure = self.query.exception()
            assert failure is None, failure
            assert time.monotonic() < deadline, f"{len(found)} of {count} verdicts"
            record = self.consumer.poll(0.2)
            if record is not None and record.error() is None:
                found.append(json.loads(record.value() or b""))
        return found


@pytest.fixture
def live(spark: SparkSession, settings: Settings, tmp_path: Path) -> Iterator[Live]:
    running = Live(spark, settings, tmp_path / "checkpoint")
    yield running
    running.query.stop()
    running.consumer.close()


def test_every_odd_record_gets_its_verdict_and_the_query_goes_on(live: Live) -> None:
    assert len(SIXTEEN) == 16
    live.send(*[record.value for record in ALL])
    found = sorted(live.read(len(ALL)), key=lambda verdict: verdict["o"])
    # The other causes are named outside of Spark, see test_parse.
    by_spark = {"event_time_in_future", "event_time_out_of_range"}
    right = [(r.name, r.cause if r.cause in by_spark or "an id of" in r.name else r.cause and UNSOUND) for r in ALL]
    assert [(record.name, verdict.get("c")) for record, verdict in zip(ALL, found, strict=True)] == right
    assert [verdict["o"] for verdict in found if "c" not in verdict] == [
        verdict["o"] for verdict in found if "e" in verdict
    ]

    live.send(b'{"id":"after","amount":1}')
    (last,) = live.read(1)
    assert last["e"]["id"] == "after"
    assert live.query.isActive
