"""Records that nobody meant to send, in the topic of a running pipeline of each mode, with valid events between them.

Judged at the end, offset by offset: every record is an event in the lake or a dead letter, and nothing else; both
modes say the same of each; every valid event is alerted once; the driver ran all the time; reconciliation finds
nothing lost or doubled.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Producer

from sentinel.clock import utc_now
from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.domain.pipeline import DetectMode
from tests.fuzz.judges import contradiction
from tests.fuzz.records import MAX_RECORD_BYTES, SCHEMA, RecordMutator
from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

PARTITIONS = 4
MODES = (DetectMode.REALTIME, DetectMode.MICROBATCH)
# A valid event that must be alerted comes after so many odd records.
SENTINEL_EVERY = 50
ROUND_RECORDS = 5_000
# The rules look at every field, also inside of arrays and objects, and at what mutation makes of it.
RULES = {
    "sentinel": "user = 'sentinel' AND amount = 4242",
    "large": "amount > 1000 OR count > 1000000",
    "price": "price * 3 > 100 AND flag",
    "inside": "place.lat > 10 OR size(lines) > 2 OR array_contains(tags, 'x')",
    "late": "year(at) > 2020 OR day > date'5000-01-01'",
    "text": "length(user) > 100 OR user LIKE '%\\_%' OR upper(id) = 'A'",
}
_HEADERS = (
    [],
    [("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
    [("traceparent", b"\xff\xfe" * 500), ("traceparent", None)],
    [("x-sentinel-request-id", b"\x00" * 10), ("", b"")],
    [("x-request-id", b"' OR 1=1 --"), ("\u2028", b"x" * 5_000)],
    [(f"h{number}", b"v") for number in range(200)],
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A record of the topic.

    Attributes:
        how: What was done to it; empty for a valid event that must be alerted.
    """

    value: bytes | None
    how: str


@dataclass
class Outcome:
    """What a run saw.

    Attributes:
        causes: Of the dead letters of one pipeline.
    """

    records: int = 0
    sentinels: int = 0
    events: int = 0
    dead: int = 0
    causes: Counter[str] = field(default_factory=Counter)

    def summary(self) -> str:
        """Return it as text."""
        return (
            f"{self.records} records in each of {len(MODES)} modes: {self.events} events, {self.dead} dead letters, "
            f"0 lost; {self.sentinels} valid ones between them, each alerted once\n"
            + "\n".join(f"  {count:>8} {cause}" for cause, count in self.causes.most_common())
        )


