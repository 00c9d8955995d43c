"""The producer against a real broker: everything arrives, failures are counted, Ctrl-C ends with a summary."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition

from sentinel.errors import InvalidError, StoreUnavailableError
from sentinel.settings import KafkaSettings, Settings
from sentinel.testing.servers import ServerSet
from sentinel.workload.feed import Chunk, Replay, generated
from sentinel.workload.generator import CardTransactions
from sentinel.workload.producer import SendSummary, ensure_topic, send

pytestmark = pytest.mark.integration


@pytest.fixture
def topic(settings: Settings) -> str:
    name = f"producer-{uuid.uuid4().hex[:8]}"
    ensure_topic(settings.kafka, name, 3)
    return name


def read_all(settings: Settings, topic: str) -> list[tuple[bytes | None, bytes]]:
    """Return (key, value) of everything in a topic, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "test", "enable.partition.eof": False}
    )
    found: list[tuple[bytes | None, bytes]] = []
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        for partition in partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            consumer.assign([TopicPartition(topic, partition, low)])
            at = low
            while at < high:
                messages = consumer.consume(min(10_000, high - at), timeout=10)
                assert messages, f"partition {partition} stops at {at} of {high}"
                found += [(message.key(), message.value()) for message in messages]
                at = messages[-1].offset() + 1
    finally:
        consumer.close()
    return found


class TestSend:
    def test_every_record_arrives_once(self, settings: Settings, topic: str) -> None:
        summary = send(settings.kafka, topic, generated(CardTransactions(1), rate=None, count=20_000))
        arrived = read_all(settings, topic)
        assert (summary.sent, summary.delivered, summary.failed) == (20_000, 20_000, 0)
        assert summary.bytes == sum(len(value) for _, value in arrived)
        assert len({orjson.loads(value)["transaction_id"] for _, value in arrived}) == len(arrived) == 20_000

    def test_a_timetable_is_kept(self, settings: Settings, topic: str) -> None:
        summary = send(settings.kafka, topic, generated(CardTransactions(1), rate=400.0, count=400))
        assert summary.delivered == 400
        assert 0.99 <= summary.seconds < 5

    def test_a_full_queue_waits_and_loses_nothing(self, settings: Settings, topic: str) -> None:
        summary = send(
            settings.kafka,
            topic,
            generated(CardTransactions(1), rate=None, count=5_000),
            config={"queue.buffering.max.messages": 100, "batch.num.messages": 50},
        )
        assert (summary.delivered, summary.failed) == (5_000, 0)
        assert len(read_all(settings, topic)) == 5_000

    def test_a_record_the_client_refuses_is_counted(self, settings: Settings, topic: str) -> None:
        chunk = Chunk([{"key": None, "value": b"x"}, {"key": None, "value": b"x" * 2_000_000}], None)
        summary = send(settings.kafka, topic, [chunk])
        assert (summary.sent, summary.delivered, summary.failed) == (2, 1, 1)
        assert "too large" in next(iter(summary.reasons)).lower()

    def test_records_no_broker_takes_are_counted(self, servers: ServerSet) -> None:
        nobody = KafkaSettings(bootstrap_servers="127.0.0.1:1")
        chunk = Chunk([{"key": None, "value": b"x"}] * 3, None)
        summary = send(nobody, "any", [chunk], flush_seconds=0.5)
        assert (summary.sent, summary.delivered, summary.failed, summary.in_flight) == (3, 0, 3, 0)

    def test_a_stop_ends_early_and_delivers_what_was_sent(self, settings: Settings, topic: str) -> None:
        stop = threading.Event()

        def progress(now: SendSummary) -> None:
            if now.sent >= 50:
                stop.set()

        summary = send(
            settings.kafka,
            topic,
            generated(CardTransactions(1), rate=100.0, count=None),
            stop=stop,
            on_progress=progress,
        )
        assert summary.stopped
        assert summary.sent == summary.delivered == len(read_all(settings, topic))

    def test_fifty_thousand_a_second(self, settings: Settings, topic: str) -> None:
        rates: list[float] = []
        # The best of three: what else runs on the machine is not the producer's fault.
        while len(rates) < 3 and max(rates, default=0.0) < 50_000:
            chunks = generated(CardTransactions(1), rate=None, count=250_000)
            summary = send(settings.kafka, topic, chunks, config={"linger.ms": 20})
            assert summary.delivered == 250_000
            rates.append(summary.rate)
        print("\nproducer: " + ", ".join(f"{rate:,.0f} events/s" for rate in rates))
        assert max(rates) >= 50_000


class TestEnsureTopic:
    def test_an_existing_topic_keeps_its_partitions(self, settings: Settings, topic: str) -> None:
        assert ensure_topic(settings.kafka, topic, 7) == 3

    def test_a_refused_name_is_named(self, settings: Settings) -> None:
        with pytest.raises(InvalidError, match="a/b"):
            ensure_topic(settings.kafka, "a/b", 1)

    def test_a_silent_broker_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sentinel.workload.producer.TIMEOUT_SECONDS", 0.3)
        with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:1"):
            ensure_topic(KafkaSettings(bootstrap_servers="127.0.0.1:1"), "any", 1)


class TestReplay:
    def test_all_rows_of_the_handbook(self, settings: Settings, topic: str, shared_data: Path) -> None:
        replay = Replay(shared_data / "fraud_handbook" / "transactions.jsonl.gz", key_field="customer_id")
        summary = send(settings.kafka, topic, replay.chunks())
        assert summary.delivered == 134_214
        rows = [orjson.loads(value) for _, value in read_all(settings, topic)]
        assert sum(row["tx_amount"] > 220 for row in rows) == 235


@pytest.fixture
def sentinel(settings: Settings) -> Callable[..., subprocess.Popen[str]]:
    """Start the command on the test's servers."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SENTINEL_")}
    environment["SENTINEL_HOME"] = str(settings.home)

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "sentinel.cli.app", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


class TestCommand:
    def test_a_seed_gives_the_same_records_and_the_labels_lie_apart(
        self, settings: Settings, sentinel: Callable[..., subprocess.Popen[str]], tmp_path: Path
    ) -> None:
        runs = []
        for name in ("a", "b"):
            topic, labels = f"seeded-{name}-{uuid.uuid4().hex[:8]}", tmp_path / f"{name}.jsonl"
            process = sentinel(
                "producer", "--topic", topic, "--rate", "max", "--count", "3000", "--seed", "9",
                "--start-time", "2026-01-01T00:00:00Z", "--labels", str(labels),
            )  # fmt: skip
            output, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            assert "delivered           3,000" in output
            runs.append((sorted(read_all(settings, topic)), labels.read_bytes()))
        assert runs[0] == runs[1]
        ids = {orjson.loads(value)["transaction_id"] for _, value in runs[0][0]}
        labelled = [json.loads(line)["transaction_id"] for line in runs[0][1].splitlines()]
        assert labelled
        assert set(labelled) <= ids

    def test_ctrl_c_ends_with_the_summary(
        self, settings: Settings, sentinel: Callable[..., subprocess.Popen[str]]
    ) -> None:
        topic = f"stopped-{uuid.uuid4().hex[:8]}"
        process = sentinel("producer", "--topic", topic, "--rate", "200")
        assert process.stderr is not None
        while "seed " not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "(stopped early)" in output
        assert "failed              0" in output

    def test_a_wrong_option_is_one_sentence(self, sentinel: Callable[..., subprocess.Popen[str]]) -> None:
        process = sentinel("producer", "--rate", "fast")
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "the rate 'fast' is not understood" in errors
        assert "Traceback" not in errors
