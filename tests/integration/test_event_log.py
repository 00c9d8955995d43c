"""Appending events to topics, on a real broker and without one."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest

from sentinel.settings import KafkaSettings, Settings
from sentinel.stores.kafka.event_log import EventLog, EventRecord
from tests.support.topics import awaited


@pytest.fixture
def log(settings: Settings) -> Iterator[EventLog]:
    """Where events are appended."""
    opened = EventLog(settings.kafka, timeout_seconds=5)
    yield opened
    opened.close()


def test_appended_events_are_held_by_the_broker(settings: Settings, log: EventLog) -> None:
    topic = f"log-{uuid.uuid4().hex}"
    log.ensure_topic(topic, partitions=2)
    log.ensure_topic(topic, partitions=2)
    records = [EventRecord(topic, b'{"n":%d}' % n, b"k%d" % n, (("ce_type", b"order"),)) for n in range(100)]
    assert log.append(records) == [None] * 100
    assert sorted(awaited(settings, topic, 100)) == sorted((r.key, r.value, [("ce_type", b"order")]) for r in records)


def test_each_record_is_told_apart(log: EventLog) -> None:
    topic = f"log-{uuid.uuid4().hex}"
    log.ensure_topic(topic, partitions=1)
    good, nowhere, huge, again = log.append(
        [
            EventRecord(topic, b"{}"),
            EventRecord(f"no-{uuid.uuid4().hex}", b"{}"),
            EventRecord(topic, b"x" * 7_000_000),
            EventRecord(topic, b"{}"),
        ]
    )
    assert good is None
    assert again is None
    assert nowhere is not None
    assert nowhere.is_permanent
    assert "nknown topic" in nowhere.reason
    assert huge is not None
    assert huge.is_permanent
    assert "too large" in huge.reason


def test_without_a_broker_the_wait_is_bounded_and_the_failure_passing() -> None:
    log = EventLog(KafkaSettings(bootstrap_servers="127.0.0.1:1"), timeout_seconds=0.5)
    try:
        failures = log.append([EventRecord("t", b"{}"), EventRecord("t", b"{}")])
    finally:
        log.close()
    assert [failure is not None and not failure.is_permanent for failure in failures] == [True, True]


def test_many_threads_append_at_once(settings: Settings, log: EventLog) -> None:
    topic = f"log-{uuid.uuid4().hex}"
    log.ensure_topic(topic, partitions=4)
    failed = []

    def work(number: int) -> None:
        for n in range(20):
            failed.extend(f for f in log.append([EventRecord(topic, b"%d-%d" % (number, n))]) if f)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len({value for _, value, _ in awaited(settings, topic, 160)}) == 160