class TopicFuzz:
    """A topic, a pipeline of each mode on it, and one driver."""

    def __init__(self, bench: Workbench, seed: int) -> None:
        self._bench = bench
        self._chance = random.Random(seed)
        self._made = RecordMutator(self._chance)
        self._sent: dict[tuple[int, int], Sent] = {}
        self._sentinels = 0
        self._topic = bench.create_topic(PARTITIONS, **{"max.message.bytes": "4000000"})
        self._pipelines = [
            bench.create_pipeline(
                self._topic, RULES, fields=SCHEMA.as_json(), mode=mode, max_record_bytes=MAX_RECORD_BYTES
            )
            for mode in MODES
        ]

    def run(self, rounds: Iterator[int]) -> Outcome:
        """Send as many records as each round says, and judge them all in the end.

        Raises:
            AssertionError: Something is lost, doubled, judged differently, or the driver ended.
        """
        with self._bench.job(*self._pipelines) as job:
            for pipeline_id in self._pipelines:
                self._bench.wait_generation(pipeline_id, job)
            for count in rounds:
                self._send(count)
                for pipeline_id in self._pipelines:
                    self._bench.wait_decided(pipeline_id, self._topic, job)
            for pipeline_id in self._pipelines:
                self._bench.wait_settled(pipeline_id, self._topic, job)
            assert job.process.poll() is None, job.tail()
        return self._judge()

    def _send(self, count: int) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._bench.settings.kafka.bootstrap_servers,
                "message.max.bytes": 4_000_000,
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        refused: list[str] = []
        for number in range(count):
            sent = self._sentinel() if number % SENTINEL_EVERY == 0 else self._odd()

            def confirmed(error: Any, message: Any, sent: Sent = sent) -> None:
                if error is not None:
                    refused.append(str(error))
                    return
                self._sent[message.partition(), message.offset()] = sent

            producer.produce(
                self._topic,
                sent.value,
                key=self._chance.choice((None, b"", b"\x00\xff", b"k" * 1_000, b"user")),
                partition=self._chance.randrange(PARTITIONS),
                headers=self._chance.choice(_HEADERS),
                timestamp=self._timestamp() if sent.how else 0,
                on_delivery=confirmed,
            )
            producer.poll(0)
        assert producer.flush(120) == 0
        assert not refused, refused[:3]

    def _sentinel(self) -> Sent:
        self._sentinels += 1
        event = {"id": f"sentinel-{self._sentinels}", "user": "sentinel", "amount": 4242}
        return Sent(json.dumps(event).encode(), "")

    def _odd(self) -> Sent:
        made = self._made.record()
        return Sent(made.value, made.how)

    def _timestamp(self) -> int:
        """Return a record's timestamp, milliseconds; 0: the producer's clock."""
        now = int(utc_now().timestamp() * 1000)
        # A broker takes none that is more than an hour ahead.
        return self._chance.choice((0, 0, 0, 1, now - 86_400_000, now + 1_800_000))

    # -- the oracle

    def _judge(self) -> Outcome:
        found = [self._outcome(pipeline_id) for pipeline_id in self._pipelines]
        verdicts = [self._dead(pipeline_id) for pipeline_id in self._pipelines]
        for place, sent in self._sent.items():
            one, other = (each.get(place) for each in verdicts)
            assert one == other, f"{place}: {MODES[0]} says {one}, {MODES[1]} says {other}: {sent}"
            if one is not None:
                self._judge_cause(one, sent)
        assert found[0] == found[1]
        return found[0]

    def _outcome(self, pipeline_id: int) -> Outcome:
        bench = self._bench
        report = assert_reconciled(bench, pipeline_id)
        dead = self._dead(pipeline_id)
        assert set(dead) <= set(self._sent)
        assert report.dead_letters == len(dead)
        assert report.lake_rows + len(dead) == len(self._sent), f"{report.lake_rows} + {len(dead)} != {len(self._sent)}"
        alerted = bench.query(
            "SELECT count(*) AS n, count(DISTINCT event_id) AS ids FROM public.fraud_alerts"
            " WHERE pipeline_id = %s AND rule_description = 'sentinel'",
            pipeline_id,
        )[0]
        assert (alerted["n"], alerted["ids"]) == (self._sentinels, self._sentinels)
        assert len(bench.generations(pipeline_id)) == 1, "a query was restarted"
        assert bench.query("SELECT id FROM sentinel.rule_quarantines WHERE pipeline_id = %s", pipeline_id) == []
        causes = Counter(cause for cause, _ in dead.values())
        return Outcome(len(self._sent), self._sentinels, report.lake_rows, len(dead), causes)

    def _dead(self, pipeline_id: int) -> dict[tuple[int, int], tuple[str, str | None]]:
        rows = self._bench.query(
            "SELECT kafka_partition, kafka_offset, cause, field FROM sentinel.dead_letters WHERE pipeline_id = %s",
            pipeline_id,
        )
        return {(row["kafka_partition"], row["kafka_offset"]): (row["cause"], row["field"]) for row in rows}

    def _judge_cause(self, verdict: tuple[str, str | None], sent: Sent) -> None:
        cause, named = verdict
        assert sent.how, f"a valid event is dead: {verdict}"
        if not cause.startswith("event_time_"):
            fault = contradiction(sent.value, DeadLetterCause(cause), named, SCHEMA)
            assert not fault, f"{cause} of {named}, {fault}: {sent}"
